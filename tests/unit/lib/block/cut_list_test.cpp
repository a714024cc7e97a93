#include <algorithm>
#include <catch2/catch.hpp>
#include <random>

#include "block/types.h"

namespace mendfs {
namespace {

/// Every cut ever made; what CutList may forget, this one keeps.
class AllCuts {
 public:
  void add(Cut cut) { cuts_.push_back(cut); }
  std::uint64_t limit_for(std::uint64_t number) const {
    std::uint64_t limit = UINT64_MAX;
    for (const Cut& cut : cuts_)
      if (cut.number > number) limit = std::min(limit, cut.size);
    return limit;
  }
  std::uint64_t number() const {
    std::uint64_t newest = 0;
    for (const Cut& cut : cuts_) newest = std::max(newest, cut.number);
    return newest;
  }

 private:
  std::vector<Cut> cuts_;
};

constexpr std::uint64_t kNumberMax = 8;

void check_same(const CutList& list, const AllCuts& model) {
  REQUIRE(list.number() == model.number());
  for (std::uint64_t number = 0; number <= kNumberMax + 1; ++number)
    REQUIRE(list.limit_for(number) == model.limit_for(number));
}

}  // namespace

TEST_CASE("the example of the header holds", "[cuts]") {
  CutList list;
  CHECK(list.number() == 0);
  CHECK(list.limit_for(0) == UINT64_MAX);
  CHECK(list.add({1, 100}));
  CHECK(list.add({2, 40}));
  CHECK(list.add({3, 70}));
  CHECK(list.cuts() == std::vector<Cut>{{2, 40}, {3, 70}});
  CHECK(list.limit_for(0) == 40);
  CHECK(list.limit_for(1) == 40);
  CHECK(list.limit_for(2) == 70);
  CHECK(list.limit_for(3) == UINT64_MAX);
}

TEST_CASE("cuts in any order, repeated and merged say what all of them together say", "[cuts]") {
  std::mt19937_64 random(1);
  for (int round = 0; round < 3000; ++round) {
    // One size for each number, as a file has; some numbers missing.
    std::vector<Cut> history;
    for (std::uint64_t number = 1; number <= kNumberMax; ++number)
      if (random() % 3 != 0) history.push_back({number, random() % 6});
    std::shuffle(history.begin(), history.end(), random);
    CutList list;
    CutList other;
    AllCuts model;
    for (const Cut& cut : history) {
      const CutList before = list;
      const bool changed = list.add(cut);
      REQUIRE(changed == !(list == before));
      model.add(cut);
      check_same(list, model);
      REQUIRE_FALSE(list.add(cut));
      if (random() % 2 == 0) other.add(cut);
    }
    REQUIRE_FALSE(list.merge(other));
    other.merge(list);
    REQUIRE(other == list);
  }
}

TEST_CASE("numbers and sizes rise within the list", "[cuts]") {
  std::mt19937_64 random(2);
  for (int round = 0; round < 500; ++round) {
    CutList list;
    for (int i = 0; i < 20; ++i) {
      list.add({random() % 50 + 1, random() % 50});
      for (std::size_t k = 1; k < list.cuts().size(); ++k) {
        REQUIRE(list.cuts()[k - 1].number < list.cuts()[k].number);
        REQUIRE(list.cuts()[k - 1].size < list.cuts()[k].size);
      }
    }
  }
}

TEST_CASE("a deletion ends everything and takes no more", "[cuts]") {
  CutList list;
  list.add({3, 70});
  CHECK(list.add({kCutDeleted, 0}));
  CHECK(list.cuts() == std::vector<Cut>{{kCutDeleted, 0}});
  CHECK_FALSE(list.add({4, 10}));
  CHECK(list.limit_for(1000) == 0);
}

}  // namespace mendfs
