// A world of simulated processes in one thread, decided by one seed.
//
//   SimWorld world(seed);
//   SimProcess& p = world.process("a");
//   Scope scope;
//   scope.spawn(serve(p.env()));
//   world.run_for(2s);   world.run_until([&] { return done; }, 10s);
//   Result<int> answer = run(world, ask(p.env()));
//
// Destroy what runs in a world before the world. MENDFS_SIM_LOG=1 in the environment prints what the programs log.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "env/env.h"
#include "tests/sim/world/recording_logger.h"
#include "tests/sim/world/scheduler.h"
#include "tests/sim/world/sim_disk.h"
#include "tests/sim/world/sim_kv.h"
#include "tests/sim/world/sim_network.h"

namespace mendfs::sim {

using namespace std::chrono_literals;

class SimWorld;

/// A machine with one process on it. The disk and the stores outlive the program; a new process is alive, with nothing
/// running yet.
class SimProcess {
 public:
  SimProcess(SimWorld& world, ProcessId id, std::string name, std::uint64_t seed);
  SimProcess(const SimProcess&) = delete;
  SimProcess& operator=(const SimProcess&) = delete;

  Env& env() { return env_; }
  SimLoop& loop() { return loop_; }
  SimDisk& disk() { return disk_; }
  SimKvFactory& kv() { return kv_; }
  SimRandom& random() { return random_; }
  RecordingLogger& log() { return log_; }
  ProcessId id() const { return loop_.process(); }
  const std::string& name() const { return name_; }

  /// What runs in the process: an object that lives until the process dies.
  using Program = std::shared_ptr<void>;
  using ProgramBuilder = std::function<Program(Env& env)>;
  /// Requires: nothing of it runs. Also makes a dead process alive again.
  void start(const ProgramBuilder& build);
  void start() { revive(); }
  bool alive() const { return loop_.alive(); }

  /// kill -9: the program is gone, at once; its written bytes stay. Never from within the program's own callbacks.
  /// Whoever holds parts of the program besides start() destroys them now.
  void kill() { die(false); }
  /// The same for the whole machine: un-synced bytes may be lost, and nobody is told.
  void power_cut() {
    die(true);
    disk_.power_cut();
  }
  /// Deletes everything the dead process kept.
  void wipe();

 private:
  void die(bool silent);
  void revive();

  SimWorld& world_;
  std::string name_;
  SimLoop loop_;
  SimRandom random_;
  SimDisk disk_;
  SimKvFactory kv_;
  SimEndpoint endpoint_;
  RecordingLogger log_;
  Env env_;
  Program program_;
};

class SimWorld {
 public:
  explicit SimWorld(std::uint64_t seed = 1);
  SimWorld(const SimWorld&) = delete;
  SimWorld& operator=(const SimWorld&) = delete;
  ~SimWorld();

  /// The process of that name, made at the first call.
  SimProcess& process(const std::string& name);
  const std::vector<std::unique_ptr<SimProcess>>& processes() const { return processes_; }

  Scheduler& scheduler() { return scheduler_; }
  SimNetwork& network() { return network_; }
  /// For the test's own draws.
  SimRandom& random() { return random_; }
  Time now() const { return scheduler_.now(); }

  /// Runs `work` at that time, with no program on the stack.
  void at(Time when, std::function<void()> work) { scheduler_.add(when, nullptr, std::move(work)); }
  void after(Duration delay, std::function<void()> work) { at(now() + delay, std::move(work)); }

  void run_for(Duration duration);
  /// False when `limit` has passed, or nothing is left to happen, and it still does not hold.
  bool run_until(const std::function<bool()>& condition, Duration limit = 60s);

  /// Of everything that has happened: equal for two runs of one seed.
  std::uint64_t trace() const { return scheduler_.trace(); }

 private:
  Scheduler scheduler_;
  SimRandom random_;
  SimNetwork network_;
  std::vector<std::unique_ptr<SimProcess>> processes_;
};

namespace detail {
template <class T>
Task<void> keep_result(Task<T> task, std::optional<T>* result) {
  result->emplace(co_await std::move(task));
}
inline Task<void> keep_end(Task<void> task, bool* ended) {
  co_await std::move(task);
  *ended = true;
}
}  // namespace detail

/// Runs a coroutine to its end in virtual time. Throws std::runtime_error when it has not ended by `limit`.
template <class T>
T run(SimWorld& world, Task<T> task, Duration limit = 600s);
inline void run(SimWorld& world, Task<void> task, Duration limit = 600s);

[[noreturn]] void throw_never_ended(Duration limit);

template <class T>
T run(SimWorld& world, Task<T> task, Duration limit) {
  std::optional<T> result;
  Scope scope;
  scope.spawn(detail::keep_result<T>(std::move(task), &result));
  if (!world.run_until([&] { return result.has_value(); }, limit)) throw_never_ended(limit);
  return std::move(*result);
}
inline void run(SimWorld& world, Task<void> task, Duration limit) {
  bool ended = false;
  Scope scope;
  scope.spawn(detail::keep_end(std::move(task), &ended));
  if (!world.run_until([&] { return ended; }, limit)) throw_never_ended(limit);
}

}  // namespace mendfs::sim
