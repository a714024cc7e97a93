#include "fuseclient/invalidator.h"

#include <cerrno>
#include <thread>
#include <utility>

namespace mendfs::fuse {

Invalidator::Caller::Caller() {
  std::thread([this] { run(); }).detach();
}

void Invalidator::Caller::call(std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  queue_.push_back(std::move(work));
  arrived_.notify_one();
}

void Invalidator::Caller::run() {
  while (true) {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [this] { return !queue_.empty(); });
    const std::function<void()> next = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    next();
  }
}

// The calls below fail when the kernel does not know the inode or name, which is as good.

void Invalidator::forget_attributes(InodeNumber inode) {
  attributes_.call([this, inode] { forget_attributes_now(inode); });
}

void Invalidator::forget_attributes_now(InodeNumber inode) {
  // A negative offset: no pages.
  fuse_lowlevel_notify_inval_inode(session_, inode, -1, 0);
}

void Invalidator::forget_name(InodeNumber parent, std::string name) {
  names_.call([this, parent, name = std::move(name)] {
    // Looked up again when next used; kernels before 6.2 cannot but take it away at once.
    const int expired =
        fuse_lowlevel_notify_expire_entry(session_, parent, name.c_str(), name.size(), FUSE_LL_EXPIRE_ONLY);
    if (expired == -ENOSYS) fuse_lowlevel_notify_inval_entry(session_, parent, name.c_str(), name.size());
  });
}

void Invalidator::forget_pages(InodeNumber inode) {
  // Offset 0 and length 0: all pages.
  pages_.call([this, inode] { fuse_lowlevel_notify_inval_inode(session_, inode, 0, 0); });
}

}  // namespace mendfs::fuse
