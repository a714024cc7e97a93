// Where each block of a file lives. Only this file knows the rule.
//
// Blocks go round robin over the slots of the ring, beginning at the layout's start; copy k lives k slots after copy 0:
//
//   block          0   1   2   3
//   copy 0         1   2   0   1     3 slots, start = 1
//   copy 1         2   0   1   2
//
// The slot of copy 0 is the block's primary. All blocks with the same primary are one *range* of the ring, named by
// that slot: they share their holders, so completeness, handshakes and rebuilds are counted per range.
// Changing the rule strands every block already written (docs/disk-format.md). Pure; any thread.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "block/types.h"

namespace mendfs {

/// x: the first 8 bytes, little-endian, of SHA-256(absolute path at creation), modulo N.
std::uint32_t start_slot(std::string_view absolute_path, std::uint32_t slot_count);

/// The slot of copy `copy` of `block`. Requires: copy < layout.copy_count.
Slot slot_of(BlockIndex block, std::uint32_t copy, const Layout& layout);
inline Slot primary_of(BlockIndex block, const Layout& layout) { return slot_of(block, 0, layout); }

/// Which copy of `range`'s blocks slot `slot` holds: 0 .. R-1, or nothing.
std::optional<std::uint32_t> copy_at(Slot slot, Slot range, std::uint32_t slot_count, std::uint32_t copy_count);

/// The slots that hold copies of `range`, primary first.
std::vector<Slot> holders_of(Slot range, std::uint32_t slot_count, std::uint32_t copy_count);
/// The ranges of which `slot` holds a copy, its own first.
std::vector<Slot> ranges_of(Slot slot, std::uint32_t slot_count, std::uint32_t copy_count);

/// The blocks of [first, first + count) whose primary is `range`; count 0 when there are none.
BlockRun share_of(BlockIndex first, std::uint64_t count, Slot range, const Layout& layout);

/// Layouts come from outside: InvalidArgument names what is wrong.
Result<void> check_layout(const Layout& layout);

}  // namespace mendfs
