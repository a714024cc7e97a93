#include <catch2/catch.hpp>

#include "metaserver/membership/cut_board.h"
#include "metaserver/membership/leases.h"
#include "metaserver/membership/orphan_poll.h"

namespace mendfs::metaserver {
namespace {

using namespace std::chrono_literals;

constexpr SessionId kA{1, 1};
constexpr SessionId kB{2, 2};

protocol::CutRecord cut(InodeNumber inode, std::uint64_t number, bool deleted = false) {
  protocol::CutRecord record;
  record.inode = inode;
  record.cuts.add({.number = number, .size = 0});
  record.deleted = deleted;
  return record;
}

}  // namespace

TEST_CASE("a lease lasts ten seconds from the last renewal", "[leases]") {
  Leases leases;
  leases.open(kA, Time{0s});
  leases.open(kB, Time{0s});
  CHECK(leases.renew(kA, Time{6s}));
  CHECK(leases.lapsed(Time{10s} - 1ns).empty());
  CHECK(leases.lapsed(Time{10s}) == std::vector<SessionId>{kB});
  CHECK(leases.lapsed(Time{16s}).size() == 2);
  CHECK(leases.left(kA, Time{6s}) == 10s);
  leases.end(kB);
  CHECK_FALSE(leases.renew(kB, Time{11s}));
  CHECK_FALSE(leases.is_open(kB));
  CHECK(leases.all() == std::vector<SessionId>{kA});
}

TEST_CASE("a file may go when every session has let go of it", "[orphans]") {
  OrphanPoll poll;
  CHECK(poll.all_let_go({}, 7));
  CHECK_FALSE(poll.all_let_go({kA}, 7));
  CHECK(poll.ask(kA, {7, 8}) == std::vector<InodeNumber>{7, 8});
  CHECK(poll.ask(kB, {7, 8}) == std::vector<InodeNumber>{7, 8});
  poll.answer(kA, {7});
  CHECK(poll.all_let_go({kA}, 7));
  CHECK_FALSE(poll.all_let_go({kA, kB}, 7));
  CHECK(poll.ask(kA, {7, 8}) == std::vector<InodeNumber>{8});
  poll.answer(kB, {7, 8});
  CHECK(poll.all_let_go({kA, kB}, 7));
  CHECK_FALSE(poll.all_let_go({kA, kB}, 8));
  poll.end_session(kB);
  CHECK_FALSE(poll.has_let_go(kB, 7));
  poll.forget_inode(7);
  CHECK_FALSE(poll.has_let_go(kA, 7));
}

TEST_CASE("only what was asked can be answered", "[orphans]") {
  OrphanPoll poll;
  poll.answer(kA, {7});
  CHECK_FALSE(poll.has_let_go(kA, 7));
  (void)poll.ask(kA, {8});
  poll.answer(kA, {7});
  CHECK_FALSE(poll.has_let_go(kA, 7));
}

TEST_CASE("a cut leaves the board when every slot has recorded it", "[cuts]") {
  CutBoard board;
  board.set_slot_count(2);
  board.add(cut(1, 1));
  board.add(cut(2, 1, true));
  CHECK(board.for_slot(0, 10).size() == 2);
  CHECK(board.for_slot(0, 1).size() == 1);
  CHECK(board.acknowledge(0, {}, board.for_slot(0, 10)).empty());
  CHECK(board.for_slot(0, 10).empty());
  const std::vector<protocol::CutRecord> done = board.acknowledge(1, {}, board.for_slot(1, 10));
  REQUIRE(done.size() == 2);
  CHECK(done[1].deleted);
  CHECK(board.size() == 0);
}

TEST_CASE("a newer cut is told to all again, and an old acknowledgement does not count for it", "[cuts]") {
  CutBoard board;
  board.set_slot_count(2);
  board.add(cut(1, 1));
  const std::vector<protocol::CutRecord> old = board.for_slot(0, 10);
  (void)board.acknowledge(1, {}, old);
  CHECK(board.add(cut(1, 2)));
  CHECK_FALSE(board.add(cut(1, 2)));
  CHECK_FALSE(board.add(cut(1, 1)));
  CHECK(board.acknowledge(0, {}, old).empty());
  CHECK(board.for_slot(0, 10).size() == 1);
  CHECK(board.for_slot(1, 10).size() == 1);
  CHECK(board.acknowledge(0, {}, {cut(1, 2)}).empty());
  CHECK(board.acknowledge(1, {}, {cut(1, 2)}).size() == 1);
}

TEST_CASE("what a dataserver acknowledged before its last start does not count", "[cuts]") {
  const Uuid first{1, 1};
  const Uuid second{2, 2};
  CutBoard board;
  board.set_slot_count(2);
  board.set_start(0, first);
  board.set_start(1, first);
  board.add(cut(1, 1, true));
  CHECK(board.acknowledge(0, first, {cut(1, 1, true)}).empty());
  // Its disk was wiped, and filled from the other one, which had not heard of the deletion yet.
  board.set_start(0, second);
  CHECK(board.acknowledge(1, first, {cut(1, 1, true)}).empty());
  CHECK(board.acknowledge(0, first, {cut(1, 1, true)}).empty());
  REQUIRE(board.for_slot(0, 10).size() == 1);
  CHECK(board.acknowledge(0, second, {cut(1, 1, true)}).size() == 1);
}

TEST_CASE("a deletion is newer than any cut", "[cuts]") {
  CutBoard board;
  board.set_slot_count(1);
  board.add(cut(1, 9));
  board.add(cut(1, 9, true));
  CHECK(board.for_slot(0, 10)[0].deleted);
  board.add(cut(1, 10));
  CHECK(board.for_slot(0, 10)[0].deleted);
}

}  // namespace mendfs::metaserver
