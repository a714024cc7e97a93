#pragma once

#include <random>

#include "env/random.h"

namespace mendfs {

/// Seeded by the kernel at its start, then quick.
class PosixRandom final : public Random {
 public:
  PosixRandom();
  std::uint64_t next() override { return engine_(); }

 private:
  std::mt19937_64 engine_;
};

}  // namespace mendfs
