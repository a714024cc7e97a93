// A metaserver whose machine lost power, and with it the end of the log: other changes get the numbers of the lost
// ones.
#include <catch2/catch.hpp>

#include "tests/unit/lib/client/mounted.h"

namespace mendfs::client {
namespace {

using namespace std::chrono_literals;
using protocol::Attributes;

struct Fixture : Mounted {
  Fixture() {
    create("old");
    create("lost");
    names.tells_changes = true;
    cluster.world.run_for(2s);  // until the feed of changes is heard
  }
  Result<Attributes> look_up(const std::string& name) { return cluster.run(filesystem->lookup(kRootInode, name)); }
  bool is_kept(const std::string& name) {
    const std::uint32_t calls = names.calls;
    (void)look_up(name);
    return names.calls == calls;
  }
  /// The creation of "lost" is undone, and that of "new" has its number.
  void lose_the_end() {
    const Attributes lost = names.inodes.at(names.names.at("lost"));
    names.inodes.erase(lost.inode);
    names.names.erase("lost");
    Attributes made = lost;
    made.inode = names.next_inode++;
    names.inodes[made.inode] = made;
    names.names["new"] = made.inode;
    ++names.epoch;
  }
  FakeNamespace& names = cluster.names;
};

TEST_CASE("names of a lost change are not kept, and those of the change with its number are seen", "[client]") {
  Fixture f;
  // As of entries that will be lost.
  REQUIRE(f.look_up("lost"));
  REQUIRE(f.cluster.run(f.filesystem->read_directory(kRootInode, 0, 100)));
  REQUIRE(f.is_kept("lost"));
  REQUIRE(f.is_kept("new"));
  const InodeNumber lost = f.names.names.at("lost");
  f.cluster.metaserver().kill();
  f.cluster.world.run_for(100ms);  // until the mount has noticed
  f.lose_the_end();
  f.cluster.start_metaserver();
  SECTION("asked while the feed has not spoken yet") {}
  SECTION("asked after the feed has") { f.cluster.world.run_for(5s); }
  CHECK(f.look_up("lost").code() == ErrorCode::NotFound);
  const Result<Attributes> made = f.look_up("new");
  REQUIRE(made);
  CHECK(made->inode == f.names.names.at("new"));
  CHECK_FALSE(f.filesystem->may_keep_name(kRootInode, "lost", lost));
  CHECK(f.cluster.run(f.filesystem->get_attributes(lost)).code() == ErrorCode::StaleHandle);
  f.cluster.world.run_for(5s);
  REQUIRE(f.look_up("new"));
  CHECK(f.is_kept("new"));
}

TEST_CASE("an answer from before the power cut that comes after it is not taken", "[client]") {
  Fixture f;
  const InodeNumber lost = f.names.names.at("lost");
  f.names.lookup_delay = 3s;
  std::optional<Result<Attributes>> late;
  Scope scope;
  scope.spawn(sim::detail::keep_result(f.filesystem->lookup(kRootInode, "lost"), &late));
  f.cluster.world.run_for(500ms);
  f.lose_the_end();
  f.names.lookup_delay = 0s;
  f.cluster.world.run_for(1s);
  REQUIRE_FALSE(late.has_value());
  REQUIRE(f.cluster.world.run_until([&] { return late.has_value(); }, 10s));
  CHECK(late->code() == ErrorCode::NotFound);
  CHECK_FALSE(f.filesystem->may_keep_name(kRootInode, "lost", lost));
  CHECK(f.look_up("lost").code() == ErrorCode::NotFound);
}

}  // namespace
}  // namespace mendfs::client
