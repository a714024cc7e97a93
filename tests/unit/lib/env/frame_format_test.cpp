#include "env/frame_format.h"

#include <catch2/catch.hpp>
#include <string>

#include "env/network.h"

namespace mendfs {
namespace {

TEST_CASE("a frame's prefix comes back as it was made", "[frames]") {
  const std::string header = "a header";
  const auto bytes = encode_frame_prefix(bytes_of(header), 12345);
  const Result<FramePrefix> prefix = decode_frame_prefix(bytes);
  REQUIRE(prefix.ok());
  CHECK(prefix->header_size == header.size());
  CHECK(prefix->data_size == 12345);
  CHECK(check_frame_header(*prefix, bytes_of(header)).ok());
}

TEST_CASE("every flipped bit of a prefix or header is noticed", "[frames]") {
  std::string header = "h";
  const auto good = encode_frame_prefix(bytes_of(header), 512);
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    auto bad = good;
    bad[bit / 8] ^= static_cast<std::byte>(1u << (bit % 8));
    CAPTURE(bit);
    CHECK(decode_frame_prefix(bad).code() == ErrorCode::Malformed);
  }
  const FramePrefix prefix = decode_frame_prefix(good).value();
  header[0] ^= 1;
  CHECK(check_frame_header(prefix, bytes_of(header)).code() == ErrorCode::Malformed);
  CHECK(check_frame_header(prefix, bytes_of("hh")).code() == ErrorCode::Malformed);
}

TEST_CASE("the largest sizes pass", "[frames]") {
  const std::string header(kFrameHeaderSizeMax, 'h');
  const auto bytes = encode_frame_prefix(bytes_of(header), kFrameDataSizeMax);
  CHECK(decode_frame_prefix(bytes).ok());
}

}  // namespace
}  // namespace mendfs
