#include "dataserver/service/control.h"

#include <algorithm>
#include <utility>

#include "protocol/control_call.h"
#include "protocol/timing.h"
#include "rpc/client.h"

namespace mendfs::dataserver {
namespace {

/// Ends the turn of a heartbeat, also when its coroutine is destroyed.
struct Turn {
  Turn(bool& taken, Signal& ended) : taken_(taken), ended_(ended) { taken_ = true; }
  Turn(const Turn&) = delete;
  ~Turn() {
    taken_ = false;
    ended_.notify_all();
  }

 private:
  bool& taken_;
  Signal& ended_;
};

constexpr const char* kWaiting = "waiting for a metaserver: mount once, or pass --metaserver";

}  // namespace

Control::Control(Parts parts, Settings settings)
    : parts_(parts), settings_(std::move(settings)), heeded_(parts.env.loop) {
  start_id_.high = parts_.env.random.next();
  start_id_.low = parts_.env.random.next();
}

void Control::start() {
  const store::Superblock& superblock = parts_.store.superblock();
  for (const SessionId& session : superblock.fenced) parts_.replica.fence(session);
  if (superblock.adopted) {
    parts_.replica.join_ring();
  } else if (!settings_.metaserver) {
    parts_.env.log.info("{}", kWaiting);
  }
  if (settings_.metaserver) scope_.spawn(announce_until_called());
  scope_.spawn(watch_for_silence());
}

template <class Request>
void Control::add_method(rpc::MethodTable& table, const std::string& help) {
  table.add_packed(Request::kMethod, help, [this](std::string packed) { return answer<Request>(std::move(packed)); });
}

void Control::add_methods(rpc::MethodTable& table) {
  add_method<protocol::ReserveRequest>(table, "For metaservers: keeps this dataserver for a ring that is being made.");
  add_method<protocol::HeartbeatRequest>(
      table, "For metaservers, each second: who this dataserver is, its term, fences and leave to take writes.");
  add_method<protocol::CutsRequest>(table, "For metaservers: truncations and deletions of files.");
  add_method<protocol::ExtentsRequest>(table, "For metaservers: where the data of files ends here.");
}

template <class Request>
Task<std::string> Control::answer(std::string packed) {
  Result<Request> request = unpack<Request>(packed);
  if (!request.ok()) {
    const Result<typename Request::Reply> refusal = request.error();
    co_return protocol::pack_control_reply(refusal);
  }
  const Result<typename Request::Reply> reply = co_await handle(std::move(*request));
  co_return protocol::pack_control_reply(reply);
}

Task<Result<protocol::NodeIdentity>> Control::handle(protocol::ReserveRequest request) {
  const Time now = parts_.env.loop.now();
  MENDFS_CO_TRY_VOID(check_reserve(parts_.store.superblock(), reservation_, request, now));
  reservation_ = Reservation{request.cluster, now + timing::kReserveTimeout};
  co_return identity_of(parts_.store.superblock(), settings_.line);
}

Task<Result<protocol::HeartbeatReply>> Control::handle(protocol::HeartbeatRequest request) {
  while (heeding_) (void)co_await heeded_.next();
  const Turn turn(heeding_, heeded_);
  MENDFS_CO_TRY_VOID(co_await heed(std::move(request)));
  co_return make_reply();
}

Task<Result<void>> Control::heed(protocol::HeartbeatRequest request) {
  store::Superblock& superblock = parts_.store.superblock();
  const Time now = parts_.env.loop.now();
  MENDFS_CO_TRY_VOID(check_heartbeat(superblock, settings_.line, reservation_, request, now));
  heard_ = now;
  // Judged by the term that the store has come with, before it is given a new one.
  MENDFS_CO_TRY_VOID(co_await parts_.rebuild.note_heartbeat(request));
  const HeartbeatEffects effects = apply_heartbeat(superblock, request, start_id_);
  // Refused from now on, and known to be refused before a write is taken after the next start.
  for (const SessionId& session : effects.fenced) parts_.replica.fence(session);
  const bool is_due = effects.save_some_time && now >= saved_ + timing::kToldSaveEvery;
  unsaved_ |= effects.save;
  if (unsaved_ || is_due) MENDFS_CO_TRY_VOID(co_await save());

  if (effects.adopted) {
    // What the store is complete for is settled before it is used in the ring.
    MENDFS_CO_TRY_VOID(co_await parts_.rebuild.note_heartbeat(request));
    parts_.env.log.info("adopted cluster={} ring={} slot={} metaserver={}", to_string(superblock.cluster),
                        superblock.ring, superblock.slot, superblock.metaserver);
    parts_.replica.join_ring();
  }
  if (superblock.term_for == start_id_) parts_.rebuild.note_known();
  if (effects.term_to_confirm) parts_.replica.confirm_term(*effects.term_to_confirm);
  if (const std::optional<Time> until = write_grant(request, start_id_, parts_.env.loop.now())) {
    granted_until_ = std::max(granted_until_, *until);
    parts_.replica.grant_writes_until(granted_until_);
  }
  co_return Result<void>();
}

Task<Result<void>> Control::save() {
  saved_ = parts_.env.loop.now();
  Result<void> saved = co_await parts_.store.save_superblock();
  if (!saved.ok()) parts_.replica.node().note_store_error(saved.error());
  unsaved_ = !saved.ok();
  co_return saved;
}

protocol::HeartbeatReply Control::make_reply() const {
  const store::Superblock& superblock = parts_.store.superblock();
  protocol::HeartbeatReply reply;
  reply.identity = identity_of(superblock, settings_.line);
  reply.start_id = start_id_;
  reply.boot = parts_.store.boot();
  reply.clock = parts_.env.loop.now().count();
  reply.term_synced = superblock.term_granted;
  reply.fence_synced = superblock.fence_number;
  if (const Result<store::StoreSpace> space = parts_.store.space(); space.ok()) {
    reply.total_bytes = space->total_bytes;
    reply.free_bytes = space->free_bytes;
    reply.blocks = space->block_count;
  }
  const replication::ReplicaStatus status = parts_.replica.status();
  reply.blocks_mended = status.blocks_mended;
  reply.writes_blocked = status.writes_blocked;
  reply.blocked_on = status.blocked_on;
  reply.blocked_ms = status.blocked_ms;
  reply.ranges = parts_.rebuild.progress();
  reply.durable_index = superblock.metadata_index;
  reply.inode_high = superblock.inode_high;
  return reply;
}

Result<void> Control::check_cluster(const ClusterId& cluster) const {
  const store::Superblock& superblock = parts_.store.superblock();
  if (!superblock.adopted) return Error{ErrorCode::Unavailable, "this dataserver belongs to no cluster yet"};
  if (superblock.cluster != cluster) return Error{ErrorCode::Refused, "this dataserver belongs to another cluster"};
  return {};
}

Task<Result<protocol::CutsReply>> Control::handle(protocol::CutsRequest request) {
  MENDFS_CO_TRY_VOID(check_cluster(request.cluster));
  MENDFS_CO_TRY_VOID(co_await parts_.replica.record_cuts(std::move(request.records)));
  co_return protocol::CutsReply{start_id_};
}

Task<Result<protocol::ExtentsReply>> Control::handle(protocol::ExtentsRequest request) {
  MENDFS_CO_TRY_VOID(check_cluster(request.cluster));
  protocol::ExtentsReply reply;
  MENDFS_CO_TRY(reply.sizes, parts_.replica.extents(request.files));
  co_return reply;
}

Task<void> Control::announce_until_called() {
  bool said = false;
  while (true) {
    const Time now = parts_.env.loop.now();
    const bool is_called = heard_ && now < *heard_ + timing::kMetaserverSilentMax;
    if (!is_called) {
      std::vector<rpc::Value> parameters;
      parameters.emplace_back(to_string(settings_.self));
      const Result<rpc::Value> answer = co_await rpc::call(parts_.env.network, *settings_.metaserver, "ring.announce",
                                                           std::move(parameters), now + timing::kHeartbeatTimeout);
      if (!answer.ok() && !std::exchange(said, true))
        parts_.env.log.info("waiting for the metaserver address={} reason=\"{}\"", to_string(*settings_.metaserver),
                            answer.error().message);
    }
    co_await sleep_for(parts_.env.loop, timing::kHeartbeatEvery);
  }
}

Task<void> Control::watch_for_silence() {
  bool silent = false;
  Time since = parts_.env.loop.now();
  while (true) {
    co_await sleep_for(parts_.env.loop, timing::kHeartbeatEvery);
    const store::Superblock& superblock = parts_.store.superblock();
    if (!superblock.adopted) continue;
    const Time now = parts_.env.loop.now();
    if (heard_) since = std::max(since, *heard_);
    const bool is_silent = now >= since + timing::kMetaserverSilentMax;
    if (is_silent && !silent)
      parts_.env.log.warn("the metaserver does not call: writes wait, reads go on metaserver={}",
                          superblock.metaserver);
    if (!is_silent && silent) parts_.env.log.info("the metaserver calls again metaserver={}", superblock.metaserver);
    silent = is_silent;
  }
}

}  // namespace mendfs::dataserver
