// Ctrl-C on a request that waits: ends the wait, never what it waits for.
//
// Every operation of Filesystem may be destroyed while it waits: bytes taken by a write stay queued, a change sent to
// the metaserver stays sent. So giving up a wait is destroying its frame, and one place does it for all of them.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "base/error.h"
#include "env/future.h"
#include "env/loop.h"
#include "env/task.h"
#include "protocol/timing.h"

namespace mendfs::client {

/// One request of a user. Shared by whoever runs it and whoever may interrupt it. Loop thread only.
class Interrupt {
 public:
  explicit Interrupt(Loop& loop) : loop_(loop), changed_(loop) {}

  /// The user does not want to wait any more. Heeded once the operation has waited for kInterruptAfter.
  void interrupt() {
    wanted_ = true;
    changed_.notify_all();
  }
  /// Nobody is left to take the answer (its process is gone): ends the wait at once.
  void abandon() {
    abandoned_ = true;
    changed_.notify_all();
  }

  /// The operation's result, or Interrupted. `self` keeps this object alive meanwhile.
  template <class T>
  static Task<Result<T>> run(std::shared_ptr<Interrupt> self, Task<Result<T>> operation) {
    const Time heeded_from = self->loop_.now() + timing::kInterruptAfter;
    std::optional<Result<T>> result;
    Scope scope;
    scope.spawn(finish(self.get(), &result, std::move(operation)));
    while (!result.has_value()) {
      if (self->abandoned_ || (self->wanted_ && self->loop_.now() >= heeded_from)) {
        co_return Error{ErrorCode::Interrupted, "the wait was given up"};
      }
      auto changed = self->changed_.next();
      if (self->wanted_) {
        (void)co_await changed.until(heeded_from);
      } else {
        (void)co_await changed;
      }
    }
    co_return std::move(*result);
  }

 private:
  template <class T>
  static Task<void> finish(Interrupt* self, std::optional<Result<T>>* result, Task<Result<T>> operation) {
    result->emplace(co_await std::move(operation));
    self->changed_.notify_all();
  }

  Loop& loop_;
  Signal changed_;
  bool wanted_ = false;
  bool abandoned_ = false;
};

}  // namespace mendfs::client
