#include "client/share.h"

#include <algorithm>

namespace mendfs::client {

BlockIndex first_block_of(Slot range, const Layout& layout) {
  return (range + layout.slot_count - layout.start) % layout.slot_count;
}

std::uint64_t offset_of(Slot range, std::uint64_t place, const Layout& layout) {
  const BlockIndex block = first_block_of(range, layout) + place / layout.block_size * layout.slot_count;
  return block * layout.block_size + place % layout.block_size;
}

std::uint64_t place_before(Slot range, std::uint64_t offset, const Layout& layout) {
  const BlockIndex block = offset / layout.block_size;
  const BlockIndex first = first_block_of(range, layout);
  if (block < first) return 0;
  const std::uint64_t row = (block - first) / layout.slot_count;
  const bool is_within = (block - first) % layout.slot_count == 0;
  return is_within ? row * layout.block_size + offset % layout.block_size : (row + 1) * layout.block_size;
}

std::vector<ShareBytes> split_by_range(std::uint64_t offset, std::uint64_t size, const Layout& layout) {
  std::vector<ShareBytes> shares;
  if (size == 0) return shares;
  const BlockIndex first = offset / layout.block_size;
  const BlockIndex last = (offset + size - 1) / layout.block_size;
  for (BlockIndex block = first; block <= last && block - first < layout.slot_count; ++block) {
    const Slot range = primary_of(block, layout);
    shares.push_back({range, place_before(range, offset, layout), place_before(range, offset + size, layout)});
  }
  return shares;
}

BlockRun blocks_of(const ShareBytes& bytes, const Layout& layout) {
  MENDFS_ASSERT(bytes.begin < bytes.end);
  const std::uint64_t first_row = bytes.begin / layout.block_size;
  const std::uint64_t last_row = (bytes.end - 1) / layout.block_size;
  MENDFS_ASSERT(last_row - first_row < UINT32_MAX);
  return {first_block_of(bytes.range, layout) + first_row * layout.slot_count, layout.slot_count,
          static_cast<std::uint32_t>(last_row - first_row + 1)};
}

Buffer gather(ByteView file_bytes, std::uint64_t offset, const ShareBytes& bytes, const Layout& layout) {
  Buffer gathered = Buffer::allocate(bytes.end - bytes.begin);
  std::byte* target = gathered.writable().data();
  for (std::uint64_t place = bytes.begin; place < bytes.end;) {
    const std::uint64_t size = std::min(bytes.end - place, layout.block_size - place % layout.block_size);
    const std::uint64_t source = offset_of(bytes.range, place, layout) - offset;
    MENDFS_ASSERT(source <= file_bytes.size() && size <= file_bytes.size() - source);
    std::memcpy(target, file_bytes.data() + source, size);
    target += size;
    place += size;
  }
  return gathered;
}

void scatter(ByteView source, const ShareBytes& bytes, std::uint64_t offset, std::span<std::byte> file_bytes,
             const Layout& layout) {
  for (std::uint64_t place = bytes.begin; place < bytes.end;) {
    const std::uint64_t size = std::min(bytes.end - place, layout.block_size - place % layout.block_size);
    const std::uint64_t at = offset_of(bytes.range, place, layout) - offset;
    MENDFS_ASSERT(at <= file_bytes.size() && size <= file_bytes.size() - at);
    std::byte* target = file_bytes.data() + at;
    if (source.empty())
      std::memset(target, 0, size);
    else
      std::memcpy(target, source.data() + (place - bytes.begin), size);
    place += size;
  }
}

}  // namespace mendfs::client
