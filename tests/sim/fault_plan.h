// What goes wrong in a run, and when: drawn from the seed, and kept within what
// the design promises to survive.
//
// Survivable, always: any server killed at any message, any connection broken,
// late or cut off, any process stopped for a while, any client killed. Damage to stored bytes
// (flipped bits, a wiped store) hits one server only, the victim, and a wipe
// only while the others are whole. Power cuts hit dataservers one at a time, or
// the whole cluster with its clients; when all holders of some block have been
// hit before the first was whole again, the oracle is told that un-synced bytes
// may be gone. The metaserver's power is cut only
// when it runs, so that its promise of syncing soon holds. After stop() everything is up and connected.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/cluster.h"
#include "tests/sim/users.h"

namespace mendfs::sim {

enum class Fault {
  KillData,
  KillMeta,
  PowerCutData,
  Partition,
  BreakConnections,
  Pause,
  FlipBits,
  WipeVictim,
  Clog,
  // Only in some runs; the others know those above.
  KillClient,
  PowerCutMeta,
  PowerCutAll,
  FillDisk,
  kCount,
};

class FaultPlan {
 public:
  /// `has_all`: not only what dataservers, the metaserver's process and the network suffer.
  FaultPlan(Cluster& cluster, Users& users, Journal& journal, std::uint64_t seed, bool has_all);
  FaultPlan(const FaultPlan&) = delete;
  FaultPlan& operator=(const FaultPlan&) = delete;

  /// Draws which faults this run has, and begins.
  void begin();
  /// Ends all faults, heals the network and starts every server.
  void stop();
  bool fills_disks() const { return enabled(Fault::FillDisk); }
  bool has_all() const { return kinds_ > static_cast<std::uint64_t>(Fault::KillClient); }
  /// Whether this run may leave in doubt what was written; then writes are to cover whole blocks.
  bool leaves_doubt() const {
    return enabled(Fault::PowerCutData) || enabled(Fault::KillClient) || enabled(Fault::PowerCutAll) ||
           enabled(Fault::FillDisk);
  }

  /// What was done, for the report.
  std::uint64_t count() const { return count_; }
  std::string describe() const;

 private:
  bool enabled(Fault fault) const { return enabled_[static_cast<std::size_t>(fault)]; }
  void schedule_next();
  void strike();
  void perform(Fault fault);
  /// Now, or before one of the next deliveries: so a crash comes between any
  /// two messages.
  void at_some_message(std::function<void()> strike);
  void restart_later(SimProcess& process);
  void kill_data();
  void cut_power();
  void partition();
  void pause();
  void flip_bits();
  void wipe_victim();
  void kill_client();
  void cut_meta_power();
  void cut_all_power();
  void fill_disk();
  void reset(const std::vector<Slot>& slots);
  bool meta_is_in_time();
  SimProcess& any_server();
  Duration some_time(Duration most);

  Cluster& cluster_;
  Users& users_;
  SimWorld& world_;
  Journal& journal_;
  SimRandom random_;
  RecordingLogger log_;
  Slot victim_;
  Duration mean_gap_;    // between faults
  std::uint64_t kinds_;  // of faults
  bool enabled_[static_cast<std::size_t>(Fault::kCount)] = {};
  bool active_ = false;
  std::uint64_t count_ = 0;
  std::uint64_t counts_[static_cast<std::size_t>(Fault::kCount)] = {};
  std::set<Slot> reset_since_whole_;
  Time meta_runs_since_{};  // the last time that it was stopped
  std::uint64_t messages_left_ = 0;
  std::function<void()> waiting_strike_;
};

}  // namespace mendfs::sim
