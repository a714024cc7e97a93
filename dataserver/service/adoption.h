// Whom a dataserver belongs to, and what the metaserver's heartbeats make of it. Pure: the superblock, requests and
// times in, refusals and changes out.
//
// A blank store keeps itself for one metaserver for 30 s (node.reserve) while that one makes its ring; the first
// heartbeat adopts it for ever. From then on any other cluster, ring or slot is refused.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "dataserver/store/superblock.h"
#include "env/loop.h"
#include "protocol/control.h"

namespace mendfs::dataserver {

/// What this process was told on its command line.
struct OwnLine {
  Slot index = 0;
  std::uint32_t slot_count = 0;
};

/// A reservation, in memory only: a restart forgets it.
struct Reservation {
  ClusterId cluster;
  Time until{};
};

protocol::NodeIdentity identity_of(const store::Superblock& superblock, const OwnLine& line);

/// At the start: the store in `directory` is for this command line. Refused, with the right line, when it is another
/// slot's.
Result<void> check_store(const store::Superblock& superblock, const OwnLine& line, const std::string& directory);

/// Whether the server may keep itself for the caller's cluster.
Result<void> check_reserve(const store::Superblock& superblock, const std::optional<Reservation>& reservation,
                           const protocol::ReserveRequest& request, Time now);

/// Whether the caller is this server's metaserver, or may adopt it. Refused names the first difference.
Result<void> check_heartbeat(const store::Superblock& superblock, const OwnLine& line,
                             const std::optional<Reservation>& reservation, const protocol::HeartbeatRequest& request,
                             Time now);

/// What a heartbeat changed in the superblock.
struct HeartbeatEffects {
  bool adopted = false;                          // just now
  bool save = false;                             // before anything is answered or done
  bool save_some_time = false;                   // only how far the metadata has come
  std::vector<SessionId> fenced;                 // anew
  std::optional<std::uint64_t> term_to_confirm;  // this start's, confirmed
};

/// Requires: check_heartbeat() let it pass. `start_id` is of this process.
HeartbeatEffects apply_heartbeat(store::Superblock& superblock, const protocol::HeartbeatRequest& request,
                                 const Uuid& start_id);

/// Until when the heartbeat lets this start take writes; nothing when it does not. The time runs from this process's
/// own clock as it was when it gave the reply that the metaserver has, so a call that was long under way grants less.
std::optional<Time> write_grant(const protocol::HeartbeatRequest& request, const Uuid& start_id, Time now);

}  // namespace mendfs::dataserver
