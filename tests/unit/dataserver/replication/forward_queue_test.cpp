#include "dataserver/replication/forward_queue.h"

#include <catch2/catch.hpp>
#include <map>

#include "tests/sim/world/random.h"

namespace mendfs::replication {
namespace {

ForwardQueue::Entry entry(std::uint64_t id, InodeNumber inode, std::size_t size = 512, std::uint64_t session = 1) {
  ForwardQueue::Entry made;
  made.id = id;
  made.writer = {{session, 0}, id};
  Run run;
  run.header.inode = inode;
  run.data = Buffer::allocate(size);
  made.runs.push_back(run);
  return made;
}

std::vector<std::uint64_t> ids(const ForwardQueue::Message& message) {
  std::vector<std::uint64_t> all;
  for (const ForwardQueue::Entry& one : message.entries) all.push_back(one.id);
  return all;
}

}  // namespace

TEST_CASE("writes of a file are gathered while one of its messages is in flight", "[forward_queue]") {
  ForwardQueue queue;
  queue.add(entry(1, 10));
  auto first = queue.next();
  REQUIRE(first);
  CHECK(ids(*first) == std::vector<std::uint64_t>{1});
  queue.add(entry(2, 10));
  queue.add(entry(3, 10));
  queue.add(entry(4, 11));
  // Another file does not wait for it.
  auto other = queue.next();
  REQUIRE(other);
  CHECK(ids(*other) == std::vector<std::uint64_t>{4});
  CHECK_FALSE(queue.next());
  queue.delivered(*first);
  auto gathered = queue.next();
  REQUIRE(gathered);
  CHECK(ids(*gathered) == std::vector<std::uint64_t>{2, 3});
  queue.delivered(*gathered);
  queue.delivered(*other);
  CHECK(queue.empty());
  CHECK(queue.data_size() == 0);
}

TEST_CASE("what failed is sent again before what came later", "[forward_queue]") {
  ForwardQueue queue;
  queue.add(entry(1, 10));
  auto first = queue.next();
  queue.add(entry(2, 10));
  queue.failed(std::move(*first));
  CHECK(queue.data_size() == 1024);
  auto again = queue.next();
  REQUIRE(again);
  CHECK(ids(*again) == std::vector<std::uint64_t>{1, 2});
}

TEST_CASE("a message has one session, and a bounded size unless one write is larger", "[forward_queue]") {
  ForwardQueue queue;
  queue.add(entry(1, 10, ForwardQueue::kMessageSizeMax + 1));
  queue.add(entry(2, 10, ForwardQueue::kMessageSizeMax / 2));
  queue.add(entry(3, 10, ForwardQueue::kMessageSizeMax / 2));
  queue.add(entry(4, 10, 512));
  queue.add(entry(5, 10, 512, 2));
  std::vector<std::vector<std::uint64_t>> sent;
  while (auto message = queue.next()) {
    sent.push_back(ids(*message));
    queue.delivered(*message);
  }
  CHECK(sent == std::vector<std::vector<std::uint64_t>>{{1}, {2, 3}, {4}, {5}});
}

TEST_CASE("every write is delivered once and in the order of its file, whatever fails", "[forward_queue]") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    sim::SimRandom random(seed);
    ForwardQueue queue;
    std::vector<ForwardQueue::Message> in_flight;
    std::map<InodeNumber, std::vector<std::uint64_t>> delivered;
    std::map<InodeNumber, std::vector<std::uint64_t>> expected;
    std::uint64_t next_id = 1;
    for (int step = 0; step < 400 || !queue.empty(); ++step) {
      const bool adding = step < 400 && random.below(2) == 0;
      if (adding) {
        const InodeNumber inode = 10 + random.below(5);
        expected[inode].push_back(next_id);
        queue.add(entry(next_id++, inode));
      }
      if (auto message = queue.next()) in_flight.push_back(std::move(*message));
      CHECK(in_flight.size() <= ForwardQueue::kMessagesInFlightMax);
      if (in_flight.empty() || random.below(2) == 0) continue;
      const auto ended = in_flight.begin() + static_cast<std::ptrdiff_t>(random.below(in_flight.size()));
      if (random.below(3) == 0) {
        queue.failed(std::move(*ended));
      } else {
        for (const auto& one : ended->entries) delivered[one.inode()].push_back(one.id);
        queue.delivered(*ended);
      }
      in_flight.erase(ended);
    }
    CHECK(delivered == expected);
  }
}

}  // namespace mendfs::replication
