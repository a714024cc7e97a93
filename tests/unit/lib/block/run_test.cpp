#include "block/run.h"

#include <catch2/catch.hpp>
#include <functional>

namespace mendfs {
namespace {

RunHeader good_run() {
  RunHeader header;
  header.inode = 7;
  header.layout = {.ring = 1, .slot_count = 3, .start = 1};
  header.blocks = {.first = 2, .step = 3, .count = 4};
  header.copy = 1;
  header.version = {.term = 1, .count = 9};
  header.last_size = 100;
  return header;
}

}  // namespace

TEST_CASE("a run's data ends within its last block", "[run]") {
  RunHeader run = good_run();
  CHECK(run.data_size() == 3 * 512 + 100);
  run.kind = RunKind::Hole;
  CHECK(run.data_size() == 0);
}

TEST_CASE("possible runs pass", "[run]") {
  CHECK(check_run(good_run(), 4).ok());
  RunHeader hole = good_run();
  hole.kind = RunKind::Hole;
  hole.last_size = 0;
  CHECK(check_run(hole, 0).ok());
  RunHeader last = good_run();
  last.blocks = {.first = kFileSizeMax / 512, .step = 3, .count = 1};
  CHECK(check_run(last, 1).ok());
}

TEST_CASE("impossible runs are Malformed", "[run]") {
  struct Case {
    const char* name;
    std::function<void(RunHeader&)> damage;
    std::size_t digest_count = 4;
  };
  const std::vector<Case> cases{
      {"a ring of one", [](RunHeader& r) { r.layout.slot_count = 1; }},
      {"a block size of 500", [](RunHeader& r) { r.layout.block_size = 500; }},
      {"no blocks", [](RunHeader& r) { r.blocks.count = 0; }, 0},
      {"another step", [](RunHeader& r) { r.blocks.step = 2; }},
      {"step zero", [](RunHeader& r) { r.blocks.step = 0; }},
      {"a block beyond the largest file", [](RunHeader& r) { r.blocks.first = kFileSizeMax / 512; }},
      {"a block that overflows", [](RunHeader& r) { r.blocks.first = UINT64_MAX; }},
      {"a count that overflows",
       [](RunHeader& r) {
         r.blocks.count = UINT32_MAX;
         r.blocks.first = UINT64_MAX - 1;
       },
       UINT32_MAX},
      {"copy 2 of 2", [](RunHeader& r) { r.copy = 2; }},
      {"no version", [](RunHeader& r) { r.version = {}; }},
      {"an empty last block", [](RunHeader& r) { r.last_size = 0; }},
      {"a last block too long", [](RunHeader& r) { r.last_size = 513; }},
      {"a digest missing", [](RunHeader&) {}, 3},
      {"a digest too many", [](RunHeader&) {}, 5},
      {"a hole with data", [](RunHeader& r) { r.kind = RunKind::Hole; }, 0},
      {"a hole with digests",
       [](RunHeader& r) {
         r.kind = RunKind::Hole;
         r.last_size = 0;
       },
       4},
      {"lost data", [](RunHeader& r) { r.kind = RunKind::Lost; }, 0},
  };
  for (const Case& c : cases) {
    INFO(c.name);
    RunHeader run = good_run();
    c.damage(run);
    CHECK(check_run(run, c.digest_count).code() == ErrorCode::Malformed);
  }
}

TEST_CASE("the newer of two runs has the higher cut, then the higher version", "[run]") {
  RunHeader a = good_run();
  RunHeader b = good_run();
  CHECK_FALSE(is_newer(a, b));
  b.version.count = 8;
  CHECK(is_newer(a, b));
  CHECK_FALSE(is_newer(b, a));
  b.version = {.term = 2, .count = 0};
  CHECK(is_newer(b, a));
  a.cut = 1;
  CHECK(is_newer(a, b));
}

TEST_CASE("a run of blocks knows its members", "[run]") {
  const BlockRun run{.first = 2, .step = 3, .count = 4};
  std::vector<BlockIndex> members;
  for (BlockIndex block = 0; block < 20; ++block)
    if (run.contains(block)) members.push_back(block);
  CHECK(members == std::vector<BlockIndex>{2, 5, 8, 11});
  CHECK(run.last() == 11);
  CHECK_FALSE(BlockRun{.first = 2, .step = 3, .count = 0}.contains(2));
}

}  // namespace mendfs
