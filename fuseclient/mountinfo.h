// The kernel's table of mounts, /proc/self/mountinfo (proc_pid_mountinfo(5)). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mendfs::fuse {

struct MountEntry {
  std::uint64_t id = 0;
  std::string device;  // "major:minor"
  std::string mountpoint;
  std::string type;  // "fuse.mendfs"
  bool operator==(const MountEntry&) const = default;
};

/// Lines it cannot read are skipped.
std::vector<MountEntry> parse_mountinfo(std::string_view text);

/// The mount that a path lookup reaches: of several on one directory, the last.
std::optional<MountEntry> mounted_at(const std::vector<MountEntry>& mounts, std::string_view mountpoint);

}  // namespace mendfs::fuse
