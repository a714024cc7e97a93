#include "fuseclient/process.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cstdio>

namespace mendfs::fuse {

std::string read_text_file(const char* path) {
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  std::string text;
  char piece[4096];
  ssize_t size = 0;
  while ((size = ::read(fd, piece, sizeof piece)) > 0) text.append(piece, static_cast<std::size_t>(size));
  ::close(fd);
  return text;
}

ProcessState process_state(pid_t pid) {
  return parse_process_state(read_text_file(fmt::format("/proc/{}/stat", pid).c_str()));
}

ProcessState parse_process_state(std::string_view stat) {
  // From linux/sched.h; the flags are the seventh field after the name.
  constexpr unsigned long kExiting = 0x4;
  constexpr unsigned long kSignaled = 0x400;
  // "pid (name) state ...": the name may hold anything, brackets too.
  const std::size_t name_end = stat.rfind(") ");
  if (name_end == std::string_view::npos) return ProcessState::Gone;
  const std::string fields(stat.substr(name_end + 2));
  char state = 'R';
  unsigned long flags = 0;
  if (std::sscanf(fields.c_str(), "%c %*d %*d %*d %*d %*d %lu", &state, &flags) != 2) return ProcessState::Gone;
  if (state == 'Z' || state == 'X') return ProcessState::Gone;
  if ((flags & kExiting) == 0) return ProcessState::Alive;
  return (flags & kSignaled) != 0 ? ProcessState::Gone : ProcessState::Leaving;
}

}  // namespace mendfs::fuse
