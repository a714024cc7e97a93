#include "fuseclient/read_ahead.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>

#include "fuseclient/convert.h"
#include "fuseclient/mountinfo.h"
#include "fuseclient/process.h"

namespace mendfs::fuse {

Result<void> raise_read_ahead(const std::string& mountpoint) {
  const auto mount = mounted_at(parse_mountinfo(read_text_file("/proc/self/mountinfo")), mountpoint);
  if (!mount) return Error{ErrorCode::NotFound, fmt::format("nothing is mounted on {}", mountpoint)};
  const std::string path = fmt::format("/sys/class/bdi/{}/read_ahead_kb", mount->device);
  const int file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (file < 0) return error_from_errno(errno, "open " + path);
  const std::string kib = std::to_string(kRequestSizeMax / 1024);
  const bool written = ::write(file, kib.data(), kib.size()) == static_cast<ssize_t>(kib.size());
  const int error = errno;
  ::close(file);
  if (!written) return error_from_errno(error, "write " + path);
  return {};
}

}  // namespace mendfs::fuse
