#include "metaserver/service/hand_methods.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "protocol/timing.h"
#include "rpc/arguments.h"

namespace mendfs::metaserver {

using rpc::Array;
using rpc::Struct;
using rpc::Value;

namespace {

/// More files than that whose writer died are not counted one by one.
constexpr std::size_t kSizesCounted = 1000;

std::int64_t milliseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

const char* type_of(std::uint32_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return "file";
    case S_IFDIR:
      return "directory";
    case S_IFLNK:
      return "symlink";
    case S_IFIFO:
      return "fifo";
    case S_IFSOCK:
      return "socket";
    case S_IFCHR:
      return "character device";
    case S_IFBLK:
      return "block device";
    default:
      return "unknown";
  }
}

Struct describe(const protocol::Attributes& attributes) {
  Struct out;
  out["inode"] = attributes.inode;
  out["type"] = type_of(attributes.mode);
  out["mode"] = fmt::format("{:04o}", attributes.mode & 07777);
  out["links"] = attributes.link_count;
  out["uid"] = attributes.uid;
  out["gid"] = attributes.gid;
  out["size"] = attributes.size;
  out["atime_ns"] = attributes.atime;
  out["mtime_ns"] = attributes.mtime;
  out["ctime_ns"] = attributes.ctime;
  return out;
}

Array describe_cuts(const CutList& cuts) {
  Array out;
  for (const Cut& cut : cuts.cuts()) out.emplace_back(Struct{{"number", cut.number}, {"size", cut.size}});
  return out;
}

}  // namespace

void HandMethods::add(rpc::MethodTable& methods, std::string name, std::string signature, std::string help,
                      Handler handler) {
  methods.add({.name = std::move(name),
               .signature = std::move(signature),
               .help = std::move(help),
               .handler = [this, handler](Parameters parameters) { return (this->*handler)(std::move(parameters)); }});
}

void HandMethods::add_to(rpc::MethodTable& methods) {
  add(methods, "ns.stat", "S:s,S:6",
      "ns.stat(path): what stat(2) would say of an absolute path; symlinks are not followed. Integers beyond 31 bits "
      "are "
      "decimal strings. Example: ns.stat('/docs/a.txt') -> {'inode': '1099511627777', 'type': 'file', 'size': 12, ...}",
      &HandMethods::stat);
  add(methods, "ns.list", "A:s,A:6,A:si,A:6i,A:ss,A:6s",
      "ns.list(path [, cookie]): names and attributes in a directory, at most 1024 at once; to go on, give the last "
      "entry's "
      "cookie. Names that are not clean text come as base64. Example: ns.list('/') -> [{'name': 'docs', 'cookie': "
      "'77', ...}]",
      &HandMethods::list);
  add(methods, "ns.locate", "S:s,S:6",
      "ns.locate(path): where a file's blocks are: copy k of block i is on slot (start + i + k) mod slot_count. "
      "Example: "
      "ns.locate('/a') -> {'inode': ..., 'start': 3, 'slot_count': 5, 'block_size': 512, 'addresses': "
      "['127.0.0.1:2222', "
      "...], ...}",
      &HandMethods::locate);
  add(methods, "ns.readlink", "s:s,6:s,s:6,6:6",
      "ns.readlink(path): the target of a symlink. Example: ns.readlink('/link') -> 'docs/a.txt'",
      &HandMethods::read_link);
  add(methods, "ring.status", "S:",
      "ring.status(): the dataservers (state up, rebuilding or down; blocks_left, rate, eta_s; blocks mended; writes "
      "blocked, "
      "on whom, for how long), sessions, work left. Example: ring.status()['slots'][0]['state'] -> 'up'",
      &HandMethods::status);
  add(methods, "ring.declare_lost", "b:i",
      "ring.declare_lost(slot): gives up the blocks of one range (those whose first copy is on this slot) that no "
      "server has "
      "any more: they read as errors instead of waiting. Only when every holder has answered and none is complete. "
      "Example: "
      "ring.declare_lost(2) -> True",
      &HandMethods::declare_lost);
  add(methods, "ring.announce", "b:s",
      "ring.announce(address): a dataserver started with --metaserver says that it is there. Example: "
      "ring.announce('127.0.0.1:2222') -> True",
      &HandMethods::announce);
  add(methods, "ring.accept_old_metadata", "b:",
      "ring.accept_old_metadata(): after the metaserver's directory was restored from a backup: go on with what there "
      "is; "
      "changes made since the backup are lost. Example: ring.accept_old_metadata() -> True",
      &HandMethods::accept_old_metadata);
}

Result<protocol::Attributes> HandMethods::resolve(const Parameters& parameters) {
  MENDFS_TRY(const std::string path, rpc::as_text(parameters, 0, "path"));
  MENDFS_TRY(const std::optional<ClusterRecord> cluster, core_.submitter.checked(core_.names.cluster()));
  if (!cluster) return Error{ErrorCode::Unavailable, "there is no filesystem yet: the first mount makes it"};
  return core_.submitter.checked(core_.names.resolve(path));
}

Task<Result<Value>> HandMethods::stat(Parameters parameters) {
  MENDFS_CO_TRY(const protocol::Attributes attributes, resolve(parameters));
  co_return Value(describe(attributes));
}

Task<Result<Value>> HandMethods::list(Parameters parameters) {
  MENDFS_CO_TRY(const protocol::Attributes attributes, resolve(parameters));
  std::uint64_t cookie = 0;
  if (parameters.size() > 1) {
    MENDFS_CO_TRY(cookie, rpc::as_integer(parameters, 1, "cookie"));
  }
  MENDFS_CO_TRY(const protocol::ReadDirectoryReply page, core_.submitter.checked(core_.names.read_directory(
                                                             attributes.inode, cookie, protocol::kDirectoryPageMax)));
  Array entries;
  for (const protocol::Dentry& entry : page.entries) {
    Struct described = describe(entry.attributes);
    described["name"] = rpc::text_or_bytes(entry.name);
    described["cookie"] = std::to_string(entry.cookie);
    entries.emplace_back(std::move(described));
  }
  co_return Value(std::move(entries));
}

Task<Result<Value>> HandMethods::locate(Parameters parameters) {
  MENDFS_CO_TRY(const protocol::Attributes attributes, resolve(parameters));
  if (!S_ISREG(attributes.mode)) co_return Error{ErrorCode::InvalidArgument, "only files have blocks"};
  MENDFS_CO_TRY(const std::optional<RingState> ring, ring_.state());
  const Layout& layout = attributes.layout;
  Struct out = describe(attributes);
  out["ring"] = layout.ring;
  out["start"] = layout.start;
  out["slot_count"] = layout.slot_count;
  out["block_size"] = layout.block_size;
  out["copy_count"] = layout.copy_count;
  out["cuts"] = describe_cuts(attributes.cuts);
  out["cluster"] = to_string(ring->cluster.cluster);
  Array addresses;
  for (const std::string& address : ring->cluster.addresses) addresses.emplace_back(address);
  out["addresses"] = std::move(addresses);
  co_return Value(std::move(out));
}

Task<Result<Value>> HandMethods::read_link(Parameters parameters) {
  MENDFS_CO_TRY(const protocol::Attributes attributes, resolve(parameters));
  MENDFS_CO_TRY(const std::string target, core_.submitter.checked(core_.names.read_link(attributes.inode)));
  co_return rpc::text_or_bytes(target);
}

Struct HandMethods::describe_slot(Slot slot, const RingState& ring) const {
  const SlotView& view = ring_.watch()->view(slot);
  const SlotRecord& record = ring.slots[slot];
  std::uint64_t left = 0;
  std::uint64_t rate = 0;
  bool complete = true;
  bool no_source = false;
  Struct out;
  if (view.last) {
    for (const protocol::RangeProgress& progress : view.last->ranges) {
      if (progress.complete) continue;
      complete = false;
      left += progress.blocks_left;
      rate += progress.blocks_per_second;
      no_source = no_source || progress.no_source;
    }
    out["blocks"] = view.last->blocks;
    out["blocks_mended"] = view.last->blocks_mended;
    out["total_bytes"] = view.last->total_bytes;
    out["free_bytes"] = view.last->free_bytes;
    if (view.reachable && view.last->writes_blocked > 0) {
      out["writes_blocked"] = view.last->writes_blocked;
      out["blocked_on"] = view.last->blocked_on;
      out["blocked_ms"] = view.last->blocked_ms;
    }
  }
  out["slot"] = slot;
  out["address"] = ring.cluster.addresses[slot];
  out["state"] = !view.reachable ? "down" : complete ? "up" : "rebuilding";
  out["since_ms"] = milliseconds(core_.now() - view.since);
  out["blocks_left"] = left;
  out["blocks_per_second"] = rate;
  if (left > 0 && rate > 0) out["eta_s"] = left / rate;
  out["no_source"] = no_source;
  out["term"] = record.confirmed_term;
  out["writable"] = record.granted_term != 0 && record.confirmed_term == record.granted_term && view.reachable;
  out["generation"] = to_string(record.generation);
  if (!view.trouble.empty()) out["trouble"] = view.trouble;
  return out;
}

Task<Result<Value>> HandMethods::status(Parameters) {
  MENDFS_CO_TRY(const std::optional<RingState> ring, ring_.state());
  MENDFS_CO_TRY(const std::vector<OpenSessionInfo> open, core_.submitter.checked(core_.names.open_sessions()));
  MENDFS_CO_TRY(const std::uint64_t inodes, core_.submitter.checked(core_.names.inode_count()));
  MENDFS_CO_TRY(const std::vector<PendingRecovery> sizes,
                core_.submitter.checked(core_.names.recoveries(0, kSizesCounted)));
  Array slots;
  Array lost;
  if (ring) {
    for (Slot slot = 0; slot < ring->slots.size(); ++slot) slots.emplace_back(describe_slot(slot, *ring));
    for (const LostRange& range : ring->cluster.lost) lost.emplace_back(range.range);
  }
  Array sessions;
  for (const OpenSessionInfo& session : open) {
    sessions.emplace_back(Struct{{"session", to_string(session.session)},
                                 {"client", rpc::text_or_bytes(session.client_name)},
                                 {"lease_ms", milliseconds(sessions_.lease_left(session.session))}});
  }
  Struct out;
  out["slots"] = std::move(slots);
  out["sessions"] = std::move(sessions);
  out["lost_ranges"] = std::move(lost);
  out["cluster"] = ring ? to_string(ring->cluster.cluster) : std::string();
  out["inodes"] = inodes;
  out["sizes_pending"] = std::uint64_t{sizes.size()};
  out["cuts_pending"] = std::uint64_t{cuts_.pending_count()};
  out["epoch"] = core_.epoch;
  out["index"] = core_.log.accepted();
  out["durable_index"] = core_.log.durable();
  out["read_only"] = core_.read_only.value_or("");
  co_return Value(std::move(out));
}

Task<Result<Value>> HandMethods::declare_lost(Parameters parameters) {
  MENDFS_CO_TRY(const std::uint64_t slot, rpc::as_integer(parameters, 0, "slot"));
  if (slot >= kSlotCountMax) co_return Error{ErrorCode::InvalidArgument, fmt::format("there is no range {}", slot)};
  std::vector<Slot> ranges{static_cast<Slot>(slot)};
  MENDFS_CO_TRY_VOID(co_await ring_.declare_lost(std::move(ranges)));
  co_return Value(true);
}

Task<Result<Value>> HandMethods::announce(Parameters parameters) {
  MENDFS_CO_TRY(const std::string text, rpc::as_text(parameters, 0, "address"));
  MENDFS_CO_TRY(const Address address, parse_address(text));
  MENDFS_CO_TRY_VOID(ring_.announced(to_string(address)));
  co_return Value(true);
}

Task<Result<Value>> HandMethods::accept_old_metadata(Parameters) {
  MENDFS_CO_TRY_VOID(co_await ring_.accept_old_metadata());
  co_return Value(true);
}

std::string HandMethods::health() const {
  std::size_t up = 0;
  std::size_t count = 0;
  if (const RingWatch* watch = ring_.watch()) {
    count = watch->slot_count();
    for (Slot slot = 0; slot < count; ++slot) up += watch->view(slot).reachable ? 1U : 0U;
  }
  return fmt::format("ok role=metaserver epoch={} dataservers={} reachable={} sessions={} read_only={}\n", core_.epoch,
                     count, up, sessions_.open_count(), core_.read_only.has_value());
}

}  // namespace mendfs::metaserver
