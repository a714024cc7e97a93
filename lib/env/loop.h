// The one loop of a process: every decision of a program runs on it, one callback at a time, so nothing above needs
// a lock. Real time in lib/env/posix, virtual time in tests/sim.
//
// A callback never blocks; what takes long goes through Disk or Network, which answer on this loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

namespace mendfs {

using Duration = std::chrono::nanoseconds;
/// Time since some fixed moment of this process; never jumps.
using Time = std::chrono::duration<std::int64_t, std::nano>;
/// Nanoseconds since 1970-01-01 UTC; may jump.
using WallTime = std::int64_t;

using TimerId = std::uint64_t;

class Loop {
 public:
  virtual ~Loop() = default;

  virtual Time now() const = 0;
  virtual WallTime wall_now() const = 0;

  /// Runs `work` later on this loop, after what was posted before it. Loop thread only, but for post_from_thread.
  virtual void post(std::function<void()> work) = 0;
  /// The same, from any thread.
  virtual void post_from_thread(std::function<void()> work) = 0;

  /// Runs `work` once at or soon after `when`.
  virtual TimerId call_at(Time when, std::function<void()> work) = 0;
  /// A timer that has run or is unknown is ignored.
  virtual void cancel(TimerId timer) = 0;
};

}  // namespace mendfs
