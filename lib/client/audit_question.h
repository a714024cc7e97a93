// What a server of other copies is asked about a read, and what its answer means. It holds sums, not bytes, so that
// asking can wait. Pure; one thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/error.h"
#include "block/types.h"
#include "client/read_decision.h"
#include "protocol/data.h"

namespace mendfs::client {

/// Blocks of one server: to read, to audit or to mend.
struct SlotBlocks {
  Slot slot = 0;
  std::vector<BlockRun> blocks;
};

/// Blocks of one range that a read gave out, all from one copy, in one state and version.
struct GivenRun {
  BlockRun blocks;
  Slot slot = 0;  // whose copy it was
  CopyState state = CopyState::Absent;
  Version version;
  std::vector<std::uint64_t> sums;  // of Data, block by block: CopySum
};

struct AuditQuestion {
  Slot slot = 0;  // who is asked
  std::vector<GivenRun> given;

  std::vector<BlockRun> blocks() const;
  std::uint64_t block_count() const;
};

struct AuditResult {
  std::uint64_t agreed = 0;
  std::vector<SlotBlocks> damaged;  // its server says so, or it has other bytes under the same version
  std::vector<SlotBlocks> older;    // there, or where the bytes came from
};

/// Malformed: the answer does not fit the question.
Result<AuditResult> compare(const AuditQuestion& question, std::span<const protocol::AuditRun> answer);

/// Whether the runs cover the blocks asked for, in order, each with as many digests or sums as it must have.
Result<void> check_answer(std::span<const BlockRun> asked, std::span<const protocol::ReadRun> runs);
Result<void> check_answer(std::span<const BlockRun> asked, std::span<const protocol::AuditRun> runs);

CopyState copy_state_of(protocol::BlockState state);

/// Collects blocks, range by range and ascending, into runs for each server.
class BlockCollector {
 public:
  /// All runs of one collector have the same step.
  void add(Slot slot, const BlockRun& blocks);
  /// By server, ascending; nothing is left.
  std::vector<SlotBlocks> take();

 private:
  std::vector<SlotBlocks> collected_;
};

}  // namespace mendfs::client
