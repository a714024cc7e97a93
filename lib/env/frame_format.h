// The fixed prefix of a frame on the wire (docs/protocol.md, "Frames"). Pure; any thread.
//
//   offset  size
//     0      4   magic "MFR1": protocol and version of the framing
//     4      4   size of the header that follows, at most kFrameHeaderSizeMax
//     8      8   XXH3 of the header
//    16      4   size of the data after the header, at most kFrameDataSizeMax
//    20      4   low half of the XXH3 of bytes 0..19
//    24          the header, then the data
//
// Little-endian. The prefix has a checksum of its own, so that damaged sizes are seen before memory is taken for them.
// The data has none here: the message in the header says what guards it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/buffer.h"
#include "base/error.h"

namespace mendfs {

constexpr std::size_t kFramePrefixSize = 24;

struct FramePrefix {
  std::uint32_t header_size = 0;
  std::uint32_t data_size = 0;
  std::uint64_t header_checksum = 0;
  bool operator==(const FramePrefix&) const = default;
};

/// Requires: both sizes are within their limits.
std::array<std::byte, kFramePrefixSize> encode_frame_prefix(ByteView header, std::size_t data_size);
/// Malformed: other magic, damaged, or beyond a limit. Requires: kFramePrefixSize bytes.
Result<FramePrefix> decode_frame_prefix(ByteView bytes);
/// Malformed when the header is not the one the prefix was made for.
Result<void> check_frame_header(const FramePrefix& prefix, ByteView header);

}  // namespace mendfs
