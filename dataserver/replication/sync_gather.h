// SyncGather: lets what belongs to one synced write be made durable together.
//
// A client sends the parts of a synced write to all their primaries at once, so a server gets a part of its own and, as
// another holder, its neighbours' parts within a moment. Waiting that moment saves a write-out, which costs more. Each
// message says who else was sent a part, so nothing is waited for that is not to come. Loop thread only.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "block/types.h"
#include "env/future.h"
#include "env/task.h"

namespace mendfs::replication {

class SyncGather {
 public:
  explicit SyncGather(Loop& loop) : loop_(loop) {}

  /// A part of a synced write has been appended: of which file and writer, of which range. `expected`: the ranges of
  /// the parts that come here. Ends when all of these are here, or after timing::kSyncGather.
  Task<void> gather(SessionId writer, InodeNumber inode, Slot range, std::vector<Slot> expected);

 private:
  struct Parts {
    explicit Parts(Loop& loop) : whole(loop) {}
    std::set<Slot> here;
    Signal whole;
  };

  using Key = std::pair<SessionId, InodeNumber>;
  struct End;

  Loop& loop_;
  std::map<Key, std::shared_ptr<Parts>> waiting_;
};

}  // namespace mendfs::replication
