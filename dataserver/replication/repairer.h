// Repairer: mends this server's copies of blocks from other holders. It installs exactly what another holder has, where
// its own copy is bad, missing or older; it never makes a version. Loop thread only.
#pragma once

#include <cstdint>
#include <vector>

#include "base/error.h"
#include "dataserver/replication/node.h"
#include "dataserver/replication/order_queue.h"
#include "env/task.h"
#include "protocol/data.h"
#include "protocol/ring_data.h"

namespace mendfs::replication {

struct RepairOutcome {
  std::uint64_t repaired = 0;      // blocks really mended
  bool all_answered = true;        // every other holder told what it has
  bool complete_answered = false;  // one of them is complete for the range
  // What complete holders have of blocks that are bad here, where it is older than what this server's index names (a
  // hole: nothing at all). Not installed.
  std::vector<Run> older;
};

class Repairer {
 public:
  explicit Repairer(Node& node) : node_(node) {}

  /// Looks at the blocks here and at the other holders. Repairs of the same blocks go one after the other, so what is
  /// reported twice is mended and counted once. Requires: the blocks were checked, and count <= kBlocksMax.
  Task<Result<RepairOutcome>> repair(InodeNumber inode, Slot range, BlockRun blocks);

  static constexpr std::uint32_t kBlocksMax = 1u << 15;

 private:
  struct Turn;
  Task<Result<RepairOutcome>> repair_in_turn(InodeNumber inode, Slot range, BlockRun blocks);
  Task<Result<void>> repair_chunk(InodeNumber inode, Slot range, BlockRun blocks, RepairOutcome* outcome);
  Result<std::uint64_t> install(InodeNumber inode, Slot range, const std::vector<store::ReadPiece>& own,
                                const std::vector<Run>& fetched);
  static void keep_older(const std::vector<store::ReadPiece>& own, std::vector<Run> fetched,
                         const std::vector<protocol::FetchMiss>& misses, std::vector<Run>* older);

  Node& node_;
  OrderQueue order_;
  std::map<OrderQueue::Ticket, Promise<Unit>> waiting_;
};

}  // namespace mendfs::replication
