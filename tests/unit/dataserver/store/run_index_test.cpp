#include "dataserver/store/run_index.h"

#include <catch2/catch.hpp>
#include <map>

#include "dataserver/store/cut_table.h"
#include "tests/sim/world/world.h"

namespace mendfs::store {
namespace {

StoredRun run_at(Unit first, std::uint32_t count, std::uint64_t version) {
  StoredRun run;
  run.first = first;
  run.count = count;
  run.block_bits = 9;
  run.step = 3;
  run.record_count = count;
  run.last_size = 512;
  run.place = version;
  run.version = {1, version};
  return run;
}

/// A run index beside one version for each unit of each class.
struct IndexTest {
  explicit IndexTest(std::size_t cached_runs_max)
      : kv(*world.process("dataserver").kv().open("index")), index(*kv, cached_runs_max) {}

  void insert(const ClassKey& key, Unit first, std::uint32_t count) {
    ++version;
    REQUIRE(index.insert(key, run_at(first, count, version), version));
    REQUIRE(index.write_pending());  // for other indexes over the same store
    for (Unit unit = first; unit < first + count; ++unit) versions[{key.residue, unit}] = version;
  }
  void compare(const ClassKey& key, Unit begin, Unit end) {
    const Result<std::vector<StoredRun>> runs = index.overlapping(key, begin, end);
    REQUIRE(runs);
    std::map<Unit, std::uint64_t> found;
    for (const StoredRun& run : *runs)
      for (Unit unit = std::max(begin, run.first); unit < std::min(end, run.end()); ++unit)
        REQUIRE(found.emplace(unit, run.version.count).second);
    for (Unit unit = begin; unit < end; ++unit) {
      const auto expected = versions.find({key.residue, unit});
      REQUIRE(found.contains(unit) == (expected != versions.end()));
      if (expected != versions.end()) REQUIRE(found[unit] == expected->second);
    }
  }

  sim::SimWorld world;
  std::unique_ptr<Kv> kv;
  RunIndex index;
  std::map<std::pair<std::uint32_t, Unit>, std::uint64_t> versions;
  std::uint64_t version = 0;
};

/// Counts calls: among them the searches backwards, which pass every entry lately removed.
struct CountingKv final : Kv {
  explicit CountingKv(Kv& counted) : kv(counted) {}
  Result<std::optional<std::string>> get(std::string_view key) override { return kv.get(key); }
  Result<std::optional<std::pair<std::string, std::string>>> floor(std::string_view key,
                                                                   std::string_view least) override {
    ++floors;
    return kv.floor(key, least);
  }
  Result<void> scan(std::string_view begin, std::string_view end,
                    const std::function<bool(std::string_view key, std::string_view value)>& visit) override {
    ++scans;
    return kv.scan(begin, end, visit);
  }
  Result<void> apply(const KvBatch& batch) override {
    ++batches;
    return kv.apply(batch);
  }
  Task<Result<void>> checkpoint() override { return kv.checkpoint(); }
  std::size_t unflushed_size() const override { return kv.unflushed_size(); }

  Kv& kv;
  std::size_t floors = 0;
  std::size_t scans = 0;
  std::size_t batches = 0;
};

}  // namespace

TEST_CASE("an index with windows in memory answers as one without", "[store]") {
  IndexTest test(GENERATE(1, 300, 100'000));
  sim::SimRandom random(5);
  for (std::uint32_t residue = 0; residue < 3; ++residue)
    for (Unit unit = 0; unit < 9000; unit += 2) test.insert({1, residue}, unit, 1 + residue % 2);
  for (int i = 0; i < 3000; ++i) {
    const ClassKey key{1, static_cast<std::uint32_t>(random.below(3))};
    const Unit first = random.below(9000);
    const auto count = static_cast<std::uint32_t>(random.between(1, random.one_in(20) ? 500 : 8));
    if (random.one_in(2)) {
      test.insert(key, first, count);
    } else {
      test.compare(key, first, first + count);
    }
  }
  for (std::uint32_t residue = 0; residue < 3; ++residue) test.compare({1, residue}, 0, 10'000);
}

TEST_CASE("writing over many short runs in order searches backwards once", "[store]") {
  IndexTest test(100'000);
  const ClassKey key{1, 0};
  for (Unit unit = 0; unit < 20'000; unit += 2) test.insert(key, unit, 1);
  CountingKv counting(*test.kv);
  RunIndex index(counting, 300);
  for (Unit unit = 0; unit < 20'000; unit += 50) {
    ++test.version;
    REQUIRE(index.insert(key, run_at(unit, 50, test.version), test.version));
    for (Unit u = unit; u < unit + 50; ++u) test.versions[{0, u}] = test.version;
  }
  // Each search passes all that was removed before it. One more looks for the newest file.
  CHECK(counting.floors <= 2);
  REQUIRE(index.write_pending());
  RunIndex fresh(*test.kv, 300);
  for (Unit unit = 0; unit < 20'000; unit += 777) {
    const auto runs = fresh.overlapping(key, unit, unit + 1);
    REQUIRE(runs);
    REQUIRE(runs->size() == 1);
    CHECK(runs->front().version.count == test.versions.at({0, unit}));
  }
}

TEST_CASE("runs looked up here and there stay in memory", "[store]") {
  IndexTest test(100'000);
  const ClassKey key{1, 0};
  for (Unit unit = 0; unit < 50'000; unit += 50) test.insert(key, unit, 50);
  CountingKv counting(*test.kv);
  RunIndex index(counting, 100'000);
  const auto look_everywhere = [&] {
    for (Unit i = 0; i < 1000; ++i) {
      const Unit unit = i * 617 % 1000 * 50 + 7;
      const auto runs = index.overlapping(key, unit, unit + 2);
      REQUIRE(runs);
      REQUIRE(runs->size() == 1);
      CHECK(runs->front().version.count == test.versions.at({0, unit}));
    }
  };
  look_everywhere();
  counting.floors = 0;
  look_everywhere();
  CHECK(counting.floors == 0);
}

TEST_CASE("the store is not asked for what a new file has, and is told of many changes at once", "[store]") {
  IndexTest test(100'000);
  test.insert({40, 0}, 0, 10);
  test.insert({41, 2}, 0, 10);
  CountingKv counting(*test.kv);
  RunIndex index(counting, 100'000);
  for (InodeNumber inode = 42; inode < 92; ++inode)
    for (std::uint32_t residue = 0; residue < 3; ++residue)
      REQUIRE(index.insert({inode, (residue + static_cast<std::uint32_t>(inode)) % 3}, run_at(0, 10, 50), 50));
  CHECK(counting.floors == 1);
  CHECK(counting.scans == 0);
  CHECK(counting.batches == 0);
  // An older file may have something, also one that was new a moment ago.
  REQUIRE(index.overlapping({40, 0}, 0, 10)->size() == 1);
  CHECK(index.overlapping({40, 1}, 0, 10)->empty());
  CHECK(counting.scans == 2);
  REQUIRE(index.overlapping({60, 1}, 0, 10)->size() == 1);

  REQUIRE(index.write_pending());
  CHECK(counting.batches == 1);
  RunIndex fresh(*test.kv, 100);
  for (InodeNumber inode = 42; inode < 92; ++inode)
    for (std::uint32_t residue = 0; residue < 3; ++residue)
      CHECK(fresh.overlapping({inode, residue}, 3, 4)->size() == 1);
}

TEST_CASE("a new file whose runs memory has let go is found in the store", "[store]") {
  IndexTest test(4);
  for (InodeNumber inode = 1; inode < 60; ++inode) REQUIRE(test.index.insert({inode, 0}, run_at(0, 2, inode), inode));
  for (InodeNumber inode = 1; inode < 60; ++inode) {
    const auto runs = test.index.overlapping({inode, 0}, 1, 2);
    REQUIRE(runs);
    REQUIRE(runs->size() == 1);
    CHECK(runs->front().version.count == inode);
  }
}

TEST_CASE("memory stays bounded, whatever is written", "[store]") {
  IndexTest test(500);
  for (InodeNumber inode = 1; inode < 300; ++inode)
    for (Unit unit = 0; unit < 40; ++unit) REQUIRE(test.index.insert({inode, 0}, run_at(unit, 1, 1), 1));
  CHECK(test.index.cached_runs() <= 500);
  for (Unit unit = 0; unit < 20'000; ++unit) REQUIRE(test.index.insert({999, 0}, run_at(unit, 1, 1), 1));
  CHECK(test.index.cached_runs() <= 5000);  // the window of the file in use
}

TEST_CASE("the last run before a unit is found over gaps", "[store]") {
  IndexTest test(100);
  test.insert({1, 0}, 10, 5);
  test.insert({1, 2}, 3, 1);
  CHECK_FALSE(test.index.last_before({1, 0}, 10)->has_value());
  CHECK(test.index.last_before({1, 0}, 11)->value().first == 10);
  CHECK(test.index.last_before({1, 0}, UINT64_MAX)->value().first == 10);
  CHECK_FALSE(test.index.last_before({1, 1}, UINT64_MAX)->has_value());
  CHECK_FALSE(test.index.last_before({2, 0}, UINT64_MAX)->has_value());
}

TEST_CASE("an impossible entry of the index is damage", "[store]") {
  IndexTest test(100);
  test.insert({1, 0}, 10, 5);
  std::string key;
  REQUIRE(test.kv->scan("r", "s", [&](std::string_view found, std::string_view) {
    key = found;
    return false;
  }));
  KvBatch batch;
  batch.put(key, "nonsense");
  REQUIRE(test.kv->apply(batch));
  RunIndex fresh(*test.kv, 100);
  CHECK(fresh.overlapping({1, 0}, 0, 100).code() == ErrorCode::Corruption);
  CHECK(fresh.last_before({1, 0}, 100).code() == ErrorCode::Corruption);
}

TEST_CASE("cuts are found again when memory has let them go", "[store]") {
  sim::SimWorld world;
  const std::unique_ptr<Kv> kv = std::move(*world.process("dataserver").kv().open("index"));
  CutTable table(*kv, 4);
  for (InodeNumber inode = 1; inode <= 20; ++inode) {
    CutEntry entry;
    entry.cuts.add({1, inode * 100});
    entry.deleted = inode % 5 == 0;
    entry.place = inode;
    REQUIRE(table.put(inode, std::move(entry), inode));
  }
  for (InodeNumber inode = 1; inode <= 20; ++inode) {
    const Result<const CutEntry*> entry = table.get(inode);
    REQUIRE(entry);
    CHECK((*entry)->limit_for(0) == (inode % 5 == 0 ? 0 : inode * 100));
    CHECK((*entry)->place == inode);
  }
  CHECK_FALSE((*table.get(21))->known());
  CHECK(*table.next_to_trim(0) == 1);
  REQUIRE(table.trimmed(1));
  CHECK(*table.next_to_trim(0) == 2);
  CHECK(*table.next_to_trim(21) == 0);
  for (InodeNumber inode = 2; inode <= 20; ++inode) REQUIRE(table.trimmed(inode));
  CHECK(*table.next_to_trim(0) == 0);
  for (const InodeNumber inode : {7, 3}) {
    CutEntry again;
    again.deleted = true;
    REQUIRE(table.put(inode, std::move(again), 21));
  }
  CHECK(*table.next_to_trim(0) == 3);
  CHECK(*table.next_to_trim(4) == 7);
  CHECK(*table.next_to_trim(0) == 3);
}

}  // namespace mendfs::store
