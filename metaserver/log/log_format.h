// The bytes of the command log on disk (docs/disk-format.md, "Command log"). Pure; any thread.
//
// The log is a folder of segments, files of one size fixed at their birth, filled with zeros beyond what is written:
//
//   log/segment-0000000000000007
//   +----------------+-------+-----------+-------+-----------+-----+-- - - --+
//   | segment header | frame | payload 1 | frame | payload 2 | ... | zeros   |    all numbers little-endian
//   +----------------+-------+-----------+-------+-----------+-----+-- - - --+
//   0                64      each frame begins at a multiple of 8
//
// A frame's checksum covers the segment's salt, the frame's other fields and the payload; `previous` is the checksum of
// the frame before it, over segments too, so nothing can be missing, doubled or exchanged between two good frames.
// `synced` is the greatest index known to be on the device when the frame was written: damage at or below the
// greatest `synced` found anywhere is the loss of something promised, damage above it is the tail that a power cut
// left. The salt is random: no payload can be made to look like a frame.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/buffer.h"
#include "base/error.h"

namespace mendfs::metaserver {

constexpr std::uint64_t kLogSegmentMagic = 0x31474f4c5346444dULL;  // "MDFSLOG1"
constexpr std::uint32_t kLogFormatVersion = 1;
constexpr std::uint32_t kLogFrameMagic = 0x4d52464cU;  // "LFRM"
constexpr std::size_t kLogHeaderSize = 64;
constexpr std::size_t kLogFrameSize = 40;
constexpr std::size_t kLogFrameAlignment = 8;

/// The first 64 bytes of a segment.
///
///   0 magic u64 | 8 version u32 | 12 zero u32 | 16 number u64 | 24 size u64 | 32 first u64 | 40 previous u64 | 48 salt
///   u64 | 56 checksum u64 of bytes 0 .. 55
struct LogSegmentHeader {
  std::uint64_t number = 0;    // of the segment, 1, 2, 3, ...: as in its name
  std::uint64_t size = 0;      // of the file: another size is damage
  std::uint64_t first = 0;     // index of its first entry; all before it were durable when this was written
  std::uint64_t previous = 0;  // checksum of the frame before that entry, 0 at the beginning of the log
  std::uint64_t salt = 0;
};

/// What stands before each entry.
///
///   0 magic u32 | 4 payload size u32 | 8 index u64 | 16 synced u64 | 24 previous u64 | 32 checksum u64
struct LogFrame {
  std::uint32_t size = 0;  // of the payload
  std::uint64_t index = 0;
  std::uint64_t synced = 0;
  std::uint64_t previous = 0;
  std::uint64_t checksum = 0;
};

std::string log_segment_name(std::uint64_t number);
/// The number in such a name; nothing for other names.
std::optional<std::uint64_t> parse_log_segment_name(const std::string& name);

std::string encode_log_segment_header(const LogSegmentHeader& header);
/// Corruption says what is wrong.
Result<LogSegmentHeader> decode_log_segment_header(ByteView bytes);

/// Appends frame, payload and filling to `out`, which begins at a multiple of the alignment; sets the checksum.
void encode_log_frame(LogFrame& frame, std::uint64_t salt, const std::string& payload, std::string& out);
/// The frame at the start of `bytes` if it is whole and right, whatever comes after it.
std::optional<LogFrame> decode_log_frame(ByteView bytes, std::uint64_t salt);

/// Bytes that an entry takes with its frame and filling.
constexpr std::uint64_t log_frame_span(std::uint64_t payload_size) {
  return (kLogFrameSize + payload_size + kLogFrameAlignment - 1) / kLogFrameAlignment * kLogFrameAlignment;
}

}  // namespace mendfs::metaserver
