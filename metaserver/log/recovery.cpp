// The start of a SegmentedLog: reads every segment, and decides whether damage is a loss or a tail.
#include <fmt/format.h>

#include <algorithm>

#include "metaserver/log/segmented_log.h"

namespace mendfs::metaserver {
namespace {

constexpr const char* kWhatToDo =
    "; entries that were promised to be safe are lost: restore the metaserver's directory from a backup, or see "
    "docs/fault-model.md, \"A damaged command log\"";

}  // namespace

Task<Result<std::unique_ptr<SegmentedLog>>> SegmentedLog::open(World world, Options options) {
  std::unique_ptr<SegmentedLog> log(new SegmentedLog(world, std::move(options)));
  MENDFS_CO_TRY_VOID(world.disk.make_directory(log->options_.directory));
  MENDFS_CO_TRY_VOID(co_await world.disk.sync_directory(""));
  MENDFS_CO_TRY_VOID(log->recover());
  // What survived a kill of the process may still be in the page cache only.
  if (!log->segments_.empty()) {
    MENDFS_CO_TRY_VOID(co_await log->segments_.rbegin()->second.file->sync());
  }
  log->durable_ = log->accepted_;
  co_return log;
}

Result<void> SegmentedLog::recover() {
  MENDFS_TRY(const std::vector<DirectoryEntry> names, world_.disk.list(options_.directory));
  std::vector<std::uint64_t> numbers;
  for (const DirectoryEntry& entry : names) {
    if (const auto number = parse_log_segment_name(entry.name)) numbers.push_back(*number);
  }
  std::sort(numbers.begin(), numbers.end());
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (i > 0 && numbers[i] != numbers[i - 1] + 1)
      return Error{ErrorCode::Corruption, fmt::format("{} is missing{}", path_of(numbers[i - 1] + 1), kWhatToDo)};
    MENDFS_TRY(Segment segment, open_segment(numbers[i]));
    if (segments_.empty()) {
      accepted_ = segment.header.first - 1;
      previous_ = segment.header.previous;
    }
    segments_.emplace(numbers[i], std::move(segment));
  }
  for (auto it = segments_.begin(); it != segments_.end(); ++it) {
    const auto next = std::next(it);
    std::optional<LogIndex> last;
    if (next != segments_.end()) last = next->second.header.first - 1;
    MENDFS_TRY_VOID(scan(it->second, last));
  }
  return {};
}

Result<SegmentedLog::Segment> SegmentedLog::open_segment(std::uint64_t number) {
  const std::string path = path_of(number);
  MENDFS_TRY(std::unique_ptr<File> file, world_.disk.open(path, OpenMode::Existing));
  MENDFS_TRY(const std::uint64_t size, file->size());
  MENDFS_TRY(const Buffer bytes, file->read_now(0, kLogHeaderSize));
  Result<LogSegmentHeader> header = decode_log_segment_header(bytes);
  if (!header.ok())
    return Error{ErrorCode::Corruption, fmt::format("{}: {}{}", path, header.error().message, kWhatToDo)};
  if (header->number != number)
    return Error{ErrorCode::Corruption, fmt::format("{} is segment {} under a wrong name", path, header->number)};
  if (header->size != size)
    return Error{ErrorCode::Corruption,
                 fmt::format("{} is {} bytes long instead of {}{}", path, size, header->size, kWhatToDo)};
  return Segment{.header = *header, .file = std::shared_ptr<File>(std::move(file)), .end = kLogHeaderSize};
}

/// Walks the frames of a segment up to entry `last`, or as far as they are good.
Result<void> SegmentedLog::scan(Segment& segment, std::optional<LogIndex> last) {
  const std::string path = path_of(segment.header.number);
  if (segment.header.first != accepted_ + 1 || segment.header.previous != previous_)
    return Error{ErrorCode::Corruption,
                 fmt::format("{} begins at entry {}, which does not follow entry {} of the segment before it{}", path,
                             segment.header.first, accepted_, kWhatToDo)};
  MENDFS_TRY(const Buffer content, segment.file->read_now(0, static_cast<std::size_t>(segment.header.size)));
  if (content.size() != segment.header.size)
    return Error{ErrorCode::Corruption, fmt::format("{} cannot be read whole", path)};
  while (!last || accepted_ < *last) {
    const ByteView rest = content.view().subspan(static_cast<std::size_t>(segment.end));
    const std::optional<LogFrame> frame = decode_log_frame(rest, segment.header.salt);
    if (!frame || frame->index != accepted_ + 1 || frame->previous != previous_) break;
    accepted_ = frame->index;
    previous_ = frame->checksum;
    segment.end += log_frame_span(frame->size);
  }
  if (last && accepted_ < *last)
    return Error{ErrorCode::Corruption, fmt::format("{} is damaged at offset {}, within entry {}{}", path, segment.end,
                                                    accepted_ + 1, kWhatToDo)};
  if (!last) return judge_tail(segment, content);
  return {};
}

/// What follows the last good frame of the last segment: nothing, a tail to drop, or a loss.
Result<void> SegmentedLog::judge_tail(const Segment& segment, ByteView content) {
  const ByteView rest = content.subspan(static_cast<std::size_t>(segment.end));
  if (std::all_of(rest.begin(), rest.end(), [](std::byte b) { return b == std::byte{0}; })) return {};
  // A later frame may know that the damaged entry had been synced.
  for (std::size_t offset = 0; offset + kLogFrameSize <= rest.size(); offset += kLogFrameAlignment) {
    const std::optional<LogFrame> frame = decode_log_frame(rest.subspan(offset), segment.header.salt);
    if (frame && frame->synced > accepted_)
      return Error{ErrorCode::Corruption,
                   fmt::format("{} is damaged at offset {}, within entry {}, which had been synced (entry {} says "
                               "so){}",
                               path_of(segment.header.number), segment.end, accepted_ + 1, frame->index, kWhatToDo)};
  }
  tail_dropped_ = true;
  world_.log.warn(
      "the command log ends in a torn entry, as after a power cut; it is dropped file={} offset={} entry={}",
      path_of(segment.header.number), segment.end, accepted_ + 1);
  return {};
}

}  // namespace mendfs::metaserver
