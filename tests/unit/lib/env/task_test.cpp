#include "env/task.h"

#include <catch2/catch.hpp>
#include <memory>
#include <string>

#include "env/future.h"
#include "tests/sim/world/world.h"

namespace mendfs {
namespace {

using sim::SimProcess;
using sim::SimWorld;
using namespace std::chrono_literals;

/// Counts its living instances, so that a test sees what a destroyed frame has released.
struct Counted {
  explicit Counted(int* count) : alive(count) { ++*alive; }
  Counted(Counted&& other) noexcept : alive(std::exchange(other.alive, nullptr)) {}
  Counted& operator=(Counted&&) = delete;
  ~Counted() {
    if (alive != nullptr) --*alive;
  }
  int* alive;
};

Task<int> immediately(int value) { co_return value; }

Task<std::unique_ptr<int>> move_only(int value) { co_return std::make_unique<int>(value); }

Task<void> sum_of(int count, std::int64_t* sum) {
  for (int i = 0; i < count; ++i) *sum += co_await immediately(1);
}

Task<int> wait_inside(Loop& loop, Counted outer, int depth) {
  Counted inner(outer.alive);
  if (depth == 0) {
    co_await sleep_for(loop, 1s);
    co_return 1;
  }
  Counted argument(outer.alive);
  const int below = co_await wait_inside(loop, std::move(argument), depth - 1);
  co_return below + 1;
}

Task<void> store_depth(Loop& loop, int* alive, int* depth) {
  Counted outer(alive);
  *depth = co_await wait_inside(loop, std::move(outer), 5);
}

Task<void> note_at_end(Loop& loop, Duration wait, std::string name, std::string* order) {
  struct AtEnd {
    std::string name;
    std::string* order;
    ~AtEnd() { *order += name; }
  };
  const AtEnd at_end{std::move(name), order};
  co_await sleep_for(loop, wait);
}

Task<void> spawn_more(Loop& loop, Scope* scope, int more, int* ran) {
  if (more > 0) scope->spawn(spawn_more(loop, scope, more - 1, ran));
  co_await sleep_for(loop, 1ms);
  ++*ran;
}

}  // namespace

TEST_CASE("a task that never waits ends within spawn", "[task]") {
  Scope scope;
  std::int64_t sum = 0;
  scope.spawn(sum_of(10, &sum));
  CHECK(sum == 10);
  CHECK(scope.empty());
}

TEST_CASE("a million awaits that end at once need no stack", "[task]") {
  Scope scope;
  std::int64_t sum = 0;
  scope.spawn(sum_of(1'000'000, &sum));
  CHECK(sum == 1'000'000);
}

TEST_CASE("results may be movable only", "[task]") {
  SimWorld world;
  CHECK(*run(world, move_only(7)) == 7);
}

TEST_CASE("a task that is never awaited runs nothing and releases its arguments", "[task]") {
  SimWorld world;
  int alive = 0;
  {
    Counted outer(&alive);
    const Task<int> task = wait_inside(world.process("p").loop(), std::move(outer), 1);
    CHECK(alive == 1);
  }
  CHECK(alive == 0);
}

TEST_CASE("nested tasks end and release everything", "[task]") {
  SimWorld world;
  int alive = 0;
  int depth = 0;
  Scope scope;
  scope.spawn(store_depth(world.process("p").loop(), &alive, &depth));
  CHECK(alive > 5);
  CHECK(depth == 0);
  world.run_for(2s);
  CHECK(depth == 6);
  CHECK(alive == 0);
  CHECK(scope.empty());
}

TEST_CASE("destroying a scope releases frames wherever they wait, and nothing wakes them", "[task]") {
  SimWorld world;
  int alive = 0;
  int depth = 0;
  {
    Scope scope;
    scope.spawn(store_depth(world.process("p").loop(), &alive, &depth));
    CHECK(alive > 5);
  }
  CHECK(alive == 0);
  world.run_for(2s);
  CHECK(depth == 0);
}

TEST_CASE("a scope destroys its frames in the order it got them", "[task]") {
  SimWorld world;
  Loop& loop = world.process("p").loop();
  std::string order;
  {
    Scope scope;
    for (const char* name : {"a", "b", "c", "d"}) scope.spawn(note_at_end(loop, 1s, name, &order));
    scope.spawn(note_at_end(loop, 1ms, "e", &order));
    world.run_for(10ms);
    CHECK(order == "e");
    CHECK(scope.count() == 4);
  }
  CHECK(order == "eabcd");
}

TEST_CASE("a coroutine may spawn into its own scope", "[task]") {
  SimWorld world;
  Scope scope;
  int ran = 0;
  scope.spawn(spawn_more(world.process("p").loop(), &scope, 3, &ran));
  CHECK(scope.count() == 4);
  world.run_for(1s);
  CHECK(ran == 4);
  CHECK(scope.empty());
}

}  // namespace mendfs
