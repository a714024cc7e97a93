// Which block to damage. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "block/placement.h"
#include "block/types.h"

namespace mendfs::corrupt {

/// A file, as the metaserver knows it.
struct LocatedFile {
  InodeNumber inode = 0;
  std::uint64_t size = 0;
  Layout layout;
  std::vector<std::string> addresses;  // of the ring's slots

  std::uint64_t block_count() const { return (size + layout.block_size - 1) / layout.block_size; }
};

/// What the user wants; what is absent is left to chance.
struct Wish {
  std::optional<BlockIndex> block;
  std::optional<std::uint32_t> copy;
};

/// A block of the file with data on the server, and which copy of it that is.
struct StoredBlock {
  BlockIndex block = 0;
  std::uint32_t copy = 0;
  bool operator==(const StoredBlock&) const = default;
};

/// One of `stored` that fits the wish; all of them with the same chance, decided by `dice`.
std::optional<StoredBlock> choose_block(const LocatedFile& file, const std::vector<StoredBlock>& stored,
                                        const Wish& wish, std::uint64_t dice);

/// NotFound: why nothing of the file on this server fits the wish, and where its blocks are instead.
Error explain_absence(const LocatedFile& file, Slot slot, const Wish& wish);

/// Blocks [first, first + count) of a file.
struct Window {
  BlockIndex first = 0;
  std::uint64_t count = 0;
  bool operator==(const Window&) const = default;
};
/// Where to look for a block to damage, one window after the other: all of the file, from a place chosen by `dice` on,
/// so that a block in the middle of a large file is found without listing what is before it.
std::vector<Window> windows_of(const LocatedFile& file, const Wish& wish, std::uint64_t dice);

}  // namespace mendfs::corrupt
