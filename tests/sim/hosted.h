// A server of ours as the program of a simulated process: started, watched, and
// gone with the process.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "env/env.h"
#include "env/task.h"

namespace mendfs::sim {

/// Server has start() -> Task<Result<void>> and failed() -> Task<Error>, as
/// metaserver and dataserver have.
template <class Server>
class Hosted {
 public:
  template <class... Arguments>
  explicit Hosted(Env& env, Arguments&&... arguments)
      : env_(env), server_(std::make_unique<Server>(env, std::forward<Arguments>(arguments)...)) {
    scope_.spawn(live(this));
  }
  Hosted(const Hosted&) = delete;
  Hosted& operator=(const Hosted&) = delete;
  ~Hosted() {
    scope_.cancel_all();
    server_.reset();
  }

  Server& server() { return *server_; }
  bool serving() const { return serving_; }
  /// Why a real process would have ended by now; empty: it has not.
  const std::string& ended() const { return ended_; }

 private:
  static Task<void> live(Hosted* self) {
    Result<void> started = co_await self->server_->start();
    if (!started.ok()) {
      self->end(started.error());
      co_return;
    }
    self->serving_ = true;
    const Error why = co_await self->server_->failed();
    self->serving_ = false;
    self->end(why);
  }
  void end(const Error& why) {
    ended_ = why.message.empty() ? "without a reason" : why.message;
    env_.log.error("the program ends: {}", ended_);
  }

  Env& env_;
  std::unique_ptr<Server> server_;
  Scope scope_;
  bool serving_ = false;
  std::string ended_;
};

}  // namespace mendfs::sim
