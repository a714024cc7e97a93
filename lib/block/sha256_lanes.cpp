#include "block/sha256_lanes.h"

#ifdef MENDFS_HAS_IPSEC_MB

#define NO_COMPAT_IMB_API_053
#include <intel-ipsec-mb.h>

#include <memory>

namespace mendfs {
namespace {

struct FreeManager {
  void operator()(IMB_MGR* manager) const { free_mb_mgr(manager); }
};
using Manager = std::unique_ptr<IMB_MGR, FreeManager>;

/// What this CPU has, in the order of preference (docs/performance.md has what each gives).
struct Features {
  bool has_avx512 = false;  // 16 messages side by side
  bool has_avx2 = false;    // 8, or 2 with the SHA instructions, which is faster
  bool has_sha = false;
};

/// Below these counts the lanes would run half empty, and no faster than OpenSSL one at a time.
constexpr std::size_t kAvx512CountMin = 12;
constexpr std::size_t kAvx512Lanes = 16;
constexpr std::size_t kShaCountMin = 2;
constexpr std::size_t kAvx2CountMin = 8;

Features find_features() {
  const Manager probe(alloc_mb_mgr(0));
  Features features;
  if (!probe) return features;
  init_mb_mgr_auto(probe.get(), nullptr);
  const std::uint64_t has = probe->features;
  features.has_avx512 = (has & IMB_FEATURE_AVX512_SKX) == IMB_FEATURE_AVX512_SKX;
  features.has_avx2 = (has & IMB_FEATURE_AVX2) != 0;
  features.has_sha = features.has_avx2 && (has & IMB_FEATURE_SHANI) != 0;
  return features;
}

const Features& features() {
  static const Features kFeatures = find_features();
  return kFeatures;
}

/// A thread's own, made when it first hashes.
struct Lanes {
  Manager wide;    // AVX-512
  Manager narrow;  // SHA instructions, or AVX2
  Lanes() {
    if (features().has_avx512) {
      wide.reset(alloc_mb_mgr(0));
      if (wide) init_mb_mgr_avx512(wide.get());
    }
    if (features().has_avx2) {
      narrow.reset(alloc_mb_mgr(0));
      if (narrow) init_mb_mgr_avx2(narrow.get());
    }
  }
};

void hash_all(IMB_MGR* manager, const std::byte* blocks, std::size_t count, std::uint32_t block_size, Digest* digests) {
  for (std::size_t i = 0; i < count; ++i) {
    IMB_JOB* const job = IMB_GET_NEXT_JOB(manager);
    job->cipher_mode = IMB_CIPHER_NULL;
    job->cipher_direction = IMB_DIR_ENCRYPT;
    job->chain_order = IMB_ORDER_HASH_CIPHER;
    job->hash_alg = IMB_AUTH_SHA_256;
    job->src = reinterpret_cast<const std::uint8_t*>(blocks + i * block_size);
    job->hash_start_src_offset_in_bytes = 0;
    job->msg_len_to_hash_in_bytes = block_size;
    job->auth_tag_output = reinterpret_cast<std::uint8_t*>(digests[i].data());
    job->auth_tag_output_len_in_bytes = sizeof(Digest);
    IMB_SUBMIT_JOB_NOCHECK(manager);
  }
  while (IMB_FLUSH_JOB(manager) != nullptr) {
  }
}

}  // namespace

std::size_t sha256_lanes(const std::byte* blocks, std::size_t count, std::uint32_t block_size, Digest* digests) {
  if (count < kShaCountMin) return 0;
  static thread_local const Lanes lanes;
  std::size_t done = 0;
  if (lanes.wide) {
    done = count / kAvx512Lanes * kAvx512Lanes;
    if (count - done >= kAvx512CountMin) done = count;
    if (done > 0) hash_all(lanes.wide.get(), blocks, done, block_size, digests);
  }
  const std::size_t left = count - done;
  if (lanes.narrow && left >= (features().has_sha ? kShaCountMin : kAvx2CountMin)) {
    hash_all(lanes.narrow.get(), blocks + done * block_size, left, block_size, digests + done);
    done = count;
  }
  return done;
}

const char* sha256_lanes_name() {
  const Features& has = features();
  if (has.has_avx512) return has.has_sha ? "AVX-512 and SHA" : "AVX-512 and AVX2";
  if (has.has_sha) return "SHA";
  return has.has_avx2 ? "AVX2" : "";
}

}  // namespace mendfs

#else

namespace mendfs {

std::size_t sha256_lanes(const std::byte*, std::size_t, std::uint32_t, Digest*) { return 0; }
const char* sha256_lanes_name() { return ""; }

}  // namespace mendfs

#endif
