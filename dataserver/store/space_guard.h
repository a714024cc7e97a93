// Keeps the last of the disk for what must go on when it is full: forwards, cuts, repairs, the index itself.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"
#include "env/disk.h"

namespace mendfs::store {

class SpaceGuard {
 public:
  SpaceGuard(Disk& disk, std::string owner, std::uint64_t reserve_size)
      : disk_(disk), owner_(std::move(owner)), reserve_size_(reserve_size) {}

  /// NoSpace, with a sentence that names the server, when fewer than `size` bytes and the reserve are free.
  Result<void> admit(std::uint64_t size, bool may_use_reserve);
  /// To be told of every byte that admit() let pass and that was written.
  void written(std::uint64_t size);
  /// Whether so little is left that space is worth gaining at a higher price.
  bool is_scarce();
  std::uint64_t reserve_size() const { return reserve_size_; }

 private:
  Disk& disk_;
  std::string owner_;
  std::uint64_t reserve_size_;
  // The disk is asked again after some megabytes, and whenever it seems full; others may write to it too.
  std::uint64_t free_bytes_ = 0;
  std::uint64_t ask_again_after_ = 0;
};

}  // namespace mendfs::store
