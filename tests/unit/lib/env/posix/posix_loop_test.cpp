#include "env/posix/posix_loop.h"

#include <catch2/catch.hpp>
#include <csignal>
#include <thread>
#include <vector>

#include "tests/unit/lib/env/posix/real_world.h"

namespace mendfs {
namespace {

using namespace std::chrono_literals;

TEST_CASE("posted work runs in order, and what it posts runs after it", "[posix]") {
  PosixLoop loop;
  std::vector<int> order;
  loop.post([&] {
    order.push_back(1);
    loop.post([&] {
      order.push_back(3);
      loop.stop();
    });
  });
  loop.post([&] { order.push_back(2); });
  loop.run();
  CHECK(order == std::vector<int>{1, 2, 3});
}

TEST_CASE("timers run in the order of their times, and a cancelled one never", "[posix]") {
  PosixLoop loop;
  std::vector<int> order;
  const Time now = loop.now();
  loop.call_at(now + 20ms, [&] {
    order.push_back(2);
    loop.stop();
  });
  const TimerId cancelled = loop.call_at(now + 5ms, [&] { order.push_back(9); });
  loop.call_at(now + 10ms, [&] {
    order.push_back(1);
    CHECK(loop.now() >= now + 10ms);
  });
  loop.cancel(cancelled);
  loop.cancel(cancelled);
  loop.run();
  CHECK(order == std::vector<int>{1, 2});
}

void post_for_ever(PosixLoop& loop, bool& enough) {
  if (!enough) loop.post([&] { post_for_ever(loop, enough); });
}

TEST_CASE("work that posts itself for ever starves neither timers nor other threads", "[posix]") {
  PosixLoop loop;
  bool enough = false;
  post_for_ever(loop, enough);
  bool timer_ran = false;
  bool thread_ran = false;
  const auto stop_when_both = [&] {
    enough = timer_ran && thread_ran;
    if (enough) loop.stop();
  };
  loop.call_at(loop.now() + 1ms, [&] {
    timer_ran = true;
    stop_when_both();
  });
  std::thread other([&] {
    loop.post_from_thread([&] {
      thread_ran = true;
      stop_when_both();
    });
  });
  loop.run();
  other.join();
  CHECK((timer_ran && thread_ran));
}

TEST_CASE("SIGTERM and SIGINT become callbacks on the loop", "[posix]") {
  PosixLoop loop;
  int count = 0;
  loop.on_terminate([&] {
    if (++count == 1) {
      std::raise(SIGINT);
    } else {
      loop.stop();
    }
  });
  loop.post([] { std::raise(SIGTERM); });
  loop.run();
  CHECK(count == 2);
}

TEST_CASE("a coroutine sleeps on the real clock", "[posix]") {
  PosixLoop loop;
  struct Sleeper {
    static Task<Time> run(PosixLoop* loop) {
      co_await sleep_for(*loop, 5ms);
      co_return loop->now();
    }
  };
  const Time begin = loop.now();
  CHECK(run_to_end(loop, Sleeper::run(&loop)) - begin >= 5ms);
}

}  // namespace
}  // namespace mendfs
