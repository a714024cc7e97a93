#include "block/placement.h"

#include <bit>

#include "block/checksum.h"

namespace mendfs {

std::uint32_t start_slot(std::string_view absolute_path, std::uint32_t slot_count) {
  MENDFS_ASSERT(slot_count > 0);
  const Digest digest = sha256(bytes_of(absolute_path));
  std::uint64_t head = 0;
  for (int i = 7; i >= 0; --i) head = head << 8 | std::to_integer<std::uint64_t>(digest[static_cast<std::size_t>(i)]);
  return static_cast<std::uint32_t>(head % slot_count);
}

Slot slot_of(BlockIndex block, std::uint32_t copy, const Layout& layout) {
  MENDFS_ASSERT(copy < layout.copy_count);
  // block % N first: x + block may overflow for no block below kFileSizeMax, but outside values are not trusted.
  return static_cast<Slot>((layout.start + block % layout.slot_count + copy) % layout.slot_count);
}

std::optional<std::uint32_t> copy_at(Slot slot, Slot range, std::uint32_t slot_count, std::uint32_t copy_count) {
  const std::uint32_t copy = (slot + slot_count - range) % slot_count;
  if (copy >= copy_count) return std::nullopt;
  return copy;
}

std::vector<Slot> holders_of(Slot range, std::uint32_t slot_count, std::uint32_t copy_count) {
  std::vector<Slot> holders;
  for (std::uint32_t copy = 0; copy < copy_count; ++copy) holders.push_back((range + copy) % slot_count);
  return holders;
}

std::vector<Slot> ranges_of(Slot slot, std::uint32_t slot_count, std::uint32_t copy_count) {
  std::vector<Slot> ranges;
  for (std::uint32_t copy = 0; copy < copy_count; ++copy) ranges.push_back((slot + slot_count - copy) % slot_count);
  return ranges;
}

BlockRun share_of(BlockIndex first, std::uint64_t count, Slot range, const Layout& layout) {
  const std::uint32_t n = layout.slot_count;
  const Slot first_primary = primary_of(first, layout);
  const std::uint64_t skip = (range + n - first_primary) % n;
  if (skip >= count) return {first, n, 0};
  return {first + skip, n, static_cast<std::uint32_t>((count - skip + n - 1) / n)};
}

Result<void> check_layout(const Layout& layout) {
  if (layout.slot_count < 2 || layout.slot_count > kSlotCountMax)
    return Error{ErrorCode::InvalidArgument, "a ring has 2 to 256 dataservers"};
  if (layout.start >= layout.slot_count) return Error{ErrorCode::InvalidArgument, "start slot outside the ring"};
  if (layout.copy_count < 1 || layout.copy_count > layout.slot_count)
    return Error{ErrorCode::InvalidArgument, "a file has 1 to N copies of each block"};
  if (!std::has_single_bit(layout.block_size) || layout.block_size < 512 || layout.block_size > (1u << 20))
    return Error{ErrorCode::InvalidArgument, "the block size is a power of two from 512 to 1048576"};
  return {};
}

}  // namespace mendfs
