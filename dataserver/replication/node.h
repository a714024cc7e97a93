// Node: what every part of a dataserver's replication works with: its place in the ring, the connections to the other
// slots, and what it is complete for. One a process; loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "block/placement.h"
#include "dataserver/store/block_store.h"
#include "env/env.h"
#include "env/future.h"
#include "protocol/channel.h"

namespace mendfs::replication {

/// Of this server, for one range: what its "absent" is worth.
enum class Completeness {
  Complete,    // whatever was ever acknowledged is here
  Behind,      // up to its watermark: the machine rebooted, what was not synced may be lost here
  Incomplete,  // being rebuilt: it does not know
  NoSource,    // being rebuilt, and every other holder has answered that it is not complete either: data is lost
};

class Node {
 public:
  Node(Env& environment, store::BlockStore& block_store, std::function<void(Error)> stop)
      : env(environment), store(block_store), changed(environment.loop), stop_(std::move(stop)) {}

  Env& env;
  store::BlockStore& store;
  /// Notified when completeness changes, or anything else that decides whether writes can be taken.
  Signal changed;
  /// When a client was last served: background work steps back for a moment.
  Time last_foreground{};
  std::uint64_t blocks_mended = 0;  // since the start

  /// Connects to the other slots that the superblock names. Once.
  void join_ring();
  bool joined() const { return joined_; }

  Slot slot() const { return store.superblock().slot; }
  std::uint32_t slot_count() const { return store.superblock().slot_count; }
  std::uint32_t copy_count() const { return kCopyCountDefault; }
  std::vector<Slot> ranges() const { return ranges_of(slot(), slot_count(), copy_count()); }
  /// The holders of `range` but this server.
  std::vector<Slot> other_holders(Slot range) const;
  bool holds(Slot range) const { return copy_of(range).has_value(); }
  /// Those of the ranges of which a copy is here.
  std::vector<Slot> held_of(const std::vector<Slot>& ranges) const;
  /// Which copy of the range's blocks is here.
  std::optional<std::uint32_t> copy_of(Slot range) const;

  /// Requires: joined, and `peer` is another slot of the ring.
  protocol::Channel& channel(Slot peer);

  Completeness completeness(Slot range) const;
  bool is_complete(Slot range) const { return completeness(range) == Completeness::Complete; }
  /// Remembered in memory only: it is found out anew at each start.
  void set_no_source(Slot range, bool no_source);
  /// Changes what the superblock says of a range and saves it.
  Task<Result<void>> set_completeness(Slot range, Completeness completeness);
  /// Whether a block that nobody knows is lost: its range was declared lost when inodes went up to this one.
  bool is_declared_lost(Slot range, InodeNumber inode) const;

  /// The layout of a request fits this ring, and this server holds a copy of what it is about.
  Result<void> check_file(const protocol::FileRef& file) const;
  /// The blocks are all of one range, which this server holds, and lie within a file.
  Result<Slot> check_blocks(const protocol::FileRef& file, const BlockRun& blocks) const;
  /// Records cuts that the request knows and this server does not. Stale when it is the other way round, StaleHandle
  /// when the file is deleted. At once, so nothing changes between it and what follows.
  Result<void> admit_cuts(const protocol::FileRef& file);
  /// Little but the store's reserve is left. Looked up now and then.
  bool is_full();
  /// This server's place in its log, for fsync.
  protocol::HolderPosition position_here(store::Position position);

  /// The store has failed: tells main, once. Passes ordinary refusals by.
  void note_store_error(const Error& error);

 private:
  protocol::HelloRequest make_hello(Slot peer) const;

  std::function<void(Error)> stop_;
  bool joined_ = false;
  bool stopped_ = false;
  bool full_ = false;
  Time full_asked_ = Time::min();
  std::map<Slot, bool> no_source_;
  std::map<Slot, std::unique_ptr<protocol::Channel>> channels_;
};

}  // namespace mendfs::replication
