// Tells the kernel to forget what it keeps of a file or a name.
//
// In threads of their own: these calls wait for what is under way in the kernel (pages being read or written back, a
// directory being changed), whose answers the loop has still to give.
#pragma once

#define FUSE_USE_VERSION 312
#include <fuse3/fuse_lowlevel.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>

#include "block/types.h"

namespace mendfs::fuse {

class Invalidator {
 public:
  /// Begins its threads, which end with the process. Both it and `session` live until then.
  explicit Invalidator(fuse_session* session) : session_(session) {}
  Invalidator(const Invalidator&) = delete;

  /// Any thread; returns at once.
  void forget_attributes(InodeNumber inode);
  /// Done when it returns, which is soon if somebody holds the inode, as whoever is opening it does; the last to let it
  /// go would wait for its pages. Any thread.
  void forget_attributes_now(InodeNumber inode);
  /// Any thread; returns at once.
  void forget_name(InodeNumber parent, std::string name);
  /// Any thread; returns at once.
  void forget_pages(InodeNumber inode);

 private:
  /// Makes calls in their order, one at a time.
  class Caller {
   public:
    Caller();
    void call(std::function<void()> work);

   private:
    void run();
    std::mutex mutex_;
    std::condition_variable arrived_;
    std::deque<std::function<void()>> queue_;
  };

  fuse_session* session_;
  Caller attributes_;
  Caller names_;
  Caller pages_;
};

}  // namespace mendfs::fuse
