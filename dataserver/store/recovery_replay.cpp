// The second reading of the log's tail: what it says is brought into the index.
#include <algorithm>

#include "dataserver/store/recovery.h"
#include "dataserver/store/run_lister.h"

namespace mendfs::store {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kSeenWritesMax = 1'000'000;

}  // namespace

Task<Result<void>> StoreRecovery::replay() {
  for (auto segment = sizes_.lower_bound(segment_of(replay_from_)); segment != sizes_.end(); ++segment)
    MENDFS_CO_TRY_VOID(co_await replay_segment(segment->first));
  co_return Result<void>{};
}

Task<Result<void>> StoreRecovery::replay_segment(SegmentNumber number) {
  MENDFS_CO_TRY(std::shared_ptr<File> file, open_segment(number));
  SegmentReader reader(file, number, sizes_[number]);
  for (std::uint64_t offset = first_offset(number);;) {
    MENDFS_CO_TRY(std::optional<FoundRecord> record, co_await reader.at(offset));
    if (!record) co_return Result<void>{};
    offset += record->size;
    if (log_progress("replayed", number)) co_await sleep_for(parts_.env.loop, 1us);
    if (!record->intact) continue;
    if (record->prefix.type == RecordType::Cuts) MENDFS_CO_TRY_VOID(replay_cuts(*record));
    if (record->prefix.type == RecordType::Run) MENDFS_CO_TRY_VOID(co_await replay_run(&reader, std::move(*record)));
    if (parts_.kv->unflushed_size() < parts_.options.index_flush_size) continue;
    // Memory stays bounded. The remembered position stays as well: a start after a crash now replays the same again.
    MENDFS_CO_TRY_VOID(co_await file->sync());
    MENDFS_CO_TRY_VOID(parts_.complete_index());
    MENDFS_CO_TRY_VOID(co_await parts_.kv->checkpoint());
  }
}

Task<Result<void>> StoreRecovery::replay_run(SegmentReader* reader, FoundRecord record) {
  const Result<RunHeader> header = decode_run(record.prefix, record.head);
  if (!header) {
    gaps_.push_back({record.position, record.size, false});
    co_return Result<void>{};
  }
  // A kill leaves a record short, but what is there is right; a power cut may leave any part of it.
  if (recovery_.rebooted && record.position >= durable_) {
    MENDFS_CO_TRY(const bool intact, co_await reader->data_is_intact(record, header->layout.block_size));
    if (!intact) {
      gaps_.push_back({record.position, record.size, false});
      co_return Result<void>{};
    }
  }
  ++recovery_.replayed_runs;
  const StoredRun run = stored_run(*header, record.position);
  if (header->writer.sequence != 0) {
    std::vector<SeenWrite>& writes = recovery_.writes;
    if (writes.size() == kSeenWritesMax) writes.erase(writes.begin(), writes.begin() + kSeenWritesMax / 2);
    writes.push_back({header->writer, run.range, run.version});
  }
  MENDFS_CO_TRY(const std::vector<StoredRun> already, live_parts(parts_, *header, record.position));
  if (already.empty()) co_return parts_.index_run(*header, record.position);
  // The index came back from after its last flush; only the counts are older.
  SegmentSummary& summary = parts_.segments[segment_of(record.position)];
  summary.note_written(run.range, run.version);
  for (const StoredRun& part : already) summary.note_live(part);
  co_return Result<void>{};
}

Result<void> StoreRecovery::replay_cuts(const FoundRecord& record) {
  MENDFS_TRY(const protocol::CutRecord stored, decode_meta<protocol::CutRecord>(record.prefix, record.head));
  MENDFS_TRY(const CutEntry* const found, parts_.checked(parts_.cuts->get(stored.inode)));
  parts_.segments[segment_of(record.position)].has_cuts = true;
  CutEntry entry = *found;
  const bool longer = entry.cuts.merge(stored.cuts);
  const bool deletion = stored.deleted && !entry.deleted;
  entry.deleted = entry.deleted || stored.deleted;
  const bool says_all = entry.cuts == stored.cuts && entry.deleted == stored.deleted;
  if (says_all) entry.place = std::max(entry.place, record.position);
  if (!longer && !deletion && entry.place == found->place) return {};
  return parts_.index_cuts(stored.inode, std::move(entry), record.position);
}

}  // namespace mendfs::store
