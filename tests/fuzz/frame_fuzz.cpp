#include "env/frame_format.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mendfs;
  const ByteView bytes = bytes_of(fuzz::text_from(data, size));
  if (bytes.size() < kFramePrefixSize) return 0;
  const ByteView header = bytes.subspan(kFramePrefixSize);

  if (const Result<FramePrefix> prefix = decode_frame_prefix(bytes.first(kFramePrefixSize)); prefix.ok())
    (void)check_frame_header(*prefix, header);

  // A good prefix that one flipped bit must spoil.
  auto encoded = encode_frame_prefix(header, 7);
  const Result<FramePrefix> prefix = decode_frame_prefix(encoded);
  MENDFS_ASSERT(prefix.ok() && prefix->header_size == header.size() && prefix->data_size == 7);
  MENDFS_ASSERT(check_frame_header(*prefix, header).ok());
  encoded[std::to_integer<std::size_t>(bytes[0]) % kFramePrefixSize] ^= std::byte{1} << (data[1] % 8);
  MENDFS_ASSERT(!decode_frame_prefix(encoded).ok());
  return 0;
}
