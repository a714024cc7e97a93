#include "dataserver/store/compactor.h"

#include <algorithm>

#include "dataserver/store/index_keys.h"
#include "dataserver/store/run_lister.h"
#include "protocol/fields.h"

namespace mendfs::store {
namespace {

using namespace std::chrono_literals;

/// Index entries looked at between two breaths.
constexpr std::size_t kTrimStep = 64;
/// Records of a segment, likewise: those in the page cache are read without waiting. Fewer if they take longer.
constexpr std::size_t kRecordStep = 256;
constexpr auto kWorkMax = 500us;
constexpr auto kBreath = 1ms;
/// While somebody reads or writes here a breath takes so much longer, unless space is scarce: what is moved would have
/// to be made durable with the next small write.
constexpr int kLongerWhileUsed = 200;
constexpr auto kUsedIsRecent = 100ms;

/// On a disk that is nearly full segments are emptied up to this live share.
constexpr double kLiveMaxWhenScarce = 0.9;

struct TrimCandidate {
  ClassKey key;
  StoredRun run;
};

}  // namespace

Task<Result<void>> Compactor::trim() {
  for (InodeNumber inode = 0;;) {
    MENDFS_CO_TRY(inode, parts_.checked(parts_.cuts->next_to_trim(inode)));
    if (inode == 0) co_return Result<void>{};
    MENDFS_CO_TRY_VOID(co_await trim_file(inode));
    if (inode == UINT64_MAX) co_return Result<void>{};
    ++inode;
  }
}

Task<Result<void>> Compactor::trim_file(InodeNumber inode) {
  MENDFS_CO_TRY(const CutEntry* const found, parts_.checked(parts_.cuts->get(inode)));
  const CutEntry cut = *found;
  std::string cursor = keys::numbered(keys::kRun, inode);
  const std::string end = keys::run_class({inode, UINT32_MAX});
  for (bool more = true; more;) {
    std::vector<TrimCandidate> step;
    const auto visit = [&](std::string_view entry_key, std::string_view value) {
      const auto parsed = keys::parse_run(entry_key);
      Result<StoredRun> run = unpack<StoredRun>(value);
      if (!parsed || !run || run->step == 0) return true;  // whoever needs it finds it damaged
      run->first = parsed->unit;
      step.push_back({parsed->key, *run});
      return step.size() < kTrimStep;
    };
    MENDFS_CO_TRY_VOID(parts_.complete_index());
    MENDFS_CO_TRY_VOID(parts_.checked(parts_.kv->scan(cursor, end, visit)));
    more = step.size() == kTrimStep;
    for (const TrimCandidate& candidate : step) {
      const StoredRun& run = candidate.run;
      const std::uint32_t visible = count_before(candidate.key, run, cut.limit_for(run.cut));
      if (visible == run.count) continue;
      RunChange change;
      change.removed.push_back(run);
      if (visible > 0) change.added.push_back(part_of(run, run.first, run.first + visible));
      MENDFS_CO_TRY_VOID(parts_.checked(parts_.index->replace(candidate.key, run, change.added, parts_.log.end())));
      parts_.account(change);
    }
    if (more) {
      cursor = keys::run(step.back().key, step.back().run.first + 1);
      co_await sleep_for(parts_.env.loop, breath());
      MENDFS_CO_TRY_VOID(parts_.usable());
    }
  }
  // Cut again meanwhile: it stays noted for another round.
  MENDFS_CO_TRY(const CutEntry* const now, parts_.checked(parts_.cuts->get(inode)));
  if (now->deleted != cut.deleted || !(now->cuts == cut.cuts)) co_return Result<void>{};
  co_return parts_.checked(parts_.cuts->trimmed(inode));
}

bool Compactor::is_worth_emptying(SegmentNumber number, const SegmentSummary& summary) const {
  if (!parts_.log.closed(number) || flusher_.is_retired(number) || stuck_.contains(number)) return false;
  return static_cast<double>(summary.live_bytes) <= static_cast<double>(summary.size) * live_max_;
}

void Compactor::look_at_space() {
  live_max_ = parts_.options.compaction_live_max;
  if (parts_.space.is_scarce()) live_max_ = std::max(live_max_, kLiveMaxWhenScarce);
}

bool Compactor::worthwhile() {
  look_at_space();
  for (const auto& [number, summary] : parts_.segments)
    if (is_worth_emptying(number, summary)) return true;
  return false;
}

Task<Result<std::size_t>> Compactor::empty_segments() {
  look_at_space();
  std::size_t emptied = 0;
  // Those begun from here on hold what is being moved.
  const SegmentNumber newest = segment_of(parts_.log.end());
  std::uint64_t moved_bytes = 0;
  for (SegmentNumber number = 0;;) {
    auto segment = parts_.segments.lower_bound(number);
    while (segment != parts_.segments.end() && !is_worth_emptying(segment->first, segment->second)) ++segment;
    if (segment == parts_.segments.end() || segment->first >= newest) co_return emptied;
    number = segment->first;
    moved_bytes += segment->second.live_bytes;
    if (emptied > 0 && moved_bytes > parts_.options.reserve_size / 2) co_return emptied;
    MENDFS_CO_TRY(const bool done, co_await empty_segment(number));
    if (done) {
      flusher_.retire(number);
      ++emptied;
    } else {
      stuck_.insert(number);
    }
    ++number;
  }
}

Duration Compactor::breath() const {
  const bool is_used = parts_.env.loop.now() < parts_.last_used + kUsedIsRecent;
  return is_used && !parts_.space.is_scarce() ? kLongerWhileUsed * kBreath : kBreath;
}

/// False when something in it counts that cannot be read.
Task<Result<bool>> Compactor::empty_segment(SegmentNumber number) {
  const Result<std::shared_ptr<File>> file = parts_.log.file(number);
  if (!file) co_return false;
  SegmentReader segment(*file, number, parts_.segments[number].size);
  bool all_moved = true;
  bool all_intact = true;
  std::size_t record_count = 0;
  Time began = parts_.env.loop.now();
  for (std::uint64_t offset = 0;;) {
    MENDFS_CO_TRY(std::optional<FoundRecord> record, co_await segment.at(offset));
    if (!record) break;
    offset += record->size;
    if (++record_count % kRecordStep == 0 || parts_.env.loop.now() - began >= kWorkMax) {
      co_await sleep_for(parts_.env.loop, breath());
      began = parts_.env.loop.now();
    }
    if (!record->intact) {
      all_intact = false;
    } else if (record->prefix.type == RecordType::Cuts) {
      MENDFS_CO_TRY_VOID(move_cuts(*record));
    } else if (record->prefix.type == RecordType::Run) {
      const Position before = parts_.log.end();
      MENDFS_CO_TRY(const bool moved, co_await move_run(*file, *record));
      all_moved = all_moved && moved;
      if (parts_.log.end() != before) {
        const auto pause =
            std::chrono::nanoseconds(record->size * 1'000'000'000 / parts_.options.compaction_bytes_per_second);
        co_await sleep_for(parts_.env.loop, pause);
      }
    }
    MENDFS_CO_TRY_VOID(parts_.usable());
  }
  co_return all_moved && (all_intact || parts_.segments[number].live_bytes == 0);
}

Task<Result<bool>> Compactor::move_run(std::shared_ptr<File> file, FoundRecord record) {
  const Result<RunHeader> header = decode_run(record.prefix, record.head);
  if (!header) co_return false;
  const ClassKey key = class_of(header->inode, header->blocks);
  for (;;) {
    MENDFS_CO_TRY(const std::vector<StoredRun> live, live_parts(parts_, *header, record.position));
    if (live.empty()) co_return true;
    const StoredRun part = live.front();
    // Data that does not verify is moved as it is, to be found damaged there as well as here.
    RunReader::Source source{key, part, file};
    MENDFS_CO_TRY(const RunReader::Loaded loaded, co_await reader_.load(std::move(source)));
    if (!loaded.intact) co_return false;
    // What was cut, overwritten or repaired while it was read must not come back; from here on all happens at once.
    MENDFS_CO_TRY(const std::vector<StoredRun> still_live, live_parts(parts_, *header, record.position));
    if (still_live.empty() || !(still_live.front() == part)) continue;
    Run moved;
    moved.header = part_header(loaded.header, part);
    moved.digests = loaded.digests;
    moved.data = loaded.data;
    RecordBatch batch;
    batch.add(moved);
    MENDFS_CO_TRY_VOID(parts_.write(batch, SpaceUse::Reserve));
    parts_.moved_end = parts_.log.end();
    MENDFS_CO_TRY_VOID(parts_.index_run(moved.header, batch.place(0)));
  }
}

Result<void> Compactor::move_cuts(const FoundRecord& record) {
  const Result<protocol::CutRecord> stored = decode_meta<protocol::CutRecord>(record.prefix, record.head);
  if (!stored) return stored.error();
  MENDFS_TRY(const CutEntry* const found, parts_.checked(parts_.cuts->get(stored->inode)));
  if (found->place != record.position) return {};
  CutEntry entry = *found;
  RecordBatch batch;
  batch.add(RecordType::Cuts, pack(protocol::CutRecord{stored->inode, entry.cuts, entry.deleted}));
  MENDFS_TRY_VOID(parts_.write(batch, SpaceUse::Reserve));
  entry.place = batch.place(0);
  parts_.segments[segment_of(entry.place)].has_cuts = true;
  parts_.moved_end = parts_.log.end();
  return parts_.index_cuts(stored->inode, std::move(entry), batch.place(0));
}

}  // namespace mendfs::store
