// Reading and writing over simulated servers.
#include <catch2/catch.hpp>

#include "protocol/timing.h"
#include "tests/unit/lib/client/mounted.h"

namespace mendfs::client {
namespace {

using namespace std::chrono_literals;
using protocol::Attributes;

TEST_CASE("what is written is read back, and is on both copies when close returns", "[client]") {
  for (const std::uint32_t slot_count : {2U, 3U, 5U}) {
    CAPTURE(slot_count);
    Mounted mount(slot_count);
    const Opened file = mount.create("a");
    const auto bytes = pattern(100'000, 1);
    mount.write(file.handle, 0, bytes);
    CHECK((mount.read(file.handle, 0, 200'000) == bytes));
    mount.flush(file.handle);
    CHECK((mount.cluster.stored(file.attributes.inode) == bytes));
    CHECK(mount.cluster.names.inodes[file.attributes.inode].size == bytes.size());
    CHECK(mount.cluster.names.marks.empty());
    CHECK((mount.read(file.handle, 777, 5000) == std::vector<std::byte>(bytes.begin() + 777, bytes.begin() + 5777)));
    const auto seen = mount.cluster.run(mount.filesystem->get_attributes(file.attributes.inode));
    REQUIRE(seen);
    CHECK(seen->size == bytes.size());
  }
}

TEST_CASE("one write sends one message to each primary", "[client]") {
  Mounted mount(4);
  const Opened file = mount.create("a");
  mount.write(file.handle, 0, pattern(1u << 20, 1));
  mount.flush(file.handle);
  for (const FakeStore& store : mount.cluster.stores) CHECK(store.writes.size() == 1);
}

namespace {

/// More than a message is under way, less than small writes wait.
constexpr Duration kDelivery = 450us;
static_assert(kDelivery + timing::kWriteGather / 4 < timing::kWriteGather);

std::size_t messages(const Mounted& mount) {
  std::size_t count = 0;
  for (const FakeStore& store : mount.cluster.stores) count += store.writes.size();
  return count;
}

}  // namespace

TEST_CASE("small writes one after another go in one message to each primary", "[client]") {
  Mounted mount;
  const Opened file = mount.create("a");
  for (std::uint64_t i = 0; i < 4; ++i) mount.write(file.handle, i * 2560, pattern(2560, 1));
  CHECK(messages(mount) == 0);
  mount.flush(file.handle);
  CHECK(messages(mount) == 3);
  // Without anybody waiting they set out after a moment, or when there is enough.
  mount.write(file.handle, 10'240, pattern(3000, 1));
  mount.cluster.world.run_for(timing::kWriteGather + 1ms);
  CHECK(messages(mount) == 6);
  mount.write(file.handle, 15'000, pattern(timing::kWriteGatherSize - 1, 1));
  mount.cluster.world.run_for(timing::kWriteGather / 4);
  CHECK(messages(mount) == 6);
  mount.write(file.handle, 15'000 + timing::kWriteGatherSize - 1, pattern(1, 1));
  mount.cluster.world.run_for(kDelivery);
  CHECK(messages(mount) == 9);
}

TEST_CASE("a file that is written at once is sent at once", "[client]") {
  for (const std::size_t size : {100, 3000, 4096}) {
    Mounted mount;
    const Opened file = mount.create("a");
    mount.write(file.handle, 0, pattern(size, 1));
    mount.cluster.world.run_for(kDelivery);
    CHECK(messages(mount) == std::min<std::size_t>((size + 511) / 512, 3));
  }
}

TEST_CASE("a file whose writes are each followed by an fsync does not wait for more of them", "[client]") {
  Mounted mount;
  const Opened file = mount.create("a");
  for (std::uint64_t i = 0; i < 2; ++i) {
    mount.write(file.handle, i * 512, pattern(512, 1));
    REQUIRE(mount.cluster.run(mount.filesystem->fsync(file.handle, true)));
  }
  const std::size_t before = messages(mount);
  mount.write(file.handle, 1024, pattern(512, 1));
  mount.cluster.world.run_for(kDelivery);
  CHECK(messages(mount) == before + 1);
}

TEST_CASE("a read sees bytes that no server has yet", "[client]") {
  Mounted mount;
  const Opened file = mount.create("a");
  mount.write(file.handle, 0, pattern(3000, 1));
  mount.flush(file.handle);
  for (FakeStore& store : mount.cluster.stores) store.write_refusal = Error{ErrorCode::Unavailable, "not now"};
  mount.write(file.handle, 1000, pattern(500, 2));
  auto expected = pattern(3000, 1);
  const auto newer = pattern(500, 2);
  std::copy(newer.begin(), newer.end(), expected.begin() + 1000);
  CHECK((mount.read(file.handle, 0, 3000) == expected));
  for (FakeStore& store : mount.cluster.stores) store.write_refusal.reset();
  mount.flush(file.handle);
  CHECK((mount.cluster.stored(file.attributes.inode) == expected));
}

TEST_CASE("appends go to the end of the file as this mount knows it", "[client]") {
  Mounted mount;
  OpenFlags flags = kReadWrite;
  flags.append = true;
  const Opened file = mount.create("a", flags);
  mount.write(file.handle, 0, pattern(700, 1));
  mount.write(file.handle, 0, pattern(700, 2));
  mount.flush(file.handle);
  auto expected = pattern(700, 1);
  const auto second = pattern(700, 2);
  expected.insert(expected.end(), second.begin(), second.end());
  CHECK((mount.cluster.stored(file.attributes.inode) == expected));
}

TEST_CASE("punched holes read as zeros and do not change the size", "[client]") {
  Mounted mount;
  const Opened file = mount.create("a");
  auto bytes = pattern(10'000, 1);
  mount.write(file.handle, 0, bytes);
  REQUIRE(mount.cluster.run(mount.filesystem->allocate(file.handle, AllocateMode::PunchHole, 700, 20'000)));
  std::fill(bytes.begin() + 700, bytes.end(), std::byte{0});
  CHECK((mount.read(file.handle, 0, 20'000) == bytes));
  REQUIRE(mount.cluster.run(mount.filesystem->allocate(file.handle, AllocateMode::Extend, 0, 12'000)));
  bytes.resize(12'000);
  CHECK((mount.read(file.handle, 0, 20'000) == bytes));
  REQUIRE(mount.cluster.run(mount.filesystem->allocate(file.handle, AllocateMode::ZeroRange, 0, 100)));
  std::fill_n(bytes.begin(), 100, std::byte{0});
  CHECK((mount.read(file.handle, 0, 20'000) == bytes));
}

TEST_CASE("a directory in which many names are looked up is read whole, once at a time", "[client]") {
  Mounted mount;
  FakeNamespace& names = mount.cluster.names;
  for (int i = 0; i < 40; ++i) mount.create("name" + std::to_string(i));
  names.tells_changes = true;
  mount.cluster.world.run_for(2s);  // until the feed of changes is heard
  names.listing_delay = 1s;
  const auto look_up = [&mount](int number) {
    REQUIRE(mount.cluster.run(mount.filesystem->lookup(kRootInode, "name" + std::to_string(number))));
  };
  for (int i = 0; i < 39; ++i) look_up(i);
  CHECK(names.listings == 1);
  mount.cluster.world.run_for(2s);
  const std::uint32_t calls = names.calls;
  look_up(39);
  CHECK(mount.cluster.run(mount.filesystem->lookup(kRootInode, "none")).code() == ErrorCode::NotFound);
  CHECK(names.calls == calls);
}

namespace {

/// What tar sets once it has written a file.
protocol::SetAttributesRequest as_tar_sets(InodeNumber inode) {
  protocol::SetAttributesRequest request;
  request.inode = inode;
  request.mode = 0644;
  request.uid = 0;
  request.mtime = {false, 1'700'000'000};
  return request;
}

}  // namespace

TEST_CASE("what is set after a write and changes only times is told with the write", "[client]") {
  Mounted mount;
  const Opened file = mount.create("a");
  const InodeNumber inode = file.attributes.inode;
  FakeNamespace& names = mount.cluster.names;
  mount.write(file.handle, 0, pattern(3000, 1));
  const auto seen = mount.cluster.run(mount.filesystem->set_attributes(as_tar_sets(inode)));
  REQUIRE(seen);
  CHECK(seen->mtime == 1'700'000'000);
  CHECK(seen->ctime > seen->mtime);
  CHECK(seen->size == 3000);
  CHECK(names.setattrs == 0);
  mount.flush(file.handle);
  CHECK(names.settles.size() == 1);
  CHECK(names.setattrs == 0);
  CHECK(names.inodes[inode].mtime == 1'700'000'000);
  // Nothing is to be told any more that this could go with.
  REQUIRE(mount.cluster.run(mount.filesystem->set_attributes(as_tar_sets(inode))));
  CHECK(names.setattrs == 1);
}

TEST_CASE("a mode that was not told because it was so already is told when it was not", "[client]") {
  Mounted mount;
  const Opened file = mount.create("a");
  const InodeNumber inode = file.attributes.inode;
  FakeNamespace& names = mount.cluster.names;
  mount.write(file.handle, 0, pattern(3000, 1));
  // Another mount has just changed it, and this one has not heard of it.
  names.inodes[inode].mode = S_IFREG | 0666;
  names.inodes[inode].change += 1;
  REQUIRE(mount.cluster.run(mount.filesystem->set_attributes(as_tar_sets(inode))));
  mount.flush(file.handle);
  CHECK(names.inodes[inode].mode == (S_IFREG | 0644));
  CHECK(names.setattrs == 1);
}

TEST_CASE("the kernel is told of a report's changes unless a write has made it forget already", "[client]") {
  std::uint32_t told = 0;
  FakeCluster cluster(3);
  Hooks hooks;
  hooks.forget_attributes = [&told](InodeNumber) { ++told; };
  const std::unique_ptr<Filesystem> filesystem = cluster.mount({}, hooks);
  const auto create_and_write = [&](const std::string& name, WriteFlags flags) {
    protocol::MakeRequest request;
    request.parent = kRootInode;
    request.name = name;
    request.mode = S_IFREG | 0644;
    const Result<Opened> file = cluster.run(filesystem->create(request, kReadWrite));
    REQUIRE(file);
    PreparedWrite bytes = prepare_write(0, Buffer::copy_of(pattern(3000, 1)), block_size_of(file->handle));
    REQUIRE(cluster.run(filesystem->write(file->handle, std::move(bytes), flags)));
    REQUIRE(cluster.run(filesystem->flush(file->handle)));
  };
  create_and_write("a", {});
  CHECK(told == 0);
  CHECK(cluster.names.settles.size() == 1);
  // Pages of a mapping: the kernel does not know when they were written.
  create_and_write("b", {.from_page_cache = true});
  CHECK(told == 1);
}

TEST_CASE("another mode is told at once, and takes with it what close would tell", "[client]") {
  Mounted mount;
  const Opened file = mount.create("a");
  const InodeNumber inode = file.attributes.inode;
  FakeNamespace& names = mount.cluster.names;
  mount.write(file.handle, 0, pattern(3000, 1));
  protocol::SetAttributesRequest request = as_tar_sets(inode);
  request.mode = 04755;
  const auto seen = mount.cluster.run(mount.filesystem->set_attributes(request));
  REQUIRE(seen);
  CHECK(seen->mode == (S_IFREG | 04755));
  CHECK(seen->mtime == 1'700'000'000);
  REQUIRE(names.settles.size() == 1);
  CHECK(names.inodes[inode].mode == (S_IFREG | 04755));
  CHECK(names.inodes[inode].mtime == 1'700'000'000);
  CHECK(names.inodes[inode].size == 3000);
  CHECK(names.marks.empty());
  mount.flush(file.handle);
  CHECK(names.settles.size() == 1);
  // A later write is under a mark again, and what would clear S_ISUID is told by itself too.
  mount.write(file.handle, 0, pattern(4000, 2));
  CHECK(names.marks.size() == 1);
  request.mode.reset();
  request.uid = 1;
  REQUIRE(mount.cluster.run(mount.filesystem->set_attributes(request)));
  CHECK(names.settles.size() == 2);
  CHECK(names.inodes[inode].size == 4000);
  CHECK(names.setattrs == 0);
}

TEST_CASE("another mode does not wait for a server that is away", "[client]") {
  Mounted mount;
  const Opened file = mount.create("a");
  FakeNamespace& names = mount.cluster.names;
  mount.cluster.server(1).kill();
  mount.cluster.world.run_for(100ms);
  std::optional<Result<std::uint32_t>> written;
  Scope scope;
  scope.spawn(sim::detail::keep_result(mount.write_task(file.handle, 0, pattern(3000, 1)), &written));
  mount.cluster.world.run_for(100ms);
  protocol::SetAttributesRequest request = as_tar_sets(file.attributes.inode);
  request.mode = 0600;
  REQUIRE(mount.cluster.run(mount.filesystem->set_attributes(request)));
  CHECK(names.setattrs == 1);
  CHECK(names.inodes[file.attributes.inode].mode == (S_IFREG | 0600));
  CHECK(names.inodes[file.attributes.inode].size == 0);
  CHECK(names.marks.size() == 1);
  CHECK_FALSE(written.has_value());
  mount.cluster.start_server(1);
  REQUIRE(mount.cluster.world.run_until([&] { return written.has_value(); }, 3s));
  mount.flush(file.handle);
  CHECK(names.inodes[file.attributes.inode].size == 3000);
}

TEST_CASE("another size is told by itself", "[client]") {
  Mounted mount;
  const Opened file = mount.create("a");
  mount.write(file.handle, 0, pattern(3000, 1));
  protocol::SetAttributesRequest request;
  request.inode = file.attributes.inode;
  request.size = 5000;
  REQUIRE(mount.cluster.run(mount.filesystem->set_attributes(request)));
  CHECK(mount.cluster.names.setattrs == 1);
}

/// Files that were made and closed, and not written.
struct Unwritten : Mounted {
  explicit Unwritten(int count) {
    std::vector<Opened> made;
    for (int i = 0; i < count; ++i) made.push_back(create("file" + std::to_string(i)));
    for (const Opened& file : made) {
      flush(file.handle);
      filesystem->release(file.handle);
    }
  }
  InodeNumber create_and_close(const std::string& name) {
    const Opened file = create(name);
    flush(file.handle);
    filesystem->release(file.handle);
    return file.attributes.inode;
  }
  Opened open_again(InodeNumber inode) {
    Result<Opened> opened = cluster.run(filesystem->open(inode, kReadWrite));
    REQUIRE(opened);
    return *opened;
  }
  FakeNamespace& names = cluster.names;
};

TEST_CASE("the marks of files that were not written go together, a moment after they were closed", "[client]") {
  Unwritten mount(300);
  CHECK(mount.names.marks.size() == 300);
  mount.cluster.world.run_for(2 * timing::kUnmarkAfter);
  CHECK(mount.names.marks.empty());
  CHECK(mount.names.unmarks == 2);
  CHECK(mount.names.settles.empty());
}

TEST_CASE("a file that is opened for writing again keeps its mark", "[client]") {
  Unwritten mount(1);
  const InodeNumber inode = mount.names.inodes.begin()->first;
  Opened again;
  SECTION("before it goes") { again = mount.open_again(inode); }
  SECTION("after it went") {
    mount.cluster.world.run_for(2 * timing::kUnmarkAfter);
    CHECK(mount.names.marks.empty());
    again = mount.open_again(inode);
  }
  SECTION("while it goes") {
    mount.cluster.world.run_until([&] { return mount.names.unmarks > 0; }, 1s);
    again = mount.open_again(inode);
  }
  mount.cluster.world.run_for(5s);
  CHECK(mount.names.marks.size() == 1);
  mount.write(again.handle, 0, pattern(100, 1));
  mount.flush(again.handle);
  CHECK(mount.names.marks.empty());
  mount.filesystem->release(again.handle);
  mount.create_and_close("other");
  mount.cluster.world.run_for(2 * timing::kUnmarkAfter);
  CHECK(mount.names.marks.empty());
}

TEST_CASE("a file that was just closed is cut under no mark", "[client]") {
  Unwritten mount(3);
  protocol::SetAttributesRequest request;
  request.inode = mount.names.inodes.begin()->first;
  request.size = 5000;
  REQUIRE(mount.cluster.run(mount.filesystem->set_attributes(request)));
  CHECK(mount.names.setattrs == 1);
  CHECK(mount.names.marks.empty());
}

TEST_CASE("marks that are to go do so when the metaserver restarts and before the session ends", "[client]") {
  Unwritten mount(3);
  SECTION("restart") {
    mount.cluster.metaserver().kill();
    mount.cluster.world.run_for(100ms);
    ++mount.names.epoch;
    mount.cluster.start_metaserver();
    mount.cluster.world.run_for(5s);
  }
  SECTION("unmount") { mount.cluster.run(mount.filesystem->unmount(mount.cluster.world.now() + 5s)); }
  CHECK(mount.names.marks.empty());
}

TEST_CASE("a read-only mount changes nothing", "[client]") {
  Options options;
  options.read_only = true;
  Mounted mount(2, options);
  protocol::MakeRequest request;
  request.parent = kRootInode;
  request.name = "a";
  CHECK(mount.cluster.run(mount.filesystem->create(request, kReadWrite)).code() == ErrorCode::ReadOnly);
  CHECK(mount.cluster.names.names.empty());
}

}  // namespace
}  // namespace mendfs::client
