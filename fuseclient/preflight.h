// Looks, before anything is started, at what would make a mount fail, so that the user gets a sentence that says what
// to do rather than an errno.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "fuseclient/mount_options.h"

namespace mendfs::fuse {

/// /dev/fuse, fusermount3, allow_other, the mountpoint, the limit of open files (which it also raises as far as it
/// may). Returns the mountpoint as an absolute path.
Result<std::string> check_before_mount(const std::string& mountpoint, const MountOptions& options);

/// Whether the text of /etc/fuse.conf has the line that lets ordinary users mount with allow_other. Pure.
bool allows_user_allow_other(std::string_view fuse_conf);

}  // namespace mendfs::fuse
