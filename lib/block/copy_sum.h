// Tells whether two copies of a block are the same bytes, without hashing either: of its data and its stored digest,
// XXH3 under a key that whoever compares has picked (decision 15). It never says that a block is right, only that it
// is what another one is, whose SHA-256 was verified. Pure; any thread.
#pragma once

#include <array>
#include <cstdint>

#include "base/buffer.h"
#include "block/types.h"

namespace mendfs {

class CopySum {
 public:
  /// Sums under different seeds have nothing to do with each other.
  explicit CopySum(std::uint64_t seed);

  std::uint64_t seed() const { return seed_; }
  /// Different blocks have the same sum once in 2^64.
  std::uint64_t of(ByteView block, const Digest& digest) const;

 private:
  std::uint64_t seed_;
  std::array<std::uint64_t, 24> secret_;
};

}  // namespace mendfs
