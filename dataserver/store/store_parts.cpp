#include "dataserver/store/store_parts.h"

#include <algorithm>

#include "protocol/fields.h"

namespace mendfs::store {

StoreParts::StoreParts(Env& environment, StoreOptions given)
    : env(environment),
      options(std::move(given)),
      log(environment, options.segment_size),
      space(environment.disk, options.name, options.reserve_size),
      saved_(environment.loop) {}

Result<void> StoreParts::usable() const {
  if (failure_) return *failure_;
  return {};
}

void StoreParts::fail(const Error& why, bool index_is_damaged) {
  if (failure_) return;
  failure_ = Error{ErrorCode::Io, options.name + " has stopped: " + why.message + "; restart it"};
  env.log.error("{}", failure_->message);
  // After a failed write-out nobody knows what is on the device: the next start counts as one after a reboot.
  superblock.boot_id.clear();
  superblock.index_damaged = superblock.index_damaged || index_is_damaged;
  scope_.spawn(note_damaged_index());
}

Task<void> StoreParts::note_damaged_index() {
  const Result<void> saved = co_await save_superblock();
  if (!saved) env.log.error("the superblock could not be saved either: {}", saved.error().message);
}

Task<Result<void>> StoreParts::save_superblock() {
  while (saving_) co_await saved_.next();
  saving_ = true;
  // Whoever is let go while it waits must not keep the others waiting.
  struct Turn {
    StoreParts* parts;
    ~Turn() {
      parts->saving_ = false;
      parts->saved_.notify_all();
    }
  } turn{this};
  ++superblock.save_number;
  Superblock content = superblock;
  co_return co_await write_superblock(env.disk, std::move(content));
}

Result<void> StoreParts::write(RecordBatch& batch, SpaceUse use) {
  MENDFS_TRY_VOID(usable());
  RecordBatch sync_point;
  if (log.durable() > recorded_durable_)
    sync_point.add(RecordType::Sync, pack(SyncMeta{log.durable(), watermark_list()}));
  const std::uint64_t size = sync_point.size() + batch.size();
  MENDFS_TRY_VOID(space.admit(size, use == SpaceUse::Reserve));
  MENDFS_TRY(const Position base, log.prepare(size));
  const Position recorded = log.durable();
  std::vector<ByteView> pieces = sync_point.encode(base);
  const std::vector<ByteView> rest = batch.encode(base + sync_point.size());
  pieces.insert(pieces.end(), rest.begin(), rest.end());
  MENDFS_TRY_VOID(log.write(pieces));
  recorded_durable_ = recorded;
  space.written(size);
  segments[segment_of(base)].size = offset_of(log.end());
  return {};
}

Result<void> StoreParts::index_run(const RunHeader& header, Position place) {
  const ClassKey key = class_of(header.inode, header.blocks);
  StoredRun run = stored_run(header, place);
  SegmentSummary& segment = segments[segment_of(place)];
  segment.note_written(run.range, run.version);
  MENDFS_TRY(const CutEntry* const cut, checked(cuts->get(header.inode)));
  const std::uint32_t count = count_before(key, run, cut->limit_for(run.cut));
  if (count == 0) return {};
  run = part_of(run, run.first, run.first + count);
  MENDFS_TRY(const RunChange change, checked(index->insert(key, run, note_index_end(place))));
  account(change);
  return {};
}

Result<void> StoreParts::index_cuts(InodeNumber inode, CutEntry entry, Position place) {
  // The end of the log that the key-value store has seen must not go back.
  MENDFS_TRY_VOID(complete_index());
  return checked(cuts->put(inode, std::move(entry), note_index_end(place)));
}

Position StoreParts::note_index_end(Position place) {
  index_end = std::max({index_end, place, log.end()});
  return index_end;
}

void StoreParts::account(const RunChange& change) {
  const auto segment = [&](const StoredRun& run) {
    const auto found = segments.find(segment_of(run.place));
    return found == segments.end() ? nullptr : &found->second;
  };
  for (const StoredRun& run : change.removed)
    if (SegmentSummary* const mine = segment(run)) mine->note_dead(run);
  for (const StoredRun& run : change.added)
    if (SegmentSummary* const mine = segment(run)) mine->note_live(run);
}

Task<Result<Position>> StoreParts::sync() {
  MENDFS_CO_TRY_VOID(usable());
  const std::map<Slot, Version> covered = settled;
  const Result<Position> durable = co_await log.sync();
  if (!durable) {
    fail(durable.error(), false);
    co_return usable().error();
  }
  for (const auto& [range, version] : covered) watermarks[range] = std::max(watermarks[range], version);
  co_return durable;
}

std::vector<Watermark> StoreParts::watermark_list() const {
  std::vector<Watermark> list;
  for (const auto& [range, version] : watermarks) list.push_back({range, version});
  return list;
}

}  // namespace mendfs::store
