#include "metaserver/service/cut_teller.h"

#include "protocol/control_call.h"
#include "protocol/timing.h"

namespace mendfs::metaserver {
namespace {

/// What is on its way at once; the rest stays in the namespace.
constexpr std::size_t kPendingMax = 16384;
constexpr std::size_t kRecordsPerCall = 1024;
/// With more than this waiting, as when a dataserver is down, looking through all of it is not done at every change.
constexpr std::size_t kPendingMany = 1024;

}  // namespace

Task<void> CutTeller::run() {
  while (ring_.watch() == nullptr) (void)co_await ring_.changed().next();
  const std::size_t slot_count = ring_.watch()->slot_count();
  board_.set_slot_count(slot_count);
  for (Slot slot = 0; slot < slot_count; ++slot) scope_.spawn(tell(slot));
  while (!core_.submitter.failure()) {
    if (!refill().ok()) co_return;
    const Time next_look = core_.now() + timing::kHeartbeatEvery;
    if (board_.size() > kPendingMany) {
      co_await sleep_until(core_.env.loop, next_look);
    } else {
      (void)co_await work_.next().until(next_look);
    }
  }
}

Result<void> CutTeller::refill() {
  if (board_.size() >= kPendingMax) return {};
  MENDFS_TRY(const std::vector<protocol::FileRef> cuts,
             core_.submitter.checked(core_.names.unacknowledged_cuts(0, kPendingMax)));
  MENDFS_TRY(const std::vector<protocol::FileRef> deletions,
             core_.submitter.checked(core_.names.deletions(0, kPendingMax)));
  bool news = false;
  for (const protocol::FileRef& file : cuts)
    news |= board_.add({.inode = file.inode, .cuts = file.cuts, .deleted = false});
  for (const protocol::FileRef& file : deletions)
    news |= board_.add({.inode = file.inode, .cuts = file.cuts, .deleted = true});
  if (news) changed_.notify_all();
  return {};
}

Result<RingState> CutTeller::note_starts() {
  MENDFS_TRY(std::optional<RingState> ring, ring_.state());
  for (Slot slot = 0; slot < ring->slots.size(); ++slot) {
    const SlotRecord& record = ring->slots[slot];
    // A store that may not take writes yet may be the wrong one.
    board_.set_start(slot, record.confirmed_term == record.granted_term ? record.granted_to : Uuid());
  }
  return std::move(*ring);
}

Task<void> CutTeller::tell(Slot slot) {
  while (!core_.submitter.failure()) {
    const Result<RingState> ring = note_starts();
    if (!ring.ok()) co_return;
    const Time next_try = core_.now() + timing::kHeartbeatEvery;
    const std::vector<protocol::CutRecord> records = board_.for_slot(slot, kRecordsPerCall);
    if (records.empty()) {
      (void)co_await changed_.next().until(next_try);
      continue;
    }
    Result<Address> address = parse_address(ring->cluster.addresses[slot]);
    if (!address.ok()) co_return;
    protocol::CutsRequest request{.cluster = ring->cluster.cluster, .records = records};
    const Time deadline = core_.now() + timing::kControlTimeout;
    const Result<protocol::CutsReply> told = co_await protocol::call_control<protocol::CutsRequest>(
        core_.env.network, std::move(*address), std::move(request), deadline);
    if (!note_starts().ok()) co_return;
    if (told.ok()) {
      std::vector<protocol::CutRecord> done = board_.acknowledge(slot, told->start_id, records);
      co_await finish(std::move(done));
    }
    const bool is_heard = told.ok() && board_.is_start(slot, told->start_id);
    if (!is_heard && core_.now() < next_try) co_await sleep_until(core_.env.loop, next_try);
  }
}

Task<void> CutTeller::finish(std::vector<protocol::CutRecord> done) {
  std::vector<Task<Result<Outcome>>> commands;
  for (const protocol::CutRecord& record : done) {
    Command::Body body = AcknowledgeCuts{.inode = record.inode, .number = record.cuts.number()};
    if (record.deleted) body = ForgetInode{.inode = record.inode};
    commands.push_back(core_.submitter.submit(std::move(body)));
  }
  (void)co_await all_of(core_.env.loop, std::move(commands));
  changed_.notify_all();
}

Result<bool> CutTeller::is_pending(InodeNumber inode) {
  MENDFS_TRY(const std::vector<protocol::FileRef> next,
             core_.submitter.checked(core_.names.unacknowledged_cuts(inode - 1, 1)));
  return !next.empty() && next.front().inode == inode;
}

Task<void> CutTeller::until_told(InodeNumber inode) {
  while (!core_.submitter.failure()) {
    const Result<bool> pending = is_pending(inode);
    if (!pending.ok() || !*pending) co_return;
    look_now();
    (void)co_await changed_.next();
  }
}

}  // namespace mendfs::metaserver
