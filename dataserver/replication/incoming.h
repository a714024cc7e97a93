// Runs that arrive from another server: checked before anything is done with them.
#pragma once

#include <vector>

#include "base/buffer.h"
#include "base/error.h"
#include "block/run.h"
#include "dataserver/replication/node.h"

namespace mendfs::replication {

/// Takes `data` apart run by run. Malformed: an impossible header or another amount of data. Refused: of another ring,
/// or of a range other than `range`. The runs are given this server's copy number.
Result<std::vector<Run>> take_runs(const Node& node, Slot range, std::vector<RunSummary> summaries, const Buffer& data);

/// Corruption: bytes that do not fit their digests. For what was asked for: what a request brings, the connection has
/// checked (docs/decisions/0013-hashed-once.md).
Result<void> verify_runs(const std::vector<Run>& runs);

/// Blocks [begin, end) of a run, as a run.
Run part_of(const Run& run, std::uint32_t begin, std::uint32_t end);

}  // namespace mendfs::replication
