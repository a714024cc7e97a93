// SHA-256 of many blocks at once. Each step of the hash waits for the one before, so a CPU has room for several
// messages side by side: libipsec-mb fills it. checksum.h decides when; OpenSSL stays the reference, and does the work
// on CPUs for which there is nothing faster. Any thread: each has its own lanes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "block/types.h"

namespace mendfs {

/// Hashes blocks from the front of `count` blocks of `block_size` bytes, one after another at `blocks`, for as long as
/// that is faster than one at a time, and answers how many it did: none on a CPU without the instructions.
std::size_t sha256_lanes(const std::byte* blocks, std::size_t count, std::uint32_t block_size, Digest* digests);

/// Which instructions it uses on this CPU, for people: "AVX-512 and SHA", or nothing.
const char* sha256_lanes_name();

}  // namespace mendfs
