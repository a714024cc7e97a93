// Tells every dataserver what was cut and deleted, again and again until each has recorded it, and logs when all have.
#pragma once

#include <vector>

#include "env/future.h"
#include "metaserver/membership/cut_board.h"
#include "metaserver/service/core.h"
#include "metaserver/service/ring_keeper.h"

namespace mendfs::metaserver {

class CutTeller {
 public:
  CutTeller(Core& core, RingKeeper& ring) : core_(core), ring_(ring), work_(core.env.loop), changed_(core.env.loop) {}

  void start() { scope_.spawn(run()); }
  /// There may be new work.
  void look_now() { work_.notify_all(); }
  /// Waits until every dataserver has recorded the file's newest cut.
  Task<void> until_told(InodeNumber inode);
  std::size_t pending_count() const { return board_.size(); }

 private:
  Task<void> run();
  Result<void> refill();
  Result<RingState> note_starts();
  Task<void> tell(Slot slot);
  Task<void> finish(std::vector<protocol::CutRecord> done);
  Result<bool> is_pending(InodeNumber inode);

  Core& core_;
  RingKeeper& ring_;
  CutBoard board_;
  Signal work_;
  Signal changed_;  // the board
  Scope scope_;     // last: its coroutines use all of the above
};

}  // namespace mendfs::metaserver
