// What the other holders of a range have told decides when this server is complete for it. Pure; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "block/types.h"
#include "dataserver/replication/node.h"
#include "dataserver/store/superblock.h"
#include "protocol/control.h"

namespace mendfs::rebuild {

using replication::Completeness;

/// How far one source has been streamed.
struct SourceReport {
  bool reached_end = false;
  bool was_complete = false;   // in each of its answers, and the same store throughout
  bool is_rebuilding = false;  // its last word
};

enum class Verdict {
  GoOn,      // stream from those that have not reached their end
  Complete,  // as soon as what was streamed survives a power cut
  NoSource,  // everybody was asked: whoever is left lacks data too
};

/// `is_declared_lost`: that nobody is complete is known and accepted.
Verdict judge(Completeness here, const std::vector<SourceReport>& others, bool is_declared_lost);

/// What a heartbeat changes of a store's completeness. Judged before the term it brings is taken over.
struct HeartbeatNews {
  bool complete_at_birth = false;         // every range is complete: the ring was made with this store
  bool is_outdated = false;               // complete for nothing: another store of this slot has been in use since
  std::vector<protocol::LostRange> lost;  // declared, and not known here yet
  bool any() const { return complete_at_birth || is_outdated || !lost.empty(); }
};
HeartbeatNews news_of(const store::Superblock& superblock, const protocol::HeartbeatRequest& request);

/// Progress as a rate since the rebuild of a range began.
std::uint64_t blocks_per_second(std::uint64_t blocks, std::int64_t elapsed_ms);

}  // namespace mendfs::rebuild
