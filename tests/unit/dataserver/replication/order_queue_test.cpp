#include "dataserver/replication/order_queue.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "tests/sim/world/random.h"

namespace mendfs::replication {

TEST_CASE("blocks in common", "[order_queue]") {
  struct Case {
    BlockRun a, b;
    bool expected;
  };
  const std::vector<Case> cases = {
      {{0, 3, 4}, {9, 3, 1}, true},    // its last
      {{0, 3, 4}, {12, 3, 1}, false},  // behind its end
      {{3, 3, 2}, {0, 3, 1}, false},   // before its first
      {{0, 3, 4}, {4, 3, 1}, false},   // between two of its blocks
      {{0, 3, 4}, {0, 3, 4}, true},   {{0, 3, 0}, {0, 3, 4}, false},
      {{0, 3, 4}, {1, 1, 5}, true},  // other steps: the careful answer
  };
  for (const Case& c : cases) {
    CHECK(share_blocks(c.a, c.b) == c.expected);
    CHECK(share_blocks(c.b, c.a) == c.expected);
  }
}

TEST_CASE("overlapping writes go one after the other, others at once", "[order_queue]") {
  OrderQueue queue;
  const auto first = queue.enter(1, {{0, 3, 2}});
  const auto second = queue.enter(1, {{3, 3, 2}});
  const auto third = queue.enter(1, {{6, 3, 1}});
  const auto elsewhere = queue.enter(1, {{9, 3, 1}});
  const auto other_file = queue.enter(2, {{0, 3, 2}});
  CHECK(queue.is_ready(first));
  CHECK_FALSE(queue.is_ready(second));
  CHECK_FALSE(queue.is_ready(third));
  CHECK(queue.is_ready(elsewhere));
  CHECK(queue.is_ready(other_file));
  CHECK(queue.leave(first) == std::vector<OrderQueue::Ticket>{second});
  // One that gives up while it waits lets those behind it go.
  const auto fourth = queue.enter(1, {{6, 3, 1}});
  CHECK(queue.leave(third).empty());
  CHECK(queue.leave(second) == std::vector<OrderQueue::Ticket>{fourth});
  CHECK(queue.leave(fourth).empty());
  CHECK(queue.leave(elsewhere).empty());
  CHECK(queue.leave(other_file).empty());
  CHECK(queue.size() == 0);
}

TEST_CASE("no two ready writes share a block, the earlier goes first, and all get their turn", "[order_queue]") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    sim::SimRandom random(seed);
    OrderQueue queue;
    struct Waiting {
      OrderQueue::Ticket ticket;
      BlockRun blocks;
    };
    std::vector<Waiting> waiting;  // in order
    const auto expected_ready = [&](std::size_t i) {
      return std::none_of(waiting.begin(), waiting.begin() + static_cast<std::ptrdiff_t>(i),
                          [&](const Waiting& earlier) { return share_blocks(earlier.blocks, waiting[i].blocks); });
    };
    for (int step = 0; step < 300; ++step) {
      if (step < 200 && random.below(3) > 0) {
        const BlockRun blocks{3 * random.below(10), 3, static_cast<std::uint32_t>(1 + random.below(4))};
        waiting.push_back({queue.enter(7, {blocks}), blocks});
      } else if (!waiting.empty()) {
        const std::size_t leaving = random.below(waiting.size());
        const auto ready = queue.leave(waiting[leaving].ticket);
        waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(leaving));
        for (OrderQueue::Ticket ticket : ready) CHECK(queue.is_ready(ticket));
      }
      for (std::size_t i = 0; i < waiting.size(); ++i) CHECK(queue.is_ready(waiting[i].ticket) == expected_ready(i));
    }
    while (!waiting.empty()) {
      REQUIRE(queue.is_ready(waiting.front().ticket));
      queue.leave(waiting.front().ticket);
      waiting.erase(waiting.begin());
    }
  }
}

}  // namespace mendfs::replication
