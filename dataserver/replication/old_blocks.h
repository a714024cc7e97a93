// OldBlocks: the bytes that a write to a part of a block is merged with. They are verified: from this server's copy, or
// from another holder when the copy here is damaged, or may be out of date because its range is being rebuilt.
// Loop thread only.
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "dataserver/replication/node.h"
#include "dataserver/replication/repairer.h"
#include "dataserver/replication/settled.h"
#include "env/task.h"
#include "protocol/data.h"

namespace mendfs::replication {

/// The bytes that count of one block, and what the index named when they were read.
struct OldBlock {
  Buffer bytes;  // at most B; empty for a hole or a block never written
  std::uint64_t cut = 0;
  Version version;
};

class OldBlocks {
 public:
  /// `node`, `repairer` and `settled` (the primary's own) outlive it.
  OldBlocks(Node& node, Repairer& repairer, const Settled& settled)
      : node_(node), repairer_(repairer), settled_(settled) {}

  /// Of one block whose primary is this server. Io: it is lost. Unavailable: another holder must be asked and does not
  /// answer.
  Task<Result<OldBlock>> read(protocol::FileRef file, BlockRun block);
  /// Nothing was stored for the block since `old` was read.
  Result<bool> is_unchanged(InodeNumber inode, const BlockRun& block, const OldBlock& old) const;

 private:
  Result<OldBlock> of_piece(const protocol::FileRef& file, const store::ReadPiece& piece) const;
  Result<OldBlock> of_bad(const protocol::FileRef& file, const store::ReadPiece& bad,
                          const RepairOutcome& mended) const;

  Node& node_;
  Repairer& repairer_;
  const Settled& settled_;
};

}  // namespace mendfs::replication
