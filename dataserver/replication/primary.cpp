#include "dataserver/replication/primary.h"

#include <algorithm>
#include <utility>

#include "protocol/timing.h"

namespace mendfs::replication {

using protocol::FileRef;
using protocol::HolderPosition;
using protocol::WriteReply;
using protocol::WriteRequest;

/// Another holder of this server's own range.
struct Primary::Holder {
  Holder(Primary& primary, Node& node, Slot slot)
      : forwarder(
            node, slot, primary.settled_, [this] { return handshake.is_current(); },
            [&primary](std::uint64_t id, const HolderPosition& position) { primary.on_delivered(id, position); }),
        handshake(node, slot, [this, &primary] {
          forwarder.resume();
          primary.node_.changed.notify_all();
        }) {}
  Forwarder forwarder;
  Handshake handshake;
};

/// One write, from its first arrival until it is answered.
struct Primary::Operation {
  explicit Operation(Loop& loop) : finished(loop) {}
  std::optional<Outcome> outcome;
  Signal finished;
  WriteId id;
  // Once it is stored:
  Version version;
  bool was_stored = false;  // by an earlier process, on all copies: nothing was appended
  std::set<Slot> waits_for;
  Time appended_at{};
  std::vector<HolderPosition> positions;
  Signal* delivered = nullptr;
  bool is_durable = false;
};

/// A place in the order queue, let go however the write ends.
struct Primary::Turn {
  Primary& primary;
  OrderQueue::Ticket ticket;
  ~Turn() {
    primary.waiting_turns_.erase(ticket);
    for (OrderQueue::Ticket next : primary.order_.leave(ticket)) {
      auto waiting = primary.waiting_turns_.find(next);
      if (waiting != primary.waiting_turns_.end()) waiting->second.set({});
    }
  }
};

Primary::Primary(Node& node, WriteWindow& window, Repairer& repairer, SyncGather& sync_gather)
    : node_(node),
      window_(window),
      sync_gather_(sync_gather),
      retries_(node, window),
      old_blocks_(node, repairer, settled_) {}

Primary::~Primary() = default;

void Primary::confirm_term(std::uint64_t term) {
  if (term_ != 0) return;
  term_ = term;
  settled_.begin(term);
  for (Slot slot : node_.other_holders(node_.slot())) holders_.push_back(std::make_unique<Holder>(*this, node_, slot));
  for (auto& holder : holders_) holder->handshake.begin(term);
}

Result<void> Primary::check_request(const WriteRequest& request) const {
  MENDFS_TRY_VOID(node_.check_file(request.file));
  for (const protocol::WritePart& part : request.parts) {
    MENDFS_TRY(const Slot range, node_.check_blocks(request.file, part.blocks));
    if (range != node_.slot())
      return Error{ErrorCode::Refused, "a write to blocks whose primary is another dataserver"};
  }
  if (fenced_.contains(request.id.session)) return Error{ErrorCode::Refused, "the session has been fenced"};
  // It comes late, over an older connection; what has been written since must stay.
  if (window_.is_answered(request.id)) return Error{ErrorCode::Refused, "the write has been answered before"};
  return {};
}

Result<void> Primary::check_ready() const {
  if (term_ == 0) return Error{ErrorCode::Unavailable, "no confirmed term yet"};
  if (node_.env.loop.now() >= grant_until_)
    return Error{ErrorCode::Unavailable, "the metaserver has not been heard of: no writes are taken"};
  bool source = false;
  for (const auto& holder : holders_) {
    if (!holder->handshake.was_done())
      return Error{ErrorCode::Unavailable,
                   "waiting for the handshake with dataserver " + std::to_string(holder->forwarder.holder())};
    source = source || holder->handshake.holder_is_complete();
  }
  switch (node_.completeness(node_.slot())) {
    case Completeness::Complete:
      return {};
    case Completeness::Behind:
      return Error{ErrorCode::Unavailable, "catching up with the other holders"};
    case Completeness::NoSource:
      return Error{ErrorCode::Unavailable, "no complete copy of this range is left"};
    case Completeness::Incomplete:
      break;
  }
  if (source) return {};
  return Error{ErrorCode::Unavailable, "this range is being rebuilt"};
}

Task<Result<void>> Primary::until_ready() {
  const Time deadline = node_.env.loop.now() + timing::kReadyWait;
  for (;;) {
    Result<void> ready = check_ready();
    if (ready.ok()) co_return ready;
    Future<Unit> change = node_.changed.next();
    std::optional<Unit> changed = co_await change.until(deadline);
    if (!changed) co_return check_ready();
  }
}

Task<Primary::Outcome> Primary::write(WriteRequest request, Buffer data) {
  MENDFS_CO_TRY_VOID(check_request(request));
  window_.forget_below(request.id.session, request.answered_below);
  const WriteId id = request.id;
  const bool durable = request.durable;
  if (auto found = operations_.find(id); found != operations_.end()) {
    std::shared_ptr<Operation> original = found->second;
    co_return co_await join(std::move(original), durable);
  }
  if (std::optional<WriteWindow::Known> known = window_.find(id, node_.slot()); known && known->is_whole)
    co_return co_await answer_stored(known->version);
  MENDFS_CO_TRY_VOID(node_.admit_cuts(request.file));
  Result<void> ready = co_await until_ready();
  if (!ready) co_return ready.error();
  if (request.retry && !window_.find(id, node_.slot())) {
    Result<void> asked = co_await retries_.ask_others(id);
    if (!asked) co_return asked.error();
  }
  // It may have arrived a second time while this one waited, and be on its way, or stored, or answered.
  MENDFS_CO_TRY_VOID(check_request(request));
  std::optional<WriteWindow::Known> known = window_.find(id, node_.slot());
  if (known && known->is_whole && !operations_.contains(id)) co_return co_await answer_stored(known->version);
  std::shared_ptr<Operation>& place = operations_[id];
  std::shared_ptr<Operation> operation = place;
  if (!operation) {
    operation = place = std::make_shared<Operation>(node_.env.loop);
    operation->id = id;
    scope_.spawn(run(operation, std::move(request), std::move(data)));
  }
  co_return co_await join(std::move(operation), durable);
}

Task<Primary::Outcome> Primary::join(std::shared_ptr<Operation> operation, bool durable) {
  while (!operation->outcome) {
    Future<Unit> finished = operation->finished.next();
    (void)co_await finished;
  }
  Outcome outcome = *operation->outcome;
  if (outcome && durable && !operation->is_durable) {
    std::vector<HolderPosition> positions = outcome->holders;
    Result<void> synced = co_await sync_everywhere(std::move(positions));
    // It is stored, and whoever asks again finds it: no reason to give it up.
    if (!synced) co_return Error{ErrorCode::Unavailable, synced.error().message};
  }
  co_return outcome;
}

/// It is on all copies already. Where in their logs nobody remembers: all that is there is made durable.
Task<Primary::Outcome> Primary::answer_stored(Version version) {
  Result<void> ready = co_await until_ready();
  if (!ready) co_return ready.error();
  WriteReply reply;
  reply.version = version;
  for (const auto& holder : holders_) {
    protocol::SyncRequest request;
    request.position = UINT64_MAX;
    const Time deadline = node_.env.loop.now() + timing::kForwardTimeout;
    auto answer =
        co_await node_.channel(holder->forwarder.holder()).call(std::move(request), std::vector<Buffer>(), deadline);
    if (!answer) co_return Error{ErrorCode::Unavailable, answer.error().message};
    reply.holders.push_back(answer->reply.durable);
  }
  Result<store::Position> synced = co_await node_.store.sync();
  if (!synced) {
    node_.note_store_error(synced.error());
    co_return synced.error();
  }
  reply.holders.push_back(node_.position_here(*synced));
  co_return reply;
}

Task<Result<void>> Primary::sync_everywhere(std::vector<HolderPosition> positions) {
  std::vector<Task<Result<void>>> syncs;
  for (const HolderPosition& holder : positions) syncs.push_back(sync_holder(holder.slot, holder.position));
  std::vector<Result<void>> results = co_await all_of(node_.env.loop, std::move(syncs));
  for (const Result<void>& result : results)
    if (!result) co_return result;
  co_return Result<void>();
}

Task<Result<void>> Primary::sync_holder(Slot slot, std::uint64_t position) {
  if (slot == node_.slot()) {
    if (node_.store.durable() >= position) co_return Result<void>();
    Result<store::Position> synced = co_await node_.store.sync();
    if (synced) co_return Result<void>();
    node_.note_store_error(synced.error());
    co_return synced.error();
  }
  protocol::SyncRequest request;
  request.position = position;
  const Time deadline = node_.env.loop.now() + timing::kForwardTimeout;
  auto answer = co_await node_.channel(slot).call(std::move(request), std::vector<Buffer>(), deadline);
  if (!answer) co_return Error{ErrorCode::Unavailable, answer.error().message};
  co_return Result<void>();
}

Task<void> Primary::run(std::shared_ptr<Operation> operation, WriteRequest request, Buffer data) {
  Signal delivered(node_.env.loop);
  operation->delivered = &delivered;
  Result<void> applied = co_await apply(operation, &request, std::move(data));
  if (!applied) {
    finish(operation.get(), applied.error());
    co_return;
  }
  if (operation->was_stored) {
    Outcome stored = co_await answer_stored(operation->version);
    operation->is_durable = true;
    finish(operation.get(), std::move(stored));
    co_return;
  }
  if (request.durable) {
    // The other holders make it durable before they answer, at the same time.
    std::vector<Slot> here = node_.held_of(request.sent_to);
    co_await sync_gather_.gather(request.id.session, request.file.inode, node_.slot(), std::move(here));
    Result<void> synced = co_await sync_holder(node_.slot(), operation->positions.front().position);
    operation->is_durable = synced.ok();
  }
  while (!operation->waits_for.empty()) {
    Future<Unit> change = delivered.next();
    (void)co_await change;
  }
  settled_.reached_all(operation->version);
  if (node_.is_complete(node_.slot())) node_.store.settled(node_.slot(), settled_.value());
  WriteReply reply;
  reply.version = operation->version;
  reply.holders = operation->positions;
  finish(operation.get(), std::move(reply));
}

void Primary::finish(Operation* operation, Outcome outcome) {
  operation->delivered = nullptr;
  operation->outcome = std::move(outcome);
  operation->finished.notify_all();
  operations_.erase(operation->id);
}

Task<Result<void>> Primary::apply(std::shared_ptr<Operation> operation, WriteRequest* request, Buffer data) {
  Result<WritePlan> plan = plan_write(*request, std::move(data));
  if (!plan) co_return plan.error();
  Turn turn{*this, order_.enter(request->file.inode, plan->blocks())};
  if (!order_.is_ready(turn.ticket)) {
    auto [promise, future] = make_promise<Unit>(node_.env.loop);
    waiting_turns_.emplace(turn.ticket, std::move(promise));
    (void)co_await future;
  }
  const std::optional<WriteWindow::Known> seen = window_.find(request->id, node_.slot());
  if (seen) {
    FileRef file = request->file;
    std::vector<BlockRun> blocks = plan->blocks();
    Result<bool> is_stored = co_await retries_.is_everywhere(std::move(file), std::move(blocks), seen->version);
    if (!is_stored) co_return is_stored.error();
    if (*is_stored) {
      window_.remember_whole(request->id, node_.slot(), seen->version);
      operation->version = seen->version;
      operation->was_stored = true;
      co_return Result<void>();
    }
  }
  co_return co_await apply_in_turn(operation.get(), request, &*plan);
}

/// Reads what partial blocks are merged with, then appends without a wait in between, as soon as what was read is still
/// what is there.
Task<Result<void>> Primary::apply_in_turn(Operation* operation, WriteRequest* request, WritePlan* plan) {
  for (;;) {
    std::vector<OldBlock> old_blocks;
    for (const PlannedRun& run : plan->runs) {
      if (!run.partial) continue;
      FileRef file = request->file;
      Result<OldBlock> old = co_await old_blocks_.read(std::move(file), run.blocks);
      if (!old) co_return old.error();
      old_blocks.push_back(std::move(*old));
    }
    // From here to the append nothing waits.
    MENDFS_CO_TRY_VOID(check_request(*request));
    MENDFS_CO_TRY_VOID(check_ready());
    MENDFS_CO_TRY_VOID(node_.admit_cuts(request->file));
    bool unchanged = true;
    std::vector<Buffer> old_bytes;
    for (const PlannedRun& run : plan->runs) {
      if (!run.partial) continue;
      const OldBlock& old = old_blocks[old_bytes.size()];
      MENDFS_CO_TRY(const bool same, old_blocks_.is_unchanged(request->file.inode, run.blocks, old));
      unchanged = unchanged && same;
      old_bytes.push_back(old.bytes);
    }
    if (unchanged) co_return append(operation, *request, *plan, old_bytes);
  }
}

Result<void> Primary::append(Operation* operation, const WriteRequest& request, const WritePlan& plan,
                             const std::vector<Buffer>& old_bytes) {
  MENDFS_TRY_VOID(check_space());
  RunHeader header;
  header.inode = request.file.inode;
  header.layout = request.file.layout;
  header.copy = 0;
  header.cut = request.file.cuts.number();
  header.writer = request.id;
  header.version = settled_.give();
  std::vector<Run> runs = make_runs(plan, header, old_bytes);
  Result<store::Position> appended = node_.store.append(runs, store::SpaceUse::Normal);
  if (!appended) {
    settled_.reached_all(header.version);
    node_.note_store_error(appended.error());
    return appended.error();
  }
  window_.remember_whole(request.id, node_.slot(), header.version);
  operation->version = header.version;
  operation->appended_at = node_.env.loop.now();
  operation->positions.push_back(node_.position_here(*appended));
  const std::uint64_t entry_id = next_entry_id_++;
  for (const auto& holder : holders_) operation->waits_for.insert(holder->forwarder.holder());
  if (!holders_.empty()) appended_.emplace(entry_id, operations_.at(request.id));
  for (const auto& holder : holders_) {
    ForwardQueue::Entry entry;
    entry.id = entry_id;
    entry.writer = request.id;
    entry.answered_below = request.answered_below;
    entry.durable = request.durable;
    entry.sent_to = request.sent_to;
    entry.cuts = request.file.cuts;
    entry.runs = runs;
    holder->forwarder.add(std::move(entry));
  }
  return {};
}

Result<void> Primary::check_space() {
  for (const auto& holder : holders_) {
    if (holder->forwarder.is_full()) {
      holder->forwarder.ask_for_space();
      return Error{ErrorCode::NoSpace,
                   "the disk of dataserver " + std::to_string(holder->forwarder.holder()) + " is full"};
    }
    if (holder->forwarder.data_size() > timing::kForwardBytesMax)
      return Error{ErrorCode::Unavailable,
                   "too much is waiting for dataserver " + std::to_string(holder->forwarder.holder())};
  }
  return {};
}

void Primary::on_delivered(std::uint64_t entry_id, const HolderPosition& position) {
  auto found = appended_.find(entry_id);
  if (found == appended_.end()) return;
  Operation& operation = *found->second;
  operation.waits_for.erase(position.slot);
  operation.positions.push_back(position);
  if (!operation.waits_for.empty()) return;
  if (operation.delivered != nullptr) operation.delivered->notify_all();
  appended_.erase(found);
}

Primary::Blocked Primary::blocked() const {
  Blocked blocked;
  const Time now = node_.env.loop.now();
  for (const auto& [id, operation] : appended_) {
    const Duration waited = now - operation->appended_at;
    if (waited < timing::kBlockedAfter || operation->waits_for.empty()) continue;
    blocked.count += 1;
    if (waited > blocked.longest) {
      blocked.longest = waited;
      blocked.on = *operation->waits_for.begin();
    }
  }
  return blocked;
}

}  // namespace mendfs::replication
