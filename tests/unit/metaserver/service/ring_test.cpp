#include <catch2/catch.hpp>

#include "tests/unit/metaserver/service/cluster.h"

namespace mendfs::metaserver {
namespace {

rpc::Struct status_of(Cluster& cluster, std::size_t slot) {
  const Result<rpc::Value> status = cluster.call_by_hand("ring.status");
  REQUIRE(status.ok());
  return *status->get<rpc::Struct>()->at("slots").get<rpc::Array>()->at(slot).get<rpc::Struct>();
}

protocol::RingInfo ring_of(Cluster& cluster) { return cluster.renew(kSessionA).reply.ring; }

}  // namespace

TEST_CASE("every dataserver is called each second and granted writes", "[ring]") {
  const auto cluster = mounted_cluster();
  REQUIRE(cluster);
  const std::size_t before = cluster->node(0).heartbeats;
  cluster->world().run_for(10s);
  CHECK(cluster->node(0).heartbeats - before >= 9);
  CHECK(cluster->node(0).heartbeats - before <= 11);
  CHECK(cluster->world().now() - cluster->node(0).last_grant <= 3s);
}

TEST_CASE("a restarted dataserver gets a higher term within two seconds, and keeps its store", "[ring]") {
  const auto cluster = mounted_cluster();
  REQUIRE(cluster);
  const protocol::SlotInfo before = ring_of(*cluster).slots[1];
  cluster->kill_node(1);
  cluster->world().run_for(3s);
  CHECK_FALSE(ring_of(*cluster).slots[1].reachable);
  cluster->start_node(1);
  cluster->world().run_for(2s);
  const protocol::SlotInfo after = ring_of(*cluster).slots[1];
  CHECK(after.reachable);
  CHECK(after.term > before.term);
  CHECK(after.generation == before.generation);
  CHECK(cluster->node(1).term_confirmed == after.term);
}

TEST_CASE("a restart of the metaserver keeps the terms", "[ring]") {
  const auto cluster = mounted_cluster();
  REQUIRE(cluster);
  const std::uint64_t before = ring_of(*cluster).slots[1].term;
  cluster->kill_server();
  REQUIRE(cluster->start_server().ok());
  cluster->world().run_for(2s);
  CHECK(ring_of(*cluster).slots[1].term == before);
}

TEST_CASE("a wiped dataserver is adopted again, and confirmed only once it is complete", "[ring]") {
  const auto cluster = mounted_cluster();
  REQUIRE(cluster);
  const protocol::SlotInfo before = ring_of(*cluster).slots[1];
  cluster->kill_node(1);
  cluster->store(1) = Cluster::blank_store(1, 3);
  cluster->start_node(1);
  cluster->world().run_for(3s);
  const protocol::SlotInfo during = ring_of(*cluster).slots[1];
  CHECK(during.generation == before.generation);
  CHECK(during.term > before.term);
  CHECK(status_of(*cluster, 1).at("state") == rpc::Value("rebuilding"));
  cluster->store(1)->complete = true;
  cluster->live(kSessionA, 3s);
  CHECK(ring_of(*cluster).slots[1].generation == cluster->store(1)->identity.generation);
  CHECK(status_of(*cluster, 1).at("state") == rpc::Value("up"));
}

TEST_CASE("a whole cluster started in the wrong folder costs nothing", "[ring]") {
  const auto cluster = mounted_cluster();
  REQUIRE(cluster);
  const protocol::RingInfo before = ring_of(*cluster);
  std::vector<std::shared_ptr<FakeStore>> right;
  for (std::size_t i = 0; i < 3; ++i) {
    cluster->kill_node(i);
    right.push_back(cluster->store(i));
    cluster->store(i) = Cluster::blank_store(static_cast<Slot>(i), 3);
    cluster->start_node(i);
    cluster->node(i).no_source = true;
  }
  cluster->live(kSessionA, 20s);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(ring_of(*cluster).slots[i].generation == before.slots[i].generation);
    CHECK(ring_of(*cluster).slots[i].term == before.slots[i].term);
    CHECK(cluster->node(i).term_confirmed == 0);
    CHECK(cluster->node(i).lost.empty());
  }
  for (std::size_t i = 0; i < 3; ++i) {
    cluster->kill_node(i);
    cluster->store(i) = right[i];
    cluster->start_node(i);
  }
  cluster->live(kSessionA, 3s);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(ring_of(*cluster).slots[i].generation == before.slots[i].generation);
    CHECK(cluster->node(i).term_confirmed > before.slots[i].term);
  }
}

TEST_CASE("two neighbours wiped: the range is declared lost by itself while another server has its store", "[ring]") {
  const auto cluster = mounted_cluster(4);
  REQUIRE(cluster);
  for (std::size_t i = 1; i <= 2; ++i) {
    cluster->kill_node(i);
    cluster->store(i) = Cluster::blank_store(static_cast<Slot>(i), 4);
    cluster->start_node(i);
    cluster->node(i).no_source = true;
  }
  cluster->live(kSessionA, 4s);
  CHECK(cluster->node(1).lost.empty());
  cluster->live(kSessionA, 6s);
  const Result<rpc::Value> status = cluster->call_by_hand("ring.status");
  CHECK_FALSE(status->get<rpc::Struct>()->at("lost_ranges").get<rpc::Array>()->empty());
}

TEST_CASE("a range with a complete holder is not declared lost, by hand either", "[ring]") {
  const auto cluster = mounted_cluster();
  REQUIRE(cluster);
  CHECK(cluster->call_by_hand("ring.declare_lost", {rpc::Value(1)}).code() == ErrorCode::Refused);
  CHECK(cluster->call_by_hand("ring.declare_lost", {rpc::Value(77)}).code() == ErrorCode::InvalidArgument);
}

TEST_CASE("with two dataservers a lost range is declared by hand", "[ring]") {
  const auto cluster = mounted_cluster(2);
  REQUIRE(cluster);
  for (std::size_t i = 0; i < 2; ++i) {
    cluster->kill_node(i);
    cluster->store(i) = Cluster::blank_store(static_cast<Slot>(i), 2);
    cluster->start_node(i);
    cluster->node(i).no_source = true;
  }
  cluster->live(kSessionA, 20s);
  CHECK(cluster->node(0).lost.empty());
  REQUIRE(cluster->call_by_hand("ring.declare_lost", {rpc::Value(0)}).ok());
  cluster->live(kSessionA, 2s);
  REQUIRE(cluster->store(0)->complete);
}

TEST_CASE("a metaserver restored from an old backup is read-only until told otherwise", "[ring]") {
  const auto cluster = mounted_cluster();
  REQUIRE(cluster);
  REQUIRE(cluster->make(kSessionA, 1, "a").ok());
  cluster->live(kSessionA, 2s);
  cluster->kill_server();
  cluster->store(0)->durable_index += 1000;
  cluster->store(0)->inode_high = std::uint64_t{9} << kEpochShift;
  REQUIRE(cluster->start_server().ok());
  cluster->live(kSessionA, 2s);
  const auto refused = cluster->make(kSessionA, 2, "b");
  CHECK(refused.meta.code == ErrorCode::ReadOnly);
  CHECK(refused.meta.message.find("metadata older than data") == 0);
  CHECK(cluster->lookup(kSessionA, "a").ok());
  REQUIRE(cluster->call_by_hand("ring.accept_old_metadata").ok());
  const auto made = cluster->make(kSessionA, 3, "b");
  REQUIRE(made.ok());
  CHECK(made.reply.inode >> kEpochShift > 9);
  cluster->kill_server();
  REQUIRE(cluster->start_server().ok());
  cluster->live(kSessionA, 2s);
  CHECK(cluster->make(kSessionA, 4, "c").ok());
}

TEST_CASE("an old backup is found out by a dataserver that comes late, whatever was changed meanwhile", "[ring]") {
  const auto cluster = mounted_cluster();
  REQUIRE(cluster);
  cluster->live(kSessionA, 2s);
  cluster->kill_server();
  cluster->kill_node(0);
  cluster->store(0)->durable_index += 3;
  REQUIRE(cluster->start_server().ok());
  for (std::uint64_t i = 1; i < 20; ++i) REQUIRE(cluster->make(kSessionA, i, "a" + std::to_string(i)).ok());
  cluster->start_node(0);
  cluster->live(kSessionA, 2s);
  CHECK(cluster->make(kSessionA, 20, "b").meta.code == ErrorCode::ReadOnly);
}

TEST_CASE("people can stat, list, locate and read links", "[ring]") {
  const auto cluster = mounted_cluster();
  REQUIRE(cluster);
  const auto made = cluster->make(kSessionA, 1, "a b");
  REQUIRE(made.ok());
  const Result<rpc::Value> located = cluster->call_by_hand("ns.locate", {rpc::Value("/a b")});
  REQUIRE(located.ok());
  const rpc::Struct& where = *located->get<rpc::Struct>();
  CHECK(where.at("start") == rpc::Value(made.reply.layout.start));
  CHECK(where.at("slot_count") == rpc::Value(3));
  CHECK(where.at("addresses").get<rpc::Array>()->size() == 3);
  CHECK(cluster->call_by_hand("ns.stat", {rpc::Value("/")})->get<rpc::Struct>()->at("uid") == rpc::Value(1000));
  CHECK(cluster->call_by_hand("ns.list", {rpc::Value("/")})->get<rpc::Array>()->size() == 1);
  CHECK(cluster->call_by_hand("ns.stat", {rpc::Value("/none")}).code() == ErrorCode::NotFound);
  CHECK(cluster->call_by_hand("ns.locate", {rpc::Value("/")}).code() == ErrorCode::InvalidArgument);
  CHECK(cluster->call_by_hand("ns.readlink", {rpc::Value("/a b")}).code() == ErrorCode::InvalidArgument);
}

TEST_CASE("garbage in every packed method is refused and changes nothing", "[ring]") {
  const auto cluster = mounted_cluster();
  REQUIRE(cluster);
  const Result<rpc::Value> methods = cluster->call_by_hand("system.listMethods");
  REQUIRE(methods.ok());
  for (const rpc::Value& name : *methods->get<rpc::Array>()) {
    const std::string method = *name.get<std::string>();
    if (!method.starts_with("fs.")) continue;
    for (const std::string& garbage : {std::string(), std::string("x"), std::string(500, '\xff')}) {
      CAPTURE(method, garbage.size());
      const Result<rpc::Value> answer = cluster->call_by_hand(method, {rpc::Value(rpc::Bytes{garbage})});
      REQUIRE(answer.ok());
      CHECK(unpack<protocol::MetaReply>(answer->get<rpc::Bytes>()->bytes)->code == ErrorCode::Malformed);
    }
  }
  CHECK(cluster->lookup(kSessionA, "a").meta.code == ErrorCode::NotFound);
}

TEST_CASE("what is free is what the fullest dataserver leaves", "[ring]") {
  const auto cluster = mounted_cluster(3);
  REQUIRE(cluster);
  cluster->world().run_for(2s);
  protocol::StatFsRequest request;
  request.call.session = kSessionA;
  CHECK(cluster->call(request).reply.total_bytes == 1500);
  CHECK(cluster->call(request).reply.free_bytes == 900);
  cluster->node(2).free_bytes = 10;
  cluster->world().run_for(2s);
  CHECK(cluster->call(request).reply.total_bytes == (400 + 400 + 990) / 2 + 15);
  CHECK(cluster->call(request).reply.free_bytes == 15);
}

}  // namespace mendfs::metaserver
