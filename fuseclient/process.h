// What this program asks the operating system about processes and mounts.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

namespace mendfs::fuse {

enum class ProcessState {
  Alive,
  Leaving,  // it exits, and closes its files on the way: nobody will see the result
  Gone,     // or a zombie, or killed by a signal and on its way out
};

/// `pid` may be a thread's.
ProcessState process_state(pid_t pid);
/// The same from the text of /proc/PID/stat (proc_pid_stat(5)). Pure.
ProcessState parse_process_state(std::string_view stat);

/// The whole of a file of /proc or /etc; empty when it cannot be read.
std::string read_text_file(const char* path);

}  // namespace mendfs::fuse
