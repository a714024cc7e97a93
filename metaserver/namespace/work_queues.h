// Inodes that wait for something to be done, by kind (the queues of state_keys.h). They are asked for often and mostly
// empty, and what left one leaves a trace in the store that is slow to pass over, so it is remembered between which
// inodes a queue has something. That is a cache: everything at first, and never less than what is there.
#pragma once

#include <cstddef>
#include <map>
#include <vector>

#include "block/types.h"
#include "metaserver/namespace/state.h"

namespace mendfs::metaserver {

class WorkQueues {
 public:
  void add(State& state, char queue, InodeNumber inode);
  void remove(State& state, char queue, InodeNumber inode);
  /// Up to count_max inodes above `after`, in order.
  Result<std::vector<InodeNumber>> list(State& state, char queue, InodeNumber after, std::size_t count_max);

 private:
  struct Bounds {
    InodeNumber least = 1;
    InodeNumber most = UINT64_MAX;
  };
  std::map<char, Bounds> bounds_;
};

}  // namespace mendfs::metaserver
