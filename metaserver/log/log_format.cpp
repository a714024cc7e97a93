#include "metaserver/log/log_format.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>

#include "block/checksum.h"
#include "metaserver/log/log.h"

namespace mendfs::metaserver {
namespace {

constexpr std::string_view kSegmentPrefix = "segment-";
constexpr std::size_t kFrameChecksumOffset = 32;
constexpr std::size_t kHeaderChecksumOffset = 56;

template <class T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <class T>
T get(ByteView bytes, std::size_t offset) {
  T value{};
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

/// Over the salt, the frame's fields before the checksum, and the payload.
std::uint64_t frame_checksum(std::uint64_t salt, ByteView fields, ByteView payload) {
  std::string sum;
  put(sum, salt);
  sum.append(text_of(fields));
  put(sum, checksum64(payload));
  return checksum64(bytes_of(sum));
}

}  // namespace

std::string log_segment_name(std::uint64_t number) { return fmt::format("{}{:016x}", kSegmentPrefix, number); }

std::optional<std::uint64_t> parse_log_segment_name(const std::string& name) {
  if (!name.starts_with(kSegmentPrefix)) return std::nullopt;
  std::uint64_t number = 0;
  const char* end = name.data() + name.size();
  const auto [rest, error] = std::from_chars(name.data() + kSegmentPrefix.size(), end, number, 16);
  if (error != std::errc{} || rest != end || log_segment_name(number) != name) return std::nullopt;
  return number;
}

std::string encode_log_segment_header(const LogSegmentHeader& header) {
  std::string out;
  put(out, kLogSegmentMagic);
  put(out, kLogFormatVersion);
  put(out, std::uint32_t{0});
  put(out, header.number);
  put(out, header.size);
  put(out, header.first);
  put(out, header.previous);
  put(out, header.salt);
  put(out, checksum64(bytes_of(out)));
  return out;
}

Result<LogSegmentHeader> decode_log_segment_header(ByteView bytes) {
  if (bytes.size() < kLogHeaderSize) return Error{ErrorCode::Corruption, "it is cut short within its header"};
  if (get<std::uint64_t>(bytes, kHeaderChecksumOffset) != checksum64(bytes.first(kHeaderChecksumOffset)))
    return Error{ErrorCode::Corruption, "its header is damaged at offset 0"};
  if (get<std::uint64_t>(bytes, 0) != kLogSegmentMagic)
    return Error{ErrorCode::Corruption, "it is not a segment of a command log"};
  const auto version = get<std::uint32_t>(bytes, 8);
  if (version != kLogFormatVersion)
    return Error{ErrorCode::Corruption,
                 fmt::format("its format is version {}, this program knows version {}", version, kLogFormatVersion)};
  return LogSegmentHeader{.number = get<std::uint64_t>(bytes, 16),
                          .size = get<std::uint64_t>(bytes, 24),
                          .first = get<std::uint64_t>(bytes, 32),
                          .previous = get<std::uint64_t>(bytes, 40),
                          .salt = get<std::uint64_t>(bytes, 48)};
}

void encode_log_frame(LogFrame& frame, std::uint64_t salt, const std::string& payload, std::string& out) {
  std::string fields;
  put(fields, kLogFrameMagic);
  put(fields, frame.size);
  put(fields, frame.index);
  put(fields, frame.synced);
  put(fields, frame.previous);
  frame.checksum = frame_checksum(salt, bytes_of(fields), bytes_of(payload));
  put(fields, frame.checksum);
  out += fields;
  out += payload;
  out.append(log_frame_span(payload.size()) - kLogFrameSize - payload.size(), '\0');
}

std::optional<LogFrame> decode_log_frame(ByteView bytes, std::uint64_t salt) {
  if (bytes.size() < kLogFrameSize || get<std::uint32_t>(bytes, 0) != kLogFrameMagic) return std::nullopt;
  const LogFrame frame{.size = get<std::uint32_t>(bytes, 4),
                       .index = get<std::uint64_t>(bytes, 8),
                       .synced = get<std::uint64_t>(bytes, 16),
                       .previous = get<std::uint64_t>(bytes, 24),
                       .checksum = get<std::uint64_t>(bytes, kFrameChecksumOffset)};
  if (frame.size > kLogEntrySizeMax || log_frame_span(frame.size) > bytes.size()) return std::nullopt;
  const ByteView payload = bytes.subspan(kLogFrameSize, frame.size);
  if (frame_checksum(salt, bytes.first(kFrameChecksumOffset), payload) != frame.checksum) return std::nullopt;
  return frame;
}

}  // namespace mendfs::metaserver
