#include "metaserver/service/session_keeper.h"

#include <algorithm>

#include "protocol/control_call.h"
#include "protocol/timing.h"

namespace mendfs::metaserver {
namespace {

constexpr std::size_t kOrphansPerRenewal = 8192;
constexpr std::size_t kRecoveriesAtOnce = 256;
constexpr auto kLookEvery = std::chrono::milliseconds(500);

}  // namespace

Result<void> SessionKeeper::start() {
  MENDFS_TRY(const std::vector<OpenSessionInfo> sessions, core_.submitter.checked(core_.names.open_sessions()));
  for (const OpenSessionInfo& session : sessions) leases_.open(session.session, core_.now());
  MENDFS_TRY(const std::vector<protocol::Fence> fences, core_.submitter.checked(core_.names.fences_above(0)));
  if (!fences.empty()) newest_fence_ = fences.back().number;
  awake_at_ = core_.now();
  scope_.spawn(watch_time());
  scope_.spawn(run());
  return {};
}

Task<Result<void>> SessionKeeper::open(SessionId session, std::string client_name, SessionId follows) {
  Command::Body body = OpenSession{.session = session, .client_name = std::move(client_name), .follows = follows};
  const Result<Outcome> outcome = co_await core_.submitter.submit_durable(std::move(body));
  MENDFS_CO_TRY_VOID(refusal_of(outcome));
  leases_.open(session, core_.now());
  co_return Result<void>();
}

Task<Result<void>> SessionKeeper::close(SessionId session) {
  const Result<Outcome> outcome = co_await core_.submitter.submit(CloseSession{.session = session});
  MENDFS_CO_TRY_VOID(refusal_of(outcome));
  leases_.end(session);
  poll_.end_session(session);
  asked_up_to_.erase(session);
  co_return Result<void>();
}

Result<std::vector<InodeNumber>> SessionKeeper::renew(const SessionId& session,
                                                      const std::vector<InodeNumber>& not_open) {
  if (!leases_.renew(session, core_.now()))
    return Error{ErrorCode::Refused, "this session has ended: it did not renew in time, or was closed"};
  poll_.answer(session, not_open);
  InodeNumber& after = asked_up_to_[session];
  MENDFS_TRY(const std::vector<InodeNumber> orphans,
             core_.submitter.checked(core_.names.orphans(after, kOrphansPerRenewal)));
  after = orphans.size() < kOrphansPerRenewal ? 0 : orphans.back();
  return poll_.ask(session, orphans);
}

Task<void> SessionKeeper::watch_time() {
  while (!core_.submitter.failure()) {
    co_await sleep_for(core_.env.loop, kLookEvery);
    notice_standstill();
  }
}

/// A process that stood still (stopped, starved, its machine asleep) has heard no renewal, though all may have been
/// sent: nobody is fenced for that.
void SessionKeeper::notice_standstill() {
  const Time now = core_.now();
  if (now - awake_at_ > timing::kSessionRenew) {
    core_.env.log.warn("the metaserver stood still: every session gets a full lease for_ms={}",
                       std::chrono::duration_cast<std::chrono::milliseconds>(now - awake_at_).count());
    leases_.renew_all(now);
  }
  awake_at_ = now;
}

Task<void> SessionKeeper::run() {
  while (!core_.submitter.failure()) {
    co_await end_lapsed();
    co_await recover_sizes();
    co_await delete_orphans();
    co_await sleep_for(core_.env.loop, kLookEvery);
  }
}

Task<void> SessionKeeper::end_lapsed() {
  notice_standstill();
  const std::vector<SessionId> lapsed = leases_.lapsed(core_.now());
  for (const SessionId& session : lapsed) {
    const Result<Outcome> outcome = co_await core_.submitter.submit_durable(LapseSession{.session = session});
    if (!outcome.ok()) co_return;
    if (outcome->code == ErrorCode::Ok) {
      const Result<FenceReply> fence = unpack<FenceReply>(outcome->body);
      if (fence.ok()) newest_fence_ = std::max(newest_fence_, fence->number);
      core_.env.log.warn("a session has lapsed and is fenced session={} fence={}", to_string(session), newest_fence_);
    }
    leases_.end(session);
    poll_.end_session(session);
    asked_up_to_.erase(session);
    ring_.call_all_now();
  }
}

/// The sizes of files whose writer died: after its fence, as far as any dataserver's data reaches.
Task<void> SessionKeeper::recover_sizes() {
  const Result<std::vector<PendingRecovery>> pending =
      core_.submitter.checked(core_.names.recoveries(0, kRecoveriesAtOnce));
  if (!pending.ok() || ring_.watch() == nullptr) co_return;
  std::vector<PendingRecovery> ready;
  std::vector<protocol::FileRef> files;
  for (const PendingRecovery& recovery : *pending) {
    if (!ring_.fence_enforced(recovery.fence)) continue;
    ready.push_back(recovery);
    files.push_back(recovery.file);
  }
  if (ready.empty()) co_return;
  std::vector<Task<Result<std::vector<std::uint64_t>>>> questions;
  for (Slot slot = 0; slot < ring_.watch()->slot_count(); ++slot) questions.push_back(ask_extents(slot, files));
  std::vector<std::uint64_t> sizes(files.size(), 0);
  const std::vector<Result<std::vector<std::uint64_t>>> answers = co_await all_of(core_.env.loop, std::move(questions));
  for (const Result<std::vector<std::uint64_t>>& answer : answers) {
    if (!answer.ok()) co_return;  // until then the known sizes count
    for (std::size_t i = 0; i < sizes.size(); ++i) sizes[i] = std::max(sizes[i], (*answer)[i]);
  }
  for (std::size_t i = 0; i < ready.size(); ++i) {
    const Result<Outcome> outcome = co_await core_.submitter.submit(RecoverSize{
        .inode = ready[i].file.inode, .cut = ready[i].file.cuts.number(), .fence = ready[i].fence, .size = sizes[i]});
    if (!outcome.ok()) co_return;
  }
}

Task<Result<std::vector<std::uint64_t>>> SessionKeeper::ask_extents(Slot slot, std::vector<protocol::FileRef> files) {
  MENDFS_CO_TRY(const std::optional<RingState> ring, ring_.state());
  MENDFS_CO_TRY(Address address, parse_address(ring->cluster.addresses[slot]));
  const std::size_t count = files.size();
  protocol::ExtentsRequest request{.cluster = ring->cluster.cluster, .files = std::move(files)};
  const Time deadline = core_.now() + timing::kControlTimeout;
  MENDFS_CO_TRY(protocol::ExtentsReply reply, co_await protocol::call_control<protocol::ExtentsRequest>(
                                                  core_.env.network, std::move(address), std::move(request), deadline));
  if (reply.sizes.size() != count) co_return Error{ErrorCode::Malformed, "a dataserver answers for other files"};
  co_return std::move(reply.sizes);
}

Task<void> SessionKeeper::delete_orphans() {
  // A lapsed session may have one open until its fence holds.
  if (!ring_.fence_enforced(newest_fence_)) co_return;
  const Result<std::vector<InodeNumber>> orphans =
      core_.submitter.checked(core_.names.orphans(deleted_up_to_, kOrphansPerRenewal));
  if (!orphans.ok()) co_return;
  deleted_up_to_ = orphans->size() < kOrphansPerRenewal ? 0 : orphans->back();
  const std::vector<SessionId> sessions = leases_.all();
  std::vector<InodeNumber> free;
  std::vector<Task<Result<Outcome>>> commands;
  for (const InodeNumber inode : *orphans) {
    if (!poll_.all_let_go(sessions, inode)) continue;
    free.push_back(inode);
    commands.push_back(core_.submitter.submit(DeleteInode{.inode = inode}));
  }
  if (commands.empty()) co_return;
  (void)co_await all_of(core_.env.loop, std::move(commands));
  // Not before they are gone: a renewal in between would ask anew, about what nobody answers for any more.
  for (const InodeNumber inode : free) poll_.forget_inode(inode);
  cuts_.look_now();
}

}  // namespace mendfs::metaserver
