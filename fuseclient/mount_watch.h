// Notices that the mount is gone. After `umount -l` the kernel tells a filesystem nothing as long as files are open on
// it, but /proc/self/mountinfo changes at once.
#pragma once

#include <functional>
#include <string>

#include "base/error.h"

namespace mendfs::fuse {

/// Watches, in a thread of its own that ends with the process, the mount that is on `mountpoint` now; calls `on_gone`
/// from that thread once it is there no more. NotFound when nothing is mounted there.
Result<void> watch_mount(const std::string& mountpoint, std::function<void()> on_gone);

/// umount -l.
Result<void> detach_mount(const std::string& mountpoint);

}  // namespace mendfs::fuse
