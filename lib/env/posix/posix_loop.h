// The loop over Boost.Asio: one thread, sockets, timers and signals; steady clock. The thread that calls run() is the
// loop thread. Sockets and files of this folder stand on context(); nothing else does.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "env/loop.h"

namespace boost::asio {
class io_context;
}

namespace mendfs {

class PosixLoop final : public Loop {
 public:
  /// Before its thread sleeps it looks for news for so long, and lets anybody else have the core meanwhile: waking a
  /// thread whose core has halted takes as long, in a virtual machine longer, than an answer from another process
  /// (docs/performance.md, "Looking before sleeping").
  static constexpr Duration kLookFor = std::chrono::microseconds(50);

  /// Ignores SIGPIPE from now on: a broken connection is an error of its own, not the end of the process.
  explicit PosixLoop(Duration look_for = kLookFor);
  ~PosixLoop() override;

  Time now() const override;
  WallTime wall_now() const override;
  void post(std::function<void()> work) override;
  void post_from_thread(std::function<void()> work) override;
  TimerId call_at(Time when, std::function<void()> work) override;
  void cancel(TimerId timer) override;

  /// Runs until stop().
  void run();
  /// Ends run() after the callback that runs now. Loop thread only; other threads post it.
  void stop();
  /// Calls `handler` on the loop for each SIGTERM and SIGINT, instead of their default action.
  void on_terminate(std::function<void()> handler);

  boost::asio::io_context& context();

 private:
  struct Parts;
  void run_ready();
  void wait_for_news();
  void arm_timer();
  void run_due_timers();
  void wait_for_signal();

  Duration look_for_;
  std::unique_ptr<Parts> parts_;
};

}  // namespace mendfs
