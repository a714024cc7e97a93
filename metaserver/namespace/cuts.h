// Shrinks of files, numbered, and told to the holders until all have recorded them.
#pragma once

#include "metaserver/namespace/context.h"
#include "metaserver/namespace/inode_record.h"

namespace mendfs::metaserver {

/// Bytes from `size` on that were written until now are dead. Changes `record`, which the caller stores. Unavailable
/// when too many cuts wait for a holder already.
Result<void> cut(Context& context, InodeRecord& record, std::uint64_t size);

}  // namespace mendfs::metaserver
