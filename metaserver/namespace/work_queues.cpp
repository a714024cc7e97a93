#include "metaserver/namespace/work_queues.h"

#include <algorithm>

#include "metaserver/namespace/state_keys.h"

namespace mendfs::metaserver {

void WorkQueues::add(State& state, char queue, InodeNumber inode) {
  Bounds& bounds = bounds_[queue];
  bounds.least = std::min(bounds.least, inode);
  bounds.most = std::max(bounds.most, inode);
  state.put(keys::queued(queue, inode), {});
}

void WorkQueues::remove(State& state, char queue, InodeNumber inode) { state.remove(keys::queued(queue, inode)); }

Result<std::vector<InodeNumber>> WorkQueues::list(State& state, char queue, InodeNumber after, std::size_t count_max) {
  std::vector<InodeNumber> inodes;
  Bounds& bounds = bounds_[queue];
  if (count_max == 0 || after >= bounds.most || bounds.least > bounds.most) return inodes;
  const InodeNumber first = std::max(after + 1, bounds.least);
  const std::string end = keys::queued(queue, bounds.most) + '\0';
  MENDFS_TRY_VOID(state.scan(keys::queued(queue, first), end, [&](std::string_view key, std::string_view) {
    if (key.size() == keys::kQueuedInodeOffset + 8)
      inodes.push_back(keys::big_endian_at(key, keys::kQueuedInodeOffset));
    return inodes.size() < count_max;
  }));
  if (inodes.size() < count_max) bounds.most = inodes.empty() ? first - 1 : inodes.back();
  if (after < bounds.least) bounds.least = inodes.empty() ? UINT64_MAX : inodes.front();
  return inodes;
}

}  // namespace mendfs::metaserver
