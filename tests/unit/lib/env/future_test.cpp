#include "env/future.h"

#include <catch2/catch.hpp>
#include <memory>
#include <vector>

#include "tests/sim/world/world.h"

namespace mendfs {
namespace {

using sim::SimWorld;
using namespace std::chrono_literals;

using Numbers = std::vector<int>;

Task<void> await_into(Future<int> future, Numbers* seen) { seen->push_back(co_await future); }

Task<void> await_until_into(Future<int> future, Time deadline, Numbers* seen) {
  const std::optional<int> value = co_await future.until(deadline);
  seen->push_back(value.value_or(-1));
}

Task<void> await_patiently(Loop& loop, Future<int> future, Numbers* seen) {
  for (;;) {
    const std::optional<int> value = co_await future.until(loop.now() + 1s);
    seen->push_back(value.value_or(-1));
    if (value) co_return;
  }
}

Task<void> follow(Signal* signal, const int* state, Numbers* seen) {
  while (*state < 3) {
    (void)co_await signal->next();
    seen->push_back(*state);
  }
}

Task<int> later(Loop& loop, Duration delay, int value) {
  co_await sleep_for(loop, delay);
  co_return value;
}

Task<int> at_once(int value) { co_return value; }

struct World {
  SimWorld world;
  Loop& loop = world.process("p").loop();
  Numbers seen;
};

}  // namespace

TEST_CASE_METHOD(World, "a waiter runs from the loop, not inside set()", "[future]") {
  auto [promise, future] = make_promise<int>(loop);
  Scope scope;
  scope.spawn(await_into(future, &seen));
  promise.set(3);
  CHECK(seen.empty());
  world.run_for(0s);
  CHECK(seen == Numbers{3});
}

TEST_CASE_METHOD(World, "the first value counts, also when it is there before the waiter", "[future]") {
  auto [promise, future] = make_promise<int>(loop);
  promise.set(1);
  promise.set(2);
  CHECK(promise.is_set());
  CHECK(future.ready());
  Scope scope;
  scope.spawn(await_into(future, &seen));
  CHECK(seen == Numbers{1});
}

TEST_CASE_METHOD(World, "a waiter destroyed before, between and after set() and its wake-up does no harm", "[future]") {
  auto [promise, future] = make_promise<int>(loop);
  for (int moment = 0; moment < 3; ++moment) {
    auto [one, waited] = make_promise<int>(loop);
    Scope scope;
    scope.spawn(await_into(waited, &seen));
    if (moment == 0) scope.cancel_all();
    one.set(moment);
    if (moment == 1) scope.cancel_all();
    world.run_for(0s);
    if (moment == 2) scope.cancel_all();
  }
  CHECK(seen == Numbers{2});
}

TEST_CASE_METHOD(World, "a deadline ends the wait, and it may be awaited again", "[future]") {
  auto [promise, future] = make_promise<int>(loop);
  Scope scope;
  scope.spawn(await_patiently(loop, future, &seen));
  world.run_for(2500ms);
  CHECK(seen == Numbers{-1, -1});
  promise.set(5);
  world.run_for(0s);
  CHECK(seen == Numbers{-1, -1, 5});
  world.run_for(5s);
  CHECK(seen.size() == 3);
  CHECK(scope.empty());
}

TEST_CASE_METHOD(World, "a value and the deadline at the same moment wake the waiter once", "[future]") {
  for (const bool value_first : {false, true}) {
    seen.clear();
    auto [promise, future] = make_promise<int>(loop);
    Scope scope;
    const Time deadline = loop.now() + 1s;
    const auto set = [promise = promise] { promise.set(1); };
    if (value_first) loop.call_at(deadline, set);
    scope.spawn(await_until_into(future, deadline, &seen));
    if (!value_first) loop.call_at(deadline, set);
    world.run_for(2s);
    CHECK(seen == (value_first ? Numbers{1} : Numbers{-1}));
  }
}

TEST_CASE_METHOD(World, "a timed waiter that is destroyed leaves no timer behind", "[future]") {
  auto [promise, future] = make_promise<int>(loop);
  {
    Scope scope;
    scope.spawn(await_until_into(future, loop.now() + 1s, &seen));
    CHECK_FALSE(world.scheduler().idle());
  }
  CHECK(world.scheduler().idle());
  promise.set(1);
  world.run_for(2s);
  CHECK(seen.empty());
}

TEST_CASE_METHOD(World, "a deadline in the past answers at once", "[future]") {
  world.run_for(10s);
  auto [promise, future] = make_promise<int>(loop);
  Scope scope;
  scope.spawn(await_until_into(future, loop.now() - 1s, &seen));
  world.run_for(0s);
  CHECK(seen == Numbers{-1});
}

TEST_CASE_METHOD(World, "a signal wakes all who wait, and each look for themselves", "[future]") {
  Signal signal(loop);
  int state = 0;
  Numbers other;
  Scope scope;
  scope.spawn(follow(&signal, &state, &seen));
  scope.spawn(follow(&signal, &state, &other));
  for (state = 1; state <= 3; ++state) {
    signal.notify_all();
    world.run_for(0s);
  }
  CHECK(seen == Numbers{1, 2, 3});
  CHECK(other == Numbers{1, 2, 3});
  CHECK(scope.empty());
}

TEST_CASE_METHOD(World, "all_of answers in the order of its tasks", "[future]") {
  std::vector<Task<int>> tasks;
  tasks.push_back(later(loop, 30ms, 1));
  tasks.push_back(at_once(2));
  tasks.push_back(later(loop, 10ms, 3));
  CHECK(run(world, all_of(loop, std::move(tasks))) == Numbers{1, 2, 3});
  CHECK(world.now() == 30ms);
  CHECK(run(world, all_of(loop, std::vector<Task<int>>{})).empty());
  std::vector<Task<int>> quick;
  quick.push_back(at_once(4));
  CHECK(run(world, all_of(loop, std::move(quick))) == Numbers{4});
}

namespace {

Task<void> gather(Loop& loop, Numbers* seen) {
  std::vector<Task<int>> tasks;
  for (int i = 0; i < 4; ++i) tasks.push_back(later(loop, i * 10ms, i));
  *seen = co_await all_of(loop, std::move(tasks));
}

}  // namespace

TEST_CASE_METHOD(World, "all_of destroyed half way destroys its tasks", "[future]") {
  {
    Scope scope;
    scope.spawn(gather(loop, &seen));
    world.run_for(15ms);
  }
  world.run_for(1s);
  CHECK(seen.empty());
  CHECK(world.scheduler().idle());
}

}  // namespace mendfs
