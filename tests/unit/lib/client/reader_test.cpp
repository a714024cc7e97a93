// Reads from servers whose copies are damaged, missing, or away.
#include <catch2/catch.hpp>

#include "block/placement.h"
#include "tests/unit/lib/client/mounted.h"

namespace mendfs::client {
namespace {

using namespace std::chrono_literals;
using protocol::Attributes;

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

}  // namespace
}  // namespace mendfs::client
