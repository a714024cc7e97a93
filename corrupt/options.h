// The command line of corrupt.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "base/logger.h"
#include "corrupt/choice.h"
#include "env/network.h"

namespace mendfs::corrupt {

struct Options {
  Address dataserver;
  std::string path;  // absolute, within the filesystem
  Wish wish;
  std::string mode = "flip";          // flip, zero, truncate, delete or stale
  std::optional<std::uint64_t> seed;  // nothing: from the kernel's random numbers
  bool json = false;
  bool list = false;
  LogLevel log_level = LogLevel::Warn;
};

/// The options, or the code to exit with: help was printed, or what is wrong was said.
std::variant<Options, int> parse_options(int argc, const char* const* argv);

}  // namespace mendfs::corrupt
