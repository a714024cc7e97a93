// One block store on a simulated machine, and runs to put into it.
#pragma once

#include <catch2/catch.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "block/checksum.h"
#include "dataserver/store/block_store.h"
#include "tests/sim/world/world.h"

namespace mendfs::store::test {

using namespace std::chrono_literals;

inline Layout layout_of(std::uint32_t slot_count) {
  Layout layout;
  layout.ring = 1;
  layout.slot_count = slot_count;
  return layout;
}

inline Buffer filled(std::size_t size, std::uint64_t seed) {
  Buffer buffer = Buffer::allocate(size);
  sim::SimRandom random(seed);
  for (std::byte& byte : buffer.writable()) byte = static_cast<std::byte>(random.next());
  return buffer;
}

struct RunSpec {
  InodeNumber inode = 7;
  BlockIndex first = 0;
  std::uint32_t count = 1;
  Version version;
  std::uint64_t cut = 0;
  RunKind kind = RunKind::Data;
  std::uint32_t last_size = kBlockSizeDefault;
  std::uint32_t slot_count = 3;
  std::uint64_t seed = 0;  // of the data
};

inline Run make_run(const RunSpec& spec) {
  Run run;
  run.header.kind = spec.kind;
  run.header.inode = spec.inode;
  run.header.layout = layout_of(spec.slot_count);
  run.header.blocks = {spec.first, spec.slot_count, spec.count};
  run.header.cut = spec.cut;
  run.header.version = spec.version;
  run.header.writer = {{1, 2}, spec.version.count + 1};
  if (spec.kind == RunKind::Data) {
    run.header.last_size = spec.last_size;
    run.data = filled(static_cast<std::size_t>(run.header.data_size()), spec.seed);
    run.digests = digests_of(run.data, kBlockSizeDefault);
  }
  return run;
}

class StoreFixture {
 public:
  explicit StoreFixture(std::uint64_t seed = 1) : world(seed), process(world.process("dataserver")) {
    options.name = "dataserver 3 (./datastore3)";
    options.segment_size = 64u << 10;
    open();
  }
  ~StoreFixture() { store.reset(); }

  Result<void> try_open() {
    StoreOptions copy = options;
    Result<std::unique_ptr<BlockStore>> opened = sim::run(world, BlockStore::open(process.env(), std::move(copy)));
    if (!opened) return opened.error();
    store = std::move(*opened);
    return {};
  }
  void open() {
    const Result<void> opened = try_open();
    INFO((opened ? std::string() : opened.error().message));
    REQUIRE(opened);
  }
  void stop(bool power_cut) {
    store.reset();
    if (power_cut) {
      process.power_cut();
    } else {
      process.kill();
    }
    process.start();
  }
  void restart(bool power_cut = false) {
    stop(power_cut);
    open();
  }

  Position append(const RunSpec& spec, SpaceUse use = SpaceUse::Normal) {
    const Run run = make_run(spec);
    const Result<Position> position = store->append({&run, 1}, use);
    INFO((position ? std::string() : position.error().message));
    REQUIRE(position);
    return *position;
  }
  void sync() { REQUIRE(sim::run(world, store->sync())); }
  void flush() { REQUIRE(sim::run(world, store->flush_index())); }
  void compact() {
    const Result<void> done = sim::run(world, store->compact());
    REQUIRE((done || done.code() == ErrorCode::Busy));
  }
  std::vector<ReadPiece> read(BlockIndex first, std::uint32_t count, ReadWhat what = ReadWhat::VerifiedData,
                              InodeNumber inode = 7, std::uint32_t step = 3) {
    Result<std::vector<ReadPiece>> pieces = sim::run(world, store->read(inode, BlockRun{first, step, count}, what));
    REQUIRE(pieces);
    return std::move(*pieces);
  }
  ReadPiece read_one(BlockIndex block, ReadWhat what = ReadWhat::VerifiedData) {
    std::vector<ReadPiece> pieces = read(block, 1, what);
    REQUIRE(pieces.size() == 1);
    return std::move(pieces.front());
  }
  Listed list(Slot range, Version above = {}) {
    Listed all;
    do {
      Result<Listed> page = sim::run(world, store->list(range, above, all.cursor, 3));
      REQUIRE(page);
      all.runs.insert(all.runs.end(), page->runs.begin(), page->runs.end());
      all.cuts.insert(all.cuts.end(), page->cuts.begin(), page->cuts.end());
      all.cursor = page->cursor;
      all.end = page->end;
      all.damaged = all.damaged || page->damaged;
    } while (!all.end);
    return all;
  }
  std::vector<std::string> segments() {
    std::vector<std::string> names;
    for (const std::string& name : process.disk().file_names())
      if (name.starts_with("segments/")) names.push_back(name);
    return names;
  }

  sim::SimWorld world;
  sim::SimProcess& process;
  StoreOptions options;
  std::unique_ptr<BlockStore> store;
};

/// The bytes of a piece of data, joined.
inline std::string bytes_of_piece(const ReadPiece& piece) {
  std::string bytes;
  for (const Buffer& part : piece.data) bytes += text_of(part);
  return bytes;
}

/// What a block of make_run(spec) reads as, without cuts.
inline std::string expected_block(const RunSpec& spec, std::uint32_t index) {
  const Run run = make_run(spec);
  const std::size_t offset = std::size_t{index} * kBlockSizeDefault;
  std::string bytes(text_of(run.data).substr(offset, kBlockSizeDefault));
  bytes.resize(kBlockSizeDefault);
  return bytes;
}

}  // namespace mendfs::store::test
