#include "tests/unit/metaserver/namespace/namespace_fixture.h"

namespace mendfs::metaserver {
namespace {

TEST_CASE_METHOD(NamespaceFixture, "a cluster is made once, of a ring that can be", "[namespace]") {
  CHECK(apply(cluster_of(5)).code == ErrorCode::Exists);
  const ClusterRecord cluster = names->cluster()->value();
  CHECK(cluster.cluster == kCluster);
  CHECK(cluster.ring >> kEpochShift == 1);
  CHECK(cluster.ring == attributes(kRootInode).layout.ring);
  CHECK(cluster.addresses.size() == 5);
  CHECK(cluster.addresses[1] == "127.0.0.1:2223");
  CHECK(names->slot(4)->generation == Generation{9, 4});
  CHECK(names->slot(4)->born_generation == Generation{9, 4});
  CHECK(names->slot(4)->confirmed_term == 0);
  CHECK(names->slot(5).code() == ErrorCode::NotFound);
}

TEST_CASE("before there is a cluster nothing can be named", "[namespace]") {
  sim::Scheduler scheduler;
  sim::SimLoop loop(scheduler, 1);
  sim::SimKvFactory factory(loop, 1);
  std::unique_ptr<Kv> kv = std::move(*factory.open("state"));
  Namespace names(*kv);
  REQUIRE(names.load().ok());
  CHECK(names.applied_index() == 0);
  CHECK_FALSE(names.cluster()->has_value());
  CHECK(names.attributes(kRootInode).code() == ErrorCode::StaleHandle);
  Command command;
  command.epoch = 1;
  std::uint64_t index = 0;
  const auto apply = [&](Command::Body body) {
    command.body = std::move(body);
    return names.apply(++index, command)->code;
  };
  CHECK(apply(NamespaceFixture::cluster_of(3)) == ErrorCode::Unavailable);  // no epoch yet
  CHECK(apply(StartEpoch{}) == ErrorCode::Ok);
  CHECK(apply(GrantTerm{0, {1, 1}}) == ErrorCode::InvalidArgument);
  CHECK(apply(DeclareLost{{0}}) == ErrorCode::Unavailable);
  CHECK(apply(NamespaceFixture::cluster_of(1)) == ErrorCode::InvalidArgument);
  CHECK(apply(NamespaceFixture::cluster_of(257)) == ErrorCode::InvalidArgument);
  CreateCluster odd = NamespaceFixture::cluster_of(3);
  odd.copy_count = 4;
  CHECK(apply(odd) == ErrorCode::InvalidArgument);
  odd = NamespaceFixture::cluster_of(3);
  odd.block_size = 1000;
  CHECK(apply(odd) == ErrorCode::InvalidArgument);
  odd = NamespaceFixture::cluster_of(3);
  odd.cluster = {};
  CHECK(apply(odd) == ErrorCode::InvalidArgument);
  CHECK(apply(NamespaceFixture::cluster_of(2)) == ErrorCode::Ok);
  CHECK(names.attributes(kRootInode).ok());
}

TEST_CASE_METHOD(NamespaceFixture, "epochs rise, and commands of an earlier one come to nothing", "[namespace]") {
  CHECK(apply(StartEpoch{}).code == ErrorCode::Refused);
  epoch = 1 << 23;
  CHECK(apply(StartEpoch{}).code == ErrorCode::Refused);
  epoch = 4;
  CHECK(apply(StartEpoch{}).code == ErrorCode::Ok);
  CHECK(*names->epoch() == 4);
  epoch = 1;
  protocol::MakeRequest late = make_request(kRootInode, "late", S_IFREG);
  late.call = {kSession, 100, 100};
  CHECK(apply(late).code == ErrorCode::Unavailable);
  CHECK(inode_of(kRootInode, "late") == 0);
  epoch = 4;
  CHECK(apply(late).code == ErrorCode::Ok);
}

TEST_CASE_METHOD(NamespaceFixture, "of earlier epochs what the next one began behind is kept", "[namespace]") {
  const std::uint64_t first = epoch;
  const std::uint64_t kept = change(make_request(kRootInode, "a", S_IFREG)).index;
  CHECK(*names->has_kept(kept, first));
  CHECK_FALSE(*names->has_kept(kept, first + 1));
  // Epochs in which nothing was made, and numbers that no epoch had.
  for (epoch = first + 1; epoch < first + 6; epoch += 2) REQUIRE(apply(StartEpoch{}).code == ErrorCode::Ok);
  epoch = first + 5;
  for (int i = 0; i < 5; ++i) REQUIRE(code(make_request(kRootInode, std::to_string(i), S_IFREG)) == ErrorCode::Ok);
  CHECK(*names->has_kept(kept, first));
  CHECK_FALSE(*names->has_kept(kept + 1, first));
  CHECK(*names->has_kept(kept + 1, first + 1));
  CHECK_FALSE(*names->has_kept(kept + 2, first + 1));
  CHECK(*names->has_kept(names->applied_index() + 1, first + 5));
}

TEST_CASE_METHOD(NamespaceFixture, "terms rise for every start of a dataserver and stay for that start",
                 "[namespace]") {
  const auto grant = [&](Slot slot, Uuid start) {
    const Outcome outcome = apply(GrantTerm{slot, start});
    REQUIRE(outcome.code == ErrorCode::Ok);
    return unpack<TermReply>(outcome.body)->term;
  };
  const std::uint64_t first = grant(2, {1, 1});
  CHECK(first >> kEpochShift == 1);
  CHECK(grant(2, {1, 1}) == first);
  CHECK(names->slot(2)->granted_term == first);
  CHECK(names->slot(2)->granted_to == Uuid{1, 1});
  CHECK(names->slot(2)->confirmed_term == 0);
  CHECK(apply(ConfirmTerm{2, first}).code == ErrorCode::Ok);
  CHECK(names->slot(2)->confirmed_term == first);

  const std::uint64_t second = grant(2, {1, 2});
  CHECK(second > first);
  CHECK(names->slot(2)->confirmed_term == first);
  CHECK(apply(ConfirmTerm{2, first}).code == ErrorCode::Stale);
  CHECK(apply(ConfirmTerm{2, 0}).code == ErrorCode::Stale);
  CHECK(apply(ConfirmTerm{3, 0}).code == ErrorCode::Stale);
  epoch = 2;
  apply(StartEpoch{});
  CHECK(grant(2, {1, 3}) > second);
  CHECK(grant(3, {1, 3}) >> kEpochShift == 2);
  CHECK(apply(GrantTerm{5, {1, 1}}).code == ErrorCode::InvalidArgument);
  CHECK(apply(GrantTerm{0, {0, 0}}).code == ErrorCode::InvalidArgument);
}

TEST_CASE_METHOD(NamespaceFixture, "a slot's confirmed store is replaced on command only", "[namespace]") {
  CHECK(apply(ConfirmGeneration{1, {8, 8}}).code == ErrorCode::Ok);
  CHECK(names->slot(1)->generation == Generation{8, 8});
  CHECK(names->slot(1)->born_generation == Generation{9, 1});
  CHECK(apply(ConfirmGeneration{1, {0, 0}}).code == ErrorCode::InvalidArgument);
  CHECK(apply(ConfirmGeneration{9, {8, 8}}).code == ErrorCode::InvalidArgument);
}

TEST_CASE_METHOD(NamespaceFixture, "lost ranges remember the greatest inode of that moment", "[namespace]") {
  const InodeNumber before = file(kRootInode, "f");
  CHECK(apply(DeclareLost{{1, 3}}).code == ErrorCode::Ok);
  file(kRootInode, "g");
  CHECK(apply(DeclareLost{{9}}).code == ErrorCode::InvalidArgument);
  const auto lost = names->cluster()->value().lost;
  REQUIRE(lost.size() == 2);
  CHECK(lost[0].range == 1);
  CHECK(lost[0].inode_high == before);
  CHECK(apply(DeclareLost{{1}}).code == ErrorCode::Ok);
  CHECK(names->cluster()->value().lost.size() == 2);
  CHECK(names->cluster()->value().lost[1].inode_high == *names->inode_high());
}

}  // namespace
}  // namespace mendfs::metaserver
