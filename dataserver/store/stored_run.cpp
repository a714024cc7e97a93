#include "dataserver/store/stored_run.h"

#include <algorithm>
#include <bit>

#include "base/assert.h"
#include "block/placement.h"

namespace mendfs::store {

ClassKey class_of(InodeNumber inode, const BlockRun& blocks) {
  return {inode, static_cast<std::uint32_t>(blocks.first % blocks.step)};
}

StoredRun stored_run(const RunHeader& header, Position place) {
  StoredRun run;
  run.first = unit_of(header.blocks.first, header.blocks.step);
  run.count = header.blocks.count;
  run.kind = header.kind;
  run.block_bits = static_cast<std::uint8_t>(std::countr_zero(header.layout.block_size));
  run.step = header.blocks.step;
  run.range = primary_of(header.blocks.first, header.layout);
  run.record_count = header.blocks.count;
  run.last_size = header.last_size;
  run.place = place;
  run.cut = header.cut;
  run.version = header.version;
  return run;
}

std::uint32_t count_before(const ClassKey& key, const StoredRun& run, std::uint64_t limit) {
  if (limit == UINT64_MAX) return run.count;
  const std::uint64_t block_end = (limit >> run.block_bits) + ((limit & (run.block_size() - 1)) != 0 ? 1 : 0);
  const BlockIndex first = blocks_of(key, run).first;
  if (first >= block_end) return 0;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(run.count, (block_end - first + run.step - 1) / run.step));
}

StoredRun part_of(const StoredRun& run, Unit begin, Unit end) {
  MENDFS_ASSERT(begin >= run.first && begin < end && end <= run.end());
  StoredRun part = run;
  part.first = begin;
  part.count = static_cast<std::uint32_t>(end - begin);
  part.skip = run.skip + static_cast<std::uint32_t>(begin - run.first);
  return part;
}

bool prevails(const StoredRun& a, const StoredRun& b) {
  if (a.cut != b.cut) return a.cut > b.cut;
  if (a.version != b.version) return a.version > b.version;
  const bool a_lost = a.kind == RunKind::Lost;
  const bool b_lost = b.kind == RunKind::Lost;
  if (a_lost != b_lost) return b_lost;
  return a.place > b.place;
}

RunChange lay_over(std::span<const StoredRun> overlapped, const StoredRun& run) {
  RunChange change;
  const auto add = [&](const StoredRun& source, Unit begin, Unit end) {
    if (begin < end) change.added.push_back(part_of(source, begin, end));
  };
  // The new run is added in as few pieces as possible: [shown_from, ...) is not yet added and nothing hides it so far.
  Unit shown_from = run.first;
  for (const StoredRun& old : overlapped) {
    const Unit begin = std::max(old.first, run.first);
    const Unit end = std::min(old.end(), run.end());
    if (!prevails(run, old)) {
      add(run, shown_from, begin);
      shown_from = end;
      continue;
    }
    change.removed.push_back(old);
    add(old, old.first, begin);
    if (old.end() > end) {  // only the last one reaches beyond the new run
      add(run, shown_from, end);
      shown_from = end;
      add(old, end, old.end());
    }
  }
  add(run, shown_from, run.end());
  return change;
}

std::uint64_t footprint(const StoredRun& run) {
  constexpr std::uint64_t kHead = kPrefixSize + kRunMetaSize;
  if (run.kind != RunKind::Data) return kHead;
  return kHead + std::uint64_t{run.count} * (run.block_size() + sizeof(Digest));
}

}  // namespace mendfs::store
