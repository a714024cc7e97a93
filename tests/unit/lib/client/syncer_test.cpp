// What flush, fsync and rename promise, and what the metaserver is told when.
#include <catch2/catch.hpp>

#include "protocol/timing.h"
#include "tests/unit/lib/client/mounted.h"

namespace mendfs::client {
namespace {

using namespace std::chrono_literals;
using protocol::Attributes;

TEST_CASE("closing a written file costs one call", "[client]") {
  Mounted mount;
  const Opened file = mount.create("a");
  mount.write(file.handle, 0, pattern(5000, 1));
  mount.cluster.world.run_for(100ms);
  const std::uint32_t before = mount.cluster.names.calls;
  mount.flush(file.handle);
  mount.flush(file.handle);
  mount.filesystem->release(file.handle);
  mount.cluster.world.run_for(100ms);
  CHECK(mount.cluster.names.calls == before + 1);
}

TEST_CASE("machines that restart one after the other lose nothing of what fsync is asked for later", "[client]") {
  Mounted mount(2);
  const Opened file = mount.create("a");
  mount.write(file.handle, 0, pattern(4000, 1));
  mount.flush(file.handle);
  for (Slot slot = 0; slot < 2; ++slot) {
    mount.cluster.server(slot).kill();
    mount.cluster.stores[slot].boot = {20, slot};
    mount.cluster.world.run_for(1s);
    mount.cluster.start_server(slot);
    mount.cluster.world.run_for(3s);
    CHECK(mount.cluster.stores[slot].synced == mount.cluster.stores[slot].position);
  }
  CHECK(mount.cluster.run(mount.filesystem->fsync(file.handle, true)).ok());
}

TEST_CASE("a write that cannot be delivered is reported once on each handle", "[client]") {
  Mounted mount;
  const Opened file = mount.create("a");
  const auto other = mount.cluster.run(mount.filesystem->open(file.attributes.inode, kReadWrite));
  REQUIRE(other);
  for (FakeStore& store : mount.cluster.stores) store.write_refusal = Error{ErrorCode::NoSpace, "server 1 is full"};
  mount.write(file.handle, 0, pattern(4000, 1));
  CHECK(mount.cluster.run(mount.filesystem->flush(file.handle)).code() == ErrorCode::NoSpace);
  CHECK(mount.cluster.run(mount.filesystem->flush(file.handle)).ok());
  CHECK(mount.cluster.run(mount.filesystem->fsync(other->handle, false)).code() == ErrorCode::NoSpace);
  CHECK(mount.cluster.run(mount.filesystem->fsync(other->handle, false)).ok());
}

TEST_CASE("where each write is followed by an fsync, the write itself is made durable", "[client]") {
  Mounted mount(2);
  const Opened file = mount.create("a");
  const auto syncs = [&] { return mount.cluster.stores[0].syncs + mount.cluster.stores[1].syncs; };
  const auto write_and_sync = [&] {
    mount.write(file.handle, 0, pattern(4096, 1));
    REQUIRE(mount.cluster.run(mount.filesystem->fsync(file.handle, false)));
    for (const FakeStore& store : mount.cluster.stores) CHECK(store.synced == store.position);
  };
  write_and_sync();
  CHECK_FALSE(mount.cluster.stores[0].writes.back().durable);
  const std::uint32_t before = syncs();
  for (int i = 0; i < 3; ++i) write_and_sync();
  CHECK(mount.cluster.stores[0].writes.back().durable);
  CHECK(syncs() == before);

  // A second write without an fsync between them: no more.
  mount.write(file.handle, 0, pattern(4096, 2));
  mount.cluster.world.run_for(100ms);
  mount.write(file.handle, 0, pattern(4096, 3));
  mount.cluster.world.run_for(100ms);
  CHECK_FALSE(mount.cluster.stores[0].writes.back().durable);
  REQUIRE(mount.cluster.run(mount.filesystem->fsync(file.handle, false)));
  for (const FakeStore& store : mount.cluster.stores) CHECK(store.synced == store.position);
  write_and_sync();
  CHECK(syncs() > before);
}

TEST_CASE("a synced write says to which servers its parts go", "[client]") {
  Mounted mount(3);
  const Opened file = mount.create("a");
  const auto write_and_sync = [&](std::uint64_t offset, std::size_t size) {
    for (FakeStore& store : mount.cluster.stores) store.writes.clear();
    mount.write(file.handle, offset, pattern(size, 1));
    REQUIRE(mount.cluster.run(mount.filesystem->fsync(file.handle, false)));
    std::vector<Slot> got;
    for (Slot slot = 0; slot < 3; ++slot)
      if (!mount.cluster.stores[slot].writes.empty()) got.push_back(slot);
    return got;
  };
  for (int i = 0; i < 2; ++i) write_and_sync(0, 4096);
  for (const std::size_t size : {std::size_t{4096}, std::size_t{1024}, std::size_t{512}}) {
    const std::vector<Slot> got = write_and_sync(1024, size);
    CHECK(got.size() == std::min<std::size_t>(size / 512, 3));
    for (const Slot slot : got) CHECK(mount.cluster.stores[slot].writes.front().sent_to == got);
  }
}

TEST_CASE("an fsync does not wait for the metaserver where a write moved a file's time by less than a tick",
          "[client]") {
  Mounted mount;
  const Opened file = mount.create("a");
  FakeNamespace& names = mount.cluster.names;
  const auto told_time = [&] { return names.inodes.at(file.attributes.inode).mtime; };
  const auto time = [&] {
    const auto seen = mount.cluster.run(mount.filesystem->get_attributes(file.attributes.inode));
    REQUIRE(seen);
    return seen->mtime;
  };
  const auto write_and_sync = [&] {
    mount.write(file.handle, 0, pattern(4096, 1));
    REQUIRE(mount.cluster.run(mount.filesystem->fsync(file.handle, false)));
  };
  for (int i = 0; i < 2; ++i) write_and_sync();
  mount.cluster.world.run_for(100ms);
  write_and_sync();
  CHECK(names.durable == names.log_index);
  CHECK(told_time() == time());

  const std::int64_t first = told_time();
  const auto told = [&] { return names.settles.size() + names.syncs; };
  const std::size_t before = told();
  std::uint32_t untold = 0;
  while (time() - first < std::chrono::nanoseconds(timing::kTimesTick).count()) {
    CHECK(told() == before);
    CHECK(told_time() == first);
    write_and_sync();
    ++untold;
  }
  CHECK(untold > 1);
  CHECK(told() > before);
  CHECK(told_time() == time());
  CHECK(names.durable == names.log_index);

  SECTION("what was not told is told soon") {
    write_and_sync();
    CHECK(told_time() < time());
    mount.cluster.world.run_for(2 * timing::kTimesReport);
    CHECK(told_time() == time());
  }
  SECTION("a time that was set is told at once") {
    mount.write(file.handle, 0, pattern(4096, 1));
    protocol::SetAttributesRequest set;
    set.inode = file.attributes.inode;
    set.mtime = {false, time() + 1};
    REQUIRE(mount.cluster.run(mount.filesystem->set_attributes(std::move(set))));
    REQUIRE(mount.cluster.run(mount.filesystem->fsync(file.handle, false)));
    CHECK(told_time() == time());
    CHECK(names.durable == names.log_index);
  }
}

TEST_CASE("a size that the metaserver lost with its power is told again", "[client]") {
  Mounted mount;
  FakeNamespace& names = mount.cluster.names;
  const Opened file = mount.create("a");
  const Attributes early = names.inodes[file.attributes.inode];
  mount.write(file.handle, 0, pattern(4000, 1));
  mount.flush(file.handle);
  REQUIRE(names.inodes[file.attributes.inode].size == 4000);
  names.inodes[file.attributes.inode] = early;
  ++names.epoch;
  SECTION("by fsync") { REQUIRE(mount.cluster.run(mount.filesystem->fsync(file.handle, false))); }
  SECTION("with the size of the next write") {
    mount.write(file.handle, 0, pattern(10, 2));
    mount.flush(file.handle);
  }
  SECTION("when the restart is noticed") { mount.cluster.world.run_for(6s); }
  CHECK(names.inodes[file.attributes.inode].size == 4000);
}

TEST_CASE("an fsync says once that names or attributes were lost with the metaserver's power", "[client]") {
  Mounted mount;
  const Opened file = mount.create("a");
  protocol::SetAttributesRequest mode;
  mode.inode = file.attributes.inode;
  mode.mode = 0600;
  REQUIRE(mount.cluster.run(mount.filesystem->set_attributes(mode)));
  ++mount.cluster.names.epoch;
  CHECK(mount.cluster.run(mount.filesystem->sync_directory(kRootInode)).code() == ErrorCode::Io);
  CHECK(mount.cluster.run(mount.filesystem->sync_directory(kRootInode)).ok());
  CHECK(mount.cluster.run(mount.filesystem->fsync(file.handle, false)).code() == ErrorCode::Io);
  CHECK(mount.cluster.run(mount.filesystem->fsync(file.handle, false)).ok());
  CHECK(mount.cluster.run(mount.filesystem->sync_all()).ok());
}

TEST_CASE("fsync makes data and metadata durable, and asks nobody twice", "[client]") {
  Mounted mount;
  const Opened file = mount.create("a");
  mount.write(file.handle, 0, pattern(4000, 1));
  REQUIRE(mount.cluster.run(mount.filesystem->fsync(file.handle, false)));
  for (const FakeStore& store : mount.cluster.stores) CHECK(store.synced == store.position);
  CHECK(mount.cluster.names.durable == mount.cluster.names.log_index);
  const std::uint32_t calls = mount.cluster.names.calls;
  REQUIRE(mount.cluster.run(mount.filesystem->fsync(file.handle, false)));
  CHECK(mount.cluster.names.calls == calls);
}

TEST_CASE("fsync is for what closed handles wrote too", "[client]") {
  Mounted mount;
  const Opened first = mount.create("a");
  mount.write(first.handle, 0, pattern(4000, 1));
  mount.flush(first.handle);
  mount.filesystem->release(first.handle);
  mount.cluster.world.run_for(2s);
  const auto second = mount.cluster.run(mount.filesystem->open(first.attributes.inode, OpenFlags{}));
  REQUIRE(second);
  REQUIRE(mount.cluster.run(mount.filesystem->fsync(second->handle, false)));
  for (const FakeStore& store : mount.cluster.stores) CHECK(store.synced == store.position);
}

TEST_CASE("a file that takes another one's place is durable on one server before it does", "[client]") {
  for (const bool replaces : {false, true}) {
    CAPTURE(replaces);
    Mounted mount(2);
    if (replaces) mount.filesystem->release(mount.create("target").handle);
    const Opened file = mount.create("new");
    mount.write(file.handle, 0, pattern(4000, 1));
    mount.flush(file.handle);
    mount.filesystem->release(file.handle);
    protocol::RenameRequest rename;
    rename.parent = rename.new_parent = kRootInode;
    rename.name = "new";
    rename.new_name = "target";
    REQUIRE(mount.cluster.run(mount.filesystem->rename(rename)));
    CHECK(mount.cluster.names.names.at("target") == file.attributes.inode);
    std::vector<FakeStore>& stores = mount.cluster.stores;
    const bool is_synced = stores[0].synced == stores[0].position || stores[1].synced == stores[1].position;
    CHECK(is_synced == replaces);
  }
}

TEST_CASE("fsync survives one holder's restart and fails when all have lost the bytes", "[client]") {
  Mounted mount(2);
  const Opened file = mount.create("a");
  mount.write(file.handle, 0, pattern(4000, 1));
  mount.flush(file.handle);
  mount.cluster.stores[0].boot = {9, 9};
  CHECK(mount.cluster.run(mount.filesystem->fsync(file.handle, true)).ok());
  for (const unsigned seed : {2u, 3u}) {  // after one alone the fsync would be expected, and the write be durable
    mount.write(file.handle, 0, pattern(4000, seed));
    mount.flush(file.handle);
  }
  mount.cluster.stores[0].boot = {10, 10};
  mount.cluster.stores[1].boot = {11, 11};
  CHECK(mount.cluster.run(mount.filesystem->fsync(file.handle, true)).code() == ErrorCode::Io);
}

TEST_CASE("bytes that all holders have lost are reported once on each handle that writes", "[client]") {
  Mounted mount(2);
  const Opened file = mount.create("a");
  const auto other = mount.cluster.run(mount.filesystem->open(file.attributes.inode, kReadWrite));
  REQUIRE(other);
  for (const unsigned seed : {2u, 3u}) {
    mount.write(other->handle, 0, pattern(4000, seed));
    mount.flush(other->handle);
  }
  mount.cluster.stores[0].boot = {10, 10};
  mount.cluster.stores[1].boot = {11, 11};
  const auto sync = [&](HandleId handle) { return mount.cluster.run(mount.filesystem->fsync(handle, true)); };
  CHECK(sync(file.handle).code() == ErrorCode::Io);
  CHECK(sync(file.handle).ok());
  CHECK(sync(other->handle).code() == ErrorCode::Io);
  CHECK(sync(other->handle).ok());
}

TEST_CASE("machines that restart at the same time may have lost the bytes, and fsync says so", "[client]") {
  Mounted mount(2);
  const Opened file = mount.create("a");
  mount.write(file.handle, 0, pattern(4000, 1));
  mount.flush(file.handle);
  for (Slot slot = 0; slot < 2; ++slot) {
    mount.cluster.server(slot).kill();
    mount.cluster.stores[slot].boot = {20, slot};
  }
  mount.cluster.world.run_for(1s);
  for (Slot slot = 0; slot < 2; ++slot) mount.cluster.start_server(slot);
  // They have exchanged what is left, which is nothing, and so have caught up.
  mount.cluster.world.run_for(5s);
  CHECK(mount.cluster.run(mount.filesystem->fsync(file.handle, true)).code() == ErrorCode::Io);
}

TEST_CASE("fsync finds bytes that were on the devices before all holders restarted", "[client]") {
  Mounted mount(2);
  const Opened file = mount.create("a");
  mount.write(file.handle, 0, pattern(4000, 1));
  mount.flush(file.handle);
  std::vector<FakeStore>& stores = mount.cluster.stores;
  for (Slot slot = 0; slot < 2; ++slot) {
    stores[slot].earlier = {{stores[slot].boot, stores[slot].position}, {{5, 5}, UINT64_MAX}};
    stores[slot].boot = {20, slot};
  }
  SECTION("on both") { CHECK(mount.cluster.run(mount.filesystem->fsync(file.handle, true)).ok()); }
  SECTION("on one of them, from which the other one has caught up") {
    stores[1].earlier.front().kept_until -= 1;
    CHECK(mount.cluster.run(mount.filesystem->fsync(file.handle, true)).ok());
  }
  SECTION("but not all of them, on neither") {
    for (FakeStore& store : stores) store.earlier.front().kept_until -= 1;
    CHECK(mount.cluster.run(mount.filesystem->fsync(file.handle, true)).code() == ErrorCode::Io);
  }
  SECTION("but that was another store of this server") {
    for (FakeStore& store : stores) store.generation = {3, 3};
    CHECK(mount.cluster.run(mount.filesystem->fsync(file.handle, true)).code() == ErrorCode::Io);
  }
}

TEST_CASE("sizes are told at most a second late while a file is written", "[client]") {
  Mounted mount;
  const Opened file = mount.create("a");
  mount.write(file.handle, 0, pattern(4000, 1));
  mount.cluster.world.run_for(1100ms);
  CHECK(mount.cluster.names.inodes[file.attributes.inode].size == 4000);
  CHECK(mount.cluster.names.marks.size() == 1);
}

TEST_CASE("a time set by hand is not moved by writes made before it", "[client]") {
  Mounted mount;
  const Opened file = mount.create("a");
  mount.write(file.handle, 0, pattern(4000, 1));
  protocol::SetAttributesRequest times;
  times.inode = file.attributes.inode;
  times.mtime = protocol::TimeChange{false, 12345};
  REQUIRE(mount.cluster.run(mount.filesystem->set_attributes(times)));
  mount.flush(file.handle);
  CHECK(mount.cluster.names.inodes[file.attributes.inode].mtime == 12345);
  mount.write(file.handle, 0, pattern(10, 1));
  mount.flush(file.handle);
  CHECK(mount.cluster.names.inodes[file.attributes.inode].mtime > 12345);
}

}  // namespace
}  // namespace mendfs::client
