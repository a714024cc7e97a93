// SHA-256 of blocks, the only hash that says whether a block is right. OpenSSL does the work; its low-level calls are
// three times as fast on 512 bytes as the one-shot call (docs/performance.md). Pure; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/buffer.h"
#include "block/types.h"

namespace mendfs {

Digest sha256(ByteView bytes);

/// The digest of each block of `data`, in order. The last block may be short: it is hashed as if filled up with zeros.
std::vector<Digest> digests_of(ByteView data, std::uint32_t block_size);

/// The digest of a block of zeros.
const Digest& zero_digest(std::uint32_t block_size);

/// XXH3, 64 bits: guards headers and log entries, where the content is ours and small.
std::uint64_t checksum64(ByteView bytes);
/// The same, another function for each seed.
std::uint64_t checksum64(ByteView bytes, std::uint64_t seed);

}  // namespace mendfs
