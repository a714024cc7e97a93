#include "fuseclient/background.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <utility>

namespace mendfs::fuse {
namespace {

constexpr int kFirstInherited = 3;
/// What travels through the pipe when all is well; anything else is the sentence to print.
constexpr char kReady = '\n';

void print(const std::string& sentence) { fmt::print(stderr, "fuseclient: {}\n", sentence); }

[[noreturn]] void exit_as_told(int verdict) {
  std::string told;
  char piece[512];
  while (true) {
    const ssize_t size = ::read(verdict, piece, sizeof piece);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;
    told.append(piece, static_cast<std::size_t>(size));
  }
  // _exit: what the two processes share, such as buffers of stdio, belongs to the other one now.
  if (told.size() == 1 && told[0] == kReady) ::_exit(EXIT_SUCCESS);
  print(told.empty() ? "it ended before the mount answered; its log says why" : told);
  ::_exit(EXIT_FAILURE);
}

[[noreturn]] void fail(const char* what) {
  print(fmt::format("cannot go into the background: {}: {}", what, std::strerror(errno)));
  std::exit(EXIT_FAILURE);
}

void use_null_device(int first, int last) {
  const int null_device = ::open("/dev/null", O_RDWR);
  for (int fd = first; fd <= last; ++fd) ::dup2(null_device, fd);
  if (null_device > last) ::close(null_device);
}

}  // namespace

Background Background::fork() {
  ::close_range(kFirstInherited, UINT_MAX, 0);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) fail("pipe");
  const pid_t child = ::fork();
  if (child < 0) fail("fork");
  if (child > 0) {
    ::close(ends[1]);
    exit_as_told(ends[0]);
  }
  ::close(ends[0]);
  ::setsid();
  // Standard error stays until ready(): libfuse and fusermount3 complain there.
  use_null_device(STDIN_FILENO, STDOUT_FILENO);
  return Background(ends[1]);
}

Background Background::none() { return Background(-1); }

Background::Background(Background&& other) noexcept : parent_(std::exchange(other.parent_, -1)) {}

Background::~Background() {
  if (parent_ >= 0) ::close(parent_);
}

void Background::ready(const std::string& pid_file) {
  if (!pid_file.empty() && !(std::ofstream(pid_file) << ::getpid() << '\n').flush()) {
    print(fmt::format("mounted, but cannot write {}", pid_file));
  }
  if (parent_ < 0) return;
  // The parent may have been killed meanwhile: the mount stands all the same.
  static_cast<void>(!::write(parent_, &kReady, 1));
  ::close(std::exchange(parent_, -1));
  use_null_device(STDERR_FILENO, STDERR_FILENO);
  static_cast<void>(!::chdir("/"));
}

void Background::failed(const std::string& sentence) {
  if (parent_ < 0) {
    print(sentence);
    return;
  }
  static_cast<void>(!::write(parent_, sentence.data(), sentence.size()));
  ::close(std::exchange(parent_, -1));
}

}  // namespace mendfs::fuse
