// SHA-256 of blocks, the only hash that says whether a block is right. Runs of blocks are hashed several at a time
// where the CPU can (sha256_lanes.h), single ones by OpenSSL; its low-level calls are three times as fast on 512 bytes
// as the one-shot call (docs/performance.md). Pure; any thread.
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
/// The same into `digests`. Requires: as many as there are blocks.
void digest_blocks(ByteView data, std::uint32_t block_size, std::span<Digest> digests);
/// Whether `digests` are those of `data`, as many as there are blocks and each right.
bool digests_match(ByteView data, std::uint32_t block_size, std::span<const Digest> digests);

/// The digest of a block of zeros.
const Digest& zero_digest(std::uint32_t block_size);

/// XXH3, 64 bits: guards headers, log entries, and bytes on their way whose SHA-256 somebody else has checked.
std::uint64_t checksum64(ByteView bytes);
/// That of all pieces put together.
std::uint64_t checksum64(std::span<const Buffer> pieces);
/// The same, another function for each seed.
std::uint64_t checksum64(ByteView bytes, std::uint64_t seed);

}  // namespace mendfs
