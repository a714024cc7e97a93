#include "fuseclient/preflight.h"

#include <fmt/core.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "fuseclient/mountinfo.h"
#include "fuseclient/process.h"

namespace mendfs::fuse {
namespace {

constexpr rlim_t kOpenFilesMin = 64;

Error cannot(std::string message) { return {ErrorCode::InvalidArgument, std::move(message)}; }

Result<void> check_device() {
  struct stat status {};
  if (::stat("/dev/fuse", &status) != 0) {
    return cannot(
        "/dev/fuse is missing: load the module (as root: modprobe fuse), or start this container with "
        "--device /dev/fuse --cap-add SYS_ADMIN");
  }
  if (::access("/dev/fuse", R_OK | W_OK) != 0) {
    return cannot(fmt::format("cannot open /dev/fuse: {}; let users have it (as root: chmod 666 /dev/fuse)",
                              std::strerror(errno)));
  }
  return {};
}

Result<void> check_rights(const MountOptions& options) {
  if (::geteuid() == 0) return {};
  if (::access("/bin/fusermount3", X_OK) != 0 && ::access("/usr/bin/fusermount3", X_OK) != 0 &&
      ::access("/usr/local/bin/fusermount3", X_OK) != 0) {
    return cannot("fusermount3 is missing, without which only root can mount: install the package fuse3");
  }
  if (options.allow_other && !allows_user_allow_other(read_text_file("/etc/fuse.conf"))) {
    return cannot(
        "-o allow_other needs the line user_allow_other in /etc/fuse.conf (add it as root), or leave the option away");
  }
  return {};
}

Result<std::string> check_mountpoint(const std::string& mountpoint, bool nonempty) {
  struct stat status {};
  if (::stat(mountpoint.c_str(), &status) != 0) {
    if (errno == ENOTCONN) {
      return cannot(fmt::format("{0} is left over from a mount whose fuseclient is gone; clear it: fusermount3 -u {0}",
                                mountpoint));
    }
    if (errno == ENOENT) return cannot(fmt::format("{0} does not exist; make it: mkdir {0}", mountpoint));
    return cannot(fmt::format("cannot use {}: {}", mountpoint, std::strerror(errno)));
  }
  if (!S_ISDIR(status.st_mode)) return cannot(fmt::format("{} is not a directory", mountpoint));
  char* resolved = ::realpath(mountpoint.c_str(), nullptr);
  if (resolved == nullptr) return cannot(fmt::format("cannot resolve {}: {}", mountpoint, std::strerror(errno)));
  std::string path = resolved;
  std::free(resolved);
  const auto mount = mounted_at(parse_mountinfo(read_text_file("/proc/self/mountinfo")), path);
  if (mount && mount->type.starts_with("fuse")) {
    return cannot(fmt::format("{0} is mounted already ({1}); unmount it first: fusermount3 -u {0}", path, mount->type));
  }
  std::error_code unreadable;
  const bool empty = std::filesystem::is_empty(path, unreadable);
  if (!empty && !unreadable && !nonempty) {
    return cannot(fmt::format("{} is not empty: its files would be hidden; take another, or say -o nonempty", path));
  }
  return path;
}

Result<void> raise_open_files_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return error_from_errno(errno, "getrlimit(RLIMIT_NOFILE)");
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return error_from_errno(errno, "setrlimit(RLIMIT_NOFILE)");
  if (limit.rlim_max < kOpenFilesMin) {
    return cannot(fmt::format("only {} open files are allowed and {} are needed; raise it: ulimit -Hn {}",
                              limit.rlim_max, kOpenFilesMin, 1024));
  }
  return {};
}

}  // namespace

bool allows_user_allow_other(std::string_view fuse_conf) {
  while (!fuse_conf.empty()) {
    const std::size_t end = fuse_conf.find('\n');
    std::string_view line = fuse_conf.substr(0, end);
    fuse_conf = end == std::string_view::npos ? std::string_view() : fuse_conf.substr(end + 1);
    line = line.substr(0, line.find('#'));
    while (!line.empty() && (line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
    while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
    if (line == "user_allow_other") return true;
  }
  return false;
}

Result<std::string> check_before_mount(const std::string& mountpoint, const MountOptions& options) {
  MENDFS_TRY_VOID(check_device());
  MENDFS_TRY_VOID(check_rights(options));
  MENDFS_TRY_VOID(raise_open_files_limit());
  return check_mountpoint(mountpoint, options.nonempty);
}

}  // namespace mendfs::fuse
