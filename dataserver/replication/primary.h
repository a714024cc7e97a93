// Primary: makes the order of the writes to the blocks whose copy 0 is here, and answers each once all copies have it.
//
// A write passes these steps; where it waits it is a parked coroutine, which goes on when its client has gone:
//   joined to its original, if it is a retry        (WriteWindow, Retries)
//   checked, put in order behind overlapping ones   (plan_write, OrderQueue)
//   answered, if all of it is on all copies already (Retries)
//   merged, given a version and appended            (one step without a wait, repeated when something changed)
//   forwarded, then answered                        (Forwarder)
// Before the append every refusal leaves no trace; after it the write is never given up. Loop thread only.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "base/error.h"
#include "dataserver/replication/forwarder.h"
#include "dataserver/replication/handshake.h"
#include "dataserver/replication/node.h"
#include "dataserver/replication/old_blocks.h"
#include "dataserver/replication/order_queue.h"
#include "dataserver/replication/repairer.h"
#include "dataserver/replication/retries.h"
#include "dataserver/replication/settled.h"
#include "dataserver/replication/sync_gather.h"
#include "dataserver/replication/write_plan.h"
#include "dataserver/replication/write_window.h"
#include "env/future.h"
#include "protocol/data.h"

namespace mendfs::replication {

class Primary {
 public:
  Primary(Node& node, WriteWindow& window, Repairer& repairer, SyncGather& sync_gather);
  ~Primary();

  void confirm_term(std::uint64_t term);
  void grant_writes_until(Time until) {
    grant_until_ = until;
    node_.changed.notify_all();
  }
  void fence(const SessionId& session) { fenced_.insert(session); }

  Task<Result<protocol::WriteReply>> write(protocol::WriteRequest request, Buffer data);

  /// 0: none yet.
  std::uint64_t term() const { return term_; }
  /// Nothing but the write itself is in its way.
  bool takes_writes() const { return check_ready().ok(); }
  struct Blocked {
    std::uint64_t count = 0;
    Slot on = 0;
    Duration longest{};
  };
  /// Writes that have waited for another holder for kBlockedAfter.
  Blocked blocked() const;

 private:
  struct Holder;
  struct Operation;
  struct Turn;
  using Outcome = Result<protocol::WriteReply>;

  Result<void> check_request(const protocol::WriteRequest& request) const;
  Result<void> check_ready() const;
  Task<Result<void>> until_ready();
  Task<Outcome> join(std::shared_ptr<Operation> operation, bool durable);
  Task<Outcome> answer_stored(Version version);
  Task<Result<void>> sync_everywhere(std::vector<protocol::HolderPosition> positions);
  Task<Result<void>> sync_holder(Slot slot, std::uint64_t position);

  Task<void> run(std::shared_ptr<Operation> operation, protocol::WriteRequest request, Buffer data);
  Task<Result<void>> apply(std::shared_ptr<Operation> operation, protocol::WriteRequest* request, Buffer data);
  Task<Result<void>> apply_in_turn(Operation* operation, protocol::WriteRequest* request, WritePlan* plan);
  Result<void> append(Operation* operation, const protocol::WriteRequest& request, const WritePlan& plan,
                      const std::vector<Buffer>& old_bytes);
  Result<void> check_space();
  void on_delivered(std::uint64_t entry_id, const protocol::HolderPosition& position);
  void finish(Operation* operation, Outcome outcome);

  Node& node_;
  WriteWindow& window_;
  SyncGather& sync_gather_;
  std::uint64_t term_ = 0;
  Time grant_until_ = Time::min();
  std::set<SessionId> fenced_;
  Settled settled_;
  Retries retries_;
  OldBlocks old_blocks_;
  OrderQueue order_;
  std::map<OrderQueue::Ticket, Promise<Unit>> waiting_turns_;
  std::map<WriteId, std::shared_ptr<Operation>> operations_;
  std::map<std::uint64_t, std::shared_ptr<Operation>> appended_;  // by entry id, until every holder has it
  std::uint64_t next_entry_id_ = 1;
  std::vector<std::unique_ptr<Holder>> holders_;
  Scope scope_;  // last: its coroutines use all of the above
};

}  // namespace mendfs::replication
