// The cluster, its ring and each slot's terms as they are stored (docs/disk-format.md, "State").
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "block/types.h"

namespace mendfs::metaserver {

struct LostRange {
  Slot range = 0;
  InodeNumber inode_high = 0;  // unknown blocks of inodes up to this one are lost
  template <class V>
  void fields(V& v) {
    v("range", range);
    v("inode_high", inode_high);
  }
};

struct ClusterRecord {
  ClusterId cluster;
  std::uint64_t name_seed = 0;
  RingNumber ring = 0;
  std::vector<std::string> addresses;  // of the slots
  std::vector<LostRange> lost;
  template <class V>
  void fields(V& v) {
    v("cluster", cluster);
    v("name_seed", name_seed);
    v("ring", ring);
    v("addresses", addresses);
    v("lost", lost);
  }
};

struct SlotRecord {
  Generation generation;             // of the confirmed store
  Generation born_generation;        // of the store that was there when the ring was made
  std::uint64_t confirmed_term = 0;  // 0: none yet
  std::uint64_t granted_term = 0;    // >= confirmed_term
  Uuid granted_to;                   // the dataserver's start that asked for it
  template <class V>
  void fields(V& v) {
    v("generation", generation);
    v("born_generation", born_generation);
    v("confirmed_term", confirmed_term);
    v("granted_term", granted_term);
    v("granted_to", granted_to);
  }
};

}  // namespace mendfs::metaserver
