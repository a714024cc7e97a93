// Epochs, the cluster with its ring, and the terms of its slots.
#include "block/placement.h"
#include "metaserver/namespace/inodes.h"
#include "metaserver/namespace/operations.h"
#include "metaserver/namespace/ring_record.h"
#include "metaserver/namespace/state_keys.h"

namespace mendfs::metaserver {

namespace {

/// Inode numbers stay positive as signed 64-bit numbers.
constexpr std::uint64_t kEpochMax = (std::uint64_t{1} << (63 - kEpochShift)) - 1;

constexpr Slot kFirstRing = 1;

Result<ClusterRecord> load_cluster(State& state) {
  MENDFS_TRY(std::optional<ClusterRecord> cluster, state.get_record<ClusterRecord>(keys::cluster()));
  if (!cluster) return Error{ErrorCode::Unavailable, "no filesystem was made yet"};
  return std::move(*cluster);
}

Result<SlotRecord> load_slot(State& state, Slot slot) {
  MENDFS_TRY(std::optional<SlotRecord> record, state.get_record<SlotRecord>(keys::slot(slot)));
  if (!record) return Error{ErrorCode::InvalidArgument, "the ring has no such slot"};
  return std::move(*record);
}

InodeRecord root_directory(const Context& context, const CreateCluster& command, const Layout& layout) {
  InodeRecord root;
  root.parent = kRootInode;
  root.attributes.inode = kRootInode;
  root.attributes.mode = S_IFDIR | 0755;
  root.attributes.link_count = 2;
  root.attributes.uid = command.root_uid;
  root.attributes.gid = command.root_gid;
  root.attributes.layout = layout;
  root.attributes.atime = context.time;
  touch_content(context, root);
  return root;
}

}  // namespace

Body apply_body(Context& context, const StartEpoch&) {
  MENDFS_TRY(Counters counters, load_counters(context.state));
  if (context.epoch <= counters.epoch || context.epoch > kEpochMax)
    return Error{ErrorCode::Refused, "an epoch is greater than all before it"};
  counters.epoch = context.epoch;
  counters.inodes_made = 0;
  counters.terms_made = 0;
  store_counters(context.state, counters);
  context.state.put_record(keys::epoch(context.epoch), context.index);
  return done();
}

Body apply_body(Context& context, const CreateCluster& command) {
  MENDFS_TRY(const std::optional<std::string> known, context.state.get(keys::cluster()));
  if (known) return Error{ErrorCode::Exists, "the filesystem is made already"};
  if (command.cluster.is_zero()) return Error{ErrorCode::InvalidArgument, "a cluster has an id that is not zero"};
  Layout layout;
  layout.ring = context.epoch << kEpochShift | kFirstRing;
  layout.slot_count = static_cast<std::uint32_t>(command.slots.size());
  layout.block_size = command.block_size;
  layout.copy_count = command.copy_count;
  MENDFS_TRY_VOID(check_layout(layout));

  ClusterRecord cluster;
  cluster.cluster = command.cluster;
  cluster.name_seed = command.name_seed;
  cluster.ring = layout.ring;
  for (Slot slot = 0; slot < layout.slot_count; ++slot) {
    const NewSlot& made = command.slots[slot];
    cluster.addresses.push_back(made.address);
    SlotRecord record;
    record.generation = made.generation;
    record.born_generation = made.generation;
    context.state.put_record(keys::slot(slot), record);
  }
  context.state.put_record(keys::cluster(), cluster);

  MENDFS_TRY(Counters counters, load_counters(context.state));
  counters.inode_high = kRootInode;
  ++counters.inode_count;
  store_counters(context.state, counters);
  store_inode(context.state, root_directory(context, command, layout));
  return done();
}

Body apply_body(Context& context, const GrantTerm& command) {
  MENDFS_TRY(SlotRecord slot, load_slot(context.state, command.slot));
  if (command.start_id.is_zero()) return Error{ErrorCode::InvalidArgument, "a start has an id that is not zero"};
  if (slot.granted_to != command.start_id) {
    MENDFS_TRY(Counters counters, load_counters(context.state));
    slot.granted_term = counters.epoch << kEpochShift | ++counters.terms_made;
    slot.granted_to = command.start_id;
    store_counters(context.state, counters);
    context.state.put_record(keys::slot(command.slot), slot);
  }
  return pack(TermReply{slot.granted_term});
}

Body apply_body(Context& context, const ConfirmTerm& command) {
  MENDFS_TRY(SlotRecord slot, load_slot(context.state, command.slot));
  if (command.term == 0 || command.term != slot.granted_term)
    return Error{ErrorCode::Stale, "a later term was granted"};
  slot.confirmed_term = command.term;
  context.state.put_record(keys::slot(command.slot), slot);
  return done();
}

Body apply_body(Context& context, const ConfirmGeneration& command) {
  MENDFS_TRY(SlotRecord slot, load_slot(context.state, command.slot));
  if (command.generation.is_zero()) return Error{ErrorCode::InvalidArgument, "a store has an id that is not zero"};
  slot.generation = command.generation;
  context.state.put_record(keys::slot(command.slot), slot);
  return done();
}

Body apply_body(Context& context, const DeclareLost& command) {
  MENDFS_TRY(ClusterRecord cluster, load_cluster(context.state));
  MENDFS_TRY(const Counters counters, load_counters(context.state));
  for (const Slot range : command.ranges) {
    if (range >= cluster.addresses.size()) return Error{ErrorCode::InvalidArgument, "the ring has no such range"};
    std::erase_if(cluster.lost, [&](const LostRange& lost) { return lost.range == range; });
    cluster.lost.push_back({range, counters.inode_high});
  }
  context.state.put_record(keys::cluster(), cluster);
  return done();
}

}  // namespace mendfs::metaserver
