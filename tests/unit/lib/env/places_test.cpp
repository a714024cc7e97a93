#include "env/places.h"

#include <catch2/catch.hpp>
#include <map>
#include <vector>

#include "tests/sim/world/world.h"

namespace mendfs {
namespace {

using namespace std::chrono_literals;

/// Users that take a place, note when they have it, and keep it for a while.
struct Users {
  sim::SimWorld world;
  Loop& loop = world.process("p").loop();
  Places places{loop, 2};
  std::vector<int> served, refused;
  std::map<int, Scope> scopes;

  void come(int user, Duration stay, Duration patience = 1h) {
    scopes[user].spawn(use(this, user, stay, loop.now() + patience));
  }
  void leave(int user) { scopes.erase(user); }

  static Task<void> use(Users* users, int user, Duration stay, Time deadline) {
    const std::optional<Places::Guard> place = co_await users->places.take(deadline);
    (place ? users->served : users->refused).push_back(user);
    if (place) co_await sleep_for(users->loop, stay);
  }
};

using Numbers = std::vector<int>;

}  // namespace

TEST_CASE_METHOD(Users, "places are given out in the order of asking", "[places]") {
  for (int user = 0; user < 5; ++user) come(user, 1s);
  world.run_for(0s);
  CHECK(served == Numbers{0, 1});
  world.run_for(1s);
  CHECK(served == Numbers{0, 1, 2, 3});
  world.run_for(1s);
  CHECK(served == Numbers{0, 1, 2, 3, 4});
}

TEST_CASE_METHOD(Users, "who has no place by the deadline gets none, and takes none from others", "[places]") {
  come(0, 10s);
  come(1, 10s);
  come(2, 1s, 5s);
  come(3, 1s);
  world.run_for(9s);
  CHECK(refused == Numbers{2});
  world.run_for(2s);
  CHECK(served == Numbers{0, 1, 3});
}

TEST_CASE_METHOD(Users, "who goes away gives its place or its turn to the next", "[places]") {
  for (int user = 0; user < 5; ++user) come(user, 1h);
  world.run_for(1s);
  SECTION("while it has one") { leave(0); }
  SECTION("while it waits") {
    leave(2);
    leave(0);
  }
  SECTION("between being given one and taking it") {
    leave(0);
    leave(2);
    world.run_for(0s);
    CHECK(served == Numbers{0, 1, 3});
    return;
  }
  world.run_for(0s);
  CHECK(served.size() == 3);
  leave(1);
  world.run_for(0s);
  CHECK(served.size() == 4);
  CHECK(served.back() == (served[2] == 2 ? 3 : 4));
}

}  // namespace mendfs
