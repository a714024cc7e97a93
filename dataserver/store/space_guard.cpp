#include "dataserver/store/space_guard.h"

#include <fmt/core.h>

#include <algorithm>

namespace mendfs::store {
namespace {

constexpr std::uint64_t kAskEvery = 4u << 20;

}  // namespace

Result<void> SpaceGuard::admit(std::uint64_t size, bool may_use_reserve) {
  const std::uint64_t needed = size + (may_use_reserve ? 0 : reserve_size_);
  if (ask_again_after_ == 0 || free_bytes_ < needed) {
    MENDFS_TRY(const DiskSpace space, disk_.space());
    free_bytes_ = space.free_bytes;
    ask_again_after_ = kAskEvery;
  }
  if (free_bytes_ >= needed) return {};
  return Error{ErrorCode::NoSpace,
               fmt::format("no space left on {}: {} KiB free, of which {} KiB are kept for repairs; "
                           "delete files or give it a larger disk",
                           owner_, free_bytes_ >> 10, reserve_size_ >> 10)};
}

bool SpaceGuard::is_scarce() {
  const Result<DiskSpace> space = disk_.space();
  return space && space->free_bytes < 2 * reserve_size_;
}

void SpaceGuard::written(std::uint64_t size) {
  free_bytes_ -= std::min(free_bytes_, size);
  ask_again_after_ -= std::min(ask_again_after_, size);
}

}  // namespace mendfs::store
