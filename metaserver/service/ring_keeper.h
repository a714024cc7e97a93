// The ring at work: makes it at the first mount, and calls each of its dataservers every second.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "env/future.h"
#include "metaserver/membership/ring_creation.h"
#include "metaserver/membership/ring_watch.h"
#include "metaserver/service/core.h"
#include "protocol/meta.h"
#include "protocol/session.h"

namespace mendfs::metaserver {

class RingKeeper {
 public:
  explicit RingKeeper(Core& core);

  /// Begins to call the dataservers, if there is a ring.
  Result<void> start();

  struct FirstMount {
    std::vector<std::string> addresses;
    std::uint32_t root_uid = 0;
    std::uint32_t root_gid = 0;
  };
  /// There is a ring, of these dataservers if any are named: made now if there was none.
  Task<Result<void>> ensure_ring(FirstMount mount);

  /// Nothing before the ring is made.
  Result<std::optional<RingState>> state();
  Result<protocol::RingInfo> info();
  /// Null before the ring is made.
  const RingWatch* watch() const { return watch_.get(); }

  /// A dataserver says that it is there: it is called at once. NotFound: it is none of ours.
  Result<void> announced(const std::string& address);
  Task<Result<void>> declare_lost(std::vector<Slot> ranges);
  /// The metadata is an old backup, and its owner wants to go on with it, for ever: new inodes get numbers that no file
  /// had.
  Task<Result<void>> accept_old_metadata();
  bool fence_enforced(std::uint64_t number) const { return !watch_ || watch_->fence_enforced(number, core_.now()); }
  /// Something new is to be told: all are called at once.
  void call_all_now() { poke_.notify_all(); }
  /// Notified after each call and whenever the ring changes.
  Signal& changed() { return changed_; }

 private:
  Task<void> run_creation(FirstMount mount);
  Task<Result<void>> create(FirstMount mount);
  Task<Result<std::vector<Candidate>>> reserve_all(std::vector<std::string> addresses, ClusterId cluster);
  Task<bool> reserve_one(Candidate* candidate, ClusterId cluster, Time deadline);
  Task<void> until_adopted(Time deadline);
  Result<void> begin_calling();
  Task<void> keep_calling(Slot slot);
  Task<bool> call_once(Slot slot);
  Result<protocol::HeartbeatRequest> make_heartbeat(Slot slot);
  Task<bool> heed(Slot slot, const protocol::HeartbeatRequest& request);
  Result<void> read_accepted_loss();
  void compare_with_told(Slot slot, const protocol::HeartbeatReply& reply);
  Task<void> find_lost_ranges();

  Core& core_;
  std::unique_ptr<RingWatch> watch_;
  /// Of the ring to be made: the same for every attempt, since dataservers keep themselves for it.
  ClusterId proposed_cluster_;
  bool creating_ = false;
  Result<void> creation_;       // how the last attempt ended
  LogIndex accepted_loss_ = 0;  // an old backup was accepted, although dataservers were told of changes up to this one
  Signal poke_;
  Signal changed_;
  Scope scope_;  // last: its coroutines use all of the above
};

}  // namespace mendfs::metaserver
