// RangePull: brings over from one other holder whatever it has of a range above some version and this server lacks: the
// one mechanism behind a primary's handshake, the catch-up after a reboot and the rebuild of an emptied disk.
//
// A listing of the source's segments, page by page, and fetches of what is newer there than here. Each run that arrives
// is verified and stored by the one rule that also orders forwards: the newest (cut, version) wins. Loop thread only.
#pragma once

#include <cstdint>
#include <vector>

#include "base/error.h"
#include "dataserver/replication/node.h"
#include "env/task.h"
#include "protocol/data.h"
#include "protocol/ring_data.h"

namespace mendfs::replication {

class RangePull {
 public:
  enum class Unverifiable {
    MarkLost,   // what the source knows and cannot verify becomes lost here, unless this server has it or newer
    KeepOlder,  // the same, but an older block here stays
  };

  RangePull(Node& node, Slot range, Slot source, Version above, Unverifiable unverifiable)
      : node_(node), range_(range), source_(source), above_(above), unverifiable_(unverifiable) {}

  /// One page. True when the end has been reached. After Unavailable or OutcomeUnknown it may be called again and
  /// goes on where it was, or from the start when the source has become another store.
  Task<Result<bool>> step();

  /// The source was complete in each of its answers, and the same store throughout.
  bool source_was_complete() const { return source_was_complete_ && pages_ > 0; }
  /// The source's last word: it is itself being rebuilt.
  bool source_is_rebuilding() const { return source_is_rebuilding_; }
  std::uint64_t blocks_listed() const { return blocks_listed_; }
  std::uint64_t blocks_pulled() const { return blocks_pulled_; }
  std::uint64_t blocks_total() const { return blocks_total_; }

 private:
  /// Some of a page, to be fetched in one message.
  struct Batch {
    std::vector<RunHeader> headers;
    std::uint64_t size = 0;
  };

  Result<void> note_answer(const protocol::ListReply& reply);
  Result<std::vector<Batch>> lacking(const std::vector<RunSummary>& listed) const;
  Result<bool> is_lacking(const RunHeader& header) const;
  Task<Result<void>> pull_batch(Batch batch);
  Result<void> mark_lost(const Batch& batch, const protocol::FetchMiss& miss) const;
  Result<void> store_runs(const std::vector<Run>& runs) const;

  Node& node_;
  Slot range_;
  Slot source_;
  Version above_;
  Unverifiable unverifiable_;

  std::uint64_t cursor_ = 0;
  Generation generation_;
  std::uint64_t pages_ = 0;
  bool source_was_complete_ = true;
  bool source_is_rebuilding_ = false;
  std::uint64_t blocks_listed_ = 0;
  std::uint64_t blocks_pulled_ = 0;
  std::uint64_t blocks_total_ = 0;
};

}  // namespace mendfs::replication
