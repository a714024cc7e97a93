#include "metaserver/log/log_format.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mendfs;
  const ByteView bytes = bytes_of(fuzz::text_from(data, size));
  (void)metaserver::decode_log_segment_header(bytes);
  (void)metaserver::parse_log_segment_name(std::string(fuzz::text_from(data, size)));
  if (const auto frame = metaserver::decode_log_frame(bytes, 0))
    MENDFS_ASSERT(metaserver::kLogFrameSize + frame->size <= bytes.size());

  // Any payload comes back, and is not taken for one of another segment.
  metaserver::LogFrame frame;
  frame.size = static_cast<std::uint32_t>(size);
  frame.index = size;
  std::string encoded;
  metaserver::encode_log_frame(frame, 7, std::string(fuzz::text_from(data, size)), encoded);
  MENDFS_ASSERT(metaserver::decode_log_frame(bytes_of(encoded), 7).has_value());
  MENDFS_ASSERT(!metaserver::decode_log_frame(bytes_of(encoded), 8).has_value());
  return 0;
}
