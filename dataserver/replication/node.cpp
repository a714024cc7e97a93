#include "dataserver/replication/node.h"

#include <fmt/core.h>

#include <utility>

#include "block/run.h"

namespace mendfs::replication {
namespace {

constexpr Duration kSpaceAskEvery = std::chrono::milliseconds(100);
// Of what clients may use: room for what primaries have on its way at that moment.
constexpr std::uint64_t kFullBelow = 8u << 20;

}  // namespace

void Node::join_ring() {
  if (joined_) return;
  joined_ = true;
  const std::vector<std::string> addresses = store.superblock().addresses;
  for (Slot peer = 0; peer < addresses.size(); ++peer) {
    if (peer == slot()) continue;
    Result<Address> address = parse_address(addresses[peer]);
    if (!address) {
      env.log.error("cannot read the address of a dataserver slot={} address=\"{}\"", peer, addresses[peer]);
      continue;
    }
    channels_[peer] =
        std::make_unique<protocol::Channel>(env.loop, env.network, *address, [this, peer] { return make_hello(peer); });
  }
}

std::vector<Slot> Node::other_holders(Slot range) const {
  std::vector<Slot> holders = holders_of(range, slot_count(), copy_count());
  std::erase(holders, slot());
  return holders;
}

std::optional<std::uint32_t> Node::copy_of(Slot range) const {
  return copy_at(slot(), range, slot_count(), copy_count());
}

std::vector<Slot> Node::held_of(const std::vector<Slot>& ranges) const {
  std::vector<Slot> held;
  for (const Slot range : ranges)
    if (range < slot_count() && holds(range)) held.push_back(range);
  return held;
}

protocol::Channel& Node::channel(Slot peer) {
  auto found = channels_.find(peer);
  MENDFS_ASSERT(found != channels_.end());
  return *found->second;
}

Completeness Node::completeness(Slot range) const {
  const store::RangeState* state = std::as_const(store.superblock()).range_state(range);
  if (state == nullptr || !state->complete) {
    auto found = no_source_.find(range);
    return found != no_source_.end() && found->second ? Completeness::NoSource : Completeness::Incomplete;
  }
  return state->behind ? Completeness::Behind : Completeness::Complete;
}

void Node::set_no_source(Slot range, bool no_source) {
  bool& known = no_source_[range];
  if (known == no_source) return;
  known = no_source;
  changed.notify_all();
}

Task<Result<void>> Node::set_completeness(Slot range, Completeness completeness) {
  store::RangeState* state = store.superblock().range_state(range);
  if (state == nullptr) co_return Error{ErrorCode::Internal, "completeness of a range that this server does not hold"};
  const bool complete = completeness == Completeness::Complete || completeness == Completeness::Behind;
  if (!complete && state->complete) {
    // Less is true at once; more only when it is durable.
    state->complete = false;
    changed.notify_all();
  }
  if (complete) {
    state->complete = true;
    state->behind = completeness == Completeness::Behind;
  }
  Result<void> saved = co_await store.save_superblock();
  if (!saved) note_store_error(saved.error());
  changed.notify_all();
  co_return saved;
}

bool Node::is_declared_lost(Slot range, InodeNumber inode) const {
  for (const protocol::LostRange& lost : store.superblock().lost)
    if (lost.range == range && inode <= lost.inode_high) return true;
  return false;
}

Result<void> Node::check_file(const protocol::FileRef& file) const {
  if (!store.superblock().adopted) return Error{ErrorCode::Unavailable, "this dataserver belongs to no cluster yet"};
  if (Result<void> layout = check_layout(file.layout); !layout)
    return Error{ErrorCode::Malformed, layout.error().message};
  if (file.layout.ring != store.superblock().ring || file.layout.slot_count != slot_count())
    return Error{ErrorCode::Refused, fmt::format("the file is on ring {}, this dataserver on ring {}", file.layout.ring,
                                                 store.superblock().ring)};
  if (file.layout.copy_count != copy_count())
    return Error{ErrorCode::Malformed, fmt::format("{} copies are not supported", file.layout.copy_count)};
  return {};
}

Result<Slot> Node::check_blocks(const protocol::FileRef& file, const BlockRun& blocks) const {
  RunHeader shape;
  shape.kind = RunKind::Hole;
  shape.layout = file.layout;
  shape.blocks = blocks;
  shape.version = {1, 1};
  MENDFS_TRY_VOID(check_run(shape, 0));
  const Slot range = primary_of(blocks.first, file.layout);
  if (!holds(range))
    return Error{ErrorCode::Refused, fmt::format("slot {} holds no copy of blocks of slot {}", slot(), range)};
  return range;
}

Result<void> Node::admit_cuts(const protocol::FileRef& file) {
  CutList theirs;
  theirs.merge(file.cuts);
  if (theirs != file.cuts) return Error{ErrorCode::Malformed, "a list of cuts that is out of order"};
  MENDFS_TRY(const store::FileCuts known, store.cuts(file.inode));
  if (known.deleted) return Error{ErrorCode::StaleHandle, "the file is deleted"};
  if (known.cuts.number() > theirs.number())
    return Error{ErrorCode::Stale, "the file has been cut since: fetch its inode anew"};
  CutList merged = known.cuts;
  if (!merged.merge(theirs)) return {};
  Result<store::Position> recorded = store.add_cuts(file.inode, merged, false);
  if (recorded) return {};
  note_store_error(recorded.error());
  return recorded.error();
}

bool Node::is_full() {
  const Time now = env.loop.now();
  if (full_asked_ != Time::min() && now - full_asked_ < kSpaceAskEvery) return full_;
  full_asked_ = now;
  Result<store::StoreSpace> space = store.space();
  full_ = space.ok() && space->free_bytes < kFullBelow;
  return full_;
}

protocol::HolderPosition Node::position_here(store::Position position) {
  return {slot(), store.boot(), store.generation(), position, is_full()};
}

void Node::note_store_error(const Error& error) {
  if (error.code != ErrorCode::Io && error.code != ErrorCode::Corruption) return;
  if (std::exchange(stopped_, true)) return;
  env.log.error("the store has failed: {}", error.message);
  stop_(error);
}

protocol::HelloRequest Node::make_hello(Slot peer) const {
  protocol::HelloRequest hello;
  hello.role = protocol::Role::Dataserver;
  hello.cluster = store.superblock().cluster;
  hello.ring = store.superblock().ring;
  hello.to_slot = peer;
  hello.from_slot = slot();
  return hello;
}

}  // namespace mendfs::replication
