#include "dataserver/store/run_lister.h"

#include <algorithm>

#include "block/placement.h"
#include "dataserver/store/index_keys.h"
#include "dataserver/store/run_reader.h"

namespace mendfs::store {
namespace {

/// One call reads at most so many records, so that it never keeps others waiting for long.
constexpr std::size_t kRecordsPerCall = 1024;
/// One page of files ends, at the next file, after so many index entries.
constexpr std::size_t kEntriesPerPage = 20'000;
/// Index entries looked at between two breaths.
constexpr std::size_t kEntriesPerStep = 4096;

/// The header of a run of which only the index knows: what it cannot know (writer, copies) is what it usually is.
RunHeader lost_header(const StoreParts& parts, const ClassKey& key, const StoredRun& run) {
  RunHeader header;
  header.kind = RunKind::Lost;
  header.inode = key.inode;
  header.layout.ring = parts.superblock.ring;
  header.layout.slot_count = run.step;
  header.layout.start = (run.range + run.step - key.residue % run.step) % run.step;
  header.layout.block_size = run.block_size();
  header.blocks = blocks_of(key, run);
  header.copy = copy_at(parts.superblock.slot, run.range, run.step, header.layout.copy_count).value_or(0);
  header.cut = run.cut;
  header.version = run.version;
  return header;
}

}  // namespace

Result<std::vector<StoredRun>> live_parts(StoreParts& parts, const RunHeader& header, Position place) {
  const ClassKey key = class_of(header.inode, header.blocks);
  const StoredRun whole = stored_run(header, place);
  MENDFS_TRY(const CutEntry* const cut, parts.checked(parts.cuts->get(header.inode)));
  const std::uint32_t visible = count_before(key, whole, cut->limit_for(header.cut));
  std::vector<StoredRun> live;
  if (visible == 0) return live;
  MENDFS_TRY(const std::vector<StoredRun> current,
             parts.checked(parts.index->overlapping(key, whole.first, whole.first + visible)));
  for (const StoredRun& run : current) {
    if (run.place != place) continue;
    live.push_back(part_of(run, run.first, std::min(run.end(), whole.first + visible)));
  }
  return live;
}

bool RunLister::worth_reading(const SegmentSummary& summary, const Request& request) const {
  // A store that is only behind is told the cuts it lacks by the metaserver; one that is filled anew needs them all.
  return (summary.has_cuts && request.above.is_zero()) || summary.newest(request.range) > request.above;
}

Task<Result<Listed>> RunLister::list(Slot range, Version above, std::uint64_t cursor, std::uint32_t run_count_max) {
  MENDFS_CO_TRY_VOID(parts_.usable());
  Request request;
  request.range = range;
  request.above = above;
  request.run_count_max = std::max(run_count_max, 1u);
  const Position end = parts_.log.end();
  std::size_t records = 0;
  while (cursor < end && request.listed.runs.size() < request.run_count_max && records < kRecordsPerCall) {
    const auto segment = parts_.segments.lower_bound(segment_of(cursor));
    if (segment == parts_.segments.end()) {
      cursor = end;
      break;
    }
    const SegmentNumber number = segment->first;
    const std::uint64_t size = number == segment_of(end) ? offset_of(end) : segment->second.size;
    const bool read_it = worth_reading(segment->second, request);
    const Result<std::shared_ptr<File>> file = parts_.log.file(number);
    if (!file) request.listed.damaged = true;
    cursor = std::max(cursor, position_of(number, 0));
    if (file && read_it) {
      SegmentReader reader(*file, number, size);
      while (request.listed.runs.size() < request.run_count_max && records < kRecordsPerCall) {
        MENDFS_CO_TRY(std::optional<FoundRecord> record, co_await reader.at(offset_of(cursor)));
        if (!record) break;
        ++records;
        cursor += record->size;
        if (record->intact) {
          MENDFS_CO_TRY_VOID(co_await list_record(&request, &reader, std::move(*record)));
        } else {
          MENDFS_CO_TRY_VOID(co_await list_unreadable(&request, std::move(*record)));
        }
      }
      if (offset_of(cursor) < size) break;
    }
    cursor = number == segment_of(end) ? end : position_of(number + 1, 0);
  }
  request.listed.cursor = cursor;
  // What compaction moved meanwhile, from before it was reached here, lies behind the end.
  request.listed.end = cursor >= end && cursor >= parts_.moved_end;
  co_return std::move(request.listed);
}

Task<Result<void>> RunLister::list_record(Request* request, SegmentReader* reader, FoundRecord record) {
  if (record.prefix.type == RecordType::Cuts) co_return list_cuts(*request, record);
  if (record.prefix.type != RecordType::Run) co_return Result<void>{};
  const Result<RunHeader> header = decode_run(record.prefix, record.head);
  if (!header) co_return co_await list_unreadable(request, std::move(record));
  if (header->version <= request->above || primary_of(header->blocks.first, header->layout) != request->range)
    co_return Result<void>{};
  MENDFS_CO_TRY(const std::vector<StoredRun> live, live_parts(parts_, *header, record.position));
  if (live.empty()) co_return Result<void>{};
  // Damaged digests are passed on as they are: fetch() finds that their blocks do not fit.
  MENDFS_CO_TRY(const std::vector<Digest> digests, co_await reader->stored_digests(record));
  if (digests.size() != record.prefix.digest_count) co_return co_await list_unreadable(request, std::move(record));
  for (const StoredRun& part : live) {
    RunSummary& summary = request->listed.runs.emplace_back();
    summary.header = part_header(*header, part);
    if (header->kind == RunKind::Data)
      summary.digests.assign(digests.begin() + part.skip, digests.begin() + part.skip + part.count);
  }
  co_return Result<void>{};
}

Task<Result<void>> RunLister::list_unreadable(Request* request, FoundRecord damage) {
  const Position begin = damage.position;
  if (!unreadable_.contains(begin)) {
    parts_.env.log.error("{} of {} is damaged at byte {}: {} bytes are no records",
                         segment_file_name(segment_of(begin)), parts_.options.name, offset_of(begin), damage.size);
    MENDFS_CO_TRY(unreadable_[begin], co_await find_indexed(begin, begin + damage.size));
  }
  for (const IndexedRun& indexed : unreadable_[begin]) {
    if (indexed.run.range != request->range || indexed.run.version <= request->above) continue;
    MENDFS_CO_TRY(const std::vector<StoredRun> current,
                  parts_.checked(parts_.index->overlapping(indexed.key, indexed.run.first, indexed.run.end())));
    for (const StoredRun& run : current)
      if (run.place == indexed.run.place) request->listed.runs.push_back({lost_header(parts_, indexed.key, run), {}});
  }
  co_return Result<void>{};
}

/// Entries of the index that point to records in [begin, end). A walk over all of it, with breaks.
Task<Result<std::vector<RunLister::IndexedRun>>> RunLister::find_indexed(Position begin, Position end) {
  std::vector<IndexedRun> found;
  std::string cursor(1, keys::kRun);
  for (bool more = true; more;) {
    std::size_t seen = 0;
    std::string last;
    const auto visit = [&](std::string_view entry_key, std::string_view value) {
      const auto parsed = keys::parse_run(entry_key);
      Result<StoredRun> run = unpack<StoredRun>(value);
      last = entry_key;
      if (parsed && run && run->place >= begin && run->place < end) {
        run->first = parsed->unit;
        found.push_back({parsed->key, *run});
      }
      return ++seen < kEntriesPerStep;
    };
    MENDFS_CO_TRY_VOID(parts_.complete_index());
    MENDFS_CO_TRY_VOID(parts_.checked(parts_.kv->scan(cursor, keys::end_of(keys::kRun), visit)));
    more = seen == kEntriesPerStep;
    cursor = last + '\0';
    if (more) co_await sleep_for(parts_.env.loop, std::chrono::milliseconds(1));
  }
  co_return found;
}

Result<void> RunLister::list_cuts(Request& request, const FoundRecord& record) {
  MENDFS_TRY(const protocol::CutRecord stored, decode_meta<protocol::CutRecord>(record.prefix, record.head));
  MENDFS_TRY(const CutEntry* const entry, parts_.checked(parts_.cuts->get(stored.inode)));
  if (entry->place == record.position) request.listed.cuts.push_back({stored.inode, entry->cuts, entry->deleted});
  return {};
}

Result<std::vector<FileCount>> RunLister::list_files(InodeNumber after, std::size_t count_max) {
  MENDFS_TRY_VOID(parts_.usable());
  std::vector<FileCount> files;
  if (after == UINT64_MAX || count_max == 0) return files;
  std::size_t entries = 0;
  bool damaged = false;
  const auto visit = [&](std::string_view entry_key, std::string_view value) {
    const auto parsed = keys::parse_run(entry_key);
    const Result<StoredRun> run = unpack<StoredRun>(value);
    damaged = damaged || !parsed || !run;
    if (damaged) return false;
    if (files.empty() || files.back().inode != parsed->key.inode) {
      if (files.size() == count_max || entries > kEntriesPerPage) return false;
      files.push_back({parsed->key.inode, 0});
    }
    ++entries;
    if (run->kind == RunKind::Data) files.back().block_count += run->count;
    return true;
  };
  const std::string begin = keys::numbered(keys::kRun, after + 1);
  MENDFS_TRY_VOID(parts_.complete_index());
  MENDFS_TRY_VOID(parts_.checked(parts_.kv->scan(begin, keys::end_of(keys::kRun), visit)));
  if (damaged) {
    const Error error{ErrorCode::Corruption, "the index has an impossible entry"};
    parts_.fail(error, true);
    return error;
  }
  return files;
}

}  // namespace mendfs::store
