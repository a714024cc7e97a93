#include "metaserver/service/ring_keeper.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "protocol/control_call.h"
#include "protocol/timing.h"

namespace mendfs::metaserver {
namespace {

/// Steps that a dataserver may take back to back: grant, confirm and be told are three; more is a fault of its own.
constexpr int kRoundsAtOnce = 8;
/// In the metaserver's directory: a decimal number (accepted_loss_).
constexpr const char* kAcceptedLossName = "accepted-loss";
constexpr std::size_t kFencesPerCall = 4096;
constexpr auto kReserveEvery = std::chrono::milliseconds(200);

}  // namespace

RingKeeper::RingKeeper(Core& core) : core_(core), poke_(core.env.loop), changed_(core.env.loop) {}

Result<std::optional<RingState>> RingKeeper::state() {
  MENDFS_TRY(std::optional<ClusterRecord> cluster, core_.submitter.checked(core_.names.cluster()));
  if (!cluster) return std::optional<RingState>();
  RingState ring{.cluster = std::move(*cluster), .slots = {}};
  for (Slot slot = 0; slot < ring.cluster.addresses.size(); ++slot) {
    MENDFS_TRY(SlotRecord record, core_.submitter.checked(core_.names.slot(slot)));
    ring.slots.push_back(std::move(record));
  }
  return std::optional<RingState>(std::move(ring));
}

Result<protocol::RingInfo> RingKeeper::info() {
  MENDFS_TRY(const std::optional<RingState> ring, state());
  protocol::RingInfo info;
  if (!ring) return info;
  info.number = ring->cluster.ring;
  for (Slot slot = 0; slot < ring->slots.size(); ++slot) {
    info.slots.push_back({.address = ring->cluster.addresses[slot],
                          .term = ring->slots[slot].confirmed_term,
                          .generation = ring->slots[slot].generation,
                          .reachable = watch_ && watch_->view(slot).reachable});
  }
  return info;
}

Result<void> RingKeeper::start() {
  MENDFS_TRY_VOID(read_accepted_loss());
  MENDFS_TRY(const std::optional<RingState> ring, state());
  return ring ? begin_calling() : Result<void>();
}

Result<void> RingKeeper::begin_calling() {
  MENDFS_TRY(const std::optional<RingState> ring, state());
  watch_ = std::make_unique<RingWatch>(ring->slots.size(), core_.now());
  for (Slot slot = 0; slot < ring->slots.size(); ++slot) scope_.spawn(keep_calling(slot));
  scope_.spawn(find_lost_ranges());
  return {};
}

Task<void> RingKeeper::keep_calling(Slot slot) {
  int rounds = 0;
  while (true) {
    const Time next = core_.now() + timing::kHeartbeatEvery;
    const bool progress = co_await call_once(slot);
    changed_.notify_all();
    if (core_.submitter.failure()) co_return;
    if (progress && ++rounds < kRoundsAtOnce) continue;
    rounds = 0;
    if (next > core_.now()) (void)co_await poke_.next().until(next);
  }
}

/// One heartbeat and what follows from it. Whether the next should follow at once.
Task<bool> RingKeeper::call_once(Slot slot) {
  Result<protocol::HeartbeatRequest> request = make_heartbeat(slot);
  if (!request.ok()) co_return false;
  Result<Address> address = parse_address(request->addresses[slot]);
  if (!address.ok()) co_return false;
  const bool was_reachable = watch_->view(slot).reachable;
  const bool is_first_call = !watch_->view(slot).last;
  watch_->sent(slot, core_.now());
  protocol::HeartbeatRequest sent = *request;
  const Time deadline = core_.now() + timing::kHeartbeatTimeout;
  Result<protocol::HeartbeatReply> reply = co_await protocol::call_control<protocol::HeartbeatRequest>(
      core_.env.network, std::move(*address), std::move(sent), deadline);
  if (!reply.ok()) {
    if (was_reachable || watch_->view(slot).trouble.empty())
      core_.env.log.warn("a dataserver does not answer slot={} address={} error=\"{}\"", slot, request->addresses[slot],
                         reply.error().message);
    watch_->missed(slot, reply.error(), core_.now());
    co_return false;
  }
  if (!was_reachable) core_.env.log.info("a dataserver answers slot={} address={}", slot, request->addresses[slot]);
  watch_->heard(slot, std::move(*reply), core_.now());
  if (is_first_call) compare_with_told(slot, *watch_->view(slot).last);
  co_return co_await heed(slot, *request);
}

Result<protocol::HeartbeatRequest> RingKeeper::make_heartbeat(Slot slot) {
  MENDFS_TRY(const std::optional<RingState> ring, state());
  HeartbeatFacts facts;
  facts.metaserver = core_.self;
  facts.epoch = core_.epoch;
  // The first call of this start tells no more than it began with, so the answer shows what others have told.
  facts.durable_index = watch_->view(slot).last ? core_.log.durable() : core_.recovered;
  MENDFS_TRY(facts.inode_high, core_.submitter.checked(core_.names.inode_high()));
  MENDFS_TRY(facts.fences, core_.submitter.checked(core_.names.fences_above(watch_->fence_known(slot))));
  // An emptied store need not know every session that ever was; those fenced longest ago have given up.
  if (facts.fences.size() > kFencesPerCall)
    facts.fences.erase(facts.fences.begin(), facts.fences.end() - kFencesPerCall);
  return watch_->heartbeat(slot, *ring, std::move(facts));
}

/// Logs what the reply makes necessary. Whether the dataserver waits for what the next call will say.
Task<bool> RingKeeper::heed(Slot slot, const protocol::HeartbeatRequest& request) {
  const Result<std::optional<RingState>> ring = state();
  if (!ring.ok()) co_return false;
  const protocol::HeartbeatReply& reply = *watch_->view(slot).last;
  const bool grants_nothing_yet = reply.start_id != request.heard_start;
  // A reply to what is no longer true decides nothing.
  if (request.confirmed_generation != (*ring)->slots[slot].generation) co_return true;
  std::optional<Command::Body> step = watch_->next_step(slot, **ring);
  if (!step) co_return grants_nothing_yet;
  if (std::holds_alternative<ConfirmGeneration>(*step))
    core_.env.log.info("a new store is complete and takes the place of the one before slot={} generation={}", slot,
                       to_string(reply.identity.generation));
  const Result<Outcome> outcome = co_await core_.submitter.submit_durable(std::move(*step));
  const Result<void> refused = refusal_of(outcome);
  if (!refused.ok())
    core_.env.log.warn("a dataserver cannot go on slot={} error=\"{}\"", slot, refused.error().message);
  co_return refused.ok();
}

Result<void> RingKeeper::read_accepted_loss() {
  const Result<std::string> text = read_small_file(core_.env.disk, kAcceptedLossName, 32);
  if (text.code() == ErrorCode::NotFound) return {};
  if (!text.ok()) return text.error();
  const auto [rest, error] = std::from_chars(text->data(), text->data() + text->size(), accepted_loss_);
  if (error == std::errc{} && rest == text->data() + text->size()) return {};
  return Error{ErrorCode::Corruption, fmt::format("{} holds no number: delete it", kAcceptedLossName)};
}

void RingKeeper::compare_with_told(Slot slot, const protocol::HeartbeatReply& reply) {
  if (core_.read_only || reply.durable_index <= std::max(core_.recovered, accepted_loss_)) return;
  core_.read_only = fmt::format(
      "metadata older than data: dataserver {} was told of change {}, this metaserver knows {}; its directory is an "
      "old backup. "
      "Restore a newer one, or go on with what there is: ring.accept_old_metadata",
      slot, reply.durable_index, core_.recovered);
  core_.env.log.error("{}", *core_.read_only);
}

Task<Result<void>> RingKeeper::accept_old_metadata() {
  if (!core_.read_only) co_return Error{ErrorCode::InvalidArgument, "this metadata is not older than the data"};
  std::uint64_t highest = 0;  // number made of an epoch that some dataserver knows
  LogIndex told = 0;
  for (Slot slot = 0; slot < watch_->slot_count(); ++slot) {
    // Terms carry the epoch as inodes do, and there are epochs in which no inode was made.
    const auto& last = watch_->view(slot).last;
    if (!last) continue;
    highest = std::max({highest, last->inode_high, last->term_synced});
    told = std::max(told, last->durable_index);
  }
  core_.epoch = std::max(core_.epoch, highest >> kEpochShift) + 1;
  core_.submitter.set_epoch(core_.epoch);
  const Result<Outcome> outcome = co_await core_.submitter.submit_durable(StartEpoch{});
  MENDFS_CO_TRY_VOID(refusal_of(outcome));
  MENDFS_CO_TRY_VOID(co_await replace_file(core_.env.disk, kAcceptedLossName, std::to_string(told)));
  accepted_loss_ = told;
  core_.read_only.reset();
  core_.env.log.warn("old metadata is accepted: changes since the backup are lost epoch={}", core_.epoch);
  co_return Result<void>();
}

Task<void> RingKeeper::find_lost_ranges() {
  while (!core_.submitter.failure()) {
    co_await sleep_for(core_.env.loop, timing::kHeartbeatEvery);
    const Result<std::optional<RingState>> ring = state();
    if (!ring.ok()) co_return;
    std::vector<Slot> lost = watch_->newly_lost(**ring, core_.now());
    if (!lost.empty()) (void)co_await declare_lost(std::move(lost));
  }
}

Task<Result<void>> RingKeeper::declare_lost(std::vector<Slot> ranges) {
  const Result<std::optional<RingState>> ring = state();
  if (!ring.ok()) co_return ring.error();
  if (!*ring) co_return Error{ErrorCode::NotFound, "there is no ring yet"};
  for (const Slot range : ranges) {
    if (range >= (*ring)->slots.size())
      co_return Error{ErrorCode::InvalidArgument, fmt::format("there is no range {}", range)};
    if (!watch_->is_without_source(range, **ring))
      co_return Error{ErrorCode::Refused,
                      fmt::format("range {} is not lost: a holder is complete, still looking, or down", range)};
  }
  Command::Body body = DeclareLost{.ranges = ranges};
  const Result<Outcome> outcome = co_await core_.submitter.submit_durable(std::move(body));
  MENDFS_CO_TRY_VOID(refusal_of(outcome));
  for (const Slot range : ranges)
    core_.env.log.error("a range is declared lost: blocks that none of its holders has read as errors range={}", range);
  watch_->declared_lost(ranges);
  call_all_now();
  co_return Result<void>();
}

Result<void> RingKeeper::announced(const std::string& address) {
  MENDFS_TRY(const std::optional<RingState> ring, state());
  if (ring) {
    for (const std::string& known : ring->cluster.addresses) {
      if (known != address) continue;
      call_all_now();
      return {};
    }
  }
  return Error{ErrorCode::NotFound,
               fmt::format("{} is not a dataserver of this metaserver's ring; the first mount makes the "
                           "ring",
                           address)};
}

Task<Result<void>> RingKeeper::ensure_ring(FirstMount mount) {
  std::vector<std::string> named;
  if (!mount.addresses.empty()) {
    MENDFS_CO_TRY(named, normalise_addresses(mount.addresses));
  }
  while (true) {
    const Result<std::optional<RingState>> ring = state();
    if (!ring.ok()) co_return ring.error();
    if (*ring) {
      if (named.empty()) co_return Result<void>();
      co_return compare_addresses((*ring)->cluster.addresses, named);
    }
    if (named.empty())
      co_return Error{ErrorCode::Unavailable,
                      "this metaserver is new: its first mount names the dataservers, as in: fuseclient <mountpoint> "
                      "<metaserver> 2222 3333"};
    if (!creating_) {
      // On its own, so that it goes on when this caller gives up; another caller waits for the same.
      creating_ = true;
      FirstMount first{.addresses = named, .root_uid = mount.root_uid, .root_gid = mount.root_gid};
      scope_.spawn(run_creation(std::move(first)));
    }
    while (creating_) (void)co_await changed_.next();
    if (!creation_.ok()) co_return creation_;
  }
}

Task<void> RingKeeper::run_creation(FirstMount mount) {
  creation_ = co_await create(std::move(mount));
  creating_ = false;
  changed_.notify_all();
}

Task<Result<void>> RingKeeper::create(FirstMount mount) {
  CreateCluster command;
  if (proposed_cluster_.is_zero()) proposed_cluster_ = {core_.env.random.next(), core_.env.random.next()};
  command.cluster = proposed_cluster_;
  command.name_seed = core_.env.random.next();
  command.root_uid = mount.root_uid;
  command.root_gid = mount.root_gid;
  std::vector<std::string> addresses = mount.addresses;
  Result<std::vector<Candidate>> candidates = co_await reserve_all(std::move(addresses), command.cluster);
  if (!candidates.ok()) co_return candidates.error();
  for (const Candidate& candidate : *candidates)
    command.slots.push_back({.address = candidate.address, .generation = candidate.identity->generation});
  core_.env.log.info("a new filesystem is made cluster={} dataservers={}", to_string(command.cluster),
                     command.slots.size());
  Command::Body body = std::move(command);
  const Result<Outcome> outcome = co_await core_.submitter.submit_durable(std::move(body));
  MENDFS_CO_TRY_VOID(refusal_of(outcome));
  MENDFS_CO_TRY_VOID(begin_calling());
  co_await until_adopted(core_.now() + timing::kHeartbeatTimeout);
  co_return Result<void>();
}

Task<Result<std::vector<Candidate>>> RingKeeper::reserve_all(std::vector<std::string> addresses, ClusterId cluster) {
  const Time deadline = core_.now() + timing::kRingCreationMax;
  std::vector<Candidate> candidates;
  for (std::string& address : addresses)
    candidates.push_back({.address = std::move(address), .identity = {}, .refusal = {}});
  while (true) {
    std::vector<Task<bool>> calls;
    const Time until = std::min(deadline, core_.now() + timing::kHeartbeatEvery);
    for (Candidate& candidate : candidates) {
      if (!candidate.identity) calls.push_back(reserve_one(&candidate, cluster, until));
    }
    (void)co_await all_of(core_.env.loop, std::move(calls));
    const Result<void> fit = check_candidates(candidates);
    if (fit.ok()) co_return candidates;
    if (fit.code() != ErrorCode::Unavailable || core_.now() + kReserveEvery >= deadline) co_return fit.error();
    co_await sleep_for(core_.env.loop, kReserveEvery);
  }
}

Task<bool> RingKeeper::reserve_one(Candidate* candidate, ClusterId cluster, Time deadline) {
  protocol::ReserveRequest request;
  request.cluster = cluster;
  Result<Address> address = parse_address(candidate->address);
  Result<protocol::NodeIdentity> identity = co_await protocol::call_control<protocol::ReserveRequest>(
      core_.env.network, std::move(*address), std::move(request), deadline);
  if (identity.ok()) {
    candidate->identity = std::move(*identity);
  } else if (identity.code() == ErrorCode::Refused) {
    candidate->refusal =
        Error{ErrorCode::Refused, "dataserver " + candidate->address + ": " + identity.error().message};
  }
  co_return identity.ok();
}

/// So that a first mount does not begin with a second of waiting.
Task<void> RingKeeper::until_adopted(Time deadline) {
  while (core_.now() < deadline) {
    const Result<std::optional<RingState>> ring = state();
    if (!ring.ok()) co_return;
    bool ready = true;
    for (Slot slot = 0; slot < watch_->slot_count(); ++slot) {
      ready = ready && watch_->view(slot).reachable && (*ring)->slots[slot].confirmed_term != 0;
    }
    if (ready) co_return;
    (void)co_await changed_.next().until(deadline);
  }
}

}  // namespace mendfs::metaserver
