// Cuts, lost sessions, unlinked files.
#include <catch2/catch.hpp>

#include "tests/unit/lib/client/mounted.h"

namespace mendfs::client {
namespace {

using namespace std::chrono_literals;
using protocol::Attributes;

TEST_CASE("bytes cut off do not come back", "[client]") {
  Mounted mount;
  const Opened file = mount.create("a");
  mount.write(file.handle, 0, pattern(10'000, 1));
  protocol::SetAttributesRequest cut;
  cut.inode = file.attributes.inode;
  cut.size = 1000;
  REQUIRE(mount.cluster.run(mount.filesystem->set_attributes(cut)));
  mount.write(file.handle, 5000, pattern(10, 2));
  auto expected = pattern(1000, 1);
  expected.resize(5010);
  const auto tail = pattern(10, 2);
  std::copy(tail.begin(), tail.end(), expected.begin() + 5000);
  CHECK((mount.read(file.handle, 0, 20'000) == expected));
  mount.flush(file.handle);
  CHECK((mount.read(file.handle, 0, 20'000) == expected));
  CHECK((mount.cluster.stored(file.attributes.inode) == expected));
}

TEST_CASE("bytes beyond a cut are not sent under it while its answer is on its way", "[client]") {
  Mounted mount;
  const Opened file = mount.create("a");
  const InodeNumber inode = file.attributes.inode;
  for (FakeStore& store : mount.cluster.stores) store.write_refusal = Error{ErrorCode::Unavailable, "not now"};
  mount.write(file.handle, 0, pattern(10'000, 1));
  mount.write(file.handle, 0, pattern(10'000, 2));
  mount.cluster.names.setattr_delay = 5s;
  protocol::SetAttributesRequest cut;
  cut.inode = inode;
  cut.size = 1000;
  std::optional<Result<Attributes>> answered;
  Scope scope;
  scope.spawn(sim::detail::keep_result(mount.filesystem->set_attributes(cut), &answered));
  mount.cluster.world.run_for(1s);
  // The servers know the cut and the client hears of it by another way, before its own call is answered.
  const CutList cuts = mount.cluster.names.inodes[inode].cuts;
  REQUIRE(cuts.number() == 1);
  for (FakeStore& store : mount.cluster.stores) {
    store.cuts[inode] = cuts;
    store.write_refusal.reset();
  }
  REQUIRE(mount.cluster.run(mount.filesystem->get_attributes(inode)));
  mount.cluster.world.run_for(2s);
  CHECK_FALSE(answered.has_value());
  REQUIRE(mount.cluster.world.run_until([&] { return answered.has_value(); }, 10s));
  REQUIRE(*answered);
  mount.flush(file.handle);
  CHECK(mount.cluster.names.inodes[inode].size == 1000);
  CHECK((mount.cluster.stored(inode) == pattern(1000, 2)));
  for (const FakeStore& store : mount.cluster.stores)
    for (const auto& [key, block] : store.blocks) CHECK(key.second < 2);
}

TEST_CASE("bytes of another mount's cut are refetched and the write goes on under it", "[client]") {
  Mounted mount;
  const Opened file = mount.create("a");
  mount.write(file.handle, 0, pattern(10'000, 1));
  mount.flush(file.handle);
  Attributes& at_metaserver = mount.cluster.names.inodes[file.attributes.inode];
  at_metaserver.cuts.add({1, 0});
  at_metaserver.size = 0;
  ++at_metaserver.change;
  for (FakeStore& store : mount.cluster.stores) store.cuts[file.attributes.inode] = at_metaserver.cuts;
  const auto bytes = pattern(2000, 3);
  mount.write(file.handle, 0, bytes);
  mount.flush(file.handle);
  CHECK((mount.read(file.handle, 0, 10'000) == bytes));
  CHECK((mount.cluster.stored(file.attributes.inode) == bytes));
}

TEST_CASE("a lost session is replaced and the queue is sent again under the new one", "[client]") {
  Mounted mount;
  const Opened file = mount.create("a");
  mount.cluster.fenced = mount.cluster.names.sessions;
  mount.cluster.names.sessions.clear();
  const auto bytes = pattern(4000, 1);
  mount.write(file.handle, 0, bytes);
  mount.flush(file.handle);
  CHECK((mount.cluster.stored(file.attributes.inode) == bytes));
  CHECK(mount.cluster.names.sessions.size() == 1);
}

TEST_CASE("the queue of a lost session is given up for a file cut meanwhile", "[client]") {
  Mounted mount;
  const Opened file = mount.create("a");
  for (FakeStore& store : mount.cluster.stores) store.write_refusal = Error{ErrorCode::Unavailable, "not now"};
  mount.write(file.handle, 0, pattern(4000, 1));
  mount.cluster.fenced = mount.cluster.names.sessions;
  mount.cluster.names.sessions.clear();
  Attributes& at_metaserver = mount.cluster.names.inodes[file.attributes.inode];
  at_metaserver.cuts.add({1, 0});
  ++at_metaserver.change;
  mount.cluster.world.run_for(10s);
  for (FakeStore& store : mount.cluster.stores) store.write_refusal.reset();
  CHECK(mount.cluster.run(mount.filesystem->flush(file.handle)).code() == ErrorCode::Io);
  mount.cluster.world.run_for(5s);
  for (const FakeStore& store : mount.cluster.stores) CHECK(store.blocks.empty());
}

TEST_CASE("renewals say which unlinked files are open", "[client]") {
  Mounted mount;
  const Opened kept = mount.create("kept");
  const Opened closed = mount.create("closed");
  mount.filesystem->release(closed.handle);
  for (const char* name : {"kept", "closed"}) {
    protocol::RemoveRequest remove;
    remove.parent = kRootInode;
    remove.name = name;
    REQUIRE(mount.cluster.run(mount.filesystem->remove(remove)));
  }
  mount.cluster.world.run_for(10s);
  const FakeNamespace& names = mount.cluster.names;
  CHECK(std::count(names.said_open.begin(), names.said_open.end(), kept.attributes.inode) > 0);
  CHECK(names.said_not_open == std::vector<InodeNumber>{closed.attributes.inode});
}

}  // namespace
}  // namespace mendfs::client
