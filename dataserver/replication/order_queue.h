// OrderQueue: who goes first among writes of the same blocks. Writes that share no block never wait for each other.
//
// Waiting is state here, not a lock: the caller parks what is not ready and goes on with what leave() returns.
// Pure; one thread.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "block/types.h"

namespace mendfs::replication {

class OrderQueue {
 public:
  using Ticket = std::uint64_t;

  /// Joins the queue behind all earlier writes that share a block with one of `parts`.
  Ticket enter(InodeNumber inode, std::vector<BlockRun> parts);
  /// Nothing earlier is in its way any more.
  bool is_ready(Ticket ticket) const;
  /// Lets go; answers which tickets have become ready by it. Requires: it is in the queue.
  std::vector<Ticket> leave(Ticket ticket);

  std::size_t size() const { return inode_of_.size(); }

 private:
  struct Entry {
    Ticket ticket = 0;
    std::vector<BlockRun> parts;
    std::size_t in_the_way = 0;  // earlier entries that share a block
  };
  static bool overlap(const Entry& a, const Entry& b);

  Ticket next_ = 1;
  std::map<InodeNumber, std::vector<Entry>> files_;  // in the order of arrival
  std::map<Ticket, InodeNumber> inode_of_;
};

/// Whether the two share a block.
bool share_blocks(const BlockRun& a, const BlockRun& b);

}  // namespace mendfs::replication
