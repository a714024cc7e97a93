#include "fuseclient/mount_watch.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <thread>
#include <utility>

#include "fuseclient/mountinfo.h"
#include "fuseclient/process.h"

namespace mendfs::fuse {
namespace {

constexpr const char* kMountinfo = "/proc/self/mountinfo";

bool is_mounted(const MountEntry& mount) {
  const auto mounts = parse_mountinfo(read_text_file(kMountinfo));
  return std::any_of(mounts.begin(), mounts.end(), [&](const MountEntry& entry) {
    // Ids are used again, and the mountpoint may have been moved.
    return entry.id == mount.id && entry.device == mount.device;
  });
}

void wait_until_gone(int changes, const MountEntry& mount) {
  while (is_mounted(mount)) {
    pollfd poll_changes{.fd = changes, .events = POLLPRI, .revents = 0};
    ::poll(&poll_changes, 1, -1);
  }
}

}  // namespace

Result<void> watch_mount(const std::string& mountpoint, std::function<void()> on_gone) {
  // Opened before the first look: what changes in between wakes the poll.
  const int changes = ::open(kMountinfo, O_RDONLY | O_CLOEXEC);
  if (changes < 0) return error_from_errno(errno, "open /proc/self/mountinfo");
  auto mount = mounted_at(parse_mountinfo(read_text_file(kMountinfo)), mountpoint);
  if (!mount) {
    ::close(changes);
    return Error{ErrorCode::NotFound, fmt::format("nothing is mounted on {}", mountpoint)};
  }
  std::thread([changes, mount = std::move(*mount), on_gone = std::move(on_gone)] {
    wait_until_gone(changes, mount);
    on_gone();
  }).detach();
  return {};
}

Result<void> detach_mount(const std::string& mountpoint) {
  if (::umount2(mountpoint.c_str(), MNT_DETACH) == 0) return {};
  if (errno != EPERM) return error_from_errno(errno, fmt::format("unmount {}", mountpoint));
  // Not root: fusermount3 is setuid and does it for whoever mounted.
  std::array<std::string, 6> words = {"fusermount3", "-u", "-z", "-q", "--", mountpoint};
  std::array<char*, 7> arguments{};
  std::transform(words.begin(), words.end(), arguments.begin(), [](std::string& word) { return word.data(); });
  pid_t child = 0;
  if (int error = ::posix_spawnp(&child, words[0].c_str(), nullptr, nullptr, arguments.data(), environ); error != 0) {
    return error_from_errno(error, "run fusermount3");
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (status != 0) return Error{ErrorCode::Io, fmt::format("fusermount3 could not unmount {}", mountpoint)};
  return {};
}

}  // namespace mendfs::fuse
