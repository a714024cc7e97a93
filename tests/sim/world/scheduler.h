// Virtual time, and everything that is due in it: one event at a time, in order of time, then of arrival. Time stands
// still while an event runs and jumps to the next one after it, so a minute of waiting costs nothing.
//
// The trace is a hash of what ran when: two runs of one seed must end with the same one.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "env/loop.h"

namespace mendfs::sim {

class SimLoop;

class Scheduler {
 public:
  using EventId = std::uint64_t;

  Time now() const { return now_; }

  /// `owner` is the process the event happens in; none for the world's own events (the network, the fault plan).
  EventId add(Time when, SimLoop* owner, std::function<void()> work);
  void cancel(EventId event);
  /// Forgets every event of a process, unrun: it has died.
  void drop(const SimLoop& owner);
  /// Forgets everything, and takes nothing more.
  void close();

  /// Runs the next event if it is due by `limit`; otherwise moves the time to `limit` and answers false.
  bool step(Time limit);
  bool idle() const { return events_.empty(); }

  std::uint64_t trace() const { return trace_; }
  void record(std::uint64_t value);

 private:
  struct Event {
    SimLoop* owner;
    std::function<void()> work;
  };
  using Key = std::pair<Time, EventId>;

  std::map<Key, Event> events_;
  std::map<EventId, Time> times_;
  Time now_{0};
  EventId next_id_ = 1;
  std::uint64_t events_at_now_ = 0;
  std::uint64_t trace_ = 0;
  bool closed_ = false;
};

/// One process's view of the scheduler. It outlives every life of its process; between two lives it takes and runs
/// nothing.
class SimLoop : public Loop {
 public:
  SimLoop(Scheduler& scheduler, std::uint32_t process) : scheduler_(scheduler), process_(process) {}
  SimLoop(const SimLoop&) = delete;
  SimLoop& operator=(const SimLoop&) = delete;

  Time now() const override { return scheduler_.now(); }
  WallTime wall_now() const override;
  void post(std::function<void()> work) override { (void)call_at(now(), std::move(work)); }
  void post_from_thread(std::function<void()> work) override { post(std::move(work)); }
  TimerId call_at(Time when, std::function<void()> work) override;
  void cancel(TimerId timer) override { scheduler_.cancel(timer); }

  std::uint32_t process() const { return process_; }
  bool alive() const { return alive_; }
  void set_alive(bool alive);
  /// A paused process is there, but nothing in it runs (SIGSTOP); what was due runs on resuming.
  bool paused() const { return paused_; }
  void set_paused(bool paused) { paused_ = paused; }
  /// The wall clock's distance from true time.
  void set_clock_skew(Duration skew) { clock_skew_ = skew; }

 private:
  Scheduler& scheduler_;
  std::uint32_t process_;
  bool alive_ = true;
  bool paused_ = false;
  Duration clock_skew_{0};
};

}  // namespace mendfs::sim
