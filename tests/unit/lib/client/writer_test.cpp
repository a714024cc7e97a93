// What waits for servers that are away, and what ends a wait.
#include <catch2/catch.hpp>

#include "block/placement.h"
#include "client/interrupt.h"
#include "tests/unit/lib/client/mounted.h"

namespace mendfs::client {
namespace {

using namespace std::chrono_literals;
using protocol::Attributes;

TEST_CASE("a write waits for a server that is away, and succeeds when it is back", "[client]") {
  Mounted mount;
  const Opened file = mount.create("a");
  mount.cluster.server(1).kill();
  mount.cluster.world.run_for(100ms);
  const auto bytes = pattern(10'000, 1);
  std::optional<Result<std::uint32_t>> written;
  Scope scope;
  scope.spawn(sim::detail::keep_result(mount.write_task(file.handle, 0, bytes), &written));
  mount.cluster.world.run_for(15s);
  CHECK_FALSE(written.has_value());
  const std::vector<Blocked> blocked = mount.filesystem->blocked();
  REQUIRE_FALSE(blocked.empty());
  CHECK(blocked.front().what == std::string("write"));
  CHECK(blocked.front().slot == Slot{1});
  CHECK(blocked.front().inode == file.attributes.inode);
  CHECK(mount.cluster.client().log().contains("write blocked on server 1 (127.0.0.1:2001)"));
  mount.cluster.start_server(1);
  REQUIRE(mount.cluster.world.run_until([&] { return written.has_value(); }, 3s));
  REQUIRE(*written);
  mount.flush(file.handle);
  CHECK((mount.cluster.stored(file.attributes.inode) == bytes));
}

TEST_CASE("an interrupt ends the wait after a second and leaves the write queued", "[client]") {
  Mounted mount;
  const Opened file = mount.create("a");
  mount.cluster.server(1).kill();
  mount.cluster.world.run_for(100ms);
  const auto bytes = pattern(4000, 1);
  auto interrupt = std::make_shared<Interrupt>(mount.cluster.client().loop());
  std::optional<Result<std::uint32_t>> written;
  Scope scope;
  const Time before = mount.cluster.world.now();
  scope.spawn(sim::detail::keep_result(Interrupt::run(interrupt, mount.write_task(file.handle, 0, bytes)), &written));
  mount.cluster.world.run_for(100ms);
  interrupt->interrupt();
  REQUIRE(mount.cluster.world.run_until([&] { return written.has_value(); }, 5s));
  CHECK(written->code() == ErrorCode::Interrupted);
  CHECK(mount.cluster.world.now() - before >= 1s);
  CHECK(mount.cluster.world.now() - before < 1100ms);
  mount.cluster.start_server(1);
  mount.flush(file.handle);
  CHECK((mount.cluster.stored(file.attributes.inode) == bytes));
}

TEST_CASE("the metaserver being away stops names, not reads and writes of open files", "[client]") {
  Mounted mount;
  const Opened file = mount.create("a");
  mount.cluster.metaserver().kill();
  const auto bytes = pattern(4000, 1);
  mount.write(file.handle, 0, bytes);
  CHECK((mount.read(file.handle, 0, 4000) == bytes));
  std::optional<Result<Attributes>> found;
  Scope scope;
  scope.spawn(sim::detail::keep_result(mount.filesystem->lookup(kRootInode, "a"), &found));
  mount.cluster.world.run_for(5s);
  CHECK_FALSE(found.has_value());
  mount.cluster.start_metaserver();
  REQUIRE(mount.cluster.world.run_until([&] { return found.has_value(); }, 2s));
  CHECK(found->ok());
}

TEST_CASE("an unmount brings the queue home, or says what it drops", "[client]") {
  {
    Mounted mount;
    const Opened file = mount.create("a");
    mount.write(file.handle, 0, pattern(4000, 1));
    mount.cluster.run(mount.filesystem->unmount(mount.cluster.world.now() + 5s));
    CHECK((mount.cluster.stored(file.attributes.inode) == pattern(4000, 1)));
    CHECK(mount.cluster.names.sessions.empty());
  }
  Mounted mount;
  const Opened file = mount.create("a");
  for (FakeStore& store : mount.cluster.stores) store.write_refusal = Error{ErrorCode::Unavailable, "not now"};
  mount.write(file.handle, 0, pattern(4000, 1));
  const Time before = mount.cluster.world.now();
  mount.cluster.run(mount.filesystem->unmount(before + 5s));
  CHECK(mount.cluster.world.now() - before < 7s);
  CHECK(mount.cluster.client().log().contains("dropped at unmount"));
}

TEST_CASE("once a disk is full the write itself fails, until there is space again", "[client]") {
  Mounted mount;
  const Opened first = mount.create("a");
  for (FakeStore& store : mount.cluster.stores) store.write_refusal = Error{ErrorCode::NoSpace, "server 1 is full"};
  mount.write(first.handle, 0, pattern(4000, 1));
  CHECK(mount.cluster.run(mount.filesystem->flush(first.handle)).code() == ErrorCode::NoSpace);
  // Programs that do not look at what close() says hear of it, too.
  const Opened second = mount.create("b");
  CHECK(mount.cluster.run(mount.write_task(second.handle, 0, pattern(4000, 2))).code() == ErrorCode::NoSpace);
  mount.flush(second.handle);
  for (FakeStore& store : mount.cluster.stores) store.write_refusal.reset();
  mount.write(second.handle, 0, pattern(4000, 2));
  mount.flush(second.handle);
  CHECK((mount.cluster.stored(second.attributes.inode) == pattern(4000, 2)));
}

/// Blocks of one range of three cannot be stored.
void fill_range(Mounted& mount, const Layout& layout, BlockIndex block) {
  mount.cluster.stores[primary_of(block, layout)].write_refusal = Error{ErrorCode::NoSpace, "full"};
}

TEST_CASE("a file ends at the first byte for which there was no space", "[client]") {
  Mounted mount;
  const Opened file = mount.create("a");
  const InodeNumber inode = file.attributes.inode;
  const auto attributes = [&] { return *mount.cluster.run(mount.filesystem->get_attributes(inode)); };
  const auto before = pattern(1024, 1);
  mount.write(file.handle, 0, before);
  mount.flush(file.handle);
  fill_range(mount, file.attributes.layout, 4);
  mount.write(file.handle, 1024, pattern(10 * 512, 2));  // blocks 2 to 11: 4, 7 and 10 have no space
  CHECK(mount.cluster.run(mount.filesystem->flush(file.handle)).code() == ErrorCode::NoSpace);
  CHECK(attributes().size == 4 * 512);
  CHECK(mount.cluster.names.inodes.at(inode).size == 4 * 512);
  CHECK(mount.cluster.names.abandoned.size() == 1);

  // What was stored beyond does not show once the file is longer.
  mount.cluster.stores[primary_of(4, file.attributes.layout)].write_refusal.reset();
  mount.write(file.handle, 20 * 512, pattern(512, 3));
  mount.flush(file.handle);
  auto expected = pattern(21 * 512, 3);
  std::fill(expected.begin(), expected.end(), std::byte{0});
  const auto second = pattern(10 * 512, 2);
  const auto third = pattern(512, 3);
  std::copy(before.begin(), before.end(), expected.begin());
  std::copy_n(second.begin(), 2 * 512, expected.begin() + 1024);
  std::copy(third.begin(), third.end(), expected.begin() + 20 * 512);
  CHECK((mount.read(file.handle, 0, 21 * 512) == expected));
  CHECK((mount.cluster.stored(inode) == expected));
}

TEST_CASE("a full disk takes nothing from a file that was told of", "[client]") {
  Mounted mount;
  const Opened file = mount.create("a");
  const InodeNumber inode = file.attributes.inode;
  mount.write(file.handle, 0, pattern(20 * 512, 1));
  mount.flush(file.handle);
  fill_range(mount, file.attributes.layout, 4);
  mount.write(file.handle, 1024, pattern(10 * 512, 2));
  CHECK(mount.cluster.run(mount.filesystem->flush(file.handle)).code() == ErrorCode::NoSpace);
  CHECK(mount.cluster.run(mount.filesystem->get_attributes(inode))->size == 20 * 512);
  CHECK(mount.cluster.names.inodes.at(inode).size == 20 * 512);
  CHECK(mount.cluster.names.abandoned.empty());
  // Each block is old or new.
  const auto first = pattern(20 * 512, 1);
  const auto second = pattern(10 * 512, 2);
  const auto now = mount.read(file.handle, 0, 20 * 512);
  for (std::size_t block = 0; block < 20; ++block) {
    const bool is_new = block >= 2 && block < 12 && block % 3 != 1;
    const std::byte* expected = is_new ? second.data() + (block - 2) * 512 : first.data() + block * 512;
    INFO(block);
    CHECK(std::equal(expected, expected + 512, now.data() + block * 512));
  }
}

TEST_CASE("a write of which nothing could be stored needs no cut", "[client]") {
  Mounted mount;
  const Opened file = mount.create("a");
  for (FakeStore& store : mount.cluster.stores) store.write_refusal = Error{ErrorCode::NoSpace, "full"};
  mount.write(file.handle, 0, pattern(4000, 1));
  CHECK(mount.cluster.run(mount.filesystem->flush(file.handle)).code() == ErrorCode::NoSpace);
  CHECK(mount.cluster.run(mount.filesystem->get_attributes(file.attributes.inode))->size == 0);
  CHECK(mount.cluster.names.abandoned.empty());
}

TEST_CASE("what is written while the rest is cut off is kept", "[client]") {
  Mounted mount;
  const Opened file = mount.create("a");
  const InodeNumber inode = file.attributes.inode;
  fill_range(mount, file.attributes.layout, 1);
  mount.write(file.handle, 0, pattern(6 * 512, 1));
  while (mount.cluster.names.abandoned.empty()) mount.cluster.world.run_for(10us);
  mount.cluster.stores[primary_of(1, file.attributes.layout)].write_refusal.reset();
  // Told of the failure, a program goes on.
  CHECK(mount.cluster.run(mount.write_task(file.handle, 512, pattern(100, 2))).code() == ErrorCode::NoSpace);
  const auto again = pattern(5 * 512, 3);
  mount.write(file.handle, 512, again);
  mount.flush(file.handle);
  auto expected = pattern(6 * 512, 1);
  std::copy(again.begin(), again.end(), expected.begin() + 512);
  CHECK((mount.cluster.stored(inode) == expected));
  CHECK(mount.cluster.names.inodes.at(inode).size == 6 * 512);
}

TEST_CASE("with a timeout a write ends with EIO instead of waiting for ever", "[client]") {
  Options options;
  options.timeout = 3s;
  Mounted mount(3, options);
  const Opened file = mount.create("a");
  mount.cluster.server(1).kill();
  mount.cluster.world.run_for(100ms);
  const Time before = mount.cluster.world.now();
  const auto written = mount.cluster.run(mount.write_task(file.handle, 0, pattern(10'000, 1)));
  CHECK(written.code() == ErrorCode::Io);
  CHECK(mount.cluster.world.now() - before < 5s);
}

}  // namespace
}  // namespace mendfs::client
