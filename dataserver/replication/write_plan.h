// What a write request makes of the blocks it is about: runs of whole blocks as they are, and single blocks of which
// only a part is written, to be merged with the bytes that are there. Pure; any thread.
#pragma once

#include <cstdint>
#include <vector>

#include "base/buffer.h"
#include "base/error.h"
#include "block/run.h"
#include "protocol/data.h"

namespace mendfs::replication {

/// Some blocks of one part of a request.
struct PlannedRun {
  RunKind kind = RunKind::Data;
  BlockRun blocks;
  bool partial = false;  // one block, of which only bytes [begin, end) are written
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  std::vector<Digest> digests;  // of whole blocks of data
  std::size_t offset = 0;       // of its bytes within the request's
  std::size_t size = 0;
};

struct WritePlan {
  std::vector<PlannedRun> runs;
  Buffer data;

  /// What must be waited for in the order queue.
  std::vector<BlockRun> blocks() const;
};

/// Checks sizes, limits and that the parts are disjoint (Malformed). The caller has checked the layout and that the
/// blocks are its own, the connection that the bytes are those which were sent.
Result<WritePlan> plan_write(const protocol::WriteRequest& request, Buffer data);

/// What to store. `old_bytes` has, for each partial run in order, the bytes that count of the block as it is (at most B
/// of them, none when absent or a hole). `header` gives everything but kind, blocks and last_size.
std::vector<Run> make_runs(const WritePlan& plan, const RunHeader& header, const std::vector<Buffer>& old_bytes);

}  // namespace mendfs::replication
