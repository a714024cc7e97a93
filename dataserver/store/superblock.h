// What a store knows about itself: who it belongs to, its terms, what it is complete for. Two files of the same
// content, written and synced one after the other, each with a checksum: whatever happens during a save, the old or the
// new content is there, and rot in one file loses nothing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "block/types.h"
#include "env/disk.h"
#include "env/task.h"
#include "protocol/control.h"
#include "protocol/data.h"

namespace mendfs::store {

struct RangeState {
  Slot range = 0;
  bool complete = false;            // what this store has not, nobody ever acknowledged
  bool behind = false;              // complete up to its watermark only, until it has caught up with the other holders:
                                    // set for every complete range, in the same save, when opening finds a reboot
  std::uint64_t refused_below = 0;  // term of its primary: forwards from lower ones are refused
  template <class V>
  void fields(V& v) {
    v("range", range);
    v("complete", complete);
    v("behind", behind);
    v("refused_below", refused_below);
  }
};

/// A client that has not asked for an fsync over so many reboots is told that its bytes may be lost.
constexpr std::size_t kEarlierLivesMax = 16;

struct Superblock {
  Generation generation;  // of this store, random, made with the directory
  std::string boot_id;    // of the machine when it was last opened; empty: un-synced bytes may be lost
  Uuid boot;              // random, new whenever un-synced bytes may have been lost
  std::vector<protocol::EarlierLife> earlier;  // before it, oldest first; the last kEarlierLivesMax

  // Who it is. Everything is zero until a metaserver adopts it.
  bool adopted = false;
  ClusterId cluster;
  RingNumber ring = 0;
  Slot slot = 0;
  std::uint32_t slot_count = 0;
  std::vector<std::string> addresses;
  std::string metaserver;

  // Terms of this slot (docs/design.md, "Order, versions, convergence").
  std::uint64_t term_granted = 0;
  Uuid term_for;  // the start it was granted to
  std::uint64_t term_confirmed = 0;

  bool complete_at_birth = false;  // the ring was made with this store: nothing can be missing
  std::vector<RangeState> ranges;
  std::vector<protocol::LostRange> lost;  // as declared

  // The highest it was told: a metaserver behind them is an old backup.
  std::uint64_t metadata_epoch = 0;
  std::uint64_t metadata_index = 0;
  InodeNumber inode_high = 0;

  std::uint64_t fence_number = 0;
  std::vector<SessionId> fenced;

  bool index_damaged = false;     // build it anew at the next start
  std::uint64_t save_number = 0;  // of two intact files the higher is the newer

  /// The state of a range; nullptr when this slot holds no copy of it.
  RangeState* range_state(Slot range);
  const RangeState* range_state(Slot range) const { return const_cast<Superblock*>(this)->range_state(range); }

  template <class V>
  void fields(V& v) {
    v("generation", generation);
    v("boot_id", boot_id);
    v("boot", boot);
    v("earlier", earlier);
    v("adopted", adopted);
    v("cluster", cluster);
    v("ring", ring);
    v("slot", slot);
    v("slot_count", slot_count);
    v("addresses", addresses);
    v("metaserver", metaserver);
    v("term_granted", term_granted);
    v("term_for", term_for);
    v("term_confirmed", term_confirmed);
    v("complete_at_birth", complete_at_birth);
    v("ranges", ranges);
    v("lost", lost);
    v("metadata_epoch", metadata_epoch);
    v("metadata_index", metadata_index);
    v("inode_high", inode_high);
    v("fence_number", fence_number);
    v("fenced", fenced);
    v("index_damaged", index_damaged);
    v("save_number", save_number);
  }
};

/// NotFound when there is none; Corruption when both files are damaged.
Result<Superblock> load_superblock(Disk& disk);
/// Durable when it ends. One at a time (BlockStore::save_superblock sees to that).
Task<Result<void>> write_superblock(Disk& disk, Superblock superblock);

}  // namespace mendfs::store
