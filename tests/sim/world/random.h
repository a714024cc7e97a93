// Random numbers that a seed decides.
#pragma once

#include "env/random.h"

namespace mendfs::sim {

/// splitmix64: every seed is a good one, and streams of different seeds have nothing to do with each other.
class SimRandom : public Random {
 public:
  explicit SimRandom(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() override {
    state_ += 0x9e3779b97f4a7c15ULL;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  /// least <= n <= most.
  std::uint64_t between(std::uint64_t least, std::uint64_t most) { return least + below(most - least + 1); }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  bool per_million(std::uint32_t share) { return share > 0 && below(1'000'000) < share; }

 private:
  std::uint64_t state_;
};

}  // namespace mendfs::sim
