#include "env/frame_format.h"

#include <bit>
#include <cstring>

#include "block/checksum.h"
#include "env/network.h"

namespace mendfs {
namespace {

static_assert(std::endian::native == std::endian::little, "integers are copied to the wire as they are in memory");

constexpr std::array<char, 4> kMagic{'M', 'F', 'R', '1'};
constexpr std::size_t kHeaderSizeAt = 4;
constexpr std::size_t kHeaderChecksumAt = 8;
constexpr std::size_t kDataSizeAt = 16;
constexpr std::size_t kPrefixChecksumAt = 20;

template <class T>
T load(ByteView bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

template <class T>
void store(std::span<std::byte> bytes, std::size_t offset, T value) {
  std::memcpy(bytes.data() + offset, &value, sizeof value);
}

std::uint32_t prefix_checksum(ByteView bytes) {
  return static_cast<std::uint32_t>(checksum64(bytes.first(kPrefixChecksumAt)));
}

}  // namespace

std::array<std::byte, kFramePrefixSize> encode_frame_prefix(ByteView header, std::size_t data_size) {
  MENDFS_ASSERT(header.size() <= kFrameHeaderSizeMax && data_size <= kFrameDataSizeMax);
  std::array<std::byte, kFramePrefixSize> bytes;
  std::memcpy(bytes.data(), kMagic.data(), kMagic.size());
  store(bytes, kHeaderSizeAt, static_cast<std::uint32_t>(header.size()));
  store(bytes, kHeaderChecksumAt, checksum64(header));
  store(bytes, kDataSizeAt, static_cast<std::uint32_t>(data_size));
  store(bytes, kPrefixChecksumAt, prefix_checksum(bytes));
  return bytes;
}

Result<FramePrefix> decode_frame_prefix(ByteView bytes) {
  MENDFS_ASSERT(bytes.size() == kFramePrefixSize);
  if (std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0)
    return Error{ErrorCode::Malformed, "these bytes are not a frame of mendfs, or of another version"};
  if (load<std::uint32_t>(bytes, kPrefixChecksumAt) != prefix_checksum(bytes))
    return Error{ErrorCode::Malformed, "a frame's prefix is damaged"};
  FramePrefix prefix;
  prefix.header_size = load<std::uint32_t>(bytes, kHeaderSizeAt);
  prefix.header_checksum = load<std::uint64_t>(bytes, kHeaderChecksumAt);
  prefix.data_size = load<std::uint32_t>(bytes, kDataSizeAt);
  if (prefix.header_size > kFrameHeaderSizeMax || prefix.data_size > kFrameDataSizeMax)
    return Error{ErrorCode::Malformed, "a frame is larger than frames may be"};
  return prefix;
}

Result<void> check_frame_header(const FramePrefix& prefix, ByteView header) {
  if (header.size() != prefix.header_size || checksum64(header) != prefix.header_checksum)
    return Error{ErrorCode::Malformed, "a frame's header is damaged"};
  return {};
}

}  // namespace mendfs
