// One run: a cluster, its users, the faults of one seed, and what must hold at
// the end.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/cluster.h"
#include "tests/sim/fault_plan.h"
#include "tests/sim/file_worker.h"

namespace mendfs::sim {

struct Outcome {
  std::string failure;  // empty: all was well
  std::uint64_t trace = 0;
  std::string summary;
};

/// Everything that happens follows from the seed.
Outcome simulate(std::uint64_t seed);

}  // namespace mendfs::sim
