// The low-level SHA-256 calls are deprecated since OpenSSL 3.0 in favour of EVP, which costs a context fetch a block.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "block/checksum.h"

#include <openssl/sha.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <bit>

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
  for (std::size_t i = 0; i < digests.size(); ++i) {
    const std::size_t offset = i * block_size;
    const std::size_t size = std::min<std::size_t>(block_size, data.size() - offset);
    const ByteView block = data.subspan(offset, size);
    digests[i] = size == block_size ? sha256(block) : padded_sha256(block, block_size);
  }
  return digests;
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

std::uint64_t checksum64(ByteView bytes, std::uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

}  // namespace mendfs
