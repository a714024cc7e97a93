// Tells the kernel to forget pages of a file. The call waits for pages that are being read, whose answers the loop has
// still to give, so it is made in a thread of its own.
#pragma once

#define FUSE_USE_VERSION 312
#include <fuse3/fuse_lowlevel.h>

#include <condition_variable>
#include <deque>
#include <mutex>

#include "block/types.h"

namespace mendfs::fuse {

class Invalidator {
 public:
  /// Begins its thread, which ends with the process. Both it and `session` live until then.
  explicit Invalidator(fuse_session* session);
  Invalidator(const Invalidator&) = delete;

  /// Any thread; returns at once.
  void forget_pages(InodeNumber inode);

 private:
  void run();

  fuse_session* session_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<InodeNumber> queue_;
};

}  // namespace mendfs::fuse
