#include "corrupt/choice.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>

namespace mendfs::corrupt {
namespace {

constexpr std::uint64_t kWindowSize = 1024;

/// Blocks beyond the end of the file may still be stored; nobody reads them.
bool fits(const StoredBlock& stored, const LocatedFile& file, const Wish& wish) {
  return stored.block < file.block_count() && (!wish.copy || *wish.copy == stored.copy) &&
         (!wish.block || *wish.block == stored.block);
}

}  // namespace

Error explain_absence(const LocatedFile& file, Slot slot, const Wish& wish) {
  const std::string server = fmt::format("slot {} ({})", slot, file.addresses.at(slot));
  if (file.size == 0) return {ErrorCode::NotFound, "the file is empty: there is nothing to damage"};
  if (wish.block && *wish.block >= file.block_count()) {
    return {ErrorCode::NotFound,
            fmt::format("the file has {} blocks; the last is number {}", file.block_count(), file.block_count() - 1)};
  }
  if (wish.block) {
    std::string holders;
    for (std::uint32_t copy = 0; copy < file.layout.copy_count; ++copy) {
      const Slot holder = slot_of(*wish.block, copy, file.layout);
      holders +=
          fmt::format("{}copy {} is on slot {} ({})", copy == 0 ? "" : ", ", copy, holder, file.addresses.at(holder));
    }
    return {ErrorCode::NotFound, fmt::format("{} has no such copy of block {}: {}", server, *wish.block, holders)};
  }
  // Placement goes round robin, so the first blocks name all slots that any block is on.
  std::set<std::string> elsewhere;
  for (BlockIndex block = 0; block < std::min<std::uint64_t>(file.block_count(), file.layout.slot_count); ++block) {
    for (std::uint32_t copy = 0; copy < file.layout.copy_count; ++copy) {
      elsewhere.insert(file.addresses.at(slot_of(block, copy, file.layout)));
    }
  }
  return {ErrorCode::NotFound,
          fmt::format("{} has no {} of this file; its blocks are on {}", server,
                      wish.copy ? fmt::format("copy {}", *wish.copy) : "block", fmt::join(elsewhere, ", "))};
}

std::optional<StoredBlock> choose_block(const LocatedFile& file, const std::vector<StoredBlock>& stored,
                                        const Wish& wish, std::uint64_t dice) {
  std::vector<StoredBlock> fitting;
  std::copy_if(stored.begin(), stored.end(), std::back_inserter(fitting),
               [&](const StoredBlock& block) { return fits(block, file, wish); });
  if (fitting.empty()) return std::nullopt;
  return fitting[dice % fitting.size()];
}

std::vector<Window> windows_of(const LocatedFile& file, const Wish& wish, std::uint64_t dice) {
  if (wish.block) return {{.first = *wish.block, .count = *wish.block < file.block_count() ? 1U : 0U}};
  const std::uint64_t window_count = (file.block_count() + kWindowSize - 1) / kWindowSize;
  std::vector<Window> windows;
  for (std::uint64_t i = 0; i < window_count; ++i) {
    const BlockIndex first = (dice % window_count + i) % window_count * kWindowSize;
    windows.push_back({.first = first, .count = std::min(kWindowSize, file.block_count() - first)});
  }
  return windows;
}

}  // namespace mendfs::corrupt
