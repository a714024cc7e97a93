#include "dataserver/store/segment_log.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace mendfs::store {
namespace {

constexpr std::size_t kOpenFilesMax = 64;
/// Dirty bytes are handed to the device early, so that a small fsync does not wait for others' hundreds of megabytes.
constexpr std::uint64_t kWritebackEvery = 1u << 20;
/// Zeros are written ahead, so much at a time, once two write-outs in a row were smaller than this.
constexpr std::uint64_t kZerosAhead = 256u << 10;
constexpr std::uint64_t kSmallSync = 32u << 10;
constexpr std::string_view kSuffix = ".segment";
constexpr std::size_t kNumberDigits = 8;

}  // namespace

std::string segment_file_name(SegmentNumber number) {
  return fmt::format("{}/{:08x}{}", kSegmentDirectory, number, kSuffix);
}

std::optional<SegmentNumber> parse_segment_name(std::string_view name) {
  if (name.size() != kNumberDigits + kSuffix.size() || !name.ends_with(kSuffix)) return std::nullopt;
  SegmentNumber number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + kNumberDigits, number, 16);
  if (error != std::errc{} || end != name.data() + kNumberDigits) return std::nullopt;
  return number;
}

void SegmentLog::start(const Generation& generation, SegmentNumber next, Position previous_end) {
  generation_ = generation;
  previous_end_ = previous_end;
  end_ = position_of(next, 0);
  durable_ = end_;
}

Result<Position> SegmentLog::prepare(std::uint64_t size) {
  if (failure_) return *failure_;
  if (current_ != nullptr && offset_of(end_) + size > segment_size_) close_current();
  if (current_ == nullptr) MENDFS_TRY_VOID(begin_segment());
  return end_;
}

void SegmentLog::close_current() {
  // What stays behind if this fails, the next start takes off.
  if (zeros_end_ > offset_of(end_)) (void)current_->truncate(offset_of(end_));
  current_->start_writeback();
  current_ = nullptr;
  previous_end_ = end_;
  end_ = position_of(segment_of(end_) + 1, 0);
}

Result<void> SegmentLog::begin_segment() {
  const SegmentNumber number = segment_of(end_);
  MENDFS_TRY(std::unique_ptr<File> file, env_.disk.open(segment_file_name(number), OpenMode::CreateNew));
  const std::string begin = encode_small(RecordType::Begin, end_, pack(BeginMeta{generation_, previous_end_}));
  const std::array<ByteView, 1> pieces{bytes_of(begin)};
  if (Result<void> written = file->write(0, pieces); !written) {
    file.reset();
    // Nothing was written to it: without it the next try begins it again.
    if (Result<void> removed = env_.disk.remove(segment_file_name(number)); !removed) failure_ = removed.error();
    return written;
  }
  current_ = std::move(file);
  zeros_end_ = 0;
  end_ += begin.size();
  new_names_ = true;
  unsynced_.push_back({number, current_});
  return {};
}

Result<void> SegmentLog::write(std::span<const ByteView> pieces) {
  if (failure_) return *failure_;
  MENDFS_ASSERT(current_ != nullptr);
  if (Result<void> written = current_->write(offset_of(end_), pieces); !written) {
    zeros_end_ = 0;
    // Left-over bytes would look like damage once more is written behind them.
    if (Result<void> cut = current_->truncate(offset_of(end_)); !cut) failure_ = cut.error();
    return written;
  }
  std::uint64_t size = 0;
  for (const ByteView piece : pieces) size += piece.size();
  end_ += size;
  if (unsynced_.empty() || unsynced_.back().file != current_) unsynced_.push_back({segment_of(end_), current_});
  written_since_writeback_ += size;
  if (written_since_writeback_ >= kWritebackEvery) {
    written_since_writeback_ = 0;
    current_->start_writeback();
  }
  return {};
}

Task<Result<Position>> SegmentLog::sync() {
  const Position target = end_;
  while (durable_ < target && !failure_) {
    if (!syncing_) {
      syncing_ = true;
      scope_.spawn(run_sync());
    }
    if (syncing_) co_await synced_.next();
  }
  if (failure_) co_return *failure_;
  co_return durable_;
}

void SegmentLog::extend_with_zeros() {
  const bool is_small = end_ - last_sync_ < kSmallSync;  // a new segment makes it large
  last_sync_ = end_;
  small_syncs_ = is_small ? small_syncs_ + 1 : 0;
  const std::uint64_t end = offset_of(end_);
  if (small_syncs_ < 2 || current_ == nullptr || zeros_end_ >= end + kSmallSync) return;
  const std::uint64_t target = std::min(end + kZerosAhead, segment_size_);
  if (target <= std::max(end, zeros_end_)) return;
  // Without them it goes on as well.
  if (current_->preallocate(target)) zeros_end_ = target;
}

/// Belongs to the log, not to whoever asked: a caller that is let go must not leave the others waiting.
Task<void> SegmentLog::run_sync() {
  extend_with_zeros();
  const Position target = end_;
  in_flight_ = std::exchange(unsynced_, {});
  names_in_flight_ = std::exchange(new_names_, false);
  std::vector<Unsynced> files = in_flight_;
  const Result<void> done = co_await write_out(std::move(files));
  in_flight_.clear();
  names_in_flight_ = false;
  if (done) {
    durable_ = std::max(durable_, target);
  } else {
    failure_ = done.error();
  }
  syncing_ = false;
  synced_.notify_all();
}

Task<Result<void>> SegmentLog::write_out(std::vector<Unsynced> files) {
  for (const Unsynced& unsynced : files) MENDFS_CO_TRY_VOID(co_await unsynced.file->sync());
  if (names_in_flight_) MENDFS_CO_TRY_VOID(co_await env_.disk.sync_directory(kSegmentDirectory));
  co_return Result<void>{};
}

Result<void> SegmentLog::sync_now() {
  if (failure_) return *failure_;
  if (new_names_ || names_in_flight_) return Error{ErrorCode::Busy, "a segment is new"};
  std::vector<Unsynced> files = in_flight_;
  files.insert(files.end(), unsynced_.begin(), unsynced_.end());
  for (const Unsynced& unsynced : files) {
    if (Result<void> synced = unsynced.file->sync_now(); !synced) {
      failure_ = synced.error();
      return synced;
    }
  }
  unsynced_.clear();
  durable_ = end_;
  return {};
}

Result<std::shared_ptr<File>> SegmentLog::file(SegmentNumber number) {
  if (current_ != nullptr && segment_of(end_) == number) return current_;
  for (auto open = open_files_.begin(); open != open_files_.end(); ++open) {
    if (open->number != number) continue;
    open_files_.splice(open_files_.begin(), open_files_, open);
    return open_files_.front().file;
  }
  MENDFS_TRY(std::unique_ptr<File> file, env_.disk.open(segment_file_name(number), OpenMode::Existing));
  open_files_.push_front({number, std::move(file)});
  if (open_files_.size() > kOpenFilesMax) open_files_.pop_back();
  return open_files_.front().file;
}

Result<void> SegmentLog::remove(SegmentNumber number) {
  open_files_.remove_if([&](const OpenFile& open) { return open.number == number; });
  // A power cut may bring it back; the next start finds that the index does not need it.
  return env_.disk.remove(segment_file_name(number));
}

}  // namespace mendfs::store
