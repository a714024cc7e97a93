// Which sessions have a file open for writing. It is kept twice, in the inode and by session, so that neither a
// truncation nor the end of a session has to search.
#pragma once

#include "metaserver/namespace/context.h"
#include "metaserver/namespace/inode_record.h"

namespace mendfs::metaserver {

/// These change `record`, which the caller stores.
void mark_writer(State& state, InodeRecord& record, const SessionId& session);
void unmark_writer(State& state, InodeRecord& record, const SessionId& session);
/// The file is being deleted: nobody writes it, and no size is to be recovered.
void unmark_all_writers(Context& context, InodeRecord& record);

/// The session has ended: its marks go, and the files they were on wait for the recovery of their sizes, after
/// `fence` (0: nothing to wait for).
Result<void> abandon_marks(Context& context, const SessionId& session, std::uint64_t fence);

/// Whether the file may have more bytes than its size says.
inline bool size_is_unsure(const InodeRecord& record) { return !record.writers.empty() || record.recovery.has_value(); }

}  // namespace mendfs::metaserver
