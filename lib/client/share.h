// The share of a range: those blocks of a file that have the same primary, one after another, as if they were a file
// of their own. What is one strided set of blocks in the file is one stretch of bytes in the share, so that queues and
// messages, which are per primary, need no striding.
//
//   file, N = 3      b0 b1 b2 b3 b4 b5 b6 b7
//   share of b0's    b0 b3 b6                     offsets 0 .. 3B
//   share of b1's    b1 b4 b7
//
// Offsets into a share are called places here, so that they are not taken for offsets into the file. Pure; any thread.
#pragma once

#include <cstdint>
#include <vector>

#include "base/buffer.h"
#include "block/placement.h"
#include "block/types.h"

namespace mendfs::client {

/// Bytes [begin, end) of the share of `range`.
struct ShareBytes {
  Slot range = 0;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  bool operator==(const ShareBytes&) const = default;
};

/// The first block of the file in this share.
BlockIndex first_block_of(Slot range, const Layout& layout);
/// Where byte `place` of the share is in the file.
std::uint64_t offset_of(Slot range, std::uint64_t place, const Layout& layout);
/// Bytes of the share that lie before `offset` of the file: what a file cut to `offset` keeps of it.
std::uint64_t place_before(Slot range, std::uint64_t offset, const Layout& layout);

/// Bytes [offset, offset + size) of the file, by share; at most N, in the order of their first bytes.
std::vector<ShareBytes> split_by_range(std::uint64_t offset, std::uint64_t size, const Layout& layout);

/// The blocks those bytes touch. Requires: not empty, fewer than 2^32 blocks.
BlockRun blocks_of(const ShareBytes& bytes, const Layout& layout);

/// Copies the bytes of a share out of a stretch of the file that begins at `offset` and contains them.
Buffer gather(ByteView file_bytes, std::uint64_t offset, const ShareBytes& bytes, const Layout& layout);

/// The other way: copies the bytes of a share to where they are in a stretch of the file that begins at `offset` and
/// contains them. Empty `source`: zeros.
void scatter(ByteView source, const ShareBytes& bytes, std::uint64_t offset, std::span<std::byte> file_bytes,
             const Layout& layout);

}  // namespace mendfs::client
