#include "client/audit_question.h"

#include <catch2/catch.hpp>

namespace mendfs::client {
namespace {

constexpr Slot kAsked = 2;
constexpr Slot kGiven = 1;

std::uint64_t sum_of(BlockIndex block) { return block * 1000; }

/// Two runs of one range that were given out: blocks 1, 4, 7, 10 of version 5, and a hole at 13.
AuditQuestion question() {
  GivenRun data{{1, 3, 4}, kGiven, CopyState::Data, {1, 5}, {}};
  for (std::uint32_t i = 0; i < 4; ++i) data.sums.push_back(sum_of(data.blocks.at(i)));
  return {kAsked, {data, {{13, 3, 1}, kGiven, CopyState::Hole, {1, 6}, {}}}};
}

protocol::AuditRun data_run(std::uint32_t part, BlockRun blocks, Version version) {
  protocol::AuditRun run{part, blocks, protocol::BlockState::Data, version, {}};
  for (std::uint32_t i = 0; i < blocks.count; ++i) run.sums.push_back(sum_of(blocks.at(i)));
  return run;
}

std::vector<protocol::AuditRun> good_answer() {
  return {data_run(0, {1, 3, 4}, {1, 5}), {1, {13, 3, 1}, protocol::BlockState::Hole, {1, 6}, {}}};
}

TEST_CASE("copies that are the same agree, however the answer is cut into runs", "[client]") {
  CHECK(question().block_count() == 5);
  const auto whole = compare(question(), good_answer());
  REQUIRE(whole);
  CHECK(whole->agreed == 5);
  std::vector<protocol::AuditRun> pieces{data_run(0, {1, 3, 1}, {1, 5}), data_run(0, {4, 3, 2}, {1, 5}),
                                         data_run(0, {10, 3, 1}, {1, 5}), good_answer()[1]};
  const auto cut = compare(question(), pieces);
  REQUIRE(cut);
  CHECK(cut->agreed == 5);
  CHECK(cut->damaged.empty());
  CHECK(cut->older.empty());
}

TEST_CASE("an audit finds the damaged, the old and the differing copies", "[client]") {
  std::vector<protocol::AuditRun> answer{{0, {1, 3, 1}, protocol::BlockState::Bad, {1, 5}, {}},
                                         data_run(0, {4, 3, 1}, {1, 4}),
                                         data_run(0, {7, 3, 1}, {1, 7}),
                                         data_run(0, {10, 3, 1}, {1, 5}),
                                         {1, {13, 3, 1}, {}, {}, {}}};
  answer[3].sums[0] = sum_of(99);
  answer[4].state = protocol::BlockState::Absent;
  const auto result = compare(question(), answer);
  REQUIRE(result);
  CHECK(result->agreed == 0);
  REQUIRE(result->damaged.size() == 1);
  CHECK(result->damaged[0].slot == kAsked);
  CHECK(result->damaged[0].blocks == std::vector<BlockRun>{{1, 3, 1}, {10, 3, 1}});
  REQUIRE(result->older.size() == 2);
  CHECK(result->older[0].slot == kGiven);  // its block 7 is older than the other copy
  CHECK(result->older[0].blocks == std::vector<BlockRun>{{7, 3, 1}});
  CHECK(result->older[1].slot == kAsked);
  CHECK(result->older[1].blocks == std::vector<BlockRun>{{4, 3, 1}, {13, 3, 1}});
}

TEST_CASE("a server that does not know gives no verdict", "[client]") {
  std::vector<protocol::AuditRun> answer{{0, {1, 3, 4}, protocol::BlockState::Unknown, {}, {}}, good_answer()[1]};
  const auto result = compare(question(), answer);
  REQUIRE(result);
  CHECK(result->agreed == 1);
  CHECK(result->damaged.empty());
  CHECK(result->older.empty());
}

TEST_CASE("an answer to another question is refused", "[client]") {
  std::vector<std::vector<protocol::AuditRun>> bad(7, good_answer());
  bad[0].pop_back();
  bad[1].push_back(bad[1].back());
  bad[2][0].part = 9;
  bad[3][0].blocks.first = 4;
  bad[4][0].sums.pop_back();
  bad[5][0].blocks.count = 5;
  bad[6].clear();
  for (const auto& answer : bad) CHECK(compare(question(), answer).code() == ErrorCode::Malformed);
}

TEST_CASE("collected blocks come by server, in runs", "[client]") {
  BlockCollector collector;
  for (const BlockIndex block : {1, 4, 7, 13, 2}) collector.add(2, {block, 3, 1});
  collector.add(0, {3, 3, 1});
  const std::vector<SlotBlocks> taken = collector.take();
  REQUIRE(taken.size() == 2);
  CHECK(taken[0].slot == 0);
  CHECK(taken[0].blocks == std::vector<BlockRun>{{3, 3, 1}});
  CHECK(taken[1].blocks == std::vector<BlockRun>{{1, 3, 3}, {13, 3, 1}, {2, 3, 1}});
  CHECK(collector.take().empty());
}

}  // namespace
}  // namespace mendfs::client
