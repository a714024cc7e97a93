#include "env/posix/busy_poll.h"

#include <catch2/catch.hpp>

namespace mendfs {
namespace {

using namespace std::chrono_literals;

TEST_CASE("a loop does not look for news before some came soon", "[posix]") {
  BusyPoll poll;
  CHECK(poll.span() == Time(0));
  poll.came(50ms);
  CHECK(poll.span() == Time(0));
  poll.came(BusyPoll::kMost);
  CHECK(poll.span() == BusyPoll::kMost);
}

TEST_CASE("looking in vain is given up step by step", "[posix]") {
  BusyPoll poll;
  poll.came(20us);
  Time wasted{0};
  int times = 0;
  while (poll.span() > Time(0)) {
    REQUIRE(++times < 10);
    wasted += poll.span();
    poll.came(1s);
  }
  CHECK(wasted < 2 * BusyPoll::kMost);
  poll.came(20us);
  CHECK(poll.span() == BusyPoll::kMost);
}

}  // namespace
}  // namespace mendfs
