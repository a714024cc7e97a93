#include "tests/sim/fault_plan.h"

#include <fmt/core.h>

#include "protocol/timing.h"

namespace mendfs::sim {
namespace {

constexpr const char* kNames[] = {"kill data",      "kill meta",     "power cut data", "partition", "break connections",
                                  "pause",          "flip bits",     "wipe victim",    "clog",      "kill client",
                                  "power cut meta", "power cut all", "fill disk"};
/// On a disk that is nearly full: from nothing to a few segments and the reserve.
constexpr std::uint64_t kRoomMax = 1 << 20;
constexpr std::uint64_t kCapacity = 1ULL << 40;
static_assert(std::size(kNames) == static_cast<std::size_t>(Fault::kCount));

}  // namespace

FaultPlan::FaultPlan(Cluster& cluster, Users& users, Journal& journal, std::uint64_t seed, bool has_all)
    : cluster_(cluster),
      users_(users),
      world_(cluster.world()),
      journal_(journal),
      random_(seed),
      log_("fault", world_.process("monitor").loop()),
      victim_(static_cast<Slot>(random_.below(cluster.slot_count()))),
      mean_gap_(std::chrono::milliseconds(random_.between(100, 1'500))),
      kinds_(static_cast<std::uint64_t>(has_all ? Fault::kCount : Fault::KillClient)) {
  for (std::uint64_t i = 0; i < kinds_; ++i) enabled_[i] = random_.one_in(2);
  NetworkFaults& network = world_.network().faults();
  if (random_.one_in(3)) network.lost_per_million = static_cast<std::uint32_t>(random_.between(100, 5'000));
  if (random_.one_in(3)) network.late_per_million = static_cast<std::uint32_t>(random_.between(1'000, 50'000));
}

void FaultPlan::begin() {
  active_ = true;
  world_.network().set_delivery_hook([this](ProcessId, ProcessId) {
    if (messages_left_ > 0 && --messages_left_ == 0) std::exchange(waiting_strike_, nullptr)();
  });
  schedule_next();
}

void FaultPlan::stop() {
  active_ = false;
  messages_left_ = 0;
  waiting_strike_ = nullptr;
  world_.network().faults() = NetworkFaults{};
  world_.network().heal_all();
  for (const auto& process : world_.processes()) {
    process->loop().set_paused(false);
    process->disk().set_capacity(kCapacity);
  }
  cluster_.start_all();
  users_.restart_dead();
}

std::string FaultPlan::describe() const {
  std::string text;
  for (std::size_t i = 0; i < std::size(kNames); ++i)
    if (counts_[i] > 0) text += fmt::format("{}{} x{}", text.empty() ? "" : ", ", kNames[i], counts_[i]);
  return text.empty() ? "no faults" : text;
}

Duration FaultPlan::some_time(Duration most) {
  return Duration(random_.below(static_cast<std::uint64_t>(most.count()) + 1));
}

void FaultPlan::schedule_next() {
  world_.after(some_time(mean_gap_ * 2), [this] {
    if (!active_) return;
    strike();
    schedule_next();
  });
}

void FaultPlan::strike() {
  const auto fault = static_cast<Fault>(random_.below(kinds_));
  if (!enabled(fault)) return;
  perform(fault);
}

void FaultPlan::perform(Fault fault) {
  ++count_;
  ++counts_[static_cast<std::size_t>(fault)];
  switch (fault) {
    case Fault::KillData:
      at_some_message([this] { kill_data(); });
      break;
    case Fault::KillMeta:
      at_some_message([this] {
        log_.debug("kill meta");
        cluster_.meta().kill();
        restart_later(cluster_.meta());
      });
      break;
    case Fault::PowerCutData:
      at_some_message([this] { cut_power(); });
      break;
    case Fault::Partition:
      partition();
      break;
    case Fault::BreakConnections:
      world_.network().break_connections(any_server().id(), any_server().id());
      break;
    case Fault::Pause:
      pause();
      break;
    case Fault::FlipBits:
      flip_bits();
      break;
    case Fault::WipeVictim:
      wipe_victim();
      break;
    case Fault::Clog: {
      const ProcessId from = any_server().id();
      const ProcessId to = any_server().id();
      world_.network().clog(from, to, some_time(1s));
      world_.after(some_time(3s), [this, from, to] { world_.network().clog(from, to, Duration(0)); });
      break;
    }
    case Fault::KillClient:
      at_some_message([this] { kill_client(); });
      break;
    case Fault::PowerCutMeta:
      at_some_message([this] { cut_meta_power(); });
      break;
    case Fault::PowerCutAll:
      at_some_message([this] { cut_all_power(); });
      break;
    case Fault::FillDisk:
      fill_disk();
      break;
    case Fault::kCount:
      break;
  }
}

void FaultPlan::at_some_message(std::function<void()> strike) {
  if (messages_left_ > 0) return;
  messages_left_ = random_.between(1, 200);
  waiting_strike_ = std::move(strike);
}

void FaultPlan::restart_later(SimProcess& process) {
  // Mostly short; sometimes longer than any lease or silence.
  const Duration down = random_.one_in(6) ? some_time(15s) : some_time(2s);
  world_.after(down, [this, &process] {
    if (!active_ || process.alive()) return;
    log_.debug("restart {}", process.name());
    cluster_.start(process);
  });
}

SimProcess& FaultPlan::any_server() {
  const std::uint64_t which = random_.below(cluster_.slot_count() + 1);
  return which == cluster_.slot_count() ? cluster_.meta() : cluster_.data(static_cast<Slot>(which));
}

void FaultPlan::kill_data() {
  SimProcess& process = cluster_.data(static_cast<Slot>(random_.below(cluster_.slot_count())));
  log_.debug("kill {}", process.name());
  process.kill();
  restart_later(process);
}

void FaultPlan::cut_power() {
  const auto any = static_cast<Slot>(random_.below(cluster_.slot_count()));
  // The good copy of a damaged block may be one that is not synced yet.
  const Slot slot = enabled(Fault::FlipBits) ? victim_ : any;
  SimProcess& process = cluster_.data(slot);
  if (!process.alive()) return;
  log_.debug("power cut {}", process.name());
  reset({slot});
  process.power_cut();
  restart_later(process);
}

/// At one moment. Requires: the servers are as they were.
void FaultPlan::reset(const std::vector<Slot>& slots) {
  if (cluster_.healthy()) reset_since_whole_.clear();
  for (const Slot slot : slots) {
    reset_since_whole_.insert(slot);
    journal_.reset(slot);
  }
  if (!journal_.hold_a_block(reset_since_whole_)) return;
  log_.debug("un-synced bytes may be gone");
  journal_.lose_unsynced();
}

void FaultPlan::partition() {
  const auto count = static_cast<ProcessId>(world_.processes().size());
  const auto a = static_cast<ProcessId>(random_.below(count));
  const auto b = static_cast<ProcessId>(random_.below(count));
  const bool from_all = random_.one_in(3);
  for (ProcessId other = 0; other < count; ++other) {
    if (!from_all && other != b) continue;
    log_.debug("cut {} off {}", world_.processes()[a]->name(), world_.processes()[other]->name());
    if (random_.one_in(2)) {
      world_.network().block_both_ways(a, other);
    } else {
      world_.network().block(a, other);
    }
  }
  const Duration length = random_.one_in(8) ? some_time(15s) : some_time(3s);
  world_.after(length, [this, a, count] {
    for (ProcessId other = 0; other < count; ++other) {
      world_.network().unblock(a, other);
      world_.network().unblock(other, a);
    }
  });
}

void FaultPlan::pause() {
  SimProcess& process = any_server();
  process.loop().set_paused(true);
  const Duration length = random_.one_in(6) ? some_time(14s) : some_time(3s);
  log_.debug("pause {} for {} ms", process.name(), length / 1ms);
  world_.after(length, [this, &process] {
    process.loop().set_paused(false);
    if (&process == &cluster_.meta()) meta_runs_since_ = world_.now();
  });
}

void FaultPlan::flip_bits() {
  SimDisk& disk = cluster_.data(victim_).disk();
  std::vector<std::string> segments;
  for (const std::string& name : disk.file_names())
    if (name.find("segment") != std::string::npos) segments.push_back(name);
  if (segments.empty()) return;
  const std::string& name = segments[random_.below(segments.size())];
  const std::uint64_t size = disk.written_size(name);
  if (size == 0) return;
  log_.debug("flip bits in {} of {}", name, cluster_.data(victim_).name());
  for (std::uint64_t i = random_.between(1, 3); i > 0; --i)
    (void)disk.flip_bit(name, random_.below(size), static_cast<unsigned>(random_.below(8)));
}

void FaultPlan::wipe_victim() {
  if (!cluster_.healthy()) return;
  SimProcess& process = cluster_.data(victim_);
  log_.debug("wipe {}", process.name());
  reset({victim_});
  process.kill();
  process.wipe();
  restart_later(process);
}

/// What it took in before a kill or a stop it can sync only when it runs again.
bool FaultPlan::meta_is_in_time() {
  constexpr auto kRunsAtLeast = 200ms;
  const Cluster::MetaHost* host = cluster_.meta_host();
  if (host == nullptr || !host->serving() || cluster_.meta().loop().paused()) return false;
  return meta_runs_since_ + kRunsAtLeast <= world_.now();
}

void FaultPlan::cut_meta_power() {
  if (!meta_is_in_time()) return;
  SimProcess& process = cluster_.meta();
  log_.debug("power cut meta");
  users_.lose_meta_power(world_.now() - timing::kMetaLogSyncMax);
  process.power_cut();
  restart_later(process);
}

void FaultPlan::cut_all_power() {
  // The good copy of a damaged block may be one that is not synced yet.
  if (enabled(Fault::FlipBits)) return;
  if (!meta_is_in_time()) return;
  log_.debug("power cut all");
  std::vector<Slot> all;
  for (Slot slot = 0; slot < cluster_.slot_count(); ++slot) all.push_back(slot);
  reset(all);
  users_.lose_all_power(world_.now() - timing::kMetaLogSyncMax);
  cluster_.meta().power_cut();
  restart_later(cluster_.meta());
  for (Slot slot = 0; slot < cluster_.slot_count(); ++slot) {
    cluster_.data(slot).power_cut();
    restart_later(cluster_.data(slot));
  }
  world_.after(some_time(2s), [this] {
    if (active_) users_.restart_dead();
  });
}

/// For a while there is little or no room on one dataserver.
void FaultPlan::fill_disk() {
  SimProcess& process = cluster_.data(victim_);
  SimDisk& disk = process.disk();
  if (disk.capacity() < kCapacity) return;
  const Result<DiskSpace> space = disk.space();
  if (!space.ok()) return;
  const std::uint64_t room = random_.below(kRoomMax);
  log_.debug("leave {} bytes free on {}", room, process.name());
  disk.set_capacity(space->total_bytes - space->free_bytes + room);
  world_.after(some_time(6s), [&disk] { disk.set_capacity(kCapacity); });
}

void FaultPlan::kill_client() {
  const std::uint64_t sharer = users_.writer_count() + 2;
  const std::uint64_t which = random_.below(sharer + users_.sharer_count());
  log_.debug("kill client {}", which);
  if (which == users_.writer_count()) {
    users_.kill_reader();
  } else if (which >= sharer) {
    users_.kill_sharer(which - sharer);
  } else if (which > users_.writer_count()) {
    users_.kill_names();
  } else {
    users_.kill_writer(which);
  }
  world_.after(some_time(2s), [this] {
    if (active_) users_.restart_dead();
  });
}

}  // namespace mendfs::sim
