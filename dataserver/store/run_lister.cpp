#include "dataserver/store/run_lister.h"

#include <algorithm>

#include "block/placement.h"
#include "dataserver/store/index_keys.h"
#include "dataserver/store/run_reader.h"

namespace mendfs::store {
namespace {

/// One call reads at most so many records, so that it never keeps others waiting for long.
constexpr std::size_t kRecordsPerCall = 8192;
/// One page of files ends, at the next file, after so many index entries.
constexpr std::size_t kEntriesPerPage = 100'000;

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
        if (!record->intact) request.listed.damaged = true;
        if (record->intact) MENDFS_CO_TRY_VOID(co_await list_record(&request, &reader, std::move(*record)));
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
  if (!header) {
    request->listed.damaged = true;
    co_return Result<void>{};
  }
  if (header->version <= request->above || primary_of(header->blocks.first, header->layout) != request->range)
    co_return Result<void>{};
  MENDFS_CO_TRY(const std::vector<StoredRun> live, live_parts(parts_, *header, record.position));
  if (live.empty()) co_return Result<void>{};
  const Result<std::vector<Digest>> digests = co_await reader->digests(record);
  if (!digests && digests.code() != ErrorCode::Corruption) co_return digests.error();
  if (!digests) {
    request->listed.damaged = true;
    co_return Result<void>{};
  }
  for (const StoredRun& part : live) {
    RunSummary& summary = request->listed.runs.emplace_back();
    summary.header = part_header(*header, part);
    if (header->kind == RunKind::Data)
      summary.digests.assign(digests->begin() + part.skip, digests->begin() + part.skip + part.count);
  }
  co_return Result<void>{};
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
  MENDFS_TRY_VOID(parts_.checked(parts_.kv->scan(begin, keys::end_of(keys::kRun), visit)));
  if (damaged) {
    const Error error{ErrorCode::Corruption, "the index has an impossible entry"};
    parts_.fail(error, true);
    return error;
  }
  return files;
}

}  // namespace mendfs::store
