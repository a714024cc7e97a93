#include "block/copy_sum.h"

#ifdef __x86_64__
#include <immintrin.h>
#include <xxh_x86dispatch.h>  // the same functions, with the widest instructions of the CPU at hand
#else
#include <xxhash.h>
#endif

namespace mendfs {
namespace {

#ifdef __x86_64__
/// Debian's XXH3 leaves the upper halves of the vector registers in use, and the next SSE instruction then waits for
/// 200 ns: ten times what a block takes.
__attribute__((target("avx"))) void clear_upper_halves() { _mm256_zeroupper(); }
#endif

}  // namespace

CopySum::CopySum(std::uint64_t seed) : seed_(seed) {
  // A seed alone would have XXH3 derive this from it anew for each block.
  for (std::uint64_t i = 0; i < secret_.size(); ++i) secret_[i] = XXH3_64bits_withSeed(&i, sizeof i, seed);
}

std::uint64_t CopySum::of(ByteView block, const Digest& digest) const {
  const std::uint64_t of_digest = XXH3_64bits_withSecret(digest.data(), digest.size(), secret_.data(), sizeof secret_);
  const std::uint64_t of_data = XXH3_64bits_withSecret(block.data(), block.size(), secret_.data(), sizeof secret_);
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx")) clear_upper_halves();
#endif
  return of_digest ^ of_data;
}

}  // namespace mendfs
