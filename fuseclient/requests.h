// The requests of the kernel that are being worked on, from the moment they are unpacked to their answers.
//
// Each is a coroutine, so any number of them waits for servers at once. A request that the user interrupts, or whose
// process is gone, is given up here, for all operations alike. Loop thread only.
#pragma once

#define FUSE_USE_VERSION 312
#include <fuse3/fuse_lowlevel.h>
#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <type_traits>
#include <utility>

#include "base/logger.h"
#include "client/filesystem.h"
#include "client/interrupt.h"
#include "env/task.h"

namespace mendfs::fuse {

/// How to answer Exists: a create that need not be exclusive wants the kernel to look again (ESTALE).
enum class OnExists { Refuse, LookAgain };

class Requests {
 public:
  Requests(Loop& loop, Logger& log, client::Filesystem& filesystem);
  ~Requests();

  /// The one of the session that `request` came from.
  static Requests& of(fuse_req_t request);
  client::Filesystem& filesystem() { return filesystem_; }

  /// Begins an operation at once: `begin(Filesystem&)` makes its Task<Result<T>>, `reply(request, T)` answers it.
  /// Errors are answered here. `request` is not the caller's any more.
  template <class Begin, class Reply>
  void start(fuse_req_t request, Begin begin, Reply reply, OnExists on_exists = OnExists::Refuse) {
    if (closed_) {
      refuse(request, {ErrorCode::Io, "the mount is ending"});
      return;
    }
    const Origin origin = origin_of(request, on_exists);
    scope_.spawn(run(this, request, origin, begin(filesystem_), std::move(reply)));
  }
  /// For what neither waits nor fails.
  template <class Work>
  void do_now(Work work) {
    if (!closed_) work(filesystem_);
  }
  /// The mount is ending: ends every wait, and answers EIO to what still comes.
  void close();

  /// Answers with the errno of `error`; what is more than a refusal of POSIX is also logged.
  void refuse(fuse_req_t request, const Error& error);

 private:
  struct Origin {
    std::uint64_t id = 0;
    pid_t pid = 0;
    OnExists on_exists = OnExists::Refuse;
    bool interrupted = false;  // before it was even started
  };
  struct Waiting {
    std::shared_ptr<client::Interrupt> interrupt;
    pid_t pid = 0;
    Time since{0};
    bool abandoned = false;
  };
  /// A line in the table of waiting requests, for as long as it lives.
  class Registration {
   public:
    Registration(Requests* requests, const Origin& origin);
    Registration(const Registration&) = delete;
    ~Registration() { requests_->waiting_.erase(id_); }
    Waiting& entry() { return requests_->waiting_.at(id_); }

   private:
    Requests* requests_;
    std::uint64_t id_;
  };

  Origin origin_of(fuse_req_t request, OnExists on_exists);
  static Error translate(const Error& error, OnExists on_exists, bool abandoned);
  static void on_interrupt(fuse_req_t request, void* id);
  void interrupt(std::uint64_t id);
  void abandon_orphans();

  template <class T, class Reply>
  static Task<void> run(Requests* self, fuse_req_t request, Origin origin, Task<Result<T>> operation, Reply reply) {
    Registration registration(self, origin);
    std::shared_ptr<client::Interrupt> interrupt = registration.entry().interrupt;
    Result<T> result = co_await client::Interrupt::run(std::move(interrupt), std::move(operation));
    if (!result.ok()) {
      self->refuse(request, translate(result.error(), origin.on_exists, registration.entry().abandoned));
    } else if constexpr (std::is_void_v<T>) {
      reply(request);
    } else {
      reply(request, std::move(*result));
    }
  }

  Loop& loop_;
  Logger& log_;
  client::Filesystem& filesystem_;
  std::uint64_t next_id_ = 1;
  std::map<std::uint64_t, Waiting> waiting_;  // in the order of their ids, which is that of their age
  TimerId orphan_timer_ = 0;
  bool closed_ = false;
  Scope scope_;
};

}  // namespace mendfs::fuse
