// The namespace: inodes, directories, sessions, the ring and what is still to be done, as a deterministic state machine
// over an ordered key-value store. Pure: no clock, no randomness, no I/O but the store's.
//
//   log.append(commands);  for each: outcome = apply(index, command);  commit();  answer;
//
// apply() works on changes that are held back in memory; later commands and reads see them at once. commit() hands all
// of them, with the last applied index, to the store as one batch. So the store is always the state at some index, and
// whoever restarts replays the log from applied_index() + 1.
//
// Errors of the Result that apply() and commit() return mean a damaged or failing store: stop the server. Refusals are
// outcomes. Reads return refusals as errors; Corruption and Io among them mean the store.
// Loop thread only. Commands and reads take microseconds; nothing scans more than it returns.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "block/types.h"
#include "env/kv.h"
#include "metaserver/namespace/command.h"
#include "metaserver/namespace/directory_paths.h"
#include "metaserver/namespace/limits.h"
#include "metaserver/namespace/replies.h"
#include "metaserver/namespace/ring_record.h"
#include "metaserver/namespace/session_record.h"
#include "metaserver/namespace/state.h"
#include "metaserver/namespace/work_queues.h"
#include "protocol/control.h"
#include "protocol/data.h"
#include "protocol/meta.h"

namespace mendfs::metaserver {

/// What a command came to.
struct Outcome {
  ErrorCode code = ErrorCode::Ok;
  std::string message;
  std::string body;         // the packed reply struct when code is Ok
  std::uint64_t index = 0;  // the log entry that made the change; of a repeated request: the first one's. 0 if refused
  bool repeated = false;    // it was made before: what it touched is not known any more
  protocol::Touched touched;
};

/// A file that waits for the recovery of its size: the fence `fence` must be enforced everywhere before data is asked.
struct PendingRecovery {
  protocol::FileRef file;
  std::uint64_t fence = 0;
};

struct OpenSessionInfo {
  SessionId session;
  std::string client_name;
};

class Namespace {
 public:
  /// `kv` is the state's alone. Requires: load() before anything else.
  explicit Namespace(Kv& kv) : state_(kv) {}

  /// Corruption, with a sentence, for a store of another format. An empty store is an empty namespace at index 0.
  Result<void> load();
  /// Of the last command applied, committed or not.
  std::uint64_t applied_index() const { return applied_index_; }

  /// Requires: index == applied_index() + 1.
  Result<Outcome> apply(std::uint64_t index, const Command& command);
  /// Puts everything applied since the last call into the store as one batch.
  Result<void> commit();
  /// The same, once enough has come together.
  Result<void> commit_if_due();

  /// The outcome of a change that was applied before, so that a retry need not be logged; nothing if it was not.
  /// Refused: the session is unknown or fenced, or this reply was forgotten. Malformed: no valid sequence.
  Result<std::optional<Outcome>> remembered(const protocol::CallHeader& call);

  // Reads. StaleHandle: the inode is gone.
  Result<protocol::Attributes> lookup(InodeNumber parent, const std::string& name);
  Result<protocol::Attributes> attributes(InodeNumber inode);
  /// Entries above `cookie` in the order of their cookies; a few more than asked if they share the last one's.
  Result<protocol::ReadDirectoryReply> read_directory(InodeNumber inode, std::uint64_t cookie, std::uint32_t count_max);
  Result<std::string> read_link(InodeNumber inode);
  Result<std::string> xattr(InodeNumber inode, const std::string& name);
  Result<std::vector<std::string>> xattr_names(InodeNumber inode);
  /// The inode of an absolute path; symlinks are not followed. For tools.
  Result<protocol::Attributes> resolve(std::string_view path);
  Result<std::uint64_t> inode_count();
  /// The greatest inode ever made.
  Result<InodeNumber> inode_high();
  Result<std::uint64_t> epoch();
  /// Whether the entry that was logged under this number in this epoch is, or will be, part of the state: if not, a
  /// power cut took it, and another one may have its number.
  Result<bool> has_kept(std::uint64_t index, std::uint64_t epoch);

  // The ring and its terms. Nothing before CreateCluster.
  Result<std::optional<ClusterRecord>> cluster();
  Result<SlotRecord> slot(Slot slot);

  // Sessions.
  Result<std::vector<OpenSessionInfo>> open_sessions();
  Result<bool> is_open(const SessionId& session);
  /// Fences above `number`, in order.
  Result<std::vector<protocol::Fence>> fences_above(std::uint64_t number);
  /// Sessions that have the file open for writing.
  Result<std::vector<SessionId>> writers(InodeNumber inode);

  // Work for the server, in the order of inodes: up to `count_max` of those above `after`.
  /// Inodes without a name that may still be open somewhere: DeleteInode ends it.
  Result<std::vector<InodeNumber>> orphans(InodeNumber after, std::size_t count_max);
  /// Deleted files whose holders must be told: ForgetInode ends it.
  Result<std::vector<protocol::FileRef>> deletions(InodeNumber after, std::size_t count_max);
  /// Files whose newest cut some holder may not have: AcknowledgeCuts ends it.
  Result<std::vector<protocol::FileRef>> unacknowledged_cuts(InodeNumber after, std::size_t count_max);
  /// Files whose writer died: RecoverSize ends it.
  Result<std::vector<PendingRecovery>> recoveries(InodeNumber after, std::size_t count_max);

 private:
  Result<Outcome> apply_once(std::uint64_t index, const Command& command);
  Result<std::string> apply_new(std::uint64_t index, const Command& command);
  Result<std::vector<protocol::FileRef>> queued_files(char queue, InodeNumber after, std::size_t count_max);

  State state_;
  DirectoryPaths paths_;
  WorkQueues queues_;
  KeptSequences kept_sequences_;
  std::uint64_t applied_index_ = 0;
};

}  // namespace mendfs::metaserver
