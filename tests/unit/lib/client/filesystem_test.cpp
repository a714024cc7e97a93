// The filesystem over simulated servers that do what they should, and now and then do not.
#include "client/filesystem.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "block/placement.h"
#include "client/interrupt.h"
#include "tests/unit/lib/client/fake_cluster.h"

namespace mendfs::client {
namespace {

using namespace std::chrono_literals;
using protocol::Attributes;

const OpenFlags kReadWrite{.read = true, .write = true};

std::vector<std::byte> pattern(std::size_t size, unsigned seed) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>((i * 131 + i / 251 + seed * 77) & 0xff);
  return bytes;
}

std::vector<std::byte> to_vector(const Buffer& bytes) { return {bytes.view().begin(), bytes.view().end()}; }

/// A mount and one file on it.
struct Mounted {
  explicit Mounted(std::uint32_t slot_count = 3, Options options = {}) : cluster(slot_count) {
    filesystem = cluster.mount(options);
  }

  Opened create(const std::string& name, OpenFlags flags = kReadWrite) {
    protocol::MakeRequest request;
    request.parent = kRootInode;
    request.name = name;
    request.mode = S_IFREG | 0644;
    Result<Opened> opened = cluster.run(filesystem->create(request, flags));
    REQUIRE(opened);
    return *opened;
  }
  Task<Result<std::uint32_t>> write_task(HandleId handle, std::uint64_t offset, const std::vector<std::byte>& bytes) {
    return filesystem->write(handle, prepare_write(offset, Buffer::copy_of(bytes), block_size_of(handle)));
  }
  void write(HandleId handle, std::uint64_t offset, const std::vector<std::byte>& bytes) {
    const auto written = cluster.run(write_task(handle, offset, bytes));
    REQUIRE(written);
    REQUIRE(*written == bytes.size());
  }
  std::vector<std::byte> read(HandleId handle, std::uint64_t offset, std::uint32_t size) {
    const auto bytes = cluster.run(filesystem->read(handle, offset, size));
    REQUIRE(bytes);
    return to_vector(*bytes);
  }
  void flush(HandleId handle) { REQUIRE(cluster.run(filesystem->flush(handle))); }

  FakeCluster cluster;
  std::unique_ptr<Filesystem> filesystem;
};

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

TEST_CASE("a damaged copy is never read, and is mended within the second", "[client]") {
  Mounted mount;
  const Opened file = mount.create("a");
  const auto bytes = pattern(20'000, 1);
  mount.write(file.handle, 0, bytes);
  mount.flush(file.handle);
  for (FakeStore& store : mount.cluster.stores)
    for (auto& [key, block] : store.blocks)
      block.is_damaged = primary_of(key.second, file.attributes.layout) == store.slot;
  CHECK((mount.read(file.handle, 0, 20'000) == bytes));
  mount.cluster.world.run_for(900ms);
  for (const FakeStore& store : mount.cluster.stores)
    for (const auto& [key, block] : store.blocks) CHECK_FALSE(block.is_damaged);
  CHECK(mount.filesystem->counters().blocks_mended > 0);
}

TEST_CASE("a missing copy is mended by a read", "[client]") {
  Mounted mount(2);
  const Opened file = mount.create("a");
  const auto bytes = pattern(5000, 1);
  mount.write(file.handle, 0, bytes);
  mount.flush(file.handle);
  auto& blocks = mount.cluster.stores[0].blocks;
  blocks.erase({file.attributes.inode, 3});
  // From server 0 the block may come as zeros this once: it says that it was never written.
  (void)mount.cluster.run(mount.filesystem->read(file.handle, 0, 5000));
  mount.cluster.world.run_for(900ms);
  CHECK(blocks.count({file.attributes.inode, 3}) == 1);
  CHECK((mount.read(file.handle, 0, 5000) == bytes));
}

TEST_CASE("a block without a good copy is EIO, and its neighbours are not", "[client]") {
  Mounted mount;
  const Opened file = mount.create("a");
  const auto bytes = pattern(5120, 1);
  mount.write(file.handle, 0, bytes);
  mount.flush(file.handle);
  for (FakeStore& store : mount.cluster.stores) {
    const auto found = store.blocks.find({file.attributes.inode, 4});
    if (found != store.blocks.end()) found->second.is_damaged = true;
  }
  CHECK(mount.cluster.run(mount.filesystem->read(file.handle, 4 * 512, 512)).code() == ErrorCode::Io);
  CHECK((mount.read(file.handle, 0, 4 * 512) == std::vector<std::byte>(bytes.begin(), bytes.begin() + 4 * 512)));
  CHECK(mount.read(file.handle, 5 * 512, 512) ==
        std::vector<std::byte>(bytes.begin() + 5 * 512, bytes.begin() + 6 * 512));
}

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

TEST_CASE("reads go on while one server is away", "[client]") {
  Mounted mount(4);
  const Opened file = mount.create("a");
  const auto bytes = pattern(50'000, 1);
  mount.write(file.handle, 0, bytes);
  mount.flush(file.handle);
  for (Slot slot = 0; slot < 4; ++slot) {
    mount.cluster.server(slot).kill();
    const Time before = mount.cluster.world.now();
    CHECK((mount.read(file.handle, 0, 50'000) == bytes));
    CHECK(mount.cluster.world.now() - before < 2s);
    mount.cluster.start_server(slot);
    mount.cluster.world.run_for(2s);
  }
}

TEST_CASE("a server that hangs delays a read by less than two seconds, once", "[client]") {
  Mounted mount(3);
  const Opened file = mount.create("a");
  const auto bytes = pattern(50'000, 1);
  mount.write(file.handle, 0, bytes);
  mount.flush(file.handle);
  mount.cluster.server(1).loop().set_paused(true);
  Time before = mount.cluster.world.now();
  CHECK((mount.read(file.handle, 0, 50'000) == bytes));
  CHECK(mount.cluster.world.now() - before < 2s);
  before = mount.cluster.world.now();
  CHECK((mount.read(file.handle, 0, 50'000) == bytes));
  CHECK(mount.cluster.world.now() - before < 100ms);
  mount.cluster.server(1).loop().set_paused(false);
}

TEST_CASE("a read that only an incomplete server could answer waits until it is complete", "[client]") {
  Mounted mount(2);
  const Opened file = mount.create("a");
  const auto bytes = pattern(3000, 1);
  mount.write(file.handle, 0, bytes);
  mount.flush(file.handle);
  mount.cluster.server(0).kill();
  mount.cluster.stores[1].is_complete = false;
  std::optional<Result<Buffer>> read;
  Scope scope;
  scope.spawn(sim::detail::keep_result(mount.filesystem->read(file.handle, 0, 3000), &read));
  mount.cluster.world.run_for(5s);
  CHECK_FALSE(read.has_value());
  mount.cluster.stores[1].is_complete = true;
  REQUIRE(mount.cluster.world.run_until([&] { return read.has_value(); }, 2s));
  REQUIRE(*read);
  CHECK((to_vector(**read) == bytes));
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
  mount.write(file.handle, 0, pattern(4000, 2));
  mount.flush(file.handle);
  mount.cluster.stores[0].boot = {10, 10};
  mount.cluster.stores[1].boot = {11, 11};
  CHECK(mount.cluster.run(mount.filesystem->fsync(file.handle, true)).code() == ErrorCode::Io);
}

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
  CHECK((mount.cluster.stored(file.attributes.inode) == bytes));
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
