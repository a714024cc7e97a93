// What the metaserver sees of each dataserver, and what follows from it: what to tell it next, when it gets a term,
// when a new store takes the place of the confirmed one, which fences are enforced, which ranges are lost. Pure:
// records, replies and times in, requests and commands out. Loop thread only.
//
// A store other than the confirmed one is *provisional*. Its term is confirmed, so that it takes writes, only while
// every range it holds has a complete source elsewhere: then the confirmed store, should it come back, has an older
// term and knows that it has missed something. With no such source nothing was taken, and it comes back as if nothing
// had been: a whole cluster started in the wrong folder costs nothing. Once the provisional store is complete it
// becomes the confirmed one.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "env/loop.h"
#include "metaserver/namespace/command.h"
#include "metaserver/namespace/ring_record.h"
#include "protocol/control.h"

namespace mendfs::metaserver {

/// The ring as the namespace has it.
struct RingState {
  ClusterRecord cluster;
  std::vector<SlotRecord> slots;
};

/// What each heartbeat tells besides the ring.
struct HeartbeatFacts {
  std::string metaserver;
  std::uint64_t epoch = 0;
  std::uint64_t durable_index = 0;
  InodeNumber inode_high = 0;
  std::vector<protocol::Fence> fences;  // above fence_known() of the slot
};

/// What is known of one dataserver.
struct SlotView {
  bool reachable = false;  // the last call was answered
  Time since{};            // of that
  Time grant_sent{};       // the last call that may grant writes was sent then, at the latest
  std::optional<protocol::HeartbeatReply> last;
  std::string trouble;  // why the last call failed
};

class RingWatch {
 public:
  /// `now`: a metaserver before this one may have granted writes until this moment.
  RingWatch(std::size_t slot_count, Time now);

  std::size_t slot_count() const { return slots_.size(); }
  const SlotView& view(Slot slot) const { return slots_[slot]; }

  void sent(Slot slot, Time now) { slots_[slot].grant_sent = now; }
  void heard(Slot slot, protocol::HeartbeatReply reply, Time now);
  void missed(Slot slot, const Error& error, Time now);

  /// The greatest fence that the slot's present store is known to enforce.
  std::uint64_t fence_known(Slot slot) const;
  /// No dataserver takes writes of this or an earlier fence's session any more.
  bool fence_enforced(std::uint64_t number, Time now) const;

  protocol::HeartbeatRequest heartbeat(Slot slot, const RingState& ring, HeartbeatFacts facts) const;
  /// What must be logged and synced before this slot can go on, one step at a time; nothing: all is well.
  std::optional<Command::Body> next_step(Slot slot, const RingState& ring) const;

  /// Whether some reachable holder says that it is complete for the range.
  bool has_complete_holder(Slot range, const RingState& ring) const;
  /// Every holder is there and says that none is complete.
  bool is_without_source(Slot range, const RingState& ring) const;
  /// Ranges to declare lost without asking: without a source for kLostRangeWait, while another server is there with its
  /// confirmed store (so this is not a cluster started in the wrong folder). Called about every second.
  std::vector<Slot> newly_lost(const RingState& ring, Time now);
  /// These were declared lost, now or by hand: told to their holders until one is complete again.
  void declared_lost(const std::vector<Slot>& ranges);

 private:
  bool may_confirm(Slot slot, const RingState& ring) const;
  bool is_complete(Slot slot, Slot range) const;

  std::vector<SlotView> slots_;
  std::map<Slot, Time> sourceless_since_;
  std::vector<Slot> declared_;
};

}  // namespace mendfs::metaserver
