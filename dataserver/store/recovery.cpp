#include "dataserver/store/recovery.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "dataserver/store/index_keys.h"
#include "dataserver/store/segment_tail.h"
#include "protocol/fields.h"

namespace mendfs::store {
namespace {

using namespace std::chrono_literals;

constexpr const char* kIndexName = "index";
constexpr auto kProgressEvery = 5s;
// Records in the page cache are read without waiting; others want the loop too.
constexpr std::uint64_t kRecordsPerBreath = 512;

/// The first number not used by anything that lies before `position`.
SegmentNumber number_after(Position position) { return segment_of(position) + (offset_of(position) > 0 ? 1 : 0); }

}  // namespace

Task<Result<Recovery>> StoreRecovery::run() {
  progress_logged_ = parts_.env.loop.now();
  MENDFS_CO_TRY_VOID(co_await open_superblock());
  MENDFS_CO_TRY_VOID(co_await find_segments());
  MENDFS_CO_TRY_VOID(open_index());
  MENDFS_CO_TRY_VOID(co_await survey());
  if (const std::string_view why = why_index_is_unusable(); !why.empty()) {
    MENDFS_CO_TRY_VOID(reset_index(why));
    MENDFS_CO_TRY_VOID(co_await survey());
  }
  MENDFS_CO_TRY_VOID(adopt_summaries());
  MENDFS_CO_TRY_VOID(co_await replay());
  MENDFS_CO_TRY_VOID(co_await judge_gaps());
  MENDFS_CO_TRY_VOID(co_await finish());
  co_return std::move(recovery_);
}

Uuid StoreRecovery::random_id() {
  const std::uint64_t high = parts_.env.random.next();
  return {high, parts_.env.random.next()};
}

Task<Result<void>> StoreRecovery::open_superblock() {
  Result<Superblock> loaded = load_superblock(parts_.env.disk);
  if (loaded) {
    parts_.superblock = std::move(*loaded);
    recovery_.rebooted = parts_.superblock.boot_id != parts_.env.disk.boot_id();
    co_return Result<void>{};
  }
  const std::string& name = parts_.options.name;
  if (loaded.code() == ErrorCode::Corruption) {
    co_return Error{ErrorCode::Corruption,
                    fmt::format("{}: {}; move the directory away and start again: an empty one is filled from the "
                                "neighbours",
                                name, loaded.error().message)};
  }
  if (loaded.code() != ErrorCode::NotFound) co_return loaded.error();
  const Result<std::vector<DirectoryEntry>> segments = parts_.env.disk.list(kSegmentDirectory);
  if (segments && !segments->empty()) {
    co_return Error{ErrorCode::Corruption,
                    fmt::format("{} has segments but no superblock; move the directory away and start again: an empty "
                                "one is filled from the neighbours",
                                name)};
  }
  recovery_.new_store = true;
  parts_.superblock.generation = random_id();
  parts_.superblock.boot = random_id();
  parts_.superblock.boot_id = parts_.env.disk.boot_id();
  co_return co_await parts_.save_superblock();
}

Task<Result<void>> StoreRecovery::find_segments() {
  MENDFS_CO_TRY_VOID(parts_.env.disk.make_directory(kSegmentDirectory));
  MENDFS_CO_TRY_VOID(co_await parts_.env.disk.sync_directory(""));
  MENDFS_CO_TRY(const std::vector<DirectoryEntry> entries, parts_.env.disk.list(kSegmentDirectory));
  for (const DirectoryEntry& entry : entries)
    if (const auto number = parse_segment_name(entry.name)) sizes_[*number] = entry.size;
  co_return Result<void>{};
}

Result<void> StoreRecovery::open_index() {
  Result<std::unique_ptr<Kv>> opened = parts_.env.kv.open(kIndexName);
  if (!opened && opened.code() != ErrorCode::Corruption) return opened.error();
  if (!opened) return reset_index(opened.error().message);
  parts_.kv = std::move(*opened);
  if (index_is_damaged_ || parts_.superblock.index_damaged) return reset_index("it was found damaged before");
  if (Result<void> read = read_checkpoint(); !read) return reset_index(read.error().message);
  return {};
}

Result<void> StoreRecovery::reset_index(std::string_view why) {
  if (!sizes_.empty())
    parts_.env.log.warn("building the index of {} anew from {} segments: {}", parts_.options.name, sizes_.size(), why);
  parts_.index.reset();
  parts_.cuts.reset();
  parts_.kv.reset();
  MENDFS_TRY_VOID(parts_.env.kv.destroy(kIndexName));
  MENDFS_TRY(parts_.kv, parts_.env.kv.open(kIndexName));
  KvBatch mark;
  mark.put(std::string(keys::kBuiltAnew), "");
  MENDFS_TRY_VOID(parts_.kv->apply(mark));
  recovery_.index_rebuilt = true;
  recovery_.blob.clear();
  known_.clear();
  gaps_.clear();
  replay_from_ = 0;
  parts_.index_end = 0;
  return {};
}

Result<void> StoreRecovery::read_checkpoint() {
  MENDFS_TRY(const std::optional<std::string> end, parts_.kv->get(keys::kEnd));
  MENDFS_TRY(const std::optional<std::string> saved, parts_.kv->get(keys::kCheckpoint));
  if (end) {
    MENDFS_TRY(parts_.index_end, unpack<Position>(*end));
  }
  if (!saved) {
    // Either nothing was ever flushed, then no segment was ever removed either; or what was flushed is gone.
    MENDFS_TRY(const std::optional<std::string> anew, parts_.kv->get(keys::kBuiltAnew));
    recovery_.index_rebuilt = !sizes_.empty() && (!end || anew);
    return {};
  }
  MENDFS_TRY(Checkpoint checkpoint, unpack<Checkpoint>(*saved));
  if (checkpoint.generation != parts_.superblock.generation)
    return Error{ErrorCode::Corruption, "it belongs to another store"};
  bool sound = true;
  MENDFS_TRY_VOID(
      parts_.kv->scan(std::string(1, keys::kSegment), keys::end_of(keys::kSegment), [&](auto key, auto value) {
        const auto number = keys::number_of<SegmentNumber>(key);
        Result<SegmentSummary> summary = unpack<SegmentSummary>(value);
        sound = number && summary;
        if (sound) known_.emplace(*number, std::move(*summary));
        return sound;
      }));
  if (!sound) return Error{ErrorCode::Corruption, "it has an impossible entry"};
  replay_from_ = checkpoint.position;
  durable_ = checkpoint.position;
  recovery_.blob = std::move(checkpoint.blob);
  for (const Watermark& watermark : checkpoint.watermarks) parts_.watermarks[watermark.range] = watermark.version;
  return {};
}

std::string_view StoreRecovery::why_index_is_unusable() const {
  if (recovery_.index_rebuilt) return {};
  if (recovery_.rebooted && parts_.index_end > durable_) return "it is ahead of what was durable";
  if (recovery_.records_lost) return "segments are missing or cut short";
  return {};
}

Result<void> StoreRecovery::adopt_summaries() {
  for (auto segment = sizes_.begin(); segment != sizes_.end();) {
    const auto [number, size] = *segment;
    const auto known = known_.find(number);
    if (known != known_.end()) {
      parts_.segments[number] = known->second;
      // Behind a segment that was closed zeros may be left.
      if (number >= segment_of(replay_from_)) parts_.segments[number].size = size;
    } else if (number < segment_of(replay_from_)) {
      // Emptied before, and the kill came before its removal.
      MENDFS_TRY_VOID(parts_.env.disk.remove(segment_file_name(number)));
      segment = sizes_.erase(segment);
      continue;
    } else {
      parts_.segments[number].size = size;
    }
    ++segment;
  }
  parts_.index = std::make_unique<RunIndex>(*parts_.kv, parts_.options.cached_runs_max);
  parts_.cuts = std::make_unique<CutTable>(*parts_.kv, parts_.options.cached_runs_max);
  return {};
}

Task<Result<void>> StoreRecovery::survey() {
  for (const auto& [number, summary] : known_) {
    const auto file = sizes_.find(number);
    if (file != sizes_.end() && file->second >= summary.size) continue;
    parts_.env.log.error("segment {} of {} is {}", number, parts_.options.name,
                         file == sizes_.end() ? "missing" : "cut short");
    recovery_.records_lost = true;
  }
  for (auto segment = sizes_.lower_bound(segment_of(replay_from_)); segment != sizes_.end(); ++segment)
    MENDFS_CO_TRY_VOID(co_await survey_segment(segment->first));
  if (durable_ > 0) expect_segment_before(durable_);
  co_return Result<void>{};
}

std::uint32_t StoreRecovery::first_offset(SegmentNumber number) const {
  return number == segment_of(replay_from_) ? offset_of(replay_from_) : 0;
}

Result<std::shared_ptr<File>> StoreRecovery::open_segment(SegmentNumber number) {
  MENDFS_TRY(std::unique_ptr<File> file, parts_.env.disk.open(segment_file_name(number), OpenMode::Existing));
  return std::shared_ptr<File>(std::move(file));
}

Task<Result<void>> StoreRecovery::survey_segment(SegmentNumber number) {
  MENDFS_CO_TRY(std::shared_ptr<File> file, open_segment(number));
  SegmentTail tail(file, number, sizes_[number]);
  MENDFS_CO_TRY(const std::uint64_t written_end, co_await tail.written_end());
  SegmentReader reader(file, number, written_end);
  for (std::uint64_t offset = first_offset(number);;) {
    MENDFS_CO_TRY(std::optional<FoundRecord> record, co_await reader.at(offset));
    if (!record) {
      sizes_[number] = std::min(sizes_[number], offset);
      co_return Result<void>{};
    }
    if (!record->intact && offset + record->size >= written_end) {
      MENDFS_CO_TRY(FoundRecord last, co_await tail.last_record(offset));
      if (last.intact) record = std::move(last);
    }
    offset += record->size;
    if (log_progress("surveyed", number)) co_await sleep_for(parts_.env.loop, 1us);
    if (!record->intact) {
      gaps_.push_back({record->position, record->size, record->unfinished});
      continue;
    }
    last_intact_ = record->position;
    intact_ends_[number] = record->position + record->size;
    if (record->prefix.type == RecordType::Begin) MENDFS_CO_TRY_VOID(note_begin(*record));
    if (record->prefix.type != RecordType::Sync) continue;
    MENDFS_CO_TRY(const SyncMeta sync, decode_meta<SyncMeta>(record->prefix, record->head));
    durable_ = std::max(durable_, sync.durable);
    for (const Watermark& watermark : sync.watermarks) {
      Version& known = parts_.watermarks[watermark.range];
      known = std::max(known, watermark.version);
    }
  }
}

Result<void> StoreRecovery::note_begin(const FoundRecord& record) {
  MENDFS_TRY(const BeginMeta begin, decode_meta<BeginMeta>(record.prefix, record.head));
  const SegmentNumber number = segment_of(record.position);
  if (begin.generation != parts_.superblock.generation) {
    return Error{ErrorCode::Corruption,
                 fmt::format("{} of {} belongs to another store", segment_file_name(number), parts_.options.name)};
  }
  if (begin.previous_end <= replay_from_) return {};
  if (!expect_segment_before(begin.previous_end)) return {};
  const bool missing = !sizes_.contains(segment_of(begin.previous_end));
  if (!missing || is_torn({position_of(segment_of(begin.previous_end), 0), 0, false})) return {};
  // Known before the end of the survey: the index, which names what was in it, is built anew too.
  parts_.env.log.error("segment {} of {} is missing", segment_of(begin.previous_end), parts_.options.name);
  recovery_.records_lost = true;
  return {};
}

/// False when it is not known whether a segment that reached up to `end` is to be there.
bool StoreRecovery::expect_segment_before(Position end) {
  if (recovery_.index_rebuilt && !sizes_.contains(segment_of(end))) {
    // Of an index built anew nobody knows which segments compaction had removed.
    unknown_from_ = std::min(unknown_from_, position_of(segment_of(end), 0));
    return false;
  }
  expect_end(end);
  return true;
}

/// A segment that ends exactly before a record shows nothing by itself; what came after it does.
void StoreRecovery::expect_end(Position end) {
  const SegmentNumber number = segment_of(end);
  const auto file = sizes_.find(number);
  const std::uint64_t size = file == sizes_.end() ? 0 : file->second;
  if (size >= offset_of(end)) return;
  const Position file_end = position_of(number, static_cast<std::uint32_t>(size));
  const auto open =
      std::find_if(gaps_.begin(), gaps_.end(), [&](const Gap& gap) { return gap.position + gap.size == file_end; });
  if (open != gaps_.end()) {
    open->size = end - open->position;
    open->unfinished = false;
  } else {
    gaps_.push_back({file_end, end - file_end, false});
  }
}

/// Whether it may be what is left of a write that was never finished.
bool StoreRecovery::is_torn(const Gap& gap) const {
  return gap.position >= durable_ && (recovery_.rebooted || (gap.unfinished && gap.position > last_intact_));
}

Task<Result<void>> StoreRecovery::judge_gaps() {
  for (const Gap& gap : gaps_) {
    if (is_torn(gap)) {
      recovery_.discarded_bytes += gap.size;
      continue;
    }
    parts_.env.log.error("{} of {} is damaged at byte {}: {} bytes are no records",
                         segment_file_name(segment_of(gap.position)), parts_.options.name, offset_of(gap.position),
                         gap.size);
    recovery_.records_lost = true;
  }
  if (recovery_.records_lost) {
    for (RangeState& range : parts_.superblock.ranges) range.complete = false;
    parts_.superblock.complete_at_birth = false;
    MENDFS_CO_TRY_VOID(co_await parts_.save_superblock());
  }
  // From the back, so that a gap before one that is cut off is cut off too.
  std::sort(gaps_.begin(), gaps_.end(), [](const Gap& a, const Gap& b) { return a.position > b.position; });
  for (const Gap& gap : gaps_) MENDFS_CO_TRY_VOID(close_gap(gap));
  co_return Result<void>{};
}

/// Makes it a void record, or the end of the last segment.
Result<void> StoreRecovery::close_gap(const Gap& gap) {
  const SegmentNumber number = segment_of(gap.position);
  const std::uint32_t offset = offset_of(gap.position);
  MENDFS_TRY(const std::unique_ptr<File> file, parts_.env.disk.open(segment_file_name(number), OpenMode::OpenOrCreate));
  std::uint64_t& size = sizes_[number];
  const std::uint64_t end = offset + gap.size;
  if (gap.size < kPrefixSize || (end == size && number == sizes_.rbegin()->first)) {
    size = offset;
    parts_.segments[number].size = size;
    return file->truncate(offset);
  }
  const std::string head =
      encode_head(RecordType::Void, gap.position, {}, {}, static_cast<std::uint32_t>(gap.size - kPrefixSize));
  const std::array<ByteView, 1> pieces{bytes_of(head)};
  MENDFS_TRY_VOID(file->write(offset, pieces));
  if (end <= size) return {};
  size = end;
  parts_.segments[number].size = size;
  return file->truncate(end);
}

/// Up to where nothing of what the life before wrote is missing. Requires: it has ended with a reboot.
Position StoreRecovery::kept_until() const {
  // After a failed write-out the page cache may show what the device has not.
  if (parts_.superblock.boot_id.empty()) return durable_;
  Position broken = unknown_from_ >= durable_ ? unknown_from_ : UINT64_MAX;
  for (const Gap& gap : gaps_) broken = std::min(broken, gap.position);
  if (broken < durable_ || (broken < UINT64_MAX && offset_of(broken) > 0)) return broken;
  // What is at the front of a segment says where the one before it ended. Without it, or when the power cut left the
  // segment empty, only what can be read of the one before is known.
  const auto after = broken == UINT64_MAX ? intact_ends_.end() : intact_ends_.lower_bound(segment_of(broken));
  return after == intact_ends_.begin() ? durable_ : std::max(durable_, std::prev(after)->second);
}

/// What was found may be answered for from now on, so it is made durable; writing goes on in a new segment.
Task<Result<void>> StoreRecovery::finish() {
  Position end = 0;
  for (const auto& [number, size] : sizes_) {
    end = position_of(number, static_cast<std::uint32_t>(size));
    if (number < segment_of(replay_from_)) continue;
    MENDFS_CO_TRY(const std::shared_ptr<File> file, open_segment(number));
    MENDFS_CO_TRY(const std::uint64_t file_size, file->size());
    if (file_size > size) MENDFS_CO_TRY_VOID(file->truncate(size));
    MENDFS_CO_TRY_VOID(co_await file->sync());
  }
  MENDFS_CO_TRY_VOID(co_await parts_.env.disk.sync_directory(kSegmentDirectory));
  const SegmentNumber next = std::max({sizes_.empty() ? 1 : sizes_.rbegin()->first + 1, number_after(durable_),
                                       number_after(replay_from_), number_after(parts_.index_end)});
  parts_.log.start(parts_.superblock.generation, next, end);
  parts_.flushed = replay_from_;
  if (recovery_.rebooted) {
    std::vector<protocol::EarlierLife>& earlier = parts_.superblock.earlier;
    earlier.push_back({parts_.superblock.boot, kept_until()});
    if (earlier.size() > kEarlierLivesMax) earlier.erase(earlier.begin());
    parts_.superblock.boot_id = parts_.env.disk.boot_id();
    parts_.superblock.boot = random_id();
    for (RangeState& range : parts_.superblock.ranges) range.behind = range.complete;
  }
  if (!recovery_.rebooted && !recovery_.index_rebuilt) co_return Result<void>{};
  parts_.superblock.index_damaged = false;
  co_return co_await parts_.save_superblock();
}

/// Whether it is time to let others run.
bool StoreRecovery::log_progress(std::string_view what, SegmentNumber number) {
  const bool breathe = ++records_seen_ % kRecordsPerBreath == 0;
  const Time now = parts_.env.loop.now();
  if (now < progress_logged_ + kProgressEvery) return breathe;
  progress_logged_ = now;
  parts_.env.log.info("opening {}: {} segment {} of {}", parts_.options.name, what, number,
                      sizes_.empty() ? 0 : sizes_.rbegin()->first);
  return breathe;
}

}  // namespace mendfs::store
