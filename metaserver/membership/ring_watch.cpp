#include "metaserver/membership/ring_watch.h"

#include <algorithm>

#include "block/placement.h"
#include "protocol/timing.h"

namespace mendfs::metaserver {
namespace {

constexpr std::uint32_t kCopies = kCopyCountDefault;

std::uint32_t count_of(const RingState& ring) { return static_cast<std::uint32_t>(ring.slots.size()); }

const protocol::RangeProgress* progress_of(const SlotView& view, Slot range) {
  if (!view.last) return nullptr;
  for (const protocol::RangeProgress& progress : view.last->ranges) {
    if (progress.range == range) return &progress;
  }
  return nullptr;
}

}  // namespace

RingWatch::RingWatch(std::size_t slot_count, Time now) : slots_(slot_count) {
  for (SlotView& view : slots_) view.since = view.grant_sent = now;
}

void RingWatch::heard(Slot slot, protocol::HeartbeatReply reply, Time now) {
  SlotView& view = slots_[slot];
  if (!view.reachable) view.since = now;
  view.reachable = true;
  view.trouble.clear();
  view.last = std::move(reply);
}

void RingWatch::missed(Slot slot, const Error& error, Time now) {
  SlotView& view = slots_[slot];
  if (view.reachable) view.since = now;
  view.reachable = false;
  view.trouble = error.message;
}

std::uint64_t RingWatch::fence_known(Slot slot) const {
  const SlotView& view = slots_[slot];
  return view.last ? view.last->fence_synced : 0;
}

bool RingWatch::fence_enforced(std::uint64_t number, Time now) const {
  return std::all_of(slots_.begin(), slots_.end(), [&](const SlotView& view) {
    return (view.last && view.last->fence_synced >= number) || now >= view.grant_sent + timing::kFenceWait;
  });
}

protocol::HeartbeatRequest RingWatch::heartbeat(Slot slot, const RingState& ring, HeartbeatFacts facts) const {
  const SlotRecord& record = ring.slots[slot];
  protocol::HeartbeatRequest request;
  request.cluster = ring.cluster.cluster;
  request.ring = ring.cluster.ring;
  request.slot = slot;
  request.addresses = ring.cluster.addresses;
  request.metaserver = std::move(facts.metaserver);
  request.epoch = facts.epoch;
  request.durable_index = facts.durable_index;
  request.inode_high = facts.inode_high;
  request.confirmed_generation = record.generation;
  request.confirmed_term = record.confirmed_term;
  request.complete_at_birth = record.confirmed_term == 0;
  request.term_for = record.granted_to;
  request.term_granted = record.granted_term;
  request.term_confirmed = record.granted_term != 0 && record.confirmed_term == record.granted_term;
  request.fences = std::move(facts.fences);
  if (const auto& last = slots_[slot].last) {
    request.heard_start = last->start_id;
    request.heard_clock = last->clock;
  }
  for (const LostRange& lost : ring.cluster.lost) {
    const bool declared = std::find(declared_.begin(), declared_.end(), lost.range) != declared_.end();
    const bool held = copy_at(slot, lost.range, count_of(ring), kCopies).has_value();
    if (declared && held) request.lost.push_back({.range = lost.range, .inode_high = lost.inode_high});
  }
  return request;
}

std::optional<Command::Body> RingWatch::next_step(Slot slot, const RingState& ring) const {
  const SlotView& view = slots_[slot];
  const SlotRecord& record = ring.slots[slot];
  if (!view.reachable || !view.last) return std::nullopt;
  const protocol::HeartbeatReply& reply = *view.last;
  if (reply.start_id != record.granted_to) return GrantTerm{.slot = slot, .start_id = reply.start_id};
  const Generation& generation = reply.identity.generation;
  if (generation != record.generation && !reply.ranges.empty() &&
      std::all_of(reply.ranges.begin(), reply.ranges.end(), [](const auto& progress) { return progress.complete; }))
    return ConfirmGeneration{.slot = slot, .generation = generation};
  if (record.granted_term > record.confirmed_term && reply.term_synced >= record.granted_term &&
      may_confirm(slot, ring))
    return ConfirmTerm{.slot = slot, .term = record.granted_term};
  return std::nullopt;
}

bool RingWatch::may_confirm(Slot slot, const RingState& ring) const {
  if (slots_[slot].last->identity.generation == ring.slots[slot].generation) return true;
  for (const Slot range : ranges_of(slot, count_of(ring), kCopies)) {
    if (!has_complete_holder(range, ring)) return false;
  }
  return true;
}

bool RingWatch::is_complete(Slot slot, Slot range) const {
  const protocol::RangeProgress* progress = progress_of(slots_[slot], range);
  return slots_[slot].reachable && progress != nullptr && progress->complete;
}

bool RingWatch::has_complete_holder(Slot range, const RingState& ring) const {
  const std::vector<Slot> holders = holders_of(range, count_of(ring), kCopies);
  return std::any_of(holders.begin(), holders.end(), [&](Slot holder) { return is_complete(holder, range); });
}

bool RingWatch::is_without_source(Slot range, const RingState& ring) const {
  const std::vector<Slot> holders = holders_of(range, count_of(ring), kCopies);
  return std::all_of(holders.begin(), holders.end(), [&](Slot holder) {
    const protocol::RangeProgress* progress = progress_of(slots_[holder], range);
    return slots_[holder].reachable && progress != nullptr && !progress->complete && progress->no_source;
  });
}

std::vector<Slot> RingWatch::newly_lost(const RingState& ring, Time now) {
  std::vector<Slot> lost;
  for (Slot range = 0; range < slots_.size(); ++range) {
    if (has_complete_holder(range, ring)) std::erase(declared_, range);
    if (!is_without_source(range, ring)) {
      sourceless_since_.erase(range);
      continue;
    }
    const Time since = sourceless_since_.emplace(range, now).first->second;
    if (now < since + timing::kLostRangeWait) continue;
    if (std::find(declared_.begin(), declared_.end(), range) != declared_.end()) continue;
    for (Slot other = 0; other < slots_.size(); ++other) {
      if (copy_at(other, range, count_of(ring), kCopies)) continue;
      const SlotView& view = slots_[other];
      if (!view.reachable || view.last->identity.generation != ring.slots[other].generation) continue;
      lost.push_back(range);
      break;
    }
  }
  return lost;
}

void RingWatch::declared_lost(const std::vector<Slot>& ranges) {
  for (const Slot range : ranges) {
    if (std::find(declared_.begin(), declared_.end(), range) == declared_.end()) declared_.push_back(range);
  }
}

}  // namespace mendfs::metaserver
