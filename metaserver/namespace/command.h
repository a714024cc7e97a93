// Everything that can change the namespace, as the log keeps it. A command carries all that applying it needs: the
// time, the epoch and every random number are in it, so applying the same log twice gives the same state.
//
// What clients ask is logged as it came (protocol/meta.h), with its CallHeader; the rest is the metaserver's own.
// Encoded: format version (u8), tag (u8, the alternative's place in Command::Body), time, epoch, the packed body
// (docs/disk-format.md, "Commands").
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"
#include "block/types.h"
#include "env/loop.h"
#include "protocol/meta.h"
#include "protocol/xattr.h"

namespace mendfs::metaserver {

/// The first command of each start of the metaserver; Command::epoch is the new epoch, greater than all before.
struct StartEpoch {
  template <class V>
  void fields(V&) {}
};

/// A dataserver's place in a new ring and the store it was reserved with.
struct NewSlot {
  std::string address;  // host:port, normalised
  Generation generation;
  template <class V>
  void fields(V& v) {
    v("address", address);
    v("generation", generation);
  }
};

/// Makes the cluster, its first ring and its root directory. Once.
struct CreateCluster {
  ClusterId cluster;
  std::uint64_t name_seed = 0;  // random: orders directories, so that nobody can choose names that collide
  std::vector<NewSlot> slots;
  std::uint32_t block_size = kBlockSizeDefault;
  std::uint32_t copy_count = kCopyCountDefault;
  std::uint32_t root_uid = 0;
  std::uint32_t root_gid = 0;
  template <class V>
  void fields(V& v) {
    v("cluster", cluster);
    v("name_seed", name_seed);
    v("slots", slots);
    v("block_size", block_size);
    v("copy_count", copy_count);
    v("root_uid", root_uid);
    v("root_gid", root_gid);
  }
};

/// A start of a dataserver asks for a term, above all of its slot before. The reply is a TermReply; a start that was
/// granted one gets the same again.
struct GrantTerm {
  Slot slot = 0;
  Uuid start_id;
  template <class V>
  void fields(V& v) {
    v("slot", slot);
    v("start_id", start_id);
  }
};
struct TermReply {
  std::uint64_t term = 0;
  template <class V>
  void fields(V& v) {
    v("term", term);
  }
};

/// The dataserver has it in its superblock. Stale unless it is the slot's last granted term.
struct ConfirmTerm {
  Slot slot = 0;
  std::uint64_t term = 0;
  template <class V>
  void fields(V& v) {
    v("slot", slot);
    v("term", term);
  }
};

/// This store is the slot's from now on: the one before, should it come back, is complete for nothing.
struct ConfirmGeneration {
  Slot slot = 0;
  Generation generation;
  template <class V>
  void fields(V& v) {
    v("slot", slot);
    v("generation", generation);
  }
};

/// Blocks of these ranges that nobody knows, of inodes made until now, are lost.
struct DeclareLost {
  std::vector<Slot> ranges;
  template <class V>
  void fields(V& v) {
    v("ranges", ranges);
  }
};

/// A mount begins. Ok, and nothing changes, if the session is open; Refused if it was fenced.
struct OpenSession {
  SessionId session;
  std::string client_name;
  SessionId follows = {};  // a fenced session of the same client, whose replies this one may ask for
  template <class V>
  void fields(V& v) {
    v("session", session);
    v("client_name", client_name);
    v("follows", follows);
  }
};

/// A clean end: marks still there are recovered as those of a dead session, without a fence.
struct CloseSession {
  SessionId session;
  template <class V>
  void fields(V& v) {
    v("session", session);
  }
};

/// The session has not renewed in time: it gets the next fence number, and the files it had open for writing queue up
/// for the recovery of their sizes. The reply is a FenceReply; again the same for a fenced one.
struct LapseSession {
  SessionId session;
  template <class V>
  void fields(V& v) {
    v("session", session);
  }
};
struct FenceReply {
  std::uint64_t number = 0;
  template <class V>
  void fields(V& v) {
    v("number", number);
  }
};

/// All holders have recorded the file's cuts up to `number`: those below it are told to nobody any more.
struct AcknowledgeCuts {
  InodeNumber inode = 0;
  std::uint64_t number = 0;
  template <class V>
  void fields(V& v) {
    v("inode", inode);
    v("number", number);
  }
};

/// Every session has said that it does not have this orphan open, or is fenced. A file's blocks may go from now on
/// (it is in deletions() until ForgetInode); anything else is gone at once.
struct DeleteInode {
  InodeNumber inode = 0;
  template <class V>
  void fields(V& v) {
    v("inode", inode);
  }
};

/// All holders have recorded the deletion.
struct ForgetInode {
  InodeNumber inode = 0;
  template <class V>
  void fields(V& v) {
    v("inode", inode);
  }
};

/// Every slot has answered how far the file's data reaches, after the dead writer's fence: the size is at least that.
/// Stale when the file was cut meanwhile: ask again with the new cuts.
struct RecoverSize {
  InodeNumber inode = 0;
  std::uint64_t cut = 0;
  std::uint64_t fence = 0;  // the greatest that was waited for: a writer that died later queues it up again
  std::uint64_t size = 0;
  template <class V>
  void fields(V& v) {
    v("inode", inode);
    v("cut", cut);
    v("fence", fence);
    v("size", size);
  }
};

struct Command {
  WallTime time = 0;
  std::uint64_t epoch = 0;  // of the metaserver that logged it; refused once a later one has begun

  /// An alternative's place is its tag in the log: append, never reorder.
  using Body = std::variant<StartEpoch, CreateCluster, GrantTerm, ConfirmTerm, ConfirmGeneration, DeclareLost,
                            OpenSession, CloseSession, LapseSession, AcknowledgeCuts, DeleteInode, ForgetInode,
                            RecoverSize, protocol::MakeRequest, protocol::RemoveRequest, protocol::LinkRequest,
                            protocol::RenameRequest, protocol::SetAttributesRequest, protocol::OpenRequest,
                            protocol::SettleRequest, protocol::SetXattrRequest, protocol::RemoveXattrRequest,
                            protocol::AbandonRequest, protocol::UnmarkRequest>;
  Body body;
};

/// The header of a client's request; nullptr for the metaserver's own commands.
const protocol::CallHeader* call_of(const Command& command);

std::string encode(const Command& command);
/// Malformed when the bytes are no command of a version known here.
Result<Command> decode_command(std::string_view bytes);

}  // namespace mendfs::metaserver
