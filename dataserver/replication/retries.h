// Retries: what a primary finds out about a write that has arrived before, perhaps at the process before this one, from
// what is stored here and from the other holders. Loop thread only.
#pragma once

#include <vector>

#include "base/error.h"
#include "block/run.h"
#include "dataserver/replication/node.h"
#include "dataserver/replication/write_window.h"
#include "env/task.h"
#include "protocol/data.h"

namespace mendfs::replication {

class Retries {
 public:
  /// Both outlive it.
  Retries(Node& node, WriteWindow& window) : node_(node), window_(window) {}

  /// Whether another holder has seen something of this write, of blocks whose primary is this server; the window then
  /// remembers it. Unavailable: one does not answer.
  Task<Result<void>> ask_others(WriteId id);

  /// Whether every one of the blocks that a write of this version is about is stored, here and at the other holders,
  /// intact, and with what the write left in it. Unavailable: a holder does not answer.
  /// Requires: the primary of the blocks is this server, and nothing is being written to them.
  Task<Result<bool>> is_everywhere(protocol::FileRef file, std::vector<BlockRun> blocks, Version version);

 private:
  Task<Result<bool>> is_at(Slot holder, protocol::FileRef file, std::vector<BlockRun> blocks, Version version);

  Node& node_;
  WriteWindow& window_;
};

}  // namespace mendfs::replication
