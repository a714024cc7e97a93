#include "dataserver/replication/sync_gather.h"

#include <algorithm>

#include "protocol/timing.h"

namespace mendfs::replication {

/// What is waited for is over, however the wait ends: what comes from then on is made durable apart from it.
struct SyncGather::End {
  SyncGather& gather;
  Key key;
  std::shared_ptr<Parts> parts;
  ~End() {
    const auto known = gather.waiting_.find(key);
    if (known != gather.waiting_.end() && known->second == parts) gather.waiting_.erase(known);
    parts->whole.notify_all();
  }
};

Task<void> SyncGather::gather(SessionId writer, InodeNumber inode, Slot range, std::vector<Slot> expected) {
  const Key key(writer, inode);
  std::shared_ptr<Parts>& place = waiting_[key];
  if (!place) place = std::make_shared<Parts>(loop_);
  const End end{*this, key, place};
  Parts& parts = *end.parts;
  parts.here.insert(range);
  if (std::all_of(expected.begin(), expected.end(), [&](Slot part) { return parts.here.contains(part); })) co_return;
  Future<Unit> whole = parts.whole.next();
  (void)co_await whole.until(loop_.now() + timing::kSyncGather);
}

}  // namespace mendfs::replication
