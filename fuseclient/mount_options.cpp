#include "fuseclient/mount_options.h"

#include <fmt/core.h>

#include <array>
#include <charconv>
#include <utility>

namespace mendfs::fuse {
namespace {

struct Switch {
  std::string_view word;
  bool MountOptions::*member;
  bool value;
};
constexpr std::array kSwitches = {
    Switch{"allow_other", &MountOptions::allow_other, true},
    Switch{"ro", &MountOptions::read_only, true},
    Switch{"rw", &MountOptions::read_only, false},
    Switch{"sync", &MountOptions::sync, true},
    Switch{"async", &MountOptions::sync, false},
    Switch{"dirsync", &MountOptions::dirsync, true},
    Switch{"noatime", &MountOptions::noatime, true},
    Switch{"atime", &MountOptions::noatime, false},
    Switch{"relatime", &MountOptions::noatime, false},
    Switch{"nonempty", &MountOptions::nonempty, true},
};
constexpr std::array<std::string_view, 6> kKernelFlags = {"dev", "nodev", "suid", "nosuid", "exec", "noexec"};
constexpr std::array<std::string_view, 2> kAlwaysSo = {"default_permissions", "defaults"};

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& words, std::string_view word) {
  for (std::string_view known : words) {
    if (known == word) return true;
  }
  return false;
}

Result<void> set_timeout(std::string_view value, MountOptions& options) {
  constexpr int kSecondsMax = 365 * 24 * 3600;
  int seconds = 0;
  auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
  if (error != std::errc() || end != value.data() + value.size() || seconds < 0 || seconds > kSecondsMax) {
    return Error{ErrorCode::InvalidArgument,
                 fmt::format("-o timeout={}: must be whole seconds, 0 to wait for ever", value)};
  }
  options.timeout = std::chrono::seconds(seconds);
  return {};
}

Result<void> add_word(std::string_view word, MountOptions& options) {
  for (const Switch& known : kSwitches) {
    if (known.word == word) {
      options.*known.member = known.value;
      return {};
    }
  }
  if (contains(kAlwaysSo, word)) return {};
  if (contains(kKernelFlags, word)) {
    options.kernel_flags += fmt::format(",{}", word);
    return {};
  }
  if (word.starts_with("timeout=")) return set_timeout(word.substr(8), options);
  if (word.starts_with("fsname=") && word.size() > 7) {
    options.fsname = word.substr(7);
    return {};
  }
  return Error{ErrorCode::InvalidArgument, fmt::format("-o {}: no such mount option; --help lists them", word)};
}

}  // namespace

Result<void> add_mount_options(std::string_view list, MountOptions& options) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    const std::string_view word = list.substr(0, comma);
    list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
    if (word.empty()) continue;
    MENDFS_TRY_VOID(add_word(word, options));
  }
  return {};
}

std::string libfuse_options(const MountOptions& options) {
  std::string list = "default_permissions,subtype=mendfs,fsname=" + options.fsname;
  if (options.allow_other) list += ",allow_other";
  if (options.read_only) list += ",ro";
  if (options.sync) list += ",sync";
  if (options.dirsync) list += ",dirsync";
  if (options.noatime) list += ",noatime";
  return list + options.kernel_flags;
}

}  // namespace mendfs::fuse
