#include "block/placement.h"

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <map>
#include <set>

namespace mendfs {
namespace {

constexpr BlockIndex kBlocksLooked = 40;

/// Calls `check` for every ring of 2 to 5 servers, every start and every number of copies.
template <class Check>
void for_all_layouts(Check check) {
  for (std::uint32_t n = 2; n <= 5; ++n)
    for (std::uint32_t start = 0; start < n; ++start)
      for (std::uint32_t copies = 1; copies <= n; ++copies) {
        INFO("N=" << n << " start=" << start << " R=" << copies);
        check(Layout{.ring = 1, .slot_count = n, .start = start, .copy_count = copies});
      }
}

}  // namespace

TEST_CASE("blocks go round robin, the second copy on the next server", "[placement]") {
  const Layout layout{.slot_count = 3, .start = 1};
  const Slot copy_0[] = {1, 2, 0, 1};
  const Slot copy_1[] = {2, 0, 1, 2};
  for (BlockIndex block = 0; block < 4; ++block) {
    CHECK(slot_of(block, 0, layout) == copy_0[block]);
    CHECK(slot_of(block, 1, layout) == copy_1[block]);
  }
}

TEST_CASE("no server has two copies of a block, and the load is even", "[placement]") {
  for_all_layouts([](const Layout& layout) {
    std::map<Slot, int> blocks_of;
    for (BlockIndex block = 0; block < 60; ++block) {
      std::set<Slot> slots;
      for (std::uint32_t copy = 0; copy < layout.copy_count; ++copy) {
        const Slot slot = slot_of(block, copy, layout);
        CHECK(slot < layout.slot_count);
        CHECK(slot == (layout.start + block + copy) % layout.slot_count);
        CHECK(slots.insert(slot).second);
        ++blocks_of[slot];
      }
    }
    for (const auto& [slot, count] : blocks_of)
      CHECK(count == static_cast<int>(60 / layout.slot_count * layout.copy_count));
  });
}

TEST_CASE("ranges, holders and copies say the same", "[placement]") {
  for_all_layouts([](const Layout& layout) {
    const std::uint32_t n = layout.slot_count;
    const std::uint32_t copies = layout.copy_count;
    for (BlockIndex block = 0; block < kBlocksLooked; ++block) {
      const Slot range = primary_of(block, layout);
      const std::vector<Slot> holders = holders_of(range, n, copies);
      REQUIRE(holders.size() == copies);
      for (std::uint32_t copy = 0; copy < copies; ++copy) {
        CHECK(holders[copy] == slot_of(block, copy, layout));
        CHECK(copy_at(holders[copy], range, n, copies) == copy);
      }
    }
    for (Slot slot = 0; slot < n; ++slot) {
      const std::vector<Slot> ranges = ranges_of(slot, n, copies);
      CHECK(ranges.front() == slot);
      for (Slot range = 0; range < n; ++range) {
        const std::vector<Slot> holders = holders_of(range, n, copies);
        const bool holds = std::count(holders.begin(), holders.end(), slot) == 1;
        CHECK((std::count(ranges.begin(), ranges.end(), range) == 1) == holds);
        CHECK(copy_at(slot, range, n, copies).has_value() == holds);
      }
    }
  });
}

TEST_CASE("a range's share is exactly its blocks", "[placement]") {
  for_all_layouts([](const Layout& layout) {
    for (Slot range = 0; range < layout.slot_count; ++range)
      for (BlockIndex first = 0; first < 12; ++first)
        for (std::uint64_t count = 0; count < 14; ++count) {
          std::vector<BlockIndex> expected;
          for (BlockIndex block = first; block < first + count; ++block)
            if (primary_of(block, layout) == range) expected.push_back(block);
          const BlockRun share = share_of(first, count, range, layout);
          std::vector<BlockIndex> got;
          for (std::uint32_t i = 0; i < share.count; ++i) got.push_back(share.at(i));
          REQUIRE(got == expected);
          REQUIRE((share.count == 0 || share.step == layout.slot_count));
        }
  });
}

TEST_CASE("the last blocks that can be are placed like the first", "[placement]") {
  for_all_layouts([](const Layout& layout) {
    const BlockIndex block = kFileSizeMax / 512;
    CHECK(primary_of(block, layout) == (layout.start + block % layout.slot_count) % layout.slot_count);
    CHECK(slot_of(UINT64_MAX, 0, layout) < layout.slot_count);
  });
}

TEST_CASE("the start slot is the head of the path's SHA-256, little-endian, modulo N", "[placement]") {
  // Computed with Python's hashlib, for N = 2, 3, 4, 5.
  const std::map<std::string, std::array<Slot, 4>> known{
      {"/a", {0, 0, 2, 1}}, {"/", {0, 0, 2, 0}}, {"/dir/file.txt", {0, 1, 2, 2}}};
  for (const auto& [path, slots] : known)
    for (std::uint32_t n = 2; n <= 5; ++n) CHECK(start_slot(path, n) == slots[n - 2]);
  for (std::uint32_t n = 2; n <= 5; ++n) {
    std::set<Slot> seen;
    for (int i = 0; i < 100; ++i) {
      const std::uint32_t start = start_slot("/file-" + std::to_string(i), n);
      CHECK(start < n);
      seen.insert(start);
    }
    CHECK(seen.size() == n);
  }
}

TEST_CASE("impossible layouts are refused", "[placement]") {
  const Layout good{.ring = 1, .slot_count = 3, .start = 2};
  CHECK(check_layout(good).ok());
  const auto refused = [&](auto change) {
    Layout layout = good;
    change(layout);
    return check_layout(layout).code() == ErrorCode::InvalidArgument;
  };
  CHECK(refused([](Layout& l) { l.slot_count = 0; }));
  CHECK(refused([](Layout& l) {
    l.slot_count = 1;
    l.start = 0;
    l.copy_count = 1;
  }));
  CHECK(refused([](Layout& l) { l.slot_count = kSlotCountMax + 1; }));
  CHECK(refused([](Layout& l) { l.start = 3; }));
  CHECK(refused([](Layout& l) { l.copy_count = 0; }));
  CHECK(refused([](Layout& l) { l.copy_count = 4; }));
  CHECK(refused([](Layout& l) { l.block_size = 0; }));
  CHECK(refused([](Layout& l) { l.block_size = 256; }));
  CHECK(refused([](Layout& l) { l.block_size = 513; }));
  CHECK(refused([](Layout& l) { l.block_size = 2u << 20; }));
}

}  // namespace mendfs
