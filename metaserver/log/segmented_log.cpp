#include "metaserver/log/segmented_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace mendfs::metaserver {
namespace {

/// Where a segment is made until it is whole; left over from a crash, it is of no meaning.
constexpr const char* kUnfinishedName = "/unfinished";
/// Bytes read at once: the greatest frame fits.
constexpr std::uint64_t kReadAhead = log_frame_span(kLogEntrySizeMax);

/// Says that something ended, also when its coroutine is destroyed.
class Turn {
 public:
  Turn(bool& running, Signal& ended) : running_(running), ended_(ended) { running_ = true; }
  Turn(const Turn&) = delete;
  ~Turn() {
    running_ = false;
    ended_.notify_all();
  }

 private:
  bool& running_;
  Signal& ended_;
};

}  // namespace

Task<Result<void>> SegmentedLog::append(LogIndex first, std::vector<std::string> entries) {
  if (failed_) co_return *failed_;
  if (first != accepted_ + 1)
    co_return Error{ErrorCode::Stale, fmt::format("entry {} cannot follow entry {}", first, accepted_)};
  std::uint64_t span = 0;
  for (const std::string& entry : entries) {
    span += log_frame_span(entry.size());
    if (entry.size() > kLogEntrySizeMax || kLogHeaderSize + span > options_.segment_size)
      co_return Error{ErrorCode::TooBig,
                      fmt::format("{} entries of {} bytes do not fit the log", entries.size(), span)};
  }
  // A batch is never split, so that it is there whole or not at all.
  if (segments_.empty() || tail_dropped_ || segments_.rbegin()->second.end + span > options_.segment_size) {
    MENDFS_CO_TRY_VOID(co_await begin_segment());
  }
  Segment& segment = segments_.rbegin()->second;
  std::string bytes;
  bytes.reserve(static_cast<std::size_t>(span));
  LogIndex index = accepted_;
  std::uint64_t previous = previous_;
  for (const std::string& entry : entries) {
    LogFrame frame{.size = static_cast<std::uint32_t>(entry.size()),
                   .index = ++index,
                   .synced = durable_,
                   .previous = previous,
                   .checksum = 0};
    encode_log_frame(frame, segment.header.salt, entry, bytes);
    previous = frame.checksum;
  }
  const std::array<ByteView, 1> pieces{bytes_of(bytes)};
  const Result<void> written = segment.file->write(segment.end, pieces);
  // The segment was reserved whole, so this is no full disk; part of the batch may stand in it.
  if (!written.ok()) co_return fail({ErrorCode::Io, written.error().message});
  segment.end += bytes.size();
  accepted_ = index;
  previous_ = previous;
  // Once for each segment: on a full disk every attempt is long and in vain.
  if (!next_ && !next_tried_ && segment.end > options_.segment_size / 2) {
    next_tried_ = true;
    scope_.spawn(prepare_next_early());
  }
  co_return Result<void>();
}

Task<Result<void>> SegmentedLog::begin_segment() {
  // All before it is durable when a segment gets its name: that makes damage in earlier ones a loss beyond doubt.
  MENDFS_CO_TRY_VOID(co_await sync(accepted_));
  // Until it has its name, an error (a full disk) costs nothing but this attempt.
  MENDFS_CO_TRY_VOID(co_await prepare_next());
  const std::uint64_t number = segments_.empty() ? 1 : segments_.rbegin()->first + 1;
  Segment segment;
  segment.header = {.number = number,
                    .size = options_.segment_size,
                    .first = accepted_ + 1,
                    .previous = previous_,
                    .salt = world_.random.next()};
  segment.file = next_;
  const std::string header = encode_log_segment_header(segment.header);
  const std::array<ByteView, 1> pieces{bytes_of(header)};
  MENDFS_CO_TRY_VOID(segment.file->write(0, pieces));
  const Result<void> synced = co_await segment.file->sync();
  if (!synced.ok()) co_return fail(synced.error());
  MENDFS_CO_TRY_VOID(world_.disk.rename(options_.directory + kUnfinishedName, path_of(number)));
  next_.reset();
  const Result<void> named = co_await world_.disk.sync_directory(options_.directory);
  if (!named.ok()) co_return fail(named.error());
  segments_.emplace(number, std::move(segment));
  tail_dropped_ = false;
  next_tried_ = false;
  co_return Result<void>();
}

/// Makes and syncs the file of the next segment, which takes long, so that an append need not wait for it.
Task<Result<void>> SegmentedLog::prepare_next() {
  while (preparing_) (void)co_await prepared_.next();
  if (next_) co_return Result<void>();
  const Turn turn(preparing_, prepared_);
  MENDFS_CO_TRY(std::unique_ptr<File> file,
                world_.disk.open(options_.directory + kUnfinishedName, OpenMode::OpenOrCreate));
  MENDFS_CO_TRY_VOID(file->truncate(0));
  MENDFS_CO_TRY_VOID(file->preallocate(options_.segment_size));
  const Result<void> synced = co_await file->sync();
  if (!synced.ok()) co_return fail(synced.error());
  next_ = std::move(file);
  co_return Result<void>();
}

Task<void> SegmentedLog::prepare_next_early() {
  (void)co_await prepare_next();  // whoever needs it meets the error again
}

Task<Result<void>> SegmentedLog::sync(LogIndex index) {
  MENDFS_ASSERT(index <= accepted_);
  while (durable_ < index) {
    if (failed_) co_return *failed_;
    if (syncing_) {
      (void)co_await synced_.next();
      continue;
    }
    const Turn turn(syncing_, synced_);
    const LogIndex target = accepted_;
    // Entries that are not durable are all in the last segment; it stays open while this waits.
    const std::shared_ptr<File> file = segments_.rbegin()->second.file;
    const Result<void> synced = co_await file->sync();
    if (!synced.ok()) co_return fail(synced.error());
    durable_ = std::max(durable_, target);
  }
  co_return Result<void>();
}

Result<void> SegmentedLog::sync_now() {
  if (failed_) return *failed_;
  if (durable_ == accepted_) return {};
  const Result<void> synced = segments_.rbegin()->second.file->sync_now();
  if (!synced.ok()) return fail(synced.error());
  durable_ = accepted_;
  return {};
}

LogIndex SegmentedLog::first() const {
  return segments_.empty() ? accepted_ + 1 : segments_.begin()->second.header.first;
}

Result<std::vector<LogEntry>> SegmentedLog::read(LogIndex from, std::size_t size_max) {
  MENDFS_ASSERT(from >= first());
  std::vector<LogEntry> entries;
  if (from > accepted_) return entries;
  auto found = std::find_if(segments_.rbegin(), segments_.rend(),
                            [&](const auto& entry) { return entry.second.header.first <= from; });
  const Segment& segment = found->second;
  Place place{.segment = segment.header.number, .index = segment.header.first, .offset = kLogHeaderSize};
  if (reader_ && reader_->segment == place.segment && reader_->index <= from) place = *reader_;
  std::size_t size = 0;
  while (place.offset < segment.end && (entries.empty() || size < size_max)) {
    const std::uint64_t left = segment.end - place.offset;
    MENDFS_TRY(Buffer head, segment.file->read_now(place.offset, std::min<std::uint64_t>(left, kReadAhead)));
    std::uint64_t used = 0;
    while (used < head.size() && (entries.empty() || size < size_max)) {
      std::optional<LogFrame> frame = decode_log_frame(head.view().subspan(used), segment.header.salt);
      if (!frame) break;
      if (place.index >= from) {
        const ByteView payload = head.view().subspan(used + kLogFrameSize, frame->size);
        entries.push_back({place.index, std::string(text_of(payload))});
        size += frame->size;
      }
      ++place.index;
      used += log_frame_span(frame->size);
      place.offset += log_frame_span(frame->size);
    }
    if (used == 0)
      return Error{ErrorCode::Corruption,
                   fmt::format("{} is damaged at offset {}", path_of(segment.header.number), place.offset)};
  }
  reader_ = place;
  return entries;
}

Task<Result<void>> SegmentedLog::trim(LogIndex below) {
  bool removed = false;
  while (segments_.size() > 1 && std::next(segments_.begin())->second.header.first <= below) {
    MENDFS_CO_TRY_VOID(world_.disk.remove(path_of(segments_.begin()->first)));
    segments_.erase(segments_.begin());
    removed = true;
  }
  if (!removed) co_return Result<void>();
  co_return co_await world_.disk.sync_directory(options_.directory);
}

Error SegmentedLog::fail(Error error) {
  if (!failed_) failed_ = Error{error.code, "the command log cannot be written: " + error.message};
  return *failed_;
}

}  // namespace mendfs::metaserver
