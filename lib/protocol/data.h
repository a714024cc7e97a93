// The block protocol: what clients ask dataservers, in frames; what these ask each other is in ring_data.h.
//
// A frame's header is packed(MessageHeader) followed by the packed request or reply; its data is the bytes the
// message speaks of, in the order it names them. Replies carry the id of their request and come in any order.
// The first request on a connection is Hello. Ping may come at any time and is answered at once.
// Nothing here is trusted by the receiver: runs are checked (block/run.h) and sizes compared with the data.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "block/run.h"
#include "block/types.h"
#include "protocol/fields.h"
#include "protocol/meta.h"

namespace mendfs::protocol {

enum class MessageType : std::uint8_t {
  Hello = 1,
  Ping = 2,
  Write = 3,
  Read = 4,
  Repair = 5,
  Sync = 6,
  Audit = 7,
  // Between dataservers.
  Forward = 16,
  Fetch = 17,
  List = 18,
  Handshake = 19,
  AskWrite = 20,
  kMax = AskWrite,
};

struct MessageHeader {
  MessageType type = MessageType::Ping;
  bool reply = false;
  std::uint64_t id = 0;
  std::uint64_t data_checksum = 0;  // requests with data: checksum64 of it; who gets a reply checks its digests instead
  // Replies only; after any code but Ok no body follows.
  ErrorCode code = ErrorCode::Ok;
  std::string message;
  template <class V>
  void fields(V& v) {
    v("type", type);
    v("reply", reply);
    v("id", id);
    v("data_checksum", data_checksum);
    v("code", code);
    v("message", message);
  }
};

enum class Role : std::uint8_t { Client = 1, Dataserver = 2, Tool = 3, kMax = Tool };

struct HelloReply {
  Generation generation;
  std::uint64_t term = 0;  // confirmed, 0: none yet
  template <class V>
  void fields(V& v) {
    v("generation", generation);
    v("term", term);
  }
};
/// Refused when anything differs: another cluster, ring, slot or protocol version. Unavailable: not adopted yet.
struct HelloRequest {
  static constexpr MessageType kType = MessageType::Hello;
  using Reply = HelloReply;
  std::uint32_t protocol_version = kProtocolVersion;
  Role role = Role::Client;
  ClusterId cluster;
  RingNumber ring = 0;
  Slot to_slot = 0;    // who the caller thinks it is talking to
  Slot from_slot = 0;  // dataservers
  SessionId session;   // clients
  template <class V>
  void fields(V& v) {
    v("protocol_version", protocol_version);
    v("role", role);
    v("cluster", cluster);
    v("ring", ring);
    v("to_slot", to_slot);
    v("from_slot", from_slot);
    v("session", session);
  }
};

struct PingRequest {
  static constexpr MessageType kType = MessageType::Ping;
  using Reply = Nothing;
  template <class V>
  void fields(V&) {}
};

/// The file a request is about, as the sender knows it. A server that knows newer cuts answers Stale; one that knows
/// older ones records the sender's first.
struct FileRef {
  InodeNumber inode = 0;
  Layout layout;
  CutList cuts;
  template <class V>
  void fields(V& v) {
    v("inode", inode);
    v("layout", layout);
    v("cuts", cuts);
  }
};

/// Where in a holder's log something is, and under which life of it: durable once that holder has synced past it.
struct HolderPosition {
  Slot slot = 0;
  Uuid boot;              // of the machine: un-synced bytes may be lost when it changes
  Generation generation;  // of the store
  std::uint64_t position = 0;
  bool full = false;  // what is left of its disk is the reserve: primaries refuse writes on its behalf
  template <class V>
  void fields(V& v) {
    v("slot", slot);
    v("boot", boot);
    v("generation", generation);
    v("position", position);
    v("full", full);
  }
};

/// Bytes for some blocks of one primary. Only the first and the last block may be partial:
///
///   blocks      first   first+N   first+2N
///   bytes       ..####  ######    ###...       first_begin = 2, last_end = 3
struct WritePart {
  RunKind kind = RunKind::Data;   // Hole: zeros, no data travels
  BlockRun blocks;                // step == N, all with the same primary
  std::uint32_t first_begin = 0;  // bytes of the first block before those written
  std::uint32_t last_end = 0;     // end of the bytes written, within the last block; 1 .. B
  std::vector<Digest> digests;    // one for each block, none for a hole: SHA-256 of whole blocks, which the holders
                                  // store as they are; of partial blocks nobody looks at it
  std::uint64_t byte_count(std::uint32_t block_size) const {
    return std::uint64_t{blocks.count} * block_size - first_begin - (block_size - last_end);
  }
  template <class V>
  void fields(V& v) {
    v("kind", kind);
    v("blocks", blocks);
    v("first_begin", first_begin);
    v("last_end", last_end);
    v("digests", digests);
  }
};

struct WriteReply {
  Version version;
  std::vector<HolderPosition> holders;
  template <class V>
  void fields(V& v) {
    v("version", version);
    v("holders", holders);
  }
};
/// To the primary of all its blocks. Answered once every copy has it; until then the request is parked.
/// Unavailable: not now (no confirmed term, no grant, range not ready), resend the same; Stale: newer cuts, and it will
/// not be applied any more: fetch them and send it anew under a new sequence; StaleHandle: the file is deleted;
/// Io: part of a lost block; NoSpace; Refused: the session is fenced, or the write was answered before.
struct WriteRequest {
  static constexpr MessageType kType = MessageType::Write;
  using Reply = WriteReply;
  WriteId id;
  std::uint64_t answered_below = 0;  // this session wants no answer to its writes below it (on any server) any more
  bool retry = false;                // may have arrived before
  bool durable = false;              // answered only when it also survives a power cut on all copies
  std::vector<Slot> sent_to;         // durable: the primaries that are sent parts of the same write at the same time
  FileRef file;
  std::vector<WritePart> parts;  // disjoint
  template <class V>
  void fields(V& v) {
    v("id", id);
    v("answered_below", answered_below);
    v("retry", retry);
    v("durable", durable);
    v("sent_to", sent_to);
    v("file", file);
    v("parts", parts);
  }
};

enum class BlockState : std::uint8_t {
  Data = 0,
  Absent = 1,   // never written, says a server that is complete for the range: zeros
  Hole = 2,     // zeros
  Unknown = 3,  // this server is not complete for the range: ask the other copy
  Lost = 4,     // no good copy exists any more
  Bad = 5,      // damaged here: ask the other copy, and let this one repair itself
  kMax = Bad,
};

enum class ReadMode : std::uint8_t { Data = 0, Digest = 1, kMax = Digest };

struct ReadPart {
  ReadMode mode = ReadMode::Data;
  BlockRun blocks;
  template <class V>
  void fields(V& v) {
    v("mode", mode);
    v("blocks", blocks);
  }
};
/// Some blocks of a part, all in the same state and version.
struct ReadRun {
  std::uint32_t part = 0;
  BlockRun blocks;
  BlockState state = BlockState::Absent;
  Version version;
  std::vector<Digest> digests;  // state Data: of each block's B bytes as a reader sees them (cut bytes are zeros)
  template <class V>
  void fields(V& v) {
    v("part", part);
    v("blocks", blocks);
    v("state", state);
    v("version", version);
    v("digests", digests);
  }
};
struct ReadReply {
  std::vector<ReadRun> runs;  // cover every block of every part, in order
  template <class V>
  void fields(V& v) {
    v("runs", runs);
  }
};
/// Data of parts in mode Data follows, B bytes for each block in state Data. In that mode the receiver verifies; in
/// mode Digest the server has read and verified its copy itself.
struct ReadRequest {
  static constexpr MessageType kType = MessageType::Read;
  using Reply = ReadReply;
  FileRef file;
  std::vector<ReadPart> parts;
  template <class V>
  void fields(V& v) {
    v("file", file);
    v("parts", parts);
  }
};

struct AuditFile {
  FileRef file;
  std::vector<BlockRun> blocks;
  template <class V>
  void fields(V& v) {
    v("file", file);
    v("blocks", blocks);
  }
};
/// Some blocks of a run that was asked for, all in the same state and version.
struct AuditRun {
  std::uint32_t part = 0;  // the index of the run asked for
  BlockRun blocks;
  BlockState state = BlockState::Absent;
  Version version;
  std::vector<std::uint64_t> sums;  // state Data: CopySum of each block's B bytes as a reader sees them
  template <class V>
  void fields(V& v) {
    v("part", part);
    v("blocks", blocks);
    v("state", state);
    v("version", version);
    v("sums", sums);
  }
};
struct AuditAnswer {
  bool is_known = false;       // or the file is deleted, or its cuts are others here
  std::vector<AuditRun> runs;  // cover every block, in order
  template <class V>
  void fields(V& v) {
    v("is_known", is_known);
    v("runs", runs);
  }
};
struct AuditReply {
  std::vector<AuditAnswer> files;
  template <class V>
  void fields(V& v) {
    v("files", files);
  }
};
/// Versions and sums of this server's copies of some blocks of some files: it reads them from its disk. What they are
/// compared with was verified by SHA-256; a copy that differs is verified by its own server when it is asked to repair.
struct AuditRequest {
  static constexpr MessageType kType = MessageType::Audit;
  using Reply = AuditReply;
  std::uint64_t seed = 0;  // of the sums; the client's choice, so that no server can know them before
  std::vector<AuditFile> files;
  template <class V>
  void fields(V& v) {
    v("seed", seed);
    v("files", files);
  }
};

struct RepairReply {
  std::uint64_t repaired = 0;  // blocks that were really mended
  template <class V>
  void fields(V& v) {
    v("repaired", repaired);
  }
};
/// "Your copy of these blocks looks wrong": the server looks itself, and fetches from another holder what is bad,
/// missing or older here. Answered when done.
struct RepairRequest {
  static constexpr MessageType kType = MessageType::Repair;
  using Reply = RepairReply;
  FileRef file;
  std::vector<BlockRun> blocks;
  template <class V>
  void fields(V& v) {
    v("file", file);
    v("blocks", blocks);
  }
};

/// A life of a store that ended with the loss of un-synced bytes. What lay before `kept_until` in its log is still
/// there, and durable.
struct EarlierLife {
  Uuid boot;
  std::uint64_t kept_until = 0;
  template <class V>
  void fields(V& v) {
    v("boot", boot);
    v("kept_until", kept_until);
  }
};

struct SyncReply {
  HolderPosition durable;            // whose log, and up to where it survives a power cut
  std::vector<EarlierLife> earlier;  // of the same store, the last ones
  template <class V>
  void fields(V& v) {
    v("durable", durable);
    v("earlier", earlier);
  }
};
/// Answered when everything up to `position` in this server's log survives a power cut. A position beyond its end (one
/// of an earlier life, or UINT64_MAX): everything there is now.
struct SyncRequest {
  static constexpr MessageType kType = MessageType::Sync;
  using Reply = SyncReply;
  std::uint64_t position = 0;
  template <class V>
  void fields(V& v) {
    v("position", position);
  }
};

}  // namespace mendfs::protocol
