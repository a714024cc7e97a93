#include "metaserver/namespace/work_queues.h"

#include <algorithm>

#include "metaserver/namespace/state_keys.h"

namespace mendfs::metaserver {

void WorkQueues::add(State& state, char queue, InodeNumber inode) {
  InodeNumber& nothing_below = nothing_below_[queue];
  nothing_below = std::min(nothing_below, inode);
  state.put(keys::queued(queue, inode), {});
}

void WorkQueues::remove(State& state, char queue, InodeNumber inode) { state.remove(keys::queued(queue, inode)); }

Result<std::vector<InodeNumber>> WorkQueues::list(State& state, char queue, InodeNumber after, std::size_t count_max) {
  std::vector<InodeNumber> inodes;
  InodeNumber& nothing_below = nothing_below_[queue];
  if (count_max == 0 || after == UINT64_MAX || nothing_below == UINT64_MAX) return inodes;
  const InodeNumber first = std::max(after + 1, nothing_below);
  const std::string end = keys::after_prefix(std::string(1, queue));
  MENDFS_TRY_VOID(state.scan(keys::queued(queue, first), end, [&](std::string_view key, std::string_view) {
    if (key.size() == keys::kQueuedInodeOffset + 8)
      inodes.push_back(keys::big_endian_at(key, keys::kQueuedInodeOffset));
    return inodes.size() < count_max;
  }));
  if (after < nothing_below) nothing_below = inodes.empty() ? UINT64_MAX : inodes.front();
  return inodes;
}

}  // namespace mendfs::metaserver
