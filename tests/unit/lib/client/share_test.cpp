#include "client/share.h"

#include <catch2/catch.hpp>

#include "block/checksum.h"
#include "client/prepared_write.h"

namespace mendfs::client {
namespace {

Layout layout_of(std::uint32_t slot_count, std::uint32_t start) { return {1, slot_count, start, 512, 2}; }

Buffer counting_bytes(std::size_t size) {
  Buffer bytes = Buffer::allocate(size);
  for (std::size_t i = 0; i < size; ++i) bytes.writable()[i] = static_cast<std::byte>(i * 7 + i / 256);
  return bytes;
}

TEST_CASE("every byte of a request is in exactly one share, at the place that leads back to it", "[client]") {
  for (std::uint32_t n = 2; n <= 5; ++n) {
    for (std::uint32_t start = 0; start < n; ++start) {
      const Layout layout = layout_of(n, start);
      for (const auto& [offset, size] : std::vector<std::pair<std::uint64_t, std::uint64_t>>{
               {0, 1}, {511, 2}, {100, 5000}, {512 * 7, 512}, {512 * 3 + 17, 512 * 11}, {1u << 20, 4096}}) {
        CAPTURE(n, start, offset, size);
        std::vector<int> seen(size);
        for (const ShareBytes& share : split_by_range(offset, size, layout)) {
          for (std::uint64_t place = share.begin; place < share.end; ++place) {
            const std::uint64_t at = offset_of(share.range, place, layout);
            REQUIRE(at >= offset);
            REQUIRE(at < offset + size);
            REQUIRE(primary_of(at / 512, layout) == share.range);
            ++seen[at - offset];
          }
        }
        CHECK(std::all_of(seen.begin(), seen.end(), [](int count) { return count == 1; }));
      }
    }
  }
}

TEST_CASE("what a cut leaves of a share is what lies before it in the file", "[client]") {
  const Layout layout = layout_of(3, 2);
  for (Slot range = 0; range < 3; ++range)
    for (std::uint64_t offset = 0; offset < 512 * 7; offset += 37) {
      const std::uint64_t place = place_before(range, offset, layout);
      CAPTURE(range, offset, place);
      if (place > 0) CHECK(offset_of(range, place - 1, layout) < offset);
      CHECK(offset_of(range, place, layout) >= offset);
    }
}

TEST_CASE("the blocks of a share's bytes step over the other primaries", "[client]") {
  const Layout layout = layout_of(3, 0);
  CHECK(blocks_of({1, 0, 1}, layout) == BlockRun{1, 3, 1});
  CHECK(blocks_of({1, 511, 513}, layout) == BlockRun{1, 3, 2});
  CHECK(blocks_of({2, 512, 1536}, layout) == BlockRun{5, 3, 2});
}

TEST_CASE("gathering shares and scattering them again gives the bytes back", "[client]") {
  const Layout layout = layout_of(5, 3);
  const std::uint64_t offset = 1234;
  const Buffer bytes = counting_bytes(9876);
  Buffer back = Buffer::allocate(bytes.size());
  for (const ShareBytes& share : split_by_range(offset, bytes.size(), layout)) {
    const Buffer gathered = gather(bytes, offset, share, layout);
    REQUIRE(gathered.size() == share.end - share.begin);
    scatter(gathered, share, offset, back.writable(), layout);
  }
  CHECK(std::memcmp(back.data(), bytes.data(), bytes.size()) == 0);
}

TEST_CASE("scattering nothing fills with zeros", "[client]") {
  const Layout layout = layout_of(2, 0);
  Buffer target = Buffer::copy_of(counting_bytes(2048));
  const Buffer before = Buffer::copy_of(target);
  scatter({}, {1, 0, 512}, 0, target.writable(), layout);
  for (std::size_t i = 0; i < 2048; ++i) {
    const bool is_zeroed = i >= 512 && i < 1024;
    REQUIRE(target.view()[i] == (is_zeroed ? std::byte{0} : before.view()[i]));
  }
}

TEST_CASE("a prepared write has a digest of each whole block and a place for the partial ones", "[client]") {
  const Buffer bytes = counting_bytes(1000);
  const PreparedWrite write = prepare_write(700, bytes, 512);
  REQUIRE(write.digests.size() == 3);
  CHECK(write.digests[1] == sha256(bytes.view().subspan(324, 512)));
  CHECK(prepare_write(5, Buffer(), 512).digests.empty());
}

}  // namespace
}  // namespace mendfs::client
