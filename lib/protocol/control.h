// What the metaserver asks dataservers, over XML-RPC: one base64 parameter, the packed request; one base64 value back,
// a packed ControlReply. All idempotent.
//
// The metaserver calls every address of its ring each second. That call is the dataserver's licence to take writes,
// brings it fences and terms, and returns its state, so a server that restarts or comes back empty is found within a
// second.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "block/types.h"
#include "protocol/data.h"
#include "protocol/fields.h"
#include "protocol/ring_data.h"

namespace mendfs::protocol {

struct ControlReply {
  ErrorCode code = ErrorCode::Ok;
  std::string message;
  std::string body;  // the packed reply struct when code is Ok
  template <class V>
  void fields(V& v) {
    v("code", code);
    v("message", message);
    v("body", body);
  }
};

struct NodeIdentity {
  std::uint32_t protocol_version = kProtocolVersion;
  Slot index = 0;                // of its command line
  std::uint32_t slot_count = 0;  // of its command line
  bool blank = false;            // belongs to no cluster yet
  ClusterId cluster;
  RingNumber ring = 0;
  Generation generation;
  template <class V>
  void fields(V& v) {
    v("protocol_version", protocol_version);
    v("index", index);
    v("slot_count", slot_count);
    v("blank", blank);
    v("cluster", cluster);
    v("ring", ring);
    v("generation", generation);
  }
};

/// Before a ring is created: the server keeps itself for this cluster for 30 s. Refused when it belongs to, or is kept
/// for, another one.
struct ReserveRequest {
  static constexpr const char* kMethod = "node.reserve";
  using Reply = NodeIdentity;
  std::uint32_t protocol_version = kProtocolVersion;
  ClusterId cluster;
  template <class V>
  void fields(V& v) {
    v("protocol_version", protocol_version);
    v("cluster", cluster);
  }
};

struct RangeProgress {
  Slot range = 0;
  bool complete = false;
  std::uint64_t blocks_left = 0;
  std::uint64_t blocks_per_second = 0;
  bool no_source = false;  // every other holder has answered and none is complete: data is lost until declared
  template <class V>
  void fields(V& v) {
    v("range", range);
    v("complete", complete);
    v("blocks_left", blocks_left);
    v("blocks_per_second", blocks_per_second);
    v("no_source", no_source);
  }
};

struct HeartbeatReply {
  NodeIdentity identity;
  Uuid start_id;                   // random, of this process: asks for a term when it is new
  Uuid boot;                       // of the machine
  std::int64_t clock = 0;          // of this process, as it answers: comes back as `heard_clock`
  std::uint64_t term_synced = 0;   // greatest term granted to it that is in its superblock
  std::uint64_t fence_synced = 0;  // greatest fence number it enforces
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;
  std::uint64_t blocks = 0;          // stored, all copies
  std::uint64_t blocks_mended = 0;   // since it started
  std::uint64_t writes_blocked = 0;  // parked for another server
  std::uint32_t blocked_on = 0;      // that server's slot
  std::uint64_t blocked_ms = 0;      // the longest
  std::vector<RangeProgress> ranges;
  // The greatest ever told by heartbeats, as kept in the superblock: a metaserver behind them is an old backup.
  std::uint64_t durable_index = 0;
  InodeNumber inode_high = 0;
  template <class V>
  void fields(V& v) {
    v("identity", identity);
    v("start_id", start_id);
    v("boot", boot);
    v("clock", clock);
    v("term_synced", term_synced);
    v("fence_synced", fence_synced);
    v("total_bytes", total_bytes);
    v("free_bytes", free_bytes);
    v("blocks", blocks);
    v("blocks_mended", blocks_mended);
    v("writes_blocked", writes_blocked);
    v("blocked_on", blocked_on);
    v("blocked_ms", blocked_ms);
    v("ranges", ranges);
    v("durable_index", durable_index);
    v("inode_high", inode_high);
  }
};

struct Fence {
  std::uint64_t number = 0;  // rises by one
  SessionId session;
  template <class V>
  void fields(V& v) {
    v("number", number);
    v("session", session);
  }
};

/// A range of which no complete copy is left, declared so: treat it as complete; blocks that nobody knows, of inodes up
/// to this one, read as lost.
struct LostRange {
  Slot range = 0;
  InodeNumber inode_high = 0;
  template <class V>
  void fields(V& v) {
    v("range", range);
    v("inode_high", inode_high);
  }
};

/// "You are slot s of ring r of cluster c." A blank server becomes that; any other difference is Refused.
///
/// Terms: the metaserver sees a start_id it has not granted a term to, logs a grant and sends it here (term_for ==
/// start_id); the server syncs it and answers term_synced; the metaserver logs the confirmation and sends
/// term_confirmed. Only then does the server give versions in it, and only then does it take forwards: a slot whose
/// confirmed term is 0 has never stored anything, and a store that was put aside for another has missed nothing as long
/// as no higher term is.
///
/// The grant to take writes runs for 10 s from `heard_clock`, the moment of this process at which it gave the last
/// reply that the caller has: so a call that lay in a queue while the server was stopped grants nothing. The first call
/// of a start (heard_start differs) grants nothing either, it brings fences; the second follows at once. The reply
/// tells the state after the request was heeded.
struct HeartbeatRequest {
  static constexpr const char* kMethod = "node.heartbeat";
  using Reply = HeartbeatReply;
  std::uint32_t protocol_version = kProtocolVersion;
  ClusterId cluster;
  RingNumber ring = 0;
  Slot slot = 0;
  std::vector<std::string> addresses;  // of all slots
  std::string metaserver;              // address of the caller, for `corrupt` and by-hand tools
  std::uint64_t epoch = 0;
  std::uint64_t durable_index = 0;   // kept in the superblock: a metaserver behind it is an old backup
  InodeNumber inode_high = 0;        // greatest inode ever made
  Generation confirmed_generation;   // of this slot's store, as last confirmed
  std::uint64_t confirmed_term = 0;  // of this slot
  bool complete_at_birth = false;    // no store of this slot has ever taken a write: nothing can be missing
  Uuid heard_start;                  // start_id and clock of the last reply that the metaserver has
  std::int64_t heard_clock = 0;
  Uuid term_for;
  std::uint64_t term_granted = 0;
  bool term_confirmed = false;
  std::vector<Fence> fences;    // above the fence_synced it last answered
  std::vector<LostRange> lost;  // of ring.declare_lost
  template <class V>
  void fields(V& v) {
    v("protocol_version", protocol_version);
    v("cluster", cluster);
    v("ring", ring);
    v("slot", slot);
    v("addresses", addresses);
    v("metaserver", metaserver);
    v("epoch", epoch);
    v("durable_index", durable_index);
    v("inode_high", inode_high);
    v("confirmed_generation", confirmed_generation);
    v("confirmed_term", confirmed_term);
    v("complete_at_birth", complete_at_birth);
    v("heard_start", heard_start);
    v("heard_clock", heard_clock);
    v("term_for", term_for);
    v("term_granted", term_granted);
    v("term_confirmed", term_confirmed);
    v("fences", fences);
    v("lost", lost);
  }
};

/// Cuts and deletions to record; answered when they survive a power cut, by the process that recorded them.
struct CutsReply {
  Uuid start_id;
  template <class V>
  void fields(V& v) {
    v("start_id", start_id);
  }
};
struct CutsRequest {
  static constexpr const char* kMethod = "node.cuts";
  using Reply = CutsReply;
  ClusterId cluster;
  std::vector<CutRecord> records;
  template <class V>
  void fields(V& v) {
    v("cluster", cluster);
    v("records", records);
  }
};

/// How far the data of files reaches here: end of the last byte that counts, for each inode asked.
struct ExtentsReply {
  std::vector<std::uint64_t> sizes;
  template <class V>
  void fields(V& v) {
    v("sizes", sizes);
  }
};
struct ExtentsRequest {
  static constexpr const char* kMethod = "node.extents";
  using Reply = ExtentsReply;
  ClusterId cluster;
  std::vector<FileRef> files;
  template <class V>
  void fields(V& v) {
    v("cluster", cluster);
    v("files", files);
  }
};

}  // namespace mendfs::protocol
