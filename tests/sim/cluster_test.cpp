// The whole cluster under the faults of many seeds.
//
//   MENDFS_SEEDS=1000 sim "[seeds]"                 how many, 200 by default
//   MENDFS_FIRST_SEED=5000 sim "[seeds]"            where to begin, 1 by default
//   MENDFS_SEED=77 MENDFS_SIM_LOG=1 sim "[seeds]"   one of them, with all that the programs log
#include <fmt/core.h>

#include <catch2/catch.hpp>
#include <cstdlib>

#include "tests/sim/simulation.h"

namespace mendfs::sim {
namespace {

std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

}  // namespace

TEST_CASE("a cluster under faults loses nothing it acknowledged and mends itself", "[seeds]") {
  const std::uint64_t only = number_from_environment("MENDFS_SEED", 0);
  const std::uint64_t first = only != 0 ? only : number_from_environment("MENDFS_FIRST_SEED", 1);
  const std::uint64_t count = only != 0 ? 1 : number_from_environment("MENDFS_SEEDS", 200);
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    const Outcome outcome = simulate(seed);
    if (only != 0) fmt::print("seed {}: {}, trace {:016x}\n", seed, outcome.summary, outcome.trace);
    INFO("seed " << seed << " (" << outcome.summary << ")\nreplay: scripts/sim --seed " << seed);
    CHECK(outcome.failure == "");
    const Outcome again = simulate(seed);
    CHECK(outcome.trace == again.trace);
  }
}

}  // namespace mendfs::sim
