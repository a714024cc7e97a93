#include "tests/sim/world/scheduler.h"

#include "base/assert.h"

namespace mendfs::sim {
namespace {

using namespace std::chrono_literals;

// 2026-01-01: a believable day, so that tests meet numbers of the real size.
constexpr WallTime kWallStart = 1'767'225'600'000'000'000;
// More events without any passing of time are a loop that never waits.
constexpr std::uint64_t kEventsAtOnceMax = 2'000'000;
constexpr auto kPausedLookAgain = 10ms;

}  // namespace

Scheduler::EventId Scheduler::add(Time when, SimLoop* owner, std::function<void()> work) {
  if (closed_) return 0;
  const EventId id = next_id_++;
  const Time due = std::max(when, now_);
  events_.emplace(Key{due, id}, Event{owner, std::move(work)});
  times_.emplace(id, due);
  return id;
}

void Scheduler::cancel(EventId event) {
  const auto time = times_.find(event);
  if (time == times_.end()) return;
  // Out of the map before it is destroyed: what it holds may call back here.
  const auto unwanted = events_.extract(Key{time->second, event});
  times_.erase(time);
}

void Scheduler::drop(const SimLoop& owner) {
  std::map<Key, Event> dropped;
  for (auto event = events_.begin(); event != events_.end();) {
    const auto next = std::next(event);
    if (event->second.owner == &owner) {
      times_.erase(event->first.second);
      dropped.insert(events_.extract(event));
    }
    event = next;
  }
}

void Scheduler::close() {
  closed_ = true;
  times_.clear();
  const auto dropped = std::exchange(events_, {});
}

bool Scheduler::step(Time limit) {
  if (events_.empty() || events_.begin()->first.first > limit) {
    now_ = std::max(now_, limit);
    return false;
  }
  auto event = events_.extract(events_.begin());
  const auto [when, id] = event.key();
  if (when > now_) events_at_now_ = 0;
  MENDFS_ASSERT(++events_at_now_ < kEventsAtOnceMax);
  now_ = when;
  SimLoop* owner = event.mapped().owner;
  if (owner != nullptr && owner->paused()) {
    // The same number keeps the order, and cancel() working.
    event.key().first = now_ + kPausedLookAgain;
    times_[id] = event.key().first;
    events_.insert(std::move(event));
    return true;
  }
  times_.erase(id);
  record(static_cast<std::uint64_t>(when.count()) * 64 + (owner != nullptr ? owner->process() + 1 : 0));
  event.mapped().work();
  return true;
}

void Scheduler::record(std::uint64_t value) {
  trace_ = (trace_ ^ value) * 0x9e3779b97f4a7c15ULL;
  trace_ ^= trace_ >> 29;
}

WallTime SimLoop::wall_now() const { return kWallStart + now().count() + clock_skew_.count(); }

TimerId SimLoop::call_at(Time when, std::function<void()> work) {
  if (!alive_) return 0;
  return scheduler_.add(when, this, std::move(work));
}

void SimLoop::set_alive(bool alive) {
  alive_ = alive;
  paused_ = false;
  if (!alive) scheduler_.drop(*this);
}

}  // namespace mendfs::sim
