#include "fuseclient/invalidator.h"

#include <thread>

namespace mendfs::fuse {

Invalidator::Invalidator(fuse_session* session) : session_(session) {
  std::thread([this] { run(); }).detach();
}

void Invalidator::forget_pages(InodeNumber inode) {
  const std::lock_guard lock(mutex_);
  queue_.push_back(inode);
  arrived_.notify_one();
}

void Invalidator::run() {
  while (true) {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [this] { return !queue_.empty(); });
    const InodeNumber inode = queue_.front();
    queue_.pop_front();
    lock.unlock();
    // Offset 0 and length 0: all pages. It fails when the kernel does not know the inode, which is as good.
    fuse_lowlevel_notify_inval_inode(session_, inode, 0, 0);
  }
}

}  // namespace mendfs::fuse
