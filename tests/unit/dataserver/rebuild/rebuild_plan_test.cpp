#include "dataserver/rebuild/rebuild_plan.h"

#include <catch2/catch.hpp>

namespace mendfs::rebuild {
namespace {

constexpr SourceReport kUnreached{false, false, false};
constexpr SourceReport kStreaming{false, true, false};
constexpr SourceReport kComplete{true, true, false};
constexpr SourceReport kBehind{true, false, false};
constexpr SourceReport kRebuilding{true, false, true};
constexpr SourceReport kRebuildingNow{false, false, true};

}  // namespace

TEST_CASE("when a range is complete", "[rebuild_plan]") {
  struct Case {
    Completeness here;
    std::vector<SourceReport> others;
    bool lost;
    Verdict expected;
  };
  const std::vector<Case> cases = {
      // Behind: everybody has been asked, whatever they are.
      {Completeness::Behind, {kUnreached}, false, Verdict::GoOn},
      {Completeness::Behind, {kStreaming}, false, Verdict::GoOn},
      {Completeness::Behind, {kComplete}, false, Verdict::Complete},
      {Completeness::Behind, {kBehind}, false, Verdict::Complete},
      {Completeness::Behind, {kRebuilding}, false, Verdict::Complete},
      {Completeness::Behind, {kComplete, kUnreached}, false, Verdict::GoOn},
      // Incomplete: one that was complete throughout.
      {Completeness::Incomplete, {kUnreached}, false, Verdict::GoOn},
      {Completeness::Incomplete, {kStreaming}, false, Verdict::GoOn},
      {Completeness::Incomplete, {kComplete}, false, Verdict::Complete},
      {Completeness::Incomplete, {kBehind}, false, Verdict::GoOn},
      {Completeness::Incomplete, {kUnreached, kComplete}, false, Verdict::Complete},
      {Completeness::Incomplete, {kRebuilding}, false, Verdict::NoSource},
      {Completeness::Incomplete, {kRebuilding, kUnreached}, false, Verdict::GoOn},
      {Completeness::Incomplete, {kRebuilding, kBehind}, false, Verdict::GoOn},
      {Completeness::NoSource, {kComplete}, false, Verdict::Complete},
      {Completeness::NoSource, {kRebuilding}, false, Verdict::NoSource},
      // Declared lost: what is left has been exchanged.
      {Completeness::NoSource, {kRebuilding}, true, Verdict::Complete},
      {Completeness::NoSource, {kRebuildingNow}, true, Verdict::NoSource},
      {Completeness::Incomplete, {kUnreached}, true, Verdict::GoOn},
  };
  for (std::size_t i = 0; i < cases.size(); ++i) {
    INFO("case " << i);
    CHECK(judge(cases[i].here, cases[i].others, cases[i].lost) == cases[i].expected);
  }
}

TEST_CASE("what a heartbeat says of completeness", "[rebuild_plan]") {
  store::Superblock superblock;
  superblock.adopted = true;
  superblock.slot = 1;
  superblock.slot_count = 3;
  superblock.term_granted = 5;
  superblock.ranges.resize(2);
  superblock.ranges[0].range = 1;
  superblock.ranges[1].range = 0;
  protocol::HeartbeatRequest request;
  request.confirmed_term = 5;
  CHECK_FALSE(news_of(superblock, request).any());

  SECTION("a new ring's store is complete once") {
    superblock.term_granted = request.confirmed_term = 0;
    request.complete_at_birth = true;
    CHECK(news_of(superblock, request).complete_at_birth);
    superblock.complete_at_birth = true;
    CHECK_FALSE(news_of(superblock, request).any());
  }
  SECTION("a store that took the place of a new ring's is not complete") {
    superblock.term_granted = request.confirmed_term = 0;
    superblock.generation = {1, 2};
    request.confirmed_generation = {3, 4};
    request.complete_at_birth = true;
    CHECK_FALSE(news_of(superblock, request).any());
  }
  SECTION("a store whose slot has been used in a higher term is complete for nothing") {
    request.confirmed_term = 6;
    CHECK_FALSE(news_of(superblock, request).any());
    superblock.ranges[0].complete = true;
    CHECK(news_of(superblock, request).is_outdated);
    request.complete_at_birth = true;
    CHECK_FALSE(news_of(superblock, request).complete_at_birth);
  }
  SECTION("lost ranges are noted once, and only those held here") {
    request.lost = {{0, 40}, {2, 40}};
    REQUIRE(news_of(superblock, request).lost.size() == 1);
    superblock.lost.push_back({0, 40});
    CHECK_FALSE(news_of(superblock, request).any());
    request.lost = {{0, 41}};
    CHECK(news_of(superblock, request).lost.size() == 1);
  }
  SECTION("a blank store is told nothing") {
    superblock.adopted = false;
    request.complete_at_birth = true;
    CHECK_FALSE(news_of(superblock, request).any());
  }
}

}  // namespace mendfs::rebuild
