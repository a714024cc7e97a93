#include "metaserver/membership/ring_watch.h"

#include <catch2/catch.hpp>

#include "block/placement.h"
#include "protocol/timing.h"

namespace mendfs::metaserver {
namespace {

using namespace std::chrono_literals;

constexpr Time kStart{100s};

Generation confirmed(Slot slot) { return {10, slot + 1}; }
Uuid start_of(Slot slot) { return {20, slot + 1}; }

/// Every slot has term 5 granted and confirmed for its present start.
RingState steady_ring(std::uint32_t slot_count) {
  RingState ring;
  for (Slot slot = 0; slot < slot_count; ++slot) {
    ring.cluster.addresses.push_back("127.0.0.1:" + std::to_string(2222 + slot));
    ring.slots.push_back({.generation = confirmed(slot),
                          .born_generation = confirmed(slot),
                          .confirmed_term = 5,
                          .granted_term = 5,
                          .granted_to = start_of(slot)});
  }
  return ring;
}

struct Says {
  bool complete = true;
  bool no_source = false;
  std::optional<Generation> generation;
  std::optional<Uuid> start;
  std::uint64_t term_synced = 5;
  std::uint64_t fence = 0;
};

protocol::HeartbeatReply reply_of(Slot slot, std::uint32_t slot_count, const Says& says) {
  protocol::HeartbeatReply reply;
  reply.identity.index = slot;
  reply.identity.generation = says.generation.value_or(confirmed(slot));
  reply.start_id = says.start.value_or(start_of(slot));
  reply.clock = 77;
  reply.term_synced = says.term_synced;
  reply.fence_synced = says.fence;
  for (const Slot range : ranges_of(slot, slot_count, kCopyCountDefault)) {
    protocol::RangeProgress progress;
    progress.range = range;
    progress.complete = says.complete;
    progress.no_source = says.no_source;
    reply.ranges.push_back(progress);
  }
  return reply;
}

/// All slots say that all is well, but for those named.
RingWatch watch_of(std::uint32_t slot_count, const std::map<Slot, Says>& others = {}) {
  RingWatch watch(slot_count, kStart);
  for (Slot slot = 0; slot < slot_count; ++slot) {
    const auto found = others.find(slot);
    watch.heard(slot, reply_of(slot, slot_count, found == others.end() ? Says{} : found->second), kStart);
  }
  return watch;
}

const Generation kNewStore{99, 99};
const Uuid kNewStart{98, 98};

Says new_store(bool complete) {
  Says says;
  says.complete = complete;
  says.no_source = !complete;
  says.generation = kNewStore;
  return says;
}

}  // namespace

TEST_CASE("nothing is to be done for a dataserver with a confirmed term", "[membership]") {
  const RingState ring = steady_ring(3);
  const RingWatch watch = watch_of(3);
  for (Slot slot = 0; slot < 3; ++slot) CHECK_FALSE(watch.next_step(slot, ring));
}

TEST_CASE("a new start is granted a term, whatever its store", "[membership]") {
  const RingState ring = steady_ring(3);
  Says says;
  says.start = kNewStart;
  for (const bool other_store : {false, true}) {
    if (other_store) says.generation = kNewStore;
    const auto step = watch_of(3, {{1, says}}).next_step(1, ring);
    REQUIRE(step);
    REQUIRE(std::holds_alternative<GrantTerm>(*step));
    CHECK(std::get<GrantTerm>(*step).start_id == kNewStart);
  }
}

TEST_CASE("a term is confirmed once the dataserver has synced it", "[membership]") {
  RingState ring = steady_ring(3);
  ring.slots[1].granted_term = 9;
  Says says;
  CHECK_FALSE(watch_of(3, {{1, says}}).next_step(1, ring));
  says.term_synced = 9;
  const auto step = watch_of(3, {{1, says}}).next_step(1, ring);
  REQUIRE(step);
  CHECK(std::get<ConfirmTerm>(*step).term == 9);
}

TEST_CASE("nothing follows from what an unreachable dataserver once said", "[membership]") {
  RingState ring = steady_ring(3);
  ring.slots[1].granted_term = 9;
  Says says;
  says.term_synced = 9;
  RingWatch watch = watch_of(3, {{1, says}});
  watch.missed(1, {ErrorCode::Unavailable, "gone"}, kStart);
  CHECK_FALSE(watch.next_step(1, ring));
}

TEST_CASE("a provisional store's term is confirmed only while all its ranges have a source elsewhere", "[membership]") {
  RingState ring = steady_ring(4);
  ring.slots[1].granted_term = 9;
  Says says = new_store(false);
  says.term_synced = 9;
  // Slot 1 holds range 1 with slot 2, and range 0 with slot 0.
  for (int mask = 0; mask < 8; ++mask) {
    CAPTURE(mask);
    std::map<Slot, Says> others{{1, says}};
    if ((mask & 1) != 0) others[0].complete = false;
    if ((mask & 2) != 0) others[2].complete = false;
    if ((mask & 4) != 0) others[3].complete = false;
    const bool sources = (mask & 3) == 0;
    CHECK(watch_of(4, others).next_step(1, ring).has_value() == sources);
  }
}

TEST_CASE("the confirmed store's term is confirmed, complete or not", "[membership]") {
  RingState ring = steady_ring(3);
  ring.slots[1].granted_term = 9;
  Says says;
  says.complete = false;
  says.term_synced = 9;
  Says incomplete;
  incomplete.complete = false;
  CHECK(watch_of(3, {{0, incomplete}, {1, says}, {2, incomplete}}).next_step(1, ring));
}

TEST_CASE("a provisional store becomes the confirmed one when it is complete for all its ranges", "[membership]") {
  const RingState ring = steady_ring(3);
  CHECK_FALSE(watch_of(3, {{1, new_store(false)}}).next_step(1, ring));
  const auto step = watch_of(3, {{1, new_store(true)}}).next_step(1, ring);
  REQUIRE(step);
  CHECK(std::get<ConfirmGeneration>(*step).generation == kNewStore);

  RingWatch half = watch_of(3);
  protocol::HeartbeatReply reply = reply_of(1, 3, new_store(true));
  reply.ranges[1].complete = false;
  half.heard(1, reply, kStart);
  CHECK_FALSE(half.next_step(1, ring));
}

TEST_CASE("heartbeats tell the slot what it is, and grant from what was heard", "[membership]") {
  RingState ring = steady_ring(3);
  RingWatch watch(3, kStart);
  HeartbeatFacts facts;
  facts.epoch = 4;
  CHECK(watch.heartbeat(1, ring, facts).heard_start.is_zero());
  watch.heard(1, reply_of(1, 3, {}), kStart);
  protocol::HeartbeatRequest request = watch.heartbeat(1, ring, facts);
  CHECK(request.heard_start == start_of(1));
  CHECK(request.heard_clock == 77);
  CHECK(request.slot == 1);
  CHECK(request.addresses.size() == 3);
  CHECK(request.confirmed_generation == confirmed(1));
  CHECK(request.term_for == start_of(1));
  CHECK(request.term_confirmed);
  CHECK_FALSE(request.complete_at_birth);
  ring.slots[1].granted_term = 6;
  CHECK_FALSE(watch.heartbeat(1, ring, facts).term_confirmed);
  ring.slots[1].confirmed_term = 0;
  request = watch.heartbeat(1, ring, facts);
  CHECK(request.complete_at_birth);
  ring.slots[1].granted_term = 0;
  CHECK_FALSE(watch.heartbeat(1, ring, facts).term_confirmed);
}

TEST_CASE("a fence is enforced by those that said so, and by those whose grant is over", "[membership]") {
  RingWatch watch(3, kStart);
  CHECK_FALSE(watch.fence_enforced(1, kStart + timing::kFenceWait - 1ns));
  CHECK(watch.fence_enforced(1, kStart + timing::kFenceWait));
  for (Slot slot = 0; slot < 3; ++slot) watch.sent(slot, kStart + 5s);
  CHECK_FALSE(watch.fence_enforced(1, kStart + timing::kFenceWait));
  Says knows;
  knows.fence = 1;
  watch.heard(0, reply_of(0, 3, knows), kStart + 5s);
  watch.heard(1, reply_of(1, 3, knows), kStart + 5s);
  CHECK_FALSE(watch.fence_enforced(1, kStart + 6s));
  watch.heard(2, reply_of(2, 3, knows), kStart + 6s);
  CHECK(watch.fence_enforced(1, kStart + 6s));
  CHECK_FALSE(watch.fence_enforced(2, kStart + 6s));
  watch.heard(2, reply_of(2, 3, {}), kStart + 7s);  // an emptied store knows nothing
  CHECK_FALSE(watch.fence_enforced(1, kStart + 7s));
}

TEST_CASE("a range is lost by itself when no holder has it and another server has its store", "[membership]") {
  RingState ring = steady_ring(4);
  RingWatch watch = watch_of(4, {{1, new_store(false)}, {2, new_store(false)}});
  CHECK(watch.newly_lost(ring, kStart).empty());
  CHECK(watch.newly_lost(ring, kStart + timing::kLostRangeWait - 1ns).empty());
  const std::vector<Slot> lost = watch.newly_lost(ring, kStart + timing::kLostRangeWait);
  CHECK(lost == std::vector<Slot>{1});
  watch.declared_lost(lost);
  CHECK(watch.newly_lost(ring, kStart + 60s).empty());
}

TEST_CASE("a range is not lost while a holder is down, complete or looking", "[membership]") {
  const RingState ring = steady_ring(4);
  for (int why = 0; why < 3; ++why) {
    CAPTURE(why);
    Says second = new_store(false);
    if (why == 1) second.complete = true;
    if (why == 2) second.no_source = false;
    RingWatch watch = watch_of(4, {{1, new_store(false)}, {2, second}});
    if (why == 0) watch.missed(2, {ErrorCode::Unavailable, "gone"}, kStart);
    (void)watch.newly_lost(ring, kStart);
    CHECK(watch.newly_lost(ring, kStart + 60s).empty());
  }
}

TEST_CASE("nothing is lost by itself when no server has its confirmed store", "[membership]") {
  const RingState ring = steady_ring(4);
  std::map<Slot, Says> all;
  for (Slot slot = 0; slot < 4; ++slot) all[slot] = new_store(false);
  RingWatch watch = watch_of(4, all);
  (void)watch.newly_lost(ring, kStart);
  CHECK(watch.newly_lost(ring, kStart + 60s).empty());
  for (Slot range = 0; range < 4; ++range) CHECK(watch.is_without_source(range, ring));
}

TEST_CASE("a declared range is told to its holders only, until one is complete", "[membership]") {
  RingState ring = steady_ring(4);
  ring.cluster.lost.push_back({.range = 1, .inode_high = 1000});
  RingWatch watch = watch_of(4, {{1, new_store(false)}, {2, new_store(false)}});
  CHECK(watch.heartbeat(1, ring, {}).lost.empty());  // an old declaration says nothing about today
  watch.declared_lost({1});
  for (Slot slot = 0; slot < 4; ++slot) {
    CHECK(watch.heartbeat(slot, ring, {}).lost.size() == ((slot == 1 || slot == 2) ? 1U : 0U));
  }
  CHECK(watch.heartbeat(1, ring, {}).lost[0].inode_high == 1000);
  watch.heard(1, reply_of(1, 4, new_store(true)), kStart);
  (void)watch.newly_lost(ring, kStart);
  CHECK(watch.heartbeat(2, ring, {}).lost.empty());
}

}  // namespace mendfs::metaserver
