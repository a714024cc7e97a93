// Random numbers: from the kernel in lib/env/posix, from the seed in tests/sim. Loop thread only.
#pragma once

#include <cstdint>

namespace mendfs {

class Random {
 public:
  virtual ~Random() = default;
  virtual std::uint64_t next() = 0;
  /// 0 <= n < bound. Requires: bound > 0.
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }
};

}  // namespace mendfs
