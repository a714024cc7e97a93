// The low-level SHA-256 calls are deprecated since OpenSSL 3.0 in favour of EVP, which costs a context fetch a block.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "block/checksum.h"

#include <openssl/sha.h>
#ifdef __x86_64__
#include <xxh_x86dispatch.h>  // the same functions, with the widest instructions of the CPU at hand
#else
#include <xxhash.h>
#endif

#include <algorithm>
#include <array>
#include <bit>
#include <memory>

#include "block/sha256_lanes.h"

namespace mendfs {
namespace {

void finish(SHA256_CTX& context, Digest& digest) {
  SHA256_Final(reinterpret_cast<unsigned char*>(digest.data()), &context);
}

Digest padded_sha256(ByteView bytes, std::uint32_t block_size) {
  static constexpr std::array<std::byte, 4096> kZeros{};
  Digest digest;
  SHA256_CTX context;
  SHA256_Init(&context);
  SHA256_Update(&context, bytes.data(), bytes.size());
  for (std::size_t left = block_size - bytes.size(); left > 0;) {
    const std::size_t part = std::min(left, kZeros.size());
    SHA256_Update(&context, kZeros.data(), part);
    left -= part;
  }
  finish(context, digest);
  return digest;
}

}  // namespace

Digest sha256(ByteView bytes) {
  Digest digest;
  SHA256_CTX context;
  SHA256_Init(&context);
  SHA256_Update(&context, bytes.data(), bytes.size());
  finish(context, digest);
  return digest;
}

std::vector<Digest> digests_of(ByteView data, std::uint32_t block_size) {
  std::vector<Digest> digests((data.size() + block_size - 1) / block_size);
  digest_blocks(data, block_size, digests);
  return digests;
}

void digest_blocks(ByteView data, std::uint32_t block_size, std::span<Digest> digests) {
  MENDFS_ASSERT(digests.size() == (data.size() + block_size - 1) / block_size);
  const std::size_t whole = data.size() / block_size;
  std::size_t done = sha256_lanes(data.data(), whole, block_size, digests.data());
  for (; done < whole; ++done) digests[done] = sha256(data.subspan(done * block_size, block_size));
  if (done < digests.size()) digests[done] = padded_sha256(data.subspan(done * block_size), block_size);
}

bool digests_match(ByteView data, std::uint32_t block_size, std::span<const Digest> digests) {
  if (digests.size() != (data.size() + block_size - 1) / block_size) return false;
  // In pieces that stay in the first-level cache with their digests.
  constexpr std::size_t kPiece = 64;
  std::array<Digest, kPiece> found;
  for (std::size_t first = 0; first < digests.size(); first += kPiece) {
    const std::size_t count = std::min(kPiece, digests.size() - first);
    const std::size_t begin = first * block_size;
    const ByteView piece = data.subspan(begin, std::min(count * block_size, data.size() - begin));
    digest_blocks(piece, block_size, std::span(found).first(count));
    if (!std::equal(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(count),
                    digests.begin() + static_cast<std::ptrdiff_t>(first)))
      return false;
  }
  return true;
}

const Digest& zero_digest(std::uint32_t block_size) {
  static const std::vector<Digest> kBySize = [] {
    std::vector<Digest> digests;
    for (int bits = 0; bits <= 20; ++bits) digests.push_back(padded_sha256({}, 1u << bits));
    return digests;
  }();
  return kBySize[static_cast<std::size_t>(std::countr_zero(block_size))];
}

std::uint64_t checksum64(ByteView bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

std::uint64_t checksum64(std::span<const Buffer> pieces) {
  if (pieces.size() == 1) return checksum64(pieces.front().view());
  struct Free {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };
  const std::unique_ptr<XXH3_state_t, Free> state(XXH3_createState());
  XXH3_64bits_reset(state.get());
  for (const Buffer& piece : pieces) XXH3_64bits_update(state.get(), piece.data(), piece.size());
  return XXH3_64bits_digest(state.get());
}

std::uint64_t checksum64(ByteView bytes, std::uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

}  // namespace mendfs
