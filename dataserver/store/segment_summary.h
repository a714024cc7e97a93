// What is kept in memory, and with each index flush in the index, of a segment.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "block/types.h"
#include "dataserver/store/record_format.h"
#include "dataserver/store/stored_run.h"

namespace mendfs::store {

struct RangeShare {
  Slot range = 0;
  Version newest;                 // of all runs of the range ever written here: a listing above it skips the segment
  std::uint64_t block_count = 0;  // of data that counts, roughly
  template <class V>
  void fields(V& v) {
    v("range", range);
    v("newest", newest);
    v("block_count", block_count);
  }
};

/// The counts guide compaction and progress bars only; after a crash they may be a little too high.
struct SegmentSummary {
  std::uint64_t size = 0;
  std::uint64_t live_bytes = 0;
  bool has_cuts = false;
  std::vector<RangeShare> ranges;

  RangeShare& share(Slot range) {
    for (RangeShare& known : ranges)
      if (known.range == range) return known;
    return ranges.emplace_back(RangeShare{range, {}, 0});
  }
  Version newest(Slot range) const {
    for (const RangeShare& known : ranges)
      if (known.range == range) return known.newest;
    return {};
  }
  void note_written(Slot range, Version version) {
    RangeShare& mine = share(range);
    mine.newest = std::max(mine.newest, version);
  }
  void note_live(const StoredRun& run) {
    live_bytes += footprint(run);
    if (run.kind == RunKind::Data) share(run.range).block_count += run.count;
  }
  void note_dead(const StoredRun& run) {
    live_bytes -= std::min(live_bytes, footprint(run));
    std::uint64_t& blocks = share(run.range).block_count;
    if (run.kind == RunKind::Data) blocks -= std::min<std::uint64_t>(blocks, run.count);
  }
  template <class V>
  void fields(V& v) {
    v("size", size);
    v("live_bytes", live_bytes);
    v("has_cuts", has_cuts);
    v("ranges", ranges);
  }
};

}  // namespace mendfs::store
