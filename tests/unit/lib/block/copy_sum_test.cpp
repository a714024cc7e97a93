#include "block/copy_sum.h"

#include <catch2/catch.hpp>
#include <set>
#include <vector>

#include "block/checksum.h"

namespace mendfs {
namespace {

TEST_CASE("any bit of a block or of its digest changes its sum, and so does the seed", "[block]") {
  std::vector<std::byte> block(512, std::byte{7});
  Digest digest = sha256(block);
  const CopySum sum(1);
  std::set<std::uint64_t> seen{sum.of(block, digest)};
  CHECK(sum.of(block, digest) == CopySum(1).of(block, digest));
  for (std::byte& byte : block) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      byte ^= std::byte{1} << bit;
      seen.insert(sum.of(block, digest));
      byte ^= std::byte{1} << bit;
    }
  }
  for (std::byte& byte : digest) {
    byte ^= std::byte{1};
    seen.insert(sum.of(block, digest));
    byte ^= std::byte{1};
  }
  for (std::uint64_t seed = 2; seed < 100; ++seed) seen.insert(CopySum(seed).of(block, digest));
  CHECK(seen.size() == 1 + 512 * 8 + digest.size() + 98);
}

}  // namespace
}  // namespace mendfs
