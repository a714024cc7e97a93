#include "fuseclient/process.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

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

bool process_has_ended(pid_t pid) {
  const std::string status = read_text_file(fmt::format("/proc/{}/stat", pid).c_str());
  // "pid (name) state ...": the name may hold anything, brackets too.
  const std::size_t name_end = status.rfind(") ");
  if (name_end == std::string::npos) return true;
  const char state = status[name_end + 2];
  return state == 'Z' || state == 'X';
}

}  // namespace mendfs::fuse
