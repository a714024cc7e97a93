#include "dataserver/store/record_format.h"

#include <catch2/catch.hpp>

#include "dataserver/store/record_batch.h"
#include "tests/unit/dataserver/store/store_fixture.h"

namespace mendfs::store::test {
namespace {

std::string hex(ByteView bytes) {
  std::string text;
  for (const std::byte byte : bytes) text += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
  return text;
}

std::string joined(const std::vector<ByteView>& pieces) {
  std::string bytes;
  for (const ByteView piece : pieces) bytes += text_of(piece);
  return bytes;
}

}  // namespace

TEST_CASE("the bytes of a record are those of the format page", "[store]") {
  const Run run = make_run({.inode = 0x1122, .first = 4, .count = 2, .version = {7, 8}, .cut = 3, .last_size = 5});
  RecordBatch batch;
  batch.add(run);
  const std::string bytes = joined(batch.encode(position_of(9, 64)));
  CHECK(batch.place(0) == position_of(9, 64));
  CHECK(bytes.size() == batch.size());
  CHECK(bytes.size() % kRecordAlignment == 0);
  const ByteView view = bytes_of(bytes);
  CHECK(hex(view.subspan(8, 32)) ==
        "4d52656302010000"    // magic, type, format, zero
        "4000000009000000"    // position
        "6900000002000000"    // meta, digests
        "0502000000000000");  // data, zero
  CHECK(hex(view.subspan(48, kRunMetaSize)) ==
        "00"                                                // kind
        "2211000000000000"                                  // inode
        "010000000000000003000000000000000002000002000000"  // ring, N, start, B, R
        "04000000000000000300000002000000"                  // first, step, count
        "00000000"                                          // copy
        "0300000000000000"                                  // cut
        "07000000000000000800000000000000"                  // version
        "010000000000000002000000000000000900000000000000"  // writer
        "05000000");                                        // last size
  const RunPlaces places = run_places(RunKind::Data, 2, 512, 5);
  CHECK(places.digests_offset == 48 + kRunMetaSize);
  CHECK(places.data_offset == places.digests_offset + 64);
  CHECK(places.record_size == bytes.size());
  CHECK(bytes.substr(places.data_offset, run.data.size()) == text_of(run.data));
}

TEST_CASE("a record is found only where it was written, and only whole", "[store]") {
  const Run run = make_run({.count = 3, .version = {1, 1}, .last_size = 100});
  RecordBatch batch;
  batch.add(run);
  const Position place = position_of(1, 800);
  const std::string bytes = joined(batch.encode(place));
  const auto decoded = [&](const std::string& stored, Position at) {
    const std::optional<RecordPrefix> prefix = decode_prefix(bytes_of(stored), at);
    if (!prefix || prefix->head_size() > stored.size()) return false;
    const ByteView head = bytes_of(stored).first(prefix->head_size());
    return head_is_intact(*prefix, head) && decode_run(*prefix, head).ok();
  };
  CHECK(decoded(bytes, place));
  CHECK_FALSE(decoded(bytes, place + 8));
  CHECK_FALSE(decoded(bytes, position_of(2, 800)));
  const std::size_t head_size = kPrefixSize + kRunMetaSize;
  for (std::size_t bit = 0; bit < head_size * 8; ++bit) {
    std::string damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    REQUIRE_FALSE(decoded(damaged, place));
  }
  for (std::size_t size = 0; size < head_size; ++size) REQUIRE_FALSE(decoded(bytes.substr(0, size), place));
}

TEST_CASE("damaged digests do not fit their checksum", "[store]") {
  Run run = make_run({.count = 3, .version = {1, 1}});
  RecordBatch batch;
  batch.add(run);
  const std::string bytes = joined(batch.encode(8));
  const std::optional<RecordPrefix> prefix = decode_prefix(bytes_of(bytes), 8);
  REQUIRE(prefix);
  CHECK(digests_are_intact(*prefix, run.digests));
  run.digests[1][7] ^= std::byte{1};
  CHECK_FALSE(digests_are_intact(*prefix, run.digests));
  run.digests.pop_back();
  CHECK_FALSE(digests_are_intact(*prefix, run.digests));
}

}  // namespace mendfs::store::test
