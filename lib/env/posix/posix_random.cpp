#include "env/posix/posix_random.h"

#include <sys/random.h>

#include <array>

#include "base/assert.h"

namespace mendfs {

PosixRandom::PosixRandom() {
  // Session and generation ids are made from it, which must differ between all processes that ever run: so a full seed.
  std::array<std::uint32_t, 32> words;
  MENDFS_ASSERT(::getrandom(words.data(), sizeof words, 0) == static_cast<ssize_t>(sizeof words));
  std::seed_seq seed(words.begin(), words.end());
  engine_.seed(seed);
}

}  // namespace mendfs
