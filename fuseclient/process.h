// What this program asks the operating system about processes and mounts.
#pragma once

#include <sys/types.h>

#include <string>

namespace mendfs::fuse {

/// Also true of a zombie: it will never take an answer. `pid` may be a thread's.
bool process_has_ended(pid_t pid);

/// The whole of a file of /proc or /etc; empty when it cannot be read.
std::string read_text_file(const char* path);

}  // namespace mendfs::fuse
