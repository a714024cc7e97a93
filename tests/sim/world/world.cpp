#include "tests/sim/world/world.h"

#include <stdexcept>

#include "base/assert.h"

namespace mendfs::sim {

SimProcess::SimProcess(SimWorld& world, ProcessId id, std::string name, std::uint64_t seed)
    : world_(world),
      name_(std::move(name)),
      loop_(world.scheduler(), id),
      random_(seed),
      disk_(loop_, world.scheduler(), random_.next()),
      kv_(loop_, random_.next()),
      endpoint_(world.network(), id),
      log_(name_, loop_),
      env_{loop_, endpoint_, disk_, kv_, random_, log_} {
  world.network().add_process(loop_);
}

void SimProcess::start(const ProgramBuilder& build) {
  MENDFS_ASSERT(!program_);
  revive();
  program_ = build(env_);
}

void SimProcess::revive() {
  if (alive()) return;
  loop_.set_alive(true);
  world_.network().process_started(id());
}

void SimProcess::die(bool silent) {
  if (!alive()) return;
  // In this order: nothing of it runs any more, then what the network began in it goes, then the program.
  loop_.set_alive(false);
  world_.network().process_died(id(), silent);
  program_.reset();
}

void SimProcess::wipe() {
  MENDFS_ASSERT(!alive());
  disk_.wipe();
  kv_.wipe();
}

SimWorld::SimWorld(std::uint64_t seed) : random_(seed), network_(scheduler_, random_.next()) {}

SimWorld::~SimWorld() {
  for (const auto& process : processes_) process->kill();
  scheduler_.close();
}

SimProcess& SimWorld::process(const std::string& name) {
  for (const auto& process : processes_)
    if (process->name() == name) return *process;
  const auto id = static_cast<ProcessId>(processes_.size());
  processes_.push_back(std::make_unique<SimProcess>(*this, id, name, random_.next()));
  return *processes_.back();
}

void SimWorld::run_for(Duration duration) {
  const Time end = now() + duration;
  while (scheduler_.step(end)) {
  }
}

bool SimWorld::run_until(const std::function<bool()>& condition, Duration limit) {
  const Time end = now() + limit;
  while (!condition()) {
    if (scheduler_.idle() || !scheduler_.step(end)) return condition();
  }
  return true;
}

void throw_never_ended(Duration limit) {
  throw std::runtime_error(fmt::format("a coroutine has not ended after {} s of virtual time",
                                       std::chrono::duration<double>(limit).count()));
}

}  // namespace mendfs::sim
