#include "corrupt/choice.h"

#include <catch2/catch.hpp>
#include <set>

using namespace mendfs;
using namespace mendfs::corrupt;

namespace {

/// 3 slots, x = 1: block 0 on slots 1 and 2, block 1 on 2 and 0, block 2 on 0 and 1.
LocatedFile file_of(std::uint64_t size) {
  LocatedFile file;
  file.inode = 77;
  file.size = size;
  file.layout.slot_count = 3;
  file.layout.start = 1;
  file.addresses = {"127.0.0.1:2222", "127.0.0.1:3333", "127.0.0.1:4444"};
  return file;
}

/// What slot 1 lists of six blocks: 0 and 3 as first copies, 2 and 5 as second ones.
const std::vector<StoredBlock> kOnSlot1 = {
    {.block = 0, .copy = 0}, {.block = 2, .copy = 1}, {.block = 3, .copy = 0}, {.block = 5, .copy = 1}};

}  // namespace

TEST_CASE("every stored block can be chosen, and nothing else", "[corrupt]") {
  std::set<BlockIndex> chosen;
  for (std::uint64_t dice = 0; dice < 16; ++dice) {
    const auto block = choose_block(file_of(6 * 512), kOnSlot1, {}, dice);
    REQUIRE(block.has_value());
    chosen.insert(block->block);
  }
  CHECK(chosen == std::set<BlockIndex>{0, 2, 3, 5});
}

TEST_CASE("a wanted block or copy is taken, or none", "[corrupt]") {
  CHECK(choose_block(file_of(6 * 512), kOnSlot1, {.block = 5, .copy = {}}, 0) == StoredBlock{.block = 5, .copy = 1});
  CHECK_FALSE(choose_block(file_of(6 * 512), kOnSlot1, {.block = 1, .copy = {}}, 0).has_value());
  CHECK_FALSE(choose_block(file_of(6 * 512), kOnSlot1, {.block = 5, .copy = 0}, 0).has_value());
  for (std::uint64_t dice = 0; dice < 8; ++dice) {
    CHECK(choose_block(file_of(6 * 512), kOnSlot1, {.block = {}, .copy = 1}, dice)->copy == 1);
  }
}

TEST_CASE("blocks beyond the end of the file are not worth damaging", "[corrupt]") {
  for (std::uint64_t dice = 0; dice < 8; ++dice) {
    CHECK(choose_block(file_of(513), kOnSlot1, {}, dice)->block == 0);
  }
}

TEST_CASE("the windows cover the file once, wherever the search begins", "[corrupt]") {
  const LocatedFile file = file_of(512 * 5000 + 1);
  for (std::uint64_t dice : {std::uint64_t{0}, std::uint64_t{3}, UINT64_MAX}) {
    std::uint64_t covered = 0;
    std::set<BlockIndex> begins;
    for (const Window& window : windows_of(file, {}, dice)) {
      covered += window.count;
      begins.insert(window.first);
      CHECK(window.first + window.count <= 5001);
    }
    CHECK(covered == 5001);
    CHECK(begins.size() == 5);
  }
  CHECK(windows_of(file_of(0), {}, 7).empty());
  CHECK(windows_of(file, {.block = 4711, .copy = {}}, 7) == std::vector<Window>{{.first = 4711, .count = 1}});
}

TEST_CASE("when there is nothing to damage, the message says where the blocks are", "[corrupt]") {
  auto refusal = [](std::uint64_t size, Slot slot, const Wish& wish) {
    const Error error = explain_absence(file_of(size), slot, wish);
    CHECK(error.code == ErrorCode::NotFound);
    return error.message;
  };
  CHECK_THAT(refusal(0, 1, {}), Catch::Contains("empty"));
  CHECK_THAT(refusal(100, 0, {}), Catch::Contains("127.0.0.1:3333") && Catch::Contains("127.0.0.1:4444"));
  CHECK_THAT(refusal(1000, 1, {.block = 1, .copy = {}}), Catch::Contains("copy 0 is on slot 2"));
  CHECK_THAT(refusal(1000, 1, {.block = 2, .copy = {}}), Catch::Contains("2 blocks"));
  CHECK_THAT(refusal(512, 1, {.block = {}, .copy = 1}), Catch::Contains("copy 1"));
}
