// Reading in order: what is fetched before it is asked for, and when that does not count.
#include <catch2/catch.hpp>

#include "protocol/timing.h"
#include "tests/unit/lib/client/mounted.h"

namespace mendfs::client {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kStep = 128u << 10;
constexpr std::uint32_t kFileSize = 6u << 20;

struct Reading : Mounted {
  Reading() : Mounted(4), bytes(pattern(kFileSize, 3)) {
    file = create("a");
    write(file.handle, 0, bytes);
    flush(file.handle);
  }
  std::vector<std::byte> expected(std::uint64_t offset, std::uint32_t size) const {
    const std::size_t end = std::min<std::size_t>(offset + size, bytes.size());
    return {bytes.begin() + static_cast<std::ptrdiff_t>(offset), bytes.begin() + static_cast<std::ptrdiff_t>(end)};
  }
  std::uint32_t data_reads() const {
    std::uint32_t count = 0;
    for (const FakeStore& store : cluster.stores) count += store.data_reads;
    return count;
  }
  /// Reads the first steps of the file, so that more of it is fetched ahead.
  void begin_in_order(int steps = 4) {
    for (int i = 0; i < steps; ++i) CHECK((read(file.handle, i * kStep, kStep) == expected(i * kStep, kStep)));
  }

  std::vector<std::byte> bytes;
  Opened file;
};

}  // namespace

TEST_CASE("a file read in order is fetched in large pieces, before it is asked for", "[client]") {
  Reading mount;
  for (std::uint64_t offset = 0; offset < kFileSize; offset += kStep)
    REQUIRE((mount.read(mount.file.handle, offset, kStep) == mount.expected(offset, kStep)));
  CHECK(mount.read(mount.file.handle, kFileSize, kStep).empty());
  // Four ranges for each piece; step by step it would have been 192.
  CHECK(mount.data_reads() <= 4 * (kFileSize / (1u << 20) + 2));
  // All of it was checked twice.
  mount.cluster.world.run_for(1s);
  CHECK(mount.filesystem->counters().blocks_audited >= kFileSize / 512);
}

TEST_CASE("reads here and there fetch nothing ahead", "[client]") {
  Reading mount;
  for (const std::uint64_t offset : {5u << 20, 1u << 20, 3u << 20, 2u << 20, 4u << 20})
    CHECK((mount.read(mount.file.handle, offset, 4096) == mount.expected(offset, 4096)));
  CHECK(mount.data_reads() == 5 * 4);
  // Their other copies are checked together, and none is forgotten.
  mount.cluster.world.run_for(1s);
  CHECK(mount.filesystem->counters().blocks_audited == 5 * 8);
}

TEST_CASE("what was fetched ahead does not hide what this mount writes", "[client]") {
  Reading mount;
  mount.begin_in_order();
  mount.cluster.world.run_for(100ms);
  const auto newer = pattern(kStep, 9);
  const Opened other = mount.create("b");
  const auto again = mount.cluster.run(mount.filesystem->open(mount.file.attributes.inode, kReadWrite));
  REQUIRE(again);
  mount.write(again->handle, 5 * kStep, newer);
  CHECK((mount.read(mount.file.handle, 4 * kStep, kStep) == mount.expected(4 * kStep, kStep)));
  CHECK((mount.read(mount.file.handle, 5 * kStep, kStep) == newer));
  CHECK((mount.read(mount.file.handle, 6 * kStep, kStep) == mount.expected(6 * kStep, kStep)));
}

TEST_CASE("what was fetched ahead does not outlive a shrink", "[client]") {
  Reading mount;
  mount.begin_in_order();
  mount.cluster.world.run_for(100ms);
  protocol::SetAttributesRequest cut;
  cut.inode = mount.file.attributes.inode;
  cut.size = 4 * kStep + 100;
  REQUIRE(mount.cluster.run(mount.filesystem->set_attributes(cut)));
  CHECK((mount.read(mount.file.handle, 4 * kStep, kStep) == mount.expected(4 * kStep, 100)));
  cut.size = 5 * kStep;
  REQUIRE(mount.cluster.run(mount.filesystem->set_attributes(cut)));
  auto expected = mount.expected(4 * kStep, kStep);
  std::fill(expected.begin() + 100, expected.end(), std::byte{0});
  CHECK((mount.read(mount.file.handle, 4 * kStep, kStep) == expected));
}

TEST_CASE("what was fetched ahead counts for a second, and not for a new open", "[client]") {
  Reading mount;
  mount.begin_in_order();
  mount.cluster.world.run_for(100ms);
  for (FakeStore& store : mount.cluster.stores)
    for (auto& [place, block] : store.blocks) {
      // Another mount writes; this one is not told.
      block.bytes.assign(block.bytes.size(), std::byte{7});
      block.version.count += 1000;
    }
  const auto again = mount.cluster.run(mount.filesystem->open(mount.file.attributes.inode, OpenFlags{}));
  REQUIRE(again);
  const std::vector<std::byte> written(kStep, std::byte{7});
  CHECK((mount.read(again->handle, 4 * kStep, kStep) == written));
  mount.cluster.world.run_for(timing::kReadAheadKeep);
  CHECK((mount.read(mount.file.handle, 4 * kStep, kStep) == written));
}

TEST_CASE("reading in order goes on while a server is away, and waits only for what it needs", "[client]") {
  Reading mount;
  mount.begin_in_order(2);
  mount.cluster.server(1).kill();
  for (std::uint64_t offset = 2 * kStep; offset < kFileSize; offset += kStep)
    REQUIRE((mount.read(mount.file.handle, offset, kStep) == mount.expected(offset, kStep)));
}

}  // namespace mendfs::client
