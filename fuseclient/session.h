// The mount itself: libfuse's session, what was agreed with the kernel, and the receiving of requests, which happens on
// the loop thread: handing each over from another thread would cost as much as the rest of it.
#pragma once

#define FUSE_USE_VERSION 312
#include <fuse3/fuse_lowlevel.h>

#include <functional>
#include <memory>
#include <string>

#include "base/error.h"
#include "env/readiness.h"
#include "env/threads.h"
#include "fuseclient/invalidator.h"
#include "fuseclient/mount_options.h"
#include "fuseclient/receive_buffers.h"
#include "fuseclient/requests.h"
#include "fuseclient/write_hasher.h"

namespace mendfs::fuse {

/// Called on the loop, from within the session: they only take note.
struct SessionEvents {
  std::function<void()> on_ready;  // the kernel has accepted the mount, and is about to be told so
  std::function<void()> on_ended;  // it sends nothing any more: unmounted
};

/// What a session uses of the world. All of it outlives the session.
struct SessionParts {
  Readiness& readiness;
  Threads& threads;
  Requests& requests;
};

/// Lives until the process ends: the thread that invalidates can wait in the kernel for ever and is not joined.
class Session {
 public:
  /// Mounts and begins to serve. `mountpoint` is absolute.
  static Result<std::unique_ptr<Session>> mount(const std::string& mountpoint, const MountOptions& options,
                                                SessionParts parts, SessionEvents events);
  ~Session() = default;
  Session(const Session&) = delete;

  Invalidator& invalidator() { return *invalidator_; }

  /// The one that `request` came from.
  static Session& of(fuse_req_t request) { return *static_cast<Session*>(fuse_req_userdata(request)); }
  Requests& requests() { return requests_; }
  WriteHasher& hasher() { return hasher_; }
  /// Bytes of the request that is being unpacked, to keep.
  Buffer keep(const char* bytes, std::size_t size) { return buffers_.keep(bytes, size); }
  void ready() { events_.on_ready(); }

 private:
  Session(SessionParts parts, SessionEvents events)
      : requests_(parts.requests),
        hasher_(parts.threads, [this] { return is_more_waiting(); }),
        events_(std::move(events)) {}
  Result<void> begin(Readiness& readiness);
  void receive_one();
  bool is_more_waiting() const;

  Requests& requests_;
  WriteHasher hasher_;
  SessionEvents events_;
  fuse_session* session_ = nullptr;
  ReceiveBuffers buffers_;
  std::unique_ptr<ReadWatch> watch_;
  std::unique_ptr<Invalidator> invalidator_;
};

}  // namespace mendfs::fuse
