// What the kernel may ask, one file per group; each only unpacks, calls the client core and packs the answer.
//
// Not here, because the kernel does it: permissions (default_permissions), locks of this machine, suid clearing,
// lseek for data and holes, copy_file_range. Between mounts there are no locks yet.
#pragma once

#define FUSE_USE_VERSION 312
#include <fuse3/fuse_lowlevel.h>

namespace mendfs::fuse {

void add_name_operations(fuse_lowlevel_ops& operations);
void add_attribute_operations(fuse_lowlevel_ops& operations);
void add_directory_operations(fuse_lowlevel_ops& operations);
void add_file_operations(fuse_lowlevel_ops& operations);
void add_xattr_operations(fuse_lowlevel_ops& operations);

}  // namespace mendfs::fuse
