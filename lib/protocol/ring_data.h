// The block protocol between dataservers: forwards, and what a holder fetches from another. As data.h.
#pragma once

#include <cstdint>
#include <vector>

#include "block/run.h"
#include "block/types.h"
#include "protocol/data.h"
#include "protocol/fields.h"

namespace mendfs::protocol {

/// From a primary to another holder: runs with their versions; data follows run by run. Refused when `term` is below
/// one this server has already synced for that primary. The bytes are checked on arrival by the checksum of the
/// message.
struct ForwardRequest {
  static constexpr MessageType kType = MessageType::Forward;
  using Reply = HolderPosition;
  std::uint64_t term = 0;  // the sender's, apart from the versions'
  Slot range = 0;
  Version settled;                   // every version at or below it is on all holders
  std::uint64_t answered_below = 0;  // of the writer's session
  bool durable = false;
  std::vector<Slot> sent_to;     // as in the write
  CutList cuts;                  // of the file
  std::vector<RunSummary> runs;  // of one file
  template <class V>
  void fields(V& v) {
    v("term", term);
    v("range", range);
    v("settled", settled);
    v("answered_below", answered_below);
    v("durable", durable);
    v("sent_to", sent_to);
    v("cuts", cuts);
    v("runs", runs);
  }
};

struct FetchPart {
  InodeNumber inode = 0;
  BlockRun blocks;
  template <class V>
  void fields(V& v) {
    v("inode", inode);
    v("blocks", blocks);
  }
};
struct FetchMiss {
  FetchPart part;
  BlockState state = BlockState::Absent;  // Absent, Unknown, Bad (Lost and Hole are runs)
  Version version;                        // Bad: what the index names
  template <class V>
  void fields(V& v) {
    v("part", part);
    v("state", state);
    v("version", version);
  }
};
struct CutRecord {
  InodeNumber inode = 0;
  CutList cuts;
  bool deleted = false;
  template <class V>
  void fields(V& v) {
    v("inode", inode);
    v("cuts", cuts);
    v("deleted", deleted);
  }
};
struct FetchReply {
  std::vector<RunSummary> runs;
  std::vector<FetchMiss> misses;
  std::vector<CutRecord> cuts;  // of the files asked for
  bool complete = false;        // this server is complete for the range
  template <class V>
  void fields(V& v) {
    v("runs", runs);
    v("misses", misses);
    v("cuts", cuts);
    v("complete", complete);
  }
};
/// Stored runs as they are, verified by their holder, whole or split at block borders; data follows run by run.
struct FetchRequest {
  static constexpr MessageType kType = MessageType::Fetch;
  using Reply = FetchReply;
  Slot range = 0;  // of all parts
  std::vector<FetchPart> parts;
  template <class V>
  void fields(V& v) {
    v("range", range);
    v("parts", parts);
  }
};

struct ListReply {
  std::vector<RunSummary> runs;
  std::vector<CutRecord> cuts;
  std::uint64_t cursor = 0;  // where to go on
  bool end = false;
  bool complete = false;    // this server is complete for the range
  bool rebuilding = false;  // it is not, and will not be before it has found a source itself
  Generation generation;
  std::uint64_t blocks_total = 0;  // of the range here, roughly: for progress
  template <class V>
  void fields(V& v) {
    v("runs", runs);
    v("cuts", cuts);
    v("cursor", cursor);
    v("end", end);
    v("complete", complete);
    v("rebuilding", rebuilding);
    v("generation", generation);
    v("blocks_total", blocks_total);
  }
};
/// What a server holds of a range with a version above `above`, in the order of its segments: current runs only,
/// without their digests, and every cut and deletion. The end is reached when the cursor has passed all that was there
/// at the last request.
struct ListRequest {
  static constexpr MessageType kType = MessageType::List;
  using Reply = ListReply;
  Slot range = 0;
  Version above;
  std::uint64_t cursor = 0;  // 0: from the start
  std::uint32_t run_count_max = 4096;
  template <class V>
  void fields(V& v) {
    v("range", range);
    v("above", above);
    v("cursor", cursor);
    v("run_count_max", run_count_max);
  }
};

struct HandshakeReply {
  Version watermark;      // every version at or below it that was ever acknowledged is durable here
  Version newest;         // the greatest version seen here
  bool complete = false;  // up to the watermark at least
  Generation generation;
  Uuid boot;
  template <class V>
  void fields(V& v) {
    v("watermark", watermark);
    v("newest", newest);
    v("complete", complete);
    v("generation", generation);
    v("boot", boot);
  }
};
/// From a primary with a new confirmed term to each other holder of its range: the term is synced there and lower ones
/// are refused from then on. Refused when a higher one is known.
struct HandshakeRequest {
  static constexpr MessageType kType = MessageType::Handshake;
  using Reply = HandshakeReply;
  Slot range = 0;
  std::uint64_t term = 0;
  template <class V>
  void fields(V& v) {
    v("range", range);
    v("term", term);
  }
};

struct AskWriteReply {
  bool known = false;
  Version version;
  template <class V>
  void fields(V& v) {
    v("known", known);
    v("version", version);
  }
};
/// "Have you been forwarded this write?": a primary that has forgotten a session asks before it applies a retry.
struct AskWriteRequest {
  static constexpr MessageType kType = MessageType::AskWrite;
  using Reply = AskWriteReply;
  WriteId id;
  Slot range = 0;
  template <class V>
  void fields(V& v) {
    v("id", id);
    v("range", range);
  }
};

}  // namespace mendfs::protocol
