#include "dataserver/store/block_store.h"

#include <algorithm>

#include "dataserver/store/compactor.h"
#include "dataserver/store/damage.h"
#include "dataserver/store/index_flusher.h"
#include "dataserver/store/recovery.h"
#include "dataserver/store/run_lister.h"
#include "dataserver/store/run_reader.h"
#include "dataserver/store/store_parts.h"
#include "protocol/fields.h"

namespace mendfs::store {
namespace {

using namespace std::chrono_literals;

constexpr auto kHousekeepingEvery = 1s;
/// A disk has room for so many segments at least, unless they would be smaller than this.
constexpr std::uint64_t kSegmentsMin = 64;
constexpr std::uint64_t kSegmentSizeMin = 1u << 20;

}  // namespace

class BlockStore::Impl {
 public:
  Impl(Env& env, StoreOptions options)
      : parts(env, std::move(options)),
        reader(parts),
        lister(parts),
        flusher(parts),
        compactor(parts, reader, flusher),
        damager(parts, reader, flusher) {}

  void start() { scope.spawn(keep_house()); }
  enum class Compact { Anyway, IfWorthwhile };
  Task<Result<void>> compact(Compact when);

  StoreParts parts;
  RunReader reader;
  RunLister lister;
  IndexFlusher flusher;
  Compactor compactor;
  Damager damager;
  Recovery recovery;

 private:
  Task<void> keep_house();
  Task<void> reclaim();
  void note(const Result<void>& done, std::string* last_problem);

  bool compacting_ = false;
  std::string flush_problem_;
  std::string compaction_problem_;
  Scope scope;
};

Task<void> BlockStore::Impl::keep_house() {
  for (;;) {
    co_await sleep_for(parts.env.loop, kHousekeepingEvery);
    if (!parts.usable()) co_return;
    // Beside it: while the store is used, compaction takes its time.
    if (!compacting_) scope.spawn(reclaim());
    if (!flusher.due()) continue;
    const Result<void> flushed = co_await flusher.flush();
    note(flushed, &flush_problem_);
  }
}

Task<void> BlockStore::Impl::reclaim() {
  const Result<void> done = co_await compact(Compact::IfWorthwhile);
  note(done, &compaction_problem_);
}

void BlockStore::Impl::note(const Result<void>& done, std::string* last_problem) {
  std::string problem = done ? std::string() : done.error().message;
  // On a full disk each round fails alike.
  if (!problem.empty() && problem != *last_problem)
    parts.env.log.warn("housekeeping of {}: {}", parts.options.name, problem);
  *last_problem = std::move(problem);
}

Task<Result<void>> BlockStore::Impl::compact(Compact when) {
  MENDFS_CO_TRY_VOID(parts.usable());
  if (compacting_) co_return Error{ErrorCode::Busy, "the store is being compacted already"};
  compacting_ = true;
  struct Turn {
    bool* compacting;
    ~Turn() { *compacting = false; }
  } turn{&compacting_};
  MENDFS_CO_TRY_VOID(co_await compactor.trim());
  if (when == Compact::IfWorthwhile && !compactor.worthwhile()) co_return Result<void>{};
  for (;;) {
    MENDFS_CO_TRY(const std::size_t emptied, co_await compactor.empty_segments());
    if (emptied == 0) co_return Result<void>{};
    MENDFS_CO_TRY_VOID(co_await flusher.flush());
  }
}

BlockStore::BlockStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
BlockStore::~BlockStore() = default;

Task<Result<std::unique_ptr<BlockStore>>> BlockStore::open(Env& env, StoreOptions options) {
  // Space comes back a segment at a time.
  MENDFS_CO_TRY(const DiskSpace disk, env.disk.space());
  options.segment_size = std::min(options.segment_size, std::max(kSegmentSizeMin, disk.total_bytes / kSegmentsMin));
  bool index_damaged = false;
  for (;;) {
    StoreOptions copy = options;
    auto impl = std::make_unique<Impl>(env, std::move(copy));
    StoreRecovery recovery(impl->parts, index_damaged);
    Result<Recovery> recovered = co_await recovery.run();
    if (recovered) {
      impl->recovery = std::move(*recovered);
      impl->start();
      co_return std::unique_ptr<BlockStore>(new BlockStore(std::move(impl)));
    }
    // Damage in the index may show only when it is used: once more, without it.
    if (index_damaged || !impl->parts.superblock.index_damaged) co_return recovered.error();
    index_damaged = true;
  }
}

const Recovery& BlockStore::recovery() const { return impl_->recovery; }
void BlockStore::forget_recovery() { impl_->recovery = Recovery(); }

Superblock& BlockStore::superblock() { return impl_->parts.superblock; }
Task<Result<void>> BlockStore::save_superblock() { return impl_->parts.save_superblock(); }
const Generation& BlockStore::generation() const { return impl_->parts.superblock.generation; }
const Uuid& BlockStore::boot() const { return impl_->parts.superblock.boot; }

Result<Position> BlockStore::append(std::span<const Run> runs, SpaceUse use) {
  StoreParts& parts = impl_->parts;
  MENDFS_TRY_VOID(parts.usable());
  parts.last_used = parts.env.loop.now();
  RecordBatch batch;
  for (const Run& run : runs) {
    MENDFS_TRY_VOID(check_run(run.header, run.digests.size()));
    if (run.data.size() != run.header.data_size() || run.data.size() > kRunDataSizeMax)
      return Error{ErrorCode::Malformed, "a run's data is not as long as its blocks"};
    batch.add(run);
  }
  MENDFS_TRY_VOID(parts.write(batch, use));
  for (std::size_t i = 0; i < runs.size(); ++i) MENDFS_TRY_VOID(parts.index_run(runs[i].header, batch.place(i)));
  return parts.log.end();
}

Result<Position> BlockStore::add_cuts(InodeNumber inode, const CutList& cuts, bool deleted) {
  StoreParts& parts = impl_->parts;
  MENDFS_TRY_VOID(parts.usable());
  MENDFS_TRY(const CutEntry* const found, parts.checked(parts.cuts->get(inode)));
  CutEntry entry = *found;
  const bool longer = entry.cuts.merge(cuts);
  if (!longer && (entry.deleted || !deleted)) return parts.log.end();
  entry.deleted = entry.deleted || deleted;
  RecordBatch batch;
  batch.add(RecordType::Cuts, pack(protocol::CutRecord{inode, entry.cuts, entry.deleted}));
  MENDFS_TRY_VOID(parts.write(batch, SpaceUse::Reserve));
  entry.place = batch.place(0);
  parts.segments[segment_of(entry.place)].has_cuts = true;
  MENDFS_TRY_VOID(parts.index_cuts(inode, std::move(entry), batch.place(0)));
  return parts.log.end();
}

Position BlockStore::position() const { return impl_->parts.log.end(); }
Position BlockStore::durable() const { return impl_->parts.log.durable(); }
Task<Result<Position>> BlockStore::sync() { return impl_->parts.sync(); }

void BlockStore::settled(Slot range, Version version) {
  Version& known = impl_->parts.settled[range];
  known = std::max(known, version);
}

Version BlockStore::watermark(Slot range) const {
  const auto found = impl_->parts.watermarks.find(range);
  return found == impl_->parts.watermarks.end() ? Version{} : found->second;
}

Version BlockStore::newest(Slot range) const {
  Version newest;
  for (const auto& [number, summary] : impl_->parts.segments) newest = std::max(newest, summary.newest(range));
  return newest;
}

Result<FileCuts> BlockStore::cuts(InodeNumber inode) {
  MENDFS_TRY_VOID(impl_->parts.usable());
  MENDFS_TRY(const CutEntry* const entry, impl_->parts.checked(impl_->parts.cuts->get(inode)));
  return FileCuts{entry->cuts, entry->deleted};
}

Result<std::vector<Piece>> BlockStore::find(InodeNumber inode, BlockRun blocks) {
  return impl_->reader.find(inode, blocks);
}
Task<Result<std::vector<ReadPiece>>> BlockStore::read(InodeNumber inode, BlockRun blocks, ReadWhat what) {
  return impl_->reader.read(inode, blocks, what);
}
Task<Result<std::vector<std::vector<ReadPiece>>>> BlockStore::read_all(InodeNumber inode,
                                                                       std::vector<ReadWish> wishes) {
  impl_->parts.last_used = impl_->parts.env.loop.now();
  return impl_->reader.read_all(inode, std::move(wishes));
}
Task<Result<Fetched>> BlockStore::fetch(InodeNumber inode, BlockRun blocks) {
  return impl_->reader.fetch(inode, blocks);
}
Result<std::uint64_t> BlockStore::extent(InodeNumber inode, const Layout& layout) {
  return impl_->reader.extent(inode, layout);
}

Task<Result<Listed>> BlockStore::list(Slot range, Version above, std::uint64_t cursor, std::uint32_t run_count_max) {
  return impl_->lister.list(range, above, cursor, run_count_max);
}

std::uint64_t BlockStore::block_count(Slot range) const {
  std::uint64_t count = 0;
  for (const auto& [number, summary] : impl_->parts.segments)
    for (const RangeShare& share : summary.ranges)
      if (share.range == range) count += share.block_count;
  return count;
}

Result<std::vector<FileCount>> BlockStore::list_files(InodeNumber after, std::size_t count_max) {
  return impl_->lister.list_files(after, count_max);
}

Result<StoreSpace> BlockStore::space() const {
  const StoreParts& parts = impl_->parts;
  MENDFS_TRY(const DiskSpace disk, parts.env.disk.space());
  StoreSpace space;
  space.total_bytes = disk.total_bytes;
  space.free_bytes = disk.free_bytes - std::min(disk.free_bytes, parts.space.reserve_size());
  for (const auto& [number, summary] : parts.segments) {
    space.live_bytes += summary.live_bytes;
    space.stored_bytes += summary.size;
    for (const RangeShare& share : summary.ranges) space.block_count += share.block_count;
  }
  return space;
}

void BlockStore::set_flush_blob(std::function<std::string()> make) { impl_->parts.make_blob = std::move(make); }
Task<Result<void>> BlockStore::flush_index() { return impl_->flusher.flush(); }
Task<Result<void>> BlockStore::compact() { return impl_->compact(Impl::Compact::Anyway); }

Task<Result<Damage>> BlockStore::damage(InodeNumber inode, BlockRun block, DamageMode mode, std::uint64_t seed) {
  return impl_->damager.damage(inode, block, mode, seed);
}

}  // namespace mendfs::store
