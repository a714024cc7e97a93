// What the index knows of a run, and how a new one is laid over those already there. Pure.
//
// A server's blocks of one file fall into residue classes (block modulo N); within one, blocks are counted in units:
// unit u is block `residue + u * N`. So a stored run is an interval of units, and the current runs of a class never
// overlap: where a newer one covers part of an older one, the older one is split and keeps pointing into its record.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "block/run.h"
#include "block/types.h"
#include "dataserver/store/record_format.h"

namespace mendfs::store {

using Unit = std::uint64_t;

/// One residue class of one file.
struct ClassKey {
  InodeNumber inode = 0;
  std::uint32_t residue = 0;
  bool operator==(const ClassKey&) const = default;
};

struct StoredRun {
  Unit first = 0;
  std::uint32_t count = 0;
  RunKind kind = RunKind::Data;
  std::uint8_t block_bits = 0;  // B == 1 << block_bits
  std::uint32_t step = 0;       // N
  Slot range = 0;
  std::uint32_t skip = 0;          // units of the record before `first`
  std::uint32_t record_count = 0;  // units of the record
  std::uint32_t last_size = 0;     // of the record's last unit
  Position place = 0;              // of the record
  std::uint64_t cut = 0;
  Version version;

  Unit end() const { return first + count; }
  std::uint32_t block_size() const { return 1u << block_bits; }
  /// Stored bytes of this part's last unit; zeros beyond.
  std::uint32_t own_last_size() const { return skip + count == record_count ? last_size : block_size(); }
  bool same_write(const StoredRun& other) const { return cut == other.cut && version == other.version; }
  bool operator==(const StoredRun&) const = default;

  /// The index keeps `first` in the key.
  template <class V>
  void fields(V& v) {
    v("count", count);
    v("kind", kind);
    v("block_bits", block_bits);
    v("step", step);
    v("range", range);
    v("skip", skip);
    v("record_count", record_count);
    v("last_size", last_size);
    v("place", place);
    v("cut", cut);
    v("version", version);
  }
};

ClassKey class_of(InodeNumber inode, const BlockRun& blocks);
/// Requires: blocks.step > 0.
inline Unit unit_of(BlockIndex block, std::uint32_t step) { return block / step; }
StoredRun stored_run(const RunHeader& header, Position place);

/// The blocks of `run`, a run of the class `key`.
inline BlockRun blocks_of(const ClassKey& key, const StoredRun& run) {
  return {key.residue + run.first * run.step, run.step, run.count};
}
/// How many of its units hold a byte before offset `limit` of the file.
std::uint32_t count_before(const ClassKey& key, const StoredRun& run, std::uint64_t limit);

/// The units [begin, end) of `run`. Requires: they are some of its own.
StoredRun part_of(const StoredRun& run, Unit begin, Unit end);

/// Whether `a` is what a block reads as when `b` is there too: newer by cut, then version; of one write's two records
/// any but Lost, then the later, so that a repaired or moved one replaces its source. Does not depend on the order in
/// which records are found.
bool prevails(const StoredRun& a, const StoredRun& b);

/// What laying a run over others changes: entries that go, and entries that come (parts of the new run and what is left
/// of the old ones). Both sorted by `first`.
struct RunChange {
  std::vector<StoredRun> removed;
  std::vector<StoredRun> added;
};
/// `overlapped`: the current runs with a unit in common with `run`, sorted, disjoint.
RunChange lay_over(std::span<const StoredRun> overlapped, const StoredRun& run);

/// Bytes of segment that a part of a run keeps from being freed, roughly: splits count their head anew.
std::uint64_t footprint(const StoredRun& run);

}  // namespace mendfs::store
