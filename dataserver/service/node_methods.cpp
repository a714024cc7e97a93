#include "dataserver/service/node_methods.h"

#include <fmt/core.h>

#include <utility>
#include <vector>

#include "rpc/arguments.h"

namespace mendfs::dataserver {
namespace {

rpc::Value seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

rpc::Value describe(const protocol::RangeProgress& progress) {
  rpc::Struct range;
  range["range"] = progress.range;
  range["complete"] = progress.complete;
  range["no_source"] = progress.no_source;
  range["blocks_left"] = progress.blocks_left;
  range["blocks_per_second"] = progress.blocks_per_second;
  if (!progress.complete && progress.blocks_per_second > 0)
    range["seconds_left"] = progress.blocks_left / progress.blocks_per_second;
  return range;
}

}  // namespace

NodeMethods::NodeMethods(Env& env, store::BlockStore& store, replication::Replica& replica, rebuild::Rebuild& rebuild,
                         const Control& control)
    : env_(env), store_(store), replica_(replica), rebuild_(rebuild), control_(control), started_(env.loop.now()) {}

void NodeMethods::add_methods(rpc::MethodTable& table) {
  table.add({"node.identity", "S:",
             "Who this dataserver is: index and slot_count of its command line; whether it is adopted, and then its "
             "cluster, ring, slot, metaserver and the addresses of all dataservers; its store's generation.",
             [this](std::vector<rpc::Value>) { return identity(); }});
  table.add(
      {"node.status", "S:",
       "node.identity, and how it goes: state (waiting: for a metaserver; rebuilding; serving), term, takes_writes, "
       "blocks stored and mended, writes_blocked on which slot for how long, space, ranges as in rebuild.status.",
       [this](std::vector<rpc::Value>) { return status(); }});
  table.add({"rebuild.status", "A:",
             "For each range this dataserver holds: complete or not, blocks_left, blocks_per_second, seconds_left; "
             "no_source: no other holder has all of it either.",
             [this](std::vector<rpc::Value>) { return rebuild_status(); }});
}

Task<Result<rpc::Value>> NodeMethods::identity() const { co_return rpc::Value(identity_struct()); }

rpc::Struct NodeMethods::identity_struct() const {
  const store::Superblock& superblock = store_.superblock();
  rpc::Struct members;
  members["program"] = "dataserver";
  members["protocol_version"] = protocol::kProtocolVersion;
  members["index"] = control_.line().index;
  members["slot_count"] = control_.line().slot_count;
  members["generation"] = to_string(superblock.generation);
  members["adopted"] = superblock.adopted;
  if (!superblock.adopted) return members;
  members["cluster"] = to_string(superblock.cluster);
  members["ring"] = superblock.ring;
  members["slot"] = superblock.slot;
  members["metaserver"] = rpc::text_or_bytes(superblock.metaserver);
  rpc::Array addresses;
  for (const std::string& address : superblock.addresses) addresses.push_back(rpc::text_or_bytes(address));
  members["addresses"] = std::move(addresses);
  return members;
}

Task<Result<rpc::Value>> NodeMethods::status() const {
  const replication::ReplicaStatus replica = replica_.status();
  rpc::Struct members = identity_struct();
  members["state"] = state();
  members["uptime_seconds"] = seconds(env_.loop.now() - started_);
  if (control_.heard()) members["metaserver_heard_seconds_ago"] = seconds(env_.loop.now() - *control_.heard());
  members["term"] = store_.superblock().term_confirmed;
  members["takes_writes"] = replica.takes_writes;
  members["writes_blocked"] = replica.writes_blocked;
  if (replica.writes_blocked > 0) {
    members["blocked_on"] = replica.blocked_on;
    members["blocked_seconds"] = static_cast<double>(replica.blocked_ms) / 1000;
  }
  members["blocks_mended"] = replica.blocks_mended;
  members["ranges"] = ranges_array();
  MENDFS_CO_TRY(const store::StoreSpace space, store_.space());
  members["blocks"] = space.block_count;
  members["total_bytes"] = space.total_bytes;
  members["free_bytes"] = space.free_bytes;
  members["live_bytes"] = space.live_bytes;
  members["stored_bytes"] = space.stored_bytes;
  co_return rpc::Value(std::move(members));
}

Task<Result<rpc::Value>> NodeMethods::rebuild_status() const { co_return rpc::Value(ranges_array()); }

rpc::Array NodeMethods::ranges_array() const {
  rpc::Array ranges;
  for (const protocol::RangeProgress& progress : rebuild_.progress()) ranges.push_back(describe(progress));
  return ranges;
}

const char* NodeMethods::state() const {
  if (!store_.superblock().adopted) return "waiting";
  for (const protocol::RangeProgress& progress : rebuild_.progress())
    if (!progress.complete) return "rebuilding";
  return "serving";
}

std::string NodeMethods::health() const {
  return fmt::format("{{\"program\": \"dataserver\", \"index\": {}, \"state\": \"{}\", \"takes_writes\": {}}}\n",
                     control_.line().index, state(), replica_.status().takes_writes);
}

}  // namespace mendfs::dataserver
