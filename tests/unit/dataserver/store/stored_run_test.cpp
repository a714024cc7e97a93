#include "dataserver/store/stored_run.h"

#include <catch2/catch.hpp>
#include <map>

#include "tests/sim/world/random.h"

namespace mendfs::store {
namespace {

StoredRun run_at(Unit first, std::uint32_t count, std::uint64_t version, Position place) {
  StoredRun run;
  run.first = first;
  run.count = count;
  run.block_bits = 9;
  run.step = 3;
  run.record_count = count;
  run.last_size = 100;
  run.place = place;
  run.version = {1, version};
  return run;
}

/// Which record, and which of its units, each unit is served from.
using PerUnit = std::map<Unit, std::pair<Position, std::uint32_t>>;

PerUnit spread(const std::map<Unit, StoredRun>& runs) {
  PerUnit units;
  for (const auto& [first, run] : runs)
    for (std::uint32_t i = 0; i < run.count; ++i) {
      const bool alone = units.emplace(run.first + i, std::pair(run.place, run.skip + i)).second;
      REQUIRE(alone);  // current runs never overlap
    }
  return units;
}

}  // namespace

TEST_CASE("laying runs over others leaves of each unit what prevails", "[store]") {
  sim::SimRandom random(GENERATE(range(1, 40)));
  std::map<Unit, StoredRun> current;
  PerUnit expected;
  std::map<Unit, StoredRun> newest;  // of each unit, the whole run
  for (Position place = 1; place <= 300; ++place) {
    StoredRun run = run_at(random.below(60), static_cast<std::uint32_t>(random.between(1, 20)),
                           random.below(50) + place / 8, place);
    run.kind = random.one_in(8) ? RunKind::Lost : RunKind::Data;
    run.cut = place / 200;
    std::vector<StoredRun> overlapped;
    for (const auto& [first, old] : current)
      if (old.first < run.end() && run.first < old.end()) overlapped.push_back(old);

    const RunChange change = lay_over(overlapped, run);
    for (const StoredRun& old : change.removed) REQUIRE(current.erase(old.first) == 1);
    for (const StoredRun& part : change.added) REQUIRE(current.emplace(part.first, part).second);

    for (Unit unit = run.first; unit < run.end(); ++unit) {
      const auto found = newest.find(unit);
      if (found != newest.end() && !prevails(run, found->second)) continue;
      newest[unit] = run;
      expected[unit] = {run.place, static_cast<std::uint32_t>(unit - run.first)};
    }
    REQUIRE(spread(current) == expected);
  }
}

TEST_CASE("what prevails does not depend on the order in which records are found", "[store]") {
  sim::SimRandom random(GENERATE(range(1, 30)));
  std::vector<StoredRun> runs;
  for (Position place = 1; place <= 40; ++place) {
    runs.push_back(run_at(random.below(30), static_cast<std::uint32_t>(random.between(1, 10)), random.below(6), place));
    if (random.one_in(4)) runs.back().kind = RunKind::Lost;
  }
  const auto lay_all = [&] {
    std::map<Unit, StoredRun> current;
    for (const StoredRun& run : runs) {
      std::vector<StoredRun> overlapped;
      for (const auto& [first, old] : current)
        if (old.first < run.end() && run.first < old.end()) overlapped.push_back(old);
      const RunChange change = lay_over(overlapped, run);
      for (const StoredRun& old : change.removed) current.erase(old.first);
      for (const StoredRun& part : change.added) current.emplace(part.first, part);
    }
    return spread(current);
  };
  const PerUnit forward = lay_all();
  for (std::size_t i = runs.size() - 1; i > 0; --i) std::swap(runs[i], runs[random.below(i + 1)]);
  REQUIRE(lay_all() == forward);
}

TEST_CASE("a cut hides the units that begin at or behind it", "[store]") {
  const ClassKey key{7, 1};
  const StoredRun run = run_at(2, 3, 1, 1);  // blocks 7, 10, 13
  REQUIRE(count_before(key, run, UINT64_MAX) == 3);
  REQUIRE(count_before(key, run, 0) == 0);
  REQUIRE(count_before(key, run, 7 * 512) == 0);
  REQUIRE(count_before(key, run, 7 * 512 + 1) == 1);
  REQUIRE(count_before(key, run, 10 * 512) == 1);
  REQUIRE(count_before(key, run, 10 * 512 + 1) == 2);
  REQUIRE(count_before(key, run, 13 * 512 + 1) == 3);
  REQUIRE(count_before(key, run, 100 * 512) == 3);
}

TEST_CASE("a part of a run knows the size of its own last unit", "[store]") {
  const StoredRun run = run_at(10, 5, 1, 1);
  REQUIRE(part_of(run, 10, 15).own_last_size() == 100);
  REQUIRE(part_of(run, 12, 15).own_last_size() == 100);
  REQUIRE(part_of(run, 10, 14).own_last_size() == 512);
  REQUIRE(part_of(part_of(run, 12, 15), 13, 14).skip == 3);
}

}  // namespace mendfs::store
