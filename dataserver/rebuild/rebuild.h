// Rebuild: makes this server complete again for every range it holds, in the background, whatever it lost: nothing at
// all (a kill), un-synced records (the machine rebooted), or everything (an emptied directory).
//
// It pulls what is lacking from the other holders of a range and marks the range complete, durably, once a source that
// was complete throughout has been streamed to its end and synced. Kill it anywhere; the next start goes on from what
// the store then holds. Loop thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/error.h"
#include "dataserver/replication/replica.h"
#include "dataserver/store/block_store.h"
#include "env/env.h"
#include "protocol/control.h"

namespace mendfs::rebuild {

class Rebuild {
 public:
  /// `env`, `store` and `replica` outlive it. Works from when the replica has joined a ring.
  Rebuild(Env& env, store::BlockStore& store, replication::Replica& replica);
  ~Rebuild();

  /// What a heartbeat says about completeness: a ring made with this store, another confirmed generation or a higher
  /// confirmed term than the store has (its content is old), ranges declared lost. Ends when what changed is saved.
  Task<Result<void>> note_heartbeat(protocol::HeartbeatRequest request);
  /// The metaserver knows of this start. Nothing is streamed into a store that lacks all before: the source may not
  /// have heard yet of deletions that, as the metaserver has it, this server has recorded.
  void note_known();

  /// Of every range this server holds, its own first.
  std::vector<protocol::RangeProgress> progress() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mendfs::rebuild
