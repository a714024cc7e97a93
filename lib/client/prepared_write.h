// The bytes of one write with the digests of their blocks. Pure; any thread: hashing is the dearest part of a write, so
// it happens in the thread that brings the bytes, and the loop only sends them.
#pragma once

#include <cstdint>
#include <vector>

#include "base/buffer.h"
#include "block/types.h"

namespace mendfs::client {

struct PreparedWrite {
  std::uint64_t offset = 0;
  Buffer data;
  std::uint32_t block_size = kBlockSizeDefault;
  /// One for each block touched, in order; a partial first or last one has none that counts (WritePart::digests).
  std::vector<Digest> digests;
};

/// Requires: offset + data.size() does not overflow.
PreparedWrite prepare_write(std::uint64_t offset, Buffer data, std::uint32_t block_size);

}  // namespace mendfs::client
