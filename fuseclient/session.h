// The mount itself: libfuse's session, its threads, and what was agreed with the kernel.
#pragma once

#define FUSE_USE_VERSION 312
#include <fuse3/fuse_lowlevel.h>

#include <functional>
#include <memory>
#include <string>

#include "base/error.h"
#include "fuseclient/invalidator.h"
#include "fuseclient/mount_options.h"
#include "fuseclient/requests.h"

namespace mendfs::fuse {

/// Called from FUSE's threads.
struct SessionEvents {
  std::function<void()> on_ready;  // the kernel has accepted the mount and answers
  std::function<void()> on_ended;  // it sends nothing any more: unmounted
};

/// Lives until the process ends: libfuse's threads can wait in the kernel for ever and are not joined.
class Session {
 public:
  /// Mounts and begins to serve. `mountpoint` is absolute.
  static Result<std::unique_ptr<Session>> mount(const std::string& mountpoint, const MountOptions& options,
                                                Requests& requests, SessionEvents events);
  ~Session() = default;
  Session(const Session&) = delete;

  /// Any thread.
  void forget_pages(InodeNumber inode) { invalidator_->forget_pages(inode); }

  Requests& requests() { return requests_; }
  void ready() { events_.on_ready(); }

 private:
  Session(Requests& requests, SessionEvents events) : requests_(requests), events_(std::move(events)) {}
  void serve();

  Requests& requests_;
  SessionEvents events_;
  fuse_session* session_ = nullptr;
  std::unique_ptr<Invalidator> invalidator_;
};

}  // namespace mendfs::fuse
