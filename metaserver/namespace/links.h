// What happens to an inode that loses a name.
#pragma once

#include "metaserver/namespace/context.h"
#include "metaserver/namespace/inode_record.h"

namespace mendfs::metaserver {

/// One name fewer, or, for a directory, none. Without any the inode queues up as an orphan. The caller stores it.
void drop_name(Context& context, InodeRecord& record);

/// Whether a directory may be removed: NotEmpty otherwise.
Result<void> check_empty(const InodeRecord& directory);

}  // namespace mendfs::metaserver
