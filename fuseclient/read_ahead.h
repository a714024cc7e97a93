// How far the kernel reads ahead of a sequential reader.
#pragma once

#include <string>

#include "base/error.h"

namespace mendfs::fuse {

/// As much as one request carries. While mounting, the kernel takes only less than its own 128 KiB; this asks sysfs,
/// which heeds root alone. `mountpoint` is absolute.
Result<void> raise_read_ahead(const std::string& mountpoint);

}  // namespace mendfs::fuse
