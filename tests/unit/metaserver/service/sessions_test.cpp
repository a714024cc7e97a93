#include <algorithm>
#include <catch2/catch.hpp>

#include "tests/unit/metaserver/service/cluster.h"

namespace mendfs::metaserver {
namespace {

protocol::RemoveRequest remove_request(SessionId session, std::uint64_t sequence, const std::string& name) {
  protocol::RemoveRequest request;
  request.call = {.session = session, .sequence = sequence, .answered_below = 0};
  request.parent = kRootInode;
  request.name = name;
  return request;
}

bool has_deletion(FakeDataserver& node, InodeNumber inode) {
  return std::any_of(node.store().cuts.begin(), node.store().cuts.end(),
                     [&](const protocol::CutRecord& record) { return record.inode == inode && record.deleted; });
}

protocol::SettleRequest settle(SessionId session, std::uint64_t sequence, InodeNumber inode, std::uint64_t size) {
  protocol::SettleRequest request;
  request.call = {.session = session, .sequence = sequence, .answered_below = 0};
  request.inode = inode;
  request.size = size;
  return request;
}

protocol::SetAttributesRequest shrink(SessionId session, std::uint64_t sequence, InodeNumber inode,
                                      std::uint64_t size) {
  protocol::SetAttributesRequest request;
  request.call = {.session = session, .sequence = sequence, .answered_below = 0};
  request.inode = inode;
  request.size = size;
  return request;
}

}  // namespace

TEST_CASE("a session that renews lives on; one that does not is refused and fenced on every dataserver", "[sessions]") {
  const auto cluster = mounted_cluster();
  REQUIRE(cluster);
  REQUIRE(cluster->mount(kSessionB, {}).ok());
  cluster->live(kSessionA, 14s);
  CHECK(cluster->renew(kSessionA).ok());
  CHECK(cluster->renew(kSessionB).meta.code == ErrorCode::Refused);
  for (std::size_t i = 0; i < 3; ++i) {
    REQUIRE(cluster->node(i).fences.size() == 1);
    CHECK(cluster->node(i).fences[0].session == kSessionB);
  }
}

TEST_CASE("a restart gives every session a full lease", "[sessions]") {
  const auto cluster = mounted_cluster();
  REQUIRE(cluster);
  cluster->world().run_for(9s);
  cluster->kill_server();
  REQUIRE(cluster->start_server().ok());
  cluster->world().run_for(9s);
  CHECK(cluster->renew(kSessionA).ok());
}

TEST_CASE("a metaserver that stood still fences nobody for it", "[sessions]") {
  const auto cluster = mounted_cluster();
  REQUIRE(cluster);
  cluster->world().run_for(2s);
  cluster->meta().loop().set_paused(true);
  cluster->world().run_for(60s);
  cluster->meta().loop().set_paused(false);
  cluster->world().run_for(2s);
  CHECK(cluster->renew(kSessionA).ok());
  cluster->world().run_for(12s);
  CHECK(cluster->renew(kSessionA).meta.code == ErrorCode::Refused);
}

TEST_CASE("an unlinked file is deleted once its session has let go of it", "[sessions]") {
  const auto cluster = mounted_cluster();
  REQUIRE(cluster);
  const InodeNumber inode = cluster->make(kSessionA, 1, "a").reply.inode;
  REQUIRE(cluster->call(remove_request(kSessionA, 2, "a")).ok());
  cluster->live(kSessionA, 20s);
  for (std::size_t i = 0; i < 3; ++i) CHECK_FALSE(has_deletion(cluster->node(i), inode));
  const auto asked = cluster->renew(kSessionA);
  REQUIRE(asked.reply.unlinked == std::vector<InodeNumber>{inode});
  CHECK(cluster->renew(kSessionA, {inode}).reply.unlinked.empty());
  cluster->world().run_for(2s);
  for (std::size_t i = 0; i < 3; ++i) CHECK(has_deletion(cluster->node(i), inode));
}

TEST_CASE("an answer to a question never asked counts for nothing", "[sessions]") {
  const auto cluster = mounted_cluster();
  REQUIRE(cluster);
  const InodeNumber inode = cluster->make(kSessionA, 1, "a").reply.inode;
  (void)cluster->renew(kSessionA, {inode});
  REQUIRE(cluster->call(remove_request(kSessionA, 2, "a")).ok());
  CHECK(cluster->renew(kSessionA).reply.unlinked == std::vector<InodeNumber>{inode});
}

TEST_CASE("an open of a file that the session has let go of is stale", "[sessions]") {
  const auto cluster = mounted_cluster();
  REQUIRE(cluster);
  REQUIRE(cluster->mount(kSessionB, {}).ok());
  const InodeNumber inode = cluster->make(kSessionA, 1, "a").reply.inode;
  REQUIRE(cluster->call(remove_request(kSessionA, 2, "a")).ok());
  (void)cluster->renew(kSessionA);
  (void)cluster->renew(kSessionA, {inode});
  protocol::OpenRequest open;
  open.call.session = kSessionA;
  open.inode = inode;
  CHECK(cluster->call(open).meta.code == ErrorCode::StaleHandle);
  open.call.session = kSessionB;
  CHECK(cluster->call(open).ok());
}

TEST_CASE("deletions wait for a dataserver that is down, and reach it when it is back", "[sessions]") {
  const auto cluster = mounted_cluster();
  REQUIRE(cluster);
  const InodeNumber inode = cluster->make(kSessionA, 1, "a").reply.inode;
  REQUIRE(cluster->call(remove_request(kSessionA, 2, "a")).ok());
  cluster->kill_node(1);
  (void)cluster->renew(kSessionA);
  (void)cluster->renew(kSessionA, {inode});
  cluster->live(kSessionA, 20s);
  CHECK(has_deletion(cluster->node(0), inode));
  CHECK(cluster->call_by_hand("ring.status")->get<rpc::Struct>()->at("cuts_pending") == rpc::Value(1));
  cluster->start_node(1);
  cluster->live(kSessionA, 3s);
  CHECK(has_deletion(cluster->node(1), inode));
  CHECK(cluster->call_by_hand("ring.status")->get<rpc::Struct>()->at("cuts_pending") == rpc::Value(0));
}

TEST_CASE("the size of a file whose writer died is found from the data, after the fence", "[sessions]") {
  const auto cluster = mounted_cluster();
  REQUIRE(cluster);
  REQUIRE(cluster->mount(kSessionB, {}).ok());
  const InodeNumber inode = cluster->make(kSessionB, 1, "a", true).reply.inode;
  REQUIRE(cluster->call(settle(kSessionB, 2, inode, 100)).ok());
  cluster->node(0).extents[inode] = 700;
  cluster->node(2).extents[inode] = 900;
  cluster->live(kSessionA, 9s);
  CHECK(cluster->lookup(kSessionA, "a").reply.size == 100);
  cluster->live(kSessionA, 5s);
  CHECK(cluster->lookup(kSessionA, "a").reply.size == 900);
}

TEST_CASE("sizes are not recovered while a dataserver may still take the dead writer's bytes", "[sessions]") {
  const auto cluster = mounted_cluster();
  REQUIRE(cluster);
  REQUIRE(cluster->mount(kSessionB, {}).ok());
  const InodeNumber inode = cluster->make(kSessionB, 1, "a", true).reply.inode;
  for (std::size_t i = 0; i < 3; ++i) cluster->node(i).extents[inode] = 512;
  cluster->live(kSessionA, 8s);
  cluster->kill_node(1);
  cluster->live(kSessionA, 10s);
  CHECK(cluster->lookup(kSessionA, "a").reply.size == 0);
  // Its grant is over now, but it has not answered how far its data reaches.
  cluster->live(kSessionA, 5s);
  CHECK(cluster->lookup(kSessionA, "a").reply.size == 0);
  CHECK(cluster->call_by_hand("ring.status")->get<rpc::Struct>()->at("sizes_pending") == rpc::Value(1));
  cluster->start_node(1);
  cluster->live(kSessionA, 3s);
  CHECK(cluster->lookup(kSessionA, "a").reply.size == 512);
  CHECK(cluster->call_by_hand("ring.status")->get<rpc::Struct>()->at("sizes_pending") == rpc::Value(0));
}

TEST_CASE("a shrink is told to every dataserver, and answered at once when nobody else writes", "[sessions]") {
  const auto cluster = mounted_cluster();
  REQUIRE(cluster);
  const InodeNumber inode = cluster->make(kSessionA, 1, "a", true).reply.inode;
  REQUIRE(cluster->call(settle(kSessionA, 2, inode, 1000)).ok());
  cluster->kill_node(2);
  const Time begun = cluster->world().now();
  const auto cut = cluster->call(shrink(kSessionA, 3, inode, 10));
  REQUIRE(cut.ok());
  CHECK(cut.meta.durable >= cut.meta.index);
  CHECK(cluster->world().now() - begun < 100ms);
  cluster->start_node(2);
  cluster->live(kSessionA, 3s);
  for (std::size_t i = 0; i < 3; ++i) {
    REQUIRE_FALSE(cluster->node(i).store().cuts.empty());
    CHECK(cluster->node(i).store().cuts.back().cuts == cut.reply.cuts);
  }
}

TEST_CASE("a second shrink reaches those that know the first while another dataserver is down", "[sessions]") {
  const auto cluster = mounted_cluster();
  REQUIRE(cluster);
  const InodeNumber inode = cluster->make(kSessionA, 1, "a", true).reply.inode;
  cluster->kill_node(2);
  for (std::uint64_t round = 0; round < 3; ++round) {
    protocol::SettleRequest grow = settle(kSessionA, 2 + 2 * round, inode, 1000);
    grow.cut = round;
    REQUIRE(cluster->call(grow).ok());
    REQUIRE(cluster->call(shrink(kSessionA, 3 + 2 * round, inode, 10)).ok());
    cluster->live(kSessionA, 2s);
    for (std::size_t i = 0; i < 2; ++i) {
      REQUIRE_FALSE(cluster->node(i).store().cuts.empty());
      CHECK(cluster->node(i).store().cuts.back().cuts.number() == round + 1);
    }
  }
}

TEST_CASE("a shrink of a file that another session writes is answered when every dataserver knows", "[sessions]") {
  const auto cluster = mounted_cluster();
  REQUIRE(cluster);
  REQUIRE(cluster->mount(kSessionB, {}).ok());
  const InodeNumber inode = cluster->make(kSessionB, 1, "a", true).reply.inode;
  REQUIRE(cluster->call(settle(kSessionB, 2, inode, 1000)).ok());
  cluster->kill_node(2);
  cluster->world().after(4s, [&] { cluster->start_node(2); });
  const Time begun = cluster->world().now();
  REQUIRE(cluster->call(shrink(kSessionA, 1, inode, 10)).ok());
  CHECK(cluster->world().now() - begun >= 4s);
  for (std::size_t i = 0; i < 3; ++i) CHECK_FALSE(cluster->node(i).store().cuts.empty());
}

TEST_CASE("a clean unmount ends the session without a fence", "[sessions]") {
  const auto cluster = mounted_cluster();
  REQUIRE(cluster);
  protocol::CloseSessionRequest close;
  close.call.session = kSessionA;
  REQUIRE(cluster->call(close).ok());
  CHECK(cluster->renew(kSessionA).meta.code == ErrorCode::Refused);
  cluster->world().run_for(15s);
  for (std::size_t i = 0; i < 3; ++i) CHECK(cluster->node(i).fences.empty());
}

}  // namespace mendfs::metaserver
