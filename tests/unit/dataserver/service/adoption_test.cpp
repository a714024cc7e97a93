#include "dataserver/service/adoption.h"

#include <catch2/catch.hpp>

#include "protocol/timing.h"

namespace mendfs::dataserver {
namespace {

using namespace std::chrono_literals;

const OwnLine kLine{.index = 1, .slot_count = 3};
const ClusterId kCluster{1, 2};
const Uuid kStart{7, 7};
const Time kNow = 1000s;

protocol::HeartbeatRequest heartbeat() {
  protocol::HeartbeatRequest request;
  request.cluster = kCluster;
  request.ring = 1;
  request.slot = 1;
  request.addresses = {"a:1", "b:2", "c:3"};
  request.metaserver = "m:1";
  request.epoch = 1;
  return request;
}

store::Superblock adopted() {
  store::Superblock superblock;
  (void)apply_heartbeat(superblock, heartbeat(), kStart);
  return superblock;
}

Result<void> check(const store::Superblock& superblock, const protocol::HeartbeatRequest& request,
                   const std::optional<Reservation>& reservation = std::nullopt) {
  return check_heartbeat(superblock, kLine, reservation, request, kNow);
}

TEST_CASE("a blank store becomes what the first heartbeat says", "[adoption]") {
  store::Superblock superblock;
  REQUIRE(check(superblock, heartbeat()).ok());
  const HeartbeatEffects effects = apply_heartbeat(superblock, heartbeat(), kStart);
  CHECK((effects.adopted && effects.save));
  CHECK(superblock.adopted);
  CHECK(superblock.cluster == kCluster);
  CHECK((superblock.ring == 1 && superblock.slot == 1 && superblock.slot_count == 3));
  CHECK(superblock.addresses == std::vector<std::string>{"a:1", "b:2", "c:3"});
  REQUIRE(superblock.ranges.size() == 2);  // its own, and that of the slot before it
  CHECK((superblock.ranges[0].range == 1 && superblock.ranges[1].range == 0));
  CHECK_FALSE((superblock.ranges[0].complete || superblock.ranges[1].complete));
}

TEST_CASE("the same heartbeat again changes nothing", "[adoption]") {
  store::Superblock superblock = adopted();
  REQUIRE(check(superblock, heartbeat()).ok());
  const HeartbeatEffects effects = apply_heartbeat(superblock, heartbeat(), kStart);
  CHECK_FALSE((effects.adopted || effects.save || effects.save_some_time));
}

TEST_CASE("an adopted store refuses every other identity", "[adoption]") {
  const store::Superblock superblock = adopted();
  protocol::HeartbeatRequest other = heartbeat();
  SECTION("cluster") { other.cluster.low++; }
  SECTION("ring") { other.ring++; }
  SECTION("slot") { other.slot = 2; }
  SECTION("number of slots") { other.addresses.push_back("d:4"); }
  SECTION("protocol version") { other.protocol_version++; }
  const Result<void> checked = check(superblock, other);
  REQUIRE(checked.code() == ErrorCode::Refused);
  CHECK(checked.error().message.size() > 20);
}

TEST_CASE("a blank store refuses what its command line does not say", "[adoption]") {
  protocol::HeartbeatRequest other = heartbeat();
  other.slot = 0;
  const Result<void> checked = check(store::Superblock(), other);
  REQUIRE(checked.code() == ErrorCode::Refused);
  CHECK(checked.error().message == "this dataserver was started as 1 of 3, the metaserver takes it for 0 of 3");
}

TEST_CASE("a blank store keeps itself for one metaserver until the time is up", "[adoption]") {
  const store::Superblock blank;
  const std::optional<Reservation> kept = Reservation{ClusterId{9, 9}, kNow + 1ns};
  const std::optional<Reservation> over = Reservation{ClusterId{9, 9}, kNow};
  protocol::ReserveRequest request;
  request.cluster = kCluster;
  CHECK(check_reserve(blank, std::nullopt, request, kNow).ok());
  CHECK(check_reserve(blank, over, request, kNow).ok());
  CHECK(check_reserve(blank, kept, request, kNow).code() == ErrorCode::Refused);
  CHECK(check(blank, heartbeat(), kept).code() == ErrorCode::Refused);
  CHECK(check(blank, heartbeat(), over).ok());
  request.cluster = {9, 9};
  CHECK(check_reserve(blank, kept, request, kNow).ok());
}

TEST_CASE("an adopted store is kept for its own cluster only", "[adoption]") {
  protocol::ReserveRequest request;
  request.cluster = kCluster;
  CHECK(check_reserve(adopted(), std::nullopt, request, kNow).ok());
  request.cluster.high++;
  CHECK(check_reserve(adopted(), std::nullopt, request, kNow).code() == ErrorCode::Refused);
  request.cluster = kCluster;
  request.protocol_version++;
  CHECK(check_reserve(adopted(), std::nullopt, request, kNow).code() == ErrorCode::Refused);
}

TEST_CASE("a directory of another slot is refused at the start, with what to do", "[adoption]") {
  CHECK(check_store(store::Superblock(), kLine, "./datastore1").ok());
  CHECK(check_store(adopted(), kLine, "./datastore1").ok());
  const Result<void> other = check_store(adopted(), {.index = 2, .slot_count = 3}, "./datastore1");
  REQUIRE(other.code() == ErrorCode::Refused);
  CHECK(other.error().message ==
        "./datastore1 is of dataserver 1 of 3, not of 2 of 3: start it as that one, or choose another --dir");
  CHECK(check_store(adopted(), {.index = 1, .slot_count = 4}, "x").code() == ErrorCode::Refused);
}

TEST_CASE("a term is granted, saved, confirmed, and then used", "[adoption]") {
  store::Superblock superblock = adopted();
  protocol::HeartbeatRequest request = heartbeat();
  request.term_for = kStart;
  request.term_granted = 5;
  HeartbeatEffects effects = apply_heartbeat(superblock, request, kStart);
  CHECK(effects.save);
  CHECK_FALSE(effects.term_to_confirm);
  CHECK((superblock.term_granted == 5 && superblock.term_confirmed == 0));

  request.term_confirmed = true;
  effects = apply_heartbeat(superblock, request, kStart);
  CHECK(effects.save);
  CHECK(effects.term_to_confirm == 5);
  CHECK(superblock.term_confirmed == 5);

  effects = apply_heartbeat(superblock, request, kStart);
  CHECK_FALSE(effects.save);
  CHECK(effects.term_to_confirm == 5);
}

TEST_CASE("a term of another start, or a lower one that comes late, is not taken", "[adoption]") {
  store::Superblock superblock = adopted();
  protocol::HeartbeatRequest request = heartbeat();
  request.term_for = {8, 8};
  request.term_granted = 5;
  request.term_confirmed = true;
  CHECK_FALSE(apply_heartbeat(superblock, request, kStart).term_to_confirm);
  CHECK(superblock.term_granted == 0);

  request.term_for = kStart;
  CHECK(apply_heartbeat(superblock, request, kStart).term_to_confirm == 5);
  request.term_granted = 4;
  CHECK_FALSE(apply_heartbeat(superblock, request, kStart).term_to_confirm);
  CHECK((superblock.term_granted == 5 && superblock.term_confirmed == 5));
}

TEST_CASE("fences are taken once, in order", "[adoption]") {
  store::Superblock superblock = adopted();
  protocol::HeartbeatRequest request = heartbeat();
  request.fences = {{1, {1, 1}}, {2, {2, 2}}};
  CHECK(apply_heartbeat(superblock, request, kStart).fenced == std::vector<SessionId>{{1, 1}, {2, 2}});
  CHECK(superblock.fence_number == 2);
  request.fences.push_back({3, {3, 3}});
  const HeartbeatEffects effects = apply_heartbeat(superblock, request, kStart);
  CHECK(effects.fenced == std::vector<SessionId>{{3, 3}});
  CHECK(effects.save);
  CHECK(superblock.fenced.size() == 3);
}

TEST_CASE("how far the metadata has come only rises, and is saved some time", "[adoption]") {
  store::Superblock superblock = adopted();
  protocol::HeartbeatRequest request = heartbeat();
  request.durable_index = 10;
  request.inode_high = 20;
  HeartbeatEffects effects = apply_heartbeat(superblock, request, kStart);
  CHECK((effects.save_some_time && !effects.save));
  request.durable_index = 9;
  request.inode_high = 19;
  effects = apply_heartbeat(superblock, request, kStart);
  CHECK_FALSE(effects.save_some_time);
  CHECK((superblock.metadata_index == 10 && superblock.inode_high == 20));
  request.epoch = 2;
  CHECK(apply_heartbeat(superblock, request, kStart).save);
}

TEST_CASE("leave to write runs from the last reply that the metaserver has heard", "[adoption]") {
  protocol::HeartbeatRequest request = heartbeat();
  CHECK_FALSE(write_grant(request, kStart, kNow));  // the first call of a start
  request.heard_start = kStart;
  request.heard_clock = (kNow - 3s).count();
  CHECK(write_grant(request, kStart, kNow) == kNow - 3s + timing::kWriteGrant);
  request.heard_clock = (kNow + 1ns).count();
  CHECK_FALSE(write_grant(request, kStart, kNow));
  request.heard_clock = INT64_MIN;
  CHECK_FALSE(write_grant(request, kStart, kNow));
  request.heard_clock = kNow.count();
  request.heard_start = {1, 1};
  CHECK_FALSE(write_grant(request, kStart, kNow));
}

}  // namespace
}  // namespace mendfs::dataserver
