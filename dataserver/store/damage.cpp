#include "dataserver/store/damage.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "block/checksum.h"

namespace mendfs::store {
namespace {

Version version_before(Version version) {
  if (version.count > 0) return {version.term, version.count - 1};
  return {version.term - 1, UINT64_MAX};
}

std::uint8_t byte_at(ByteView bytes, std::size_t offset) { return std::to_integer<std::uint8_t>(bytes[offset]); }

}  // namespace

Task<Result<Damage>> Damager::damage(InodeNumber inode, BlockRun block, DamageMode mode, std::uint64_t seed) {
  if (block.count != 1) co_return Error{ErrorCode::InvalidArgument, "one block at a time is damaged"};
  MENDFS_CO_TRY(const std::vector<StoredRun> runs, reader_.current(inode, block));
  if (runs.empty() || runs.front().kind != RunKind::Data)
    co_return Error{ErrorCode::NotFound, fmt::format("{} stores no bytes of that block", parts_.options.name)};
  const ClassKey key = class_of(inode, block);
  const StoredRun run = runs.front();
  if (mode == DamageMode::Delete) co_return co_await forget(key, run);
  if (mode == DamageMode::Stale) co_return co_await make_stale(key, run);
  co_return overwrite(run, mode, seed);
}

Result<Damage> Damager::overwrite(const StoredRun& run, DamageMode mode, std::uint64_t seed) {
  const RunPlaces places = run_places(run.kind, run.record_count, run.block_size(), run.last_size);
  const std::uint64_t offset = offset_of(run.place) + places.data_offset + std::uint64_t{run.skip} * run.block_size();
  MENDFS_TRY(const std::shared_ptr<File> file, parts_.log.file(segment_of(run.place)));
  MENDFS_TRY(const Buffer before, file->read_now(offset, run.own_last_size()));
  if (before.empty()) return Error{ErrorCode::NotFound, "the stored bytes of that block are gone already"};
  Buffer after = Buffer::copy_of(before);
  const std::uint64_t mixed = checksum64(std::as_bytes(std::span(&seed, 1)));
  const std::size_t chosen = static_cast<std::size_t>(mixed % before.size());
  const std::size_t zeros_from = mode == DamageMode::Zero ? 0 : chosen;
  if (mode != DamageMode::Flip)
    std::fill(after.writable().begin() + static_cast<std::ptrdiff_t>(zeros_from), after.writable().end(), std::byte{0});
  // Zeros over zeros are no damage.
  if (std::equal(after.view().begin(), after.view().end(), before.view().begin()))
    after.writable()[chosen] ^= static_cast<std::byte>(1 + (mixed >> 32) % 255);
  const auto changed = std::mismatch(before.view().begin(), before.view().end(), after.view().begin()).first;
  const std::array<ByteView, 1> pieces{after.view()};
  MENDFS_TRY_VOID(file->write(offset, pieces));
  Damage damage;
  damage.byte = static_cast<std::uint32_t>(changed - before.view().begin());
  damage.old_value = byte_at(before, damage.byte);
  damage.new_value = byte_at(after, damage.byte);
  damage.place = fmt::format("byte {} of {}", offset + damage.byte, segment_file_name(segment_of(run.place)));
  return damage;
}

Result<void> Damager::substitute(const ClassKey& key, const StoredRun& run, const StoredRun* instead) {
  MENDFS_TRY(const std::vector<StoredRun> whole, parts_.checked(parts_.index->overlapping(key, run.first, run.end())));
  if (whole.empty() || whole.front().place != run.place)
    return Error{ErrorCode::Busy, "the block has just been written: try again"};
  const StoredRun& old = whole.front();
  RunChange change;
  change.removed.push_back(old);
  if (old.first < run.first) change.added.push_back(part_of(old, old.first, run.first));
  if (instead != nullptr) change.added.push_back(*instead);
  if (run.end() < old.end()) change.added.push_back(part_of(old, run.end(), old.end()));
  MENDFS_TRY_VOID(parts_.checked(parts_.index->replace(key, old, change.added, parts_.log.end())));
  parts_.account(change);
  return {};
}

Task<Result<Damage>> Damager::forget(ClassKey key, StoredRun run) {
  MENDFS_CO_TRY_VOID(substitute(key, run, nullptr));
  // Or the next start would find the record again.
  MENDFS_CO_TRY_VOID(co_await flusher_.flush());
  Damage damage;
  damage.place = "the index no longer names the block";
  co_return damage;
}

Task<Result<Damage>> Damager::make_stale(ClassKey key, StoredRun run) {
  RunReader::Source source{key, run, reader_.file_of(run)};
  MENDFS_CO_TRY(const RunReader::Loaded loaded, co_await reader_.load(std::move(source)));
  if (!loaded.intact || loaded.data.empty())
    co_return Error{ErrorCode::NotFound, "the stored bytes of that block are damaged already"};
  // A record of an older version, right in itself, where the newer one should be: a write that the disk lost.
  Run older;
  older.header = part_header(loaded.header, run);
  older.header.version = version_before(run.version);
  older.data = Buffer::copy_of(loaded.data);
  older.data.writable()[0] ^= std::byte{0xff};
  older.digests = digests_of(older.data, run.block_size());
  RecordBatch batch;
  batch.add(older);
  MENDFS_CO_TRY_VOID(parts_.write(batch, SpaceUse::Reserve));
  StoredRun misplaced = stored_run(older.header, batch.place(0));
  misplaced.version = run.version;
  MENDFS_CO_TRY_VOID(substitute(key, run, &misplaced));
  MENDFS_CO_TRY_VOID(co_await flusher_.flush());
  Damage damage;
  damage.old_value = byte_at(loaded.data, 0);
  damage.new_value = byte_at(older.data, 0);
  damage.place = fmt::format("an older version of the block lies at byte {} of {}", offset_of(misplaced.place),
                             segment_file_name(segment_of(misplaced.place)));
  co_return damage;
}

}  // namespace mendfs::store
