#include "dataserver/service/adoption.h"

#include <fmt/core.h>

#include <algorithm>

#include "block/placement.h"
#include "protocol/timing.h"

namespace mendfs::dataserver {
namespace {

/// Of sessions that ended long ago only the newest are remembered: their clients have given up.
constexpr std::size_t kFencedMax = 4096;

Error refused(std::string message) { return {ErrorCode::Refused, std::move(message)}; }

Result<void> check_version(std::uint32_t version) {
  if (version == protocol::kProtocolVersion) return {};
  return refused(fmt::format("this dataserver speaks version {} of the protocol, the caller version {}",
                             protocol::kProtocolVersion, version));
}

bool is_kept_for_other(const std::optional<Reservation>& reservation, const ClusterId& cluster, Time now) {
  return reservation && now < reservation->until && reservation->cluster != cluster;
}

Error kept_for_other(const Reservation& reservation, Time now) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(reservation.until - now).count();
  return refused(
      fmt::format("another metaserver is making its ring with this dataserver (cluster {}): try again in {} s",
                  to_string(reservation.cluster), seconds));
}

Error belongs_to_other(const store::Superblock& superblock) {
  return refused(fmt::format(
      "this dataserver belongs to another filesystem (cluster {}): use its metaserver, or start it with an empty --dir",
      to_string(superblock.cluster)));
}

Result<void> check_shape(const OwnLine& line, const protocol::HeartbeatRequest& request) {
  if (request.slot == line.index && request.addresses.size() == line.slot_count) return {};
  return refused(fmt::format("this dataserver was started as {} of {}, the metaserver takes it for {} of {}",
                             line.index, line.slot_count, request.slot, request.addresses.size()));
}

void adopt(store::Superblock& superblock, const protocol::HeartbeatRequest& request) {
  superblock.adopted = true;
  superblock.cluster = request.cluster;
  superblock.ring = request.ring;
  superblock.slot = request.slot;
  superblock.slot_count = static_cast<std::uint32_t>(request.addresses.size());
  superblock.ranges.clear();
  for (const Slot range : ranges_of(superblock.slot, superblock.slot_count, kCopyCountDefault)) {
    store::RangeState state;
    state.range = range;
    superblock.ranges.push_back(state);
  }
}

/// Terms only rise, and only those granted to this very start count.
bool apply_term(store::Superblock& superblock, const protocol::HeartbeatRequest& request, const Uuid& start_id,
                HeartbeatEffects& effects) {
  if (request.term_for != start_id) return false;
  bool changed = false;
  if (request.term_granted > superblock.term_granted) {
    superblock.term_granted = request.term_granted;
    superblock.term_for = request.term_for;
    changed = true;
  }
  const bool is_this_starts = superblock.term_for == start_id && superblock.term_granted == request.term_granted;
  if (!request.term_confirmed || !is_this_starts) return changed;
  effects.term_to_confirm = request.term_granted;
  if (superblock.term_confirmed != request.term_granted) changed = true;
  superblock.term_confirmed = request.term_granted;
  return changed;
}

bool apply_fences(store::Superblock& superblock, const protocol::HeartbeatRequest& request, HeartbeatEffects& effects) {
  for (const protocol::Fence& fence : request.fences) {
    if (fence.number <= superblock.fence_number) continue;
    superblock.fence_number = fence.number;
    superblock.fenced.push_back(fence.session);
    effects.fenced.push_back(fence.session);
  }
  if (superblock.fenced.size() > kFencedMax)
    superblock.fenced.erase(superblock.fenced.begin(), superblock.fenced.end() - kFencedMax);
  return !effects.fenced.empty();
}

template <class T>
bool replace(T& present, const T& value) {
  if (present == value) return false;
  present = value;
  return true;
}

template <class T>
bool raise(T& present, T value) {
  if (value <= present) return false;
  present = value;
  return true;
}

}  // namespace

protocol::NodeIdentity identity_of(const store::Superblock& superblock, const OwnLine& line) {
  protocol::NodeIdentity identity;
  identity.index = line.index;
  identity.slot_count = line.slot_count;
  identity.blank = !superblock.adopted;
  identity.cluster = superblock.cluster;
  identity.ring = superblock.ring;
  identity.generation = superblock.generation;
  return identity;
}

Result<void> check_store(const store::Superblock& superblock, const OwnLine& line, const std::string& directory) {
  if (!superblock.adopted) return {};
  if (superblock.slot == line.index && superblock.slot_count == line.slot_count) return {};
  return refused(
      fmt::format("{} is of dataserver {} of {}, not of {} of {}: start it as that one, or choose another --dir",
                  directory, superblock.slot, superblock.slot_count, line.index, line.slot_count));
}

Result<void> check_reserve(const store::Superblock& superblock, const std::optional<Reservation>& reservation,
                           const protocol::ReserveRequest& request, Time now) {
  MENDFS_TRY_VOID(check_version(request.protocol_version));
  if (superblock.adopted && superblock.cluster != request.cluster) return belongs_to_other(superblock);
  if (is_kept_for_other(reservation, request.cluster, now)) return kept_for_other(*reservation, now);
  return {};
}

Result<void> check_heartbeat(const store::Superblock& superblock, const OwnLine& line,
                             const std::optional<Reservation>& reservation, const protocol::HeartbeatRequest& request,
                             Time now) {
  MENDFS_TRY_VOID(check_version(request.protocol_version));
  MENDFS_TRY_VOID(check_shape(line, request));
  if (!superblock.adopted) {
    if (is_kept_for_other(reservation, request.cluster, now)) return kept_for_other(*reservation, now);
    return {};
  }
  if (superblock.cluster != request.cluster) return belongs_to_other(superblock);
  if (superblock.ring != request.ring)
    return refused(fmt::format("this dataserver is of ring {}, not {}", superblock.ring, request.ring));
  return {};
}

HeartbeatEffects apply_heartbeat(store::Superblock& superblock, const protocol::HeartbeatRequest& request,
                                 const Uuid& start_id) {
  HeartbeatEffects effects;
  if (!superblock.adopted) {
    adopt(superblock, request);
    effects.adopted = true;
    effects.save = true;
  }
  effects.save |= replace(superblock.addresses, request.addresses);
  effects.save |= replace(superblock.metaserver, request.metaserver);
  effects.save |= apply_term(superblock, request, start_id, effects);
  effects.save |= apply_fences(superblock, request, effects);
  effects.save |= raise(superblock.metadata_epoch, request.epoch);
  effects.save_some_time |= raise(superblock.metadata_index, request.durable_index);
  effects.save_some_time |= raise(superblock.inode_high, request.inode_high);
  return effects;
}

std::optional<Time> write_grant(const protocol::HeartbeatRequest& request, const Uuid& start_id, Time now) {
  if (request.heard_start != start_id) return std::nullopt;
  const Time heard(request.heard_clock);
  // A moment that is yet to come was not told by this process.
  if (heard > now || heard < Time(0)) return std::nullopt;
  return heard + timing::kWriteGrant;
}

}  // namespace mendfs::dataserver
