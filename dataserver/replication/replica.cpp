#include "dataserver/replication/replica.h"

#include <utility>

#include "dataserver/replication/incoming.h"
#include "dataserver/replication/primary.h"
#include "dataserver/replication/reader.h"
#include "dataserver/replication/repairer.h"
#include "dataserver/replication/sync_gather.h"
#include "dataserver/replication/write_window.h"
#include "env/future.h"
#include "protocol/timing.h"

namespace mendfs::replication {

using namespace protocol;

class Replica::Impl {
 public:
  Impl(Env& env, store::BlockStore& store, std::function<void(Error)> stop)
      : node(env, store, std::move(stop)),
        repairer(node),
        reader(node),
        sync_gather(env.loop),
        primary(node, window, repairer, sync_gather) {
    window.load(store.recovery().blob);
    for (const store::SeenWrite& write : store.recovery().writes)
      window.remember_seen(write.writer, write.range, write.version);
    store.set_flush_blob([this] { return window.save(); });
    scope.spawn(keep_house());
  }
  ~Impl() { node.store.set_flush_blob({}); }

  ServedTask<RepairRequest> repair(RepairRequest request);
  ServedTask<SyncRequest> sync(SyncRequest request);
  ServedTask<ForwardRequest> forward(ForwardRequest request, Buffer data, Caller caller);
  Task<Result<void>> sync_to(store::Position position);
  Result<store::Position> store_forwarded(const ForwardRequest& request, std::vector<Run> runs);
  ServedTask<HandshakeRequest> handshake(HandshakeRequest request, Caller caller);
  Task<Result<void>> record_cuts(std::vector<CutRecord> records);
  Task<void> keep_house();

  Node node;
  WriteWindow window;
  Repairer repairer;
  Reader reader;
  SyncGather sync_gather;
  Primary primary;
  Scope scope;
};

namespace {

/// A request from another dataserver of the ring, about the range it is primary of.
Result<void> check_primary(const Node& node, const Caller& caller, Slot range) {
  if (caller.role != Role::Dataserver || caller.from_slot != range)
    return Error{ErrorCode::Refused, "only the primary of a range may do that"};
  if (!node.holds(range) || range == node.slot())
    return Error{ErrorCode::Refused, "a range that this server holds no copy of"};
  return {};
}

}  // namespace

Replica::Replica(Env& env, store::BlockStore& store, std::function<void(Error)> stop)
    : impl_(std::make_unique<Impl>(env, store, std::move(stop))) {}
Replica::~Replica() = default;

void Replica::join_ring() { impl_->node.join_ring(); }
void Replica::confirm_term(std::uint64_t term) { impl_->primary.confirm_term(term); }
void Replica::grant_writes_until(Time until) { impl_->primary.grant_writes_until(until); }
void Replica::fence(const SessionId& session) {
  impl_->primary.fence(session);
  impl_->window.forget(session);
}
Node& Replica::node() { return impl_->node; }

Task<Result<void>> Replica::record_cuts(std::vector<CutRecord> records) {
  return impl_->record_cuts(std::move(records));
}

Result<std::vector<std::uint64_t>> Replica::extents(const std::vector<FileRef>& files) {
  std::vector<std::uint64_t> sizes;
  for (const FileRef& file : files) {
    MENDFS_TRY_VOID(impl_->node.check_file(file));
    // A cut that this server has not heard of ends its data too. What it knows better, the metaserver will ask again.
    const Result<void> admitted = impl_->node.admit_cuts(file);
    if (!admitted && admitted.code() != ErrorCode::Stale && admitted.code() != ErrorCode::StaleHandle)
      return admitted.error();
    MENDFS_TRY(const std::uint64_t size, impl_->node.store.extent(file.inode, file.layout));
    sizes.push_back(size);
  }
  return sizes;
}

ReplicaStatus Replica::status() const {
  const Primary::Blocked blocked = impl_->primary.blocked();
  ReplicaStatus status;
  status.writes_blocked = blocked.count;
  status.blocked_on = blocked.on;
  status.blocked_ms =
      static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(blocked.longest).count());
  status.blocks_mended = impl_->node.blocks_mended;
  status.takes_writes = impl_->primary.takes_writes();
  return status;
}

Result<HelloReply> Replica::on_hello(const HelloRequest& request) {
  const store::Superblock& self = impl_->node.store.superblock();
  if (request.protocol_version != kProtocolVersion)
    return Error{ErrorCode::Refused, "this dataserver speaks another version of the protocol"};
  if (!self.adopted || !impl_->node.joined())
    return Error{ErrorCode::Unavailable, "this dataserver belongs to no cluster yet"};
  if (request.cluster != self.cluster) return Error{ErrorCode::Refused, "this dataserver belongs to another cluster"};
  if (request.ring != self.ring) return Error{ErrorCode::Refused, "this dataserver is on another ring"};
  if (request.to_slot != self.slot)
    return Error{ErrorCode::Refused,
                 "this is dataserver " + std::to_string(self.slot) + ", not " + std::to_string(request.to_slot)};
  if (request.role == Role::Dataserver && request.from_slot >= self.slot_count)
    return Error{ErrorCode::Refused, "a dataserver of a slot that this ring has not"};
  return HelloReply{self.generation, impl_->primary.term()};
}

ServedTask<WriteRequest> Replica::serve(WriteRequest request, Buffer data, Caller) {
  impl_->node.last_foreground = impl_->node.env.loop.now();
  Result<WriteReply> reply = co_await impl_->primary.write(std::move(request), std::move(data));
  if (!reply) co_return reply.error();
  Served<WriteRequest> answer;
  answer.reply = std::move(*reply);
  co_return answer;
}
ServedTask<ReadRequest> Replica::serve(ReadRequest request, Buffer, Caller) {
  impl_->node.last_foreground = impl_->node.env.loop.now();
  return impl_->reader.read(std::move(request));
}
ServedTask<AuditRequest> Replica::serve(AuditRequest request, Buffer, Caller) {
  return impl_->reader.audit(std::move(request));
}
ServedTask<RepairRequest> Replica::serve(RepairRequest request, Buffer, Caller) {
  return impl_->repair(std::move(request));
}
ServedTask<SyncRequest> Replica::serve(SyncRequest request, Buffer, Caller) { return impl_->sync(std::move(request)); }
ServedTask<ForwardRequest> Replica::serve(ForwardRequest request, Buffer data, Caller caller) {
  return impl_->forward(std::move(request), std::move(data), caller);
}
ServedTask<FetchRequest> Replica::serve(FetchRequest request, Buffer, Caller) {
  return impl_->reader.fetch(std::move(request));
}
ServedTask<ListRequest> Replica::serve(ListRequest request, Buffer, Caller) {
  return impl_->reader.list(std::move(request));
}
ServedTask<HandshakeRequest> Replica::serve(HandshakeRequest request, Buffer, Caller caller) {
  return impl_->handshake(std::move(request), caller);
}
ServedTask<AskWriteRequest> Replica::serve(AskWriteRequest request, Buffer, Caller) {
  const std::optional<WriteWindow::Known> known = impl_->window.find(request.id, request.range);
  Served<AskWriteRequest> answer;
  answer.reply.known = known.has_value();
  if (known) answer.reply.version = known->version;
  co_return answer;
}

ServedTask<RepairRequest> Replica::Impl::repair(RepairRequest request) {
  MENDFS_CO_TRY_VOID(node.check_file(request.file));
  std::uint64_t block_count = 0;
  for (const BlockRun& blocks : request.blocks) {
    MENDFS_CO_TRY_VOID(node.check_blocks(request.file, blocks));
    block_count += blocks.count;
  }
  if (block_count > Repairer::kBlocksMax) co_return Error{ErrorCode::Malformed, "too many blocks to repair at once"};
  MENDFS_CO_TRY_VOID(node.admit_cuts(request.file));
  Served<RepairRequest> answer;
  for (const BlockRun& blocks : request.blocks) {
    const Slot range = primary_of(blocks.first, request.file.layout);
    Result<RepairOutcome> outcome = co_await repairer.repair(request.file.inode, range, blocks);
    if (!outcome) co_return outcome.error();
    answer.reply.repaired += outcome->repaired;
  }
  co_return answer;
}

ServedTask<SyncRequest> Replica::Impl::sync(SyncRequest request) {
  // What was acknowledged before the reboot may not be here again yet.
  for (Slot range : node.ranges())
    if (node.completeness(range) == Completeness::Behind)
      co_return Error{ErrorCode::Unavailable, "catching up with the other holders after a reboot"};
  Result<void> synced = co_await sync_to(request.position);
  if (!synced) co_return synced.error();
  Served<SyncRequest> answer;
  answer.reply.durable = node.position_here(node.store.durable());
  answer.reply.earlier = node.store.superblock().earlier;
  co_return answer;
}

/// What is in the log before `position` is durable afterwards.
Task<Result<void>> Replica::Impl::sync_to(store::Position position) {
  if (node.store.durable() >= position) co_return Result<void>();
  Result<store::Position> synced = co_await node.store.sync();
  if (synced) co_return Result<void>();
  node.note_store_error(synced.error());
  co_return synced.error();
}

ServedTask<ForwardRequest> Replica::Impl::forward(ForwardRequest request, Buffer data, Caller caller) {
  MENDFS_CO_TRY_VOID(check_primary(node, caller, request.range));
  const store::RangeState* state = node.store.superblock().range_state(request.range);
  if (state == nullptr || request.term < state->refused_below)
    co_return Error{ErrorCode::Refused, "a forward of an earlier term"};
  if (request.runs.empty()) co_return Error{ErrorCode::Malformed, "a forward of nothing"};
  std::vector<RunSummary> summaries = std::move(request.runs);
  Result<std::vector<Run>> runs = take_runs(node, request.range, std::move(summaries), data);
  if (!runs) co_return runs.error();
  const RunHeader first = runs->front().header;
  Result<store::Position> stored = store_forwarded(request, std::move(*runs));
  if (!stored) {
    node.note_store_error(stored.error());
    co_return stored.error();
  }
  if (request.durable) {
    std::vector<Slot> here = node.held_of(request.sent_to);
    co_await sync_gather.gather(first.writer.session, first.inode, request.range, std::move(here));
    Result<void> synced = co_await sync_to(*stored);
    if (!synced) co_return synced.error();
  }
  Served<ForwardRequest> answer;
  answer.reply = node.position_here(*stored);
  co_return answer;
}

Result<store::Position> Replica::Impl::store_forwarded(const ForwardRequest& request, std::vector<Run> runs) {
  const InodeNumber inode = runs.front().header.inode;
  for (const Run& run : runs)
    if (run.header.inode != inode) return Error{ErrorCode::Malformed, "a forward about two files"};
  MENDFS_TRY(const store::FileCuts known, node.store.cuts(inode));
  if (!known.deleted) {
    CutList cuts = known.cuts;
    if (cuts.merge(request.cuts)) MENDFS_TRY_VOID(node.store.add_cuts(inode, cuts, false));
    MENDFS_TRY_VOID(node.store.append(runs, store::SpaceUse::Reserve));
  }
  for (const Run& run : runs) {
    window.remember_seen(run.header.writer, request.range, run.header.version);
    window.forget_below(run.header.writer.session, request.answered_below);
  }
  // Its promise that all up to `settled` is here does not reach back behind a reboot or a wipe.
  if (node.is_complete(request.range)) node.store.settled(request.range, request.settled);
  return node.store.position();
}

ServedTask<HandshakeRequest> Replica::Impl::handshake(HandshakeRequest request, Caller caller) {
  MENDFS_CO_TRY_VOID(check_primary(node, caller, request.range));
  store::RangeState* state = node.store.superblock().range_state(request.range);
  if (state == nullptr || request.term < state->refused_below)
    co_return Error{ErrorCode::Refused, "a handshake of an earlier term"};
  // Until the metaserver knows that this store has been in use, it takes an emptied one for a new one.
  if (node.store.superblock().term_confirmed == 0)
    co_return Error{ErrorCode::Unavailable, "this dataserver has no confirmed term yet"};
  // Saved even if it is known already: another request may have changed it and still be saving.
  state->refused_below = request.term;
  Result<void> saved = co_await node.store.save_superblock();
  if (!saved) {
    node.note_store_error(saved.error());
    co_return saved.error();
  }
  const Completeness completeness = node.completeness(request.range);
  Served<HandshakeRequest> answer;
  answer.reply.watermark = node.store.watermark(request.range);
  answer.reply.newest = node.store.newest(request.range);
  answer.reply.complete = completeness == Completeness::Complete || completeness == Completeness::Behind;
  answer.reply.generation = node.store.generation();
  answer.reply.boot = node.store.boot();
  co_return answer;
}

Task<Result<void>> Replica::Impl::record_cuts(std::vector<CutRecord> records) {
  for (const CutRecord& record : records) {
    Result<store::Position> recorded = node.store.add_cuts(record.inode, record.cuts, record.deleted);
    if (!recorded) {
      node.note_store_error(recorded.error());
      co_return recorded.error();
    }
  }
  Result<store::Position> synced = co_await node.store.sync();
  if (synced) co_return Result<void>();
  node.note_store_error(synced.error());
  co_return synced.error();
}

/// Nothing stays un-synced for longer than kDataSyncEvery.
Task<void> Replica::Impl::keep_house() {
  for (;;) {
    co_await sleep_for(node.env.loop, timing::kDataSyncEvery / 2);
    // A signal keeps a place for each waiter until it is next given, also for those whose time is up.
    node.changed.notify_all();
    if (node.store.durable() >= node.store.position()) continue;
    Result<store::Position> synced = co_await node.store.sync();
    if (!synced) node.note_store_error(synced.error());
  }
}

}  // namespace mendfs::replication
