// The command line of fuseclient.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "base/logger.h"
#include "env/network.h"
#include "fuseclient/mount_options.h"

namespace mendfs::fuse {

struct Options {
  std::string mountpoint;
  Address metaserver;
  std::vector<Address> dataservers;
  MountOptions mount;
  bool foreground = false;
  LogLevel log_level = LogLevel::Info;
  std::string log_file;  // absolute; empty: standard error (foreground only)
  std::string pid_file;  // absolute; empty: none
};

/// The options, or the code to exit with: help was printed, or what is wrong was said.
std::variant<Options, int> parse_options(int argc, const char* const* argv);

}  // namespace mendfs::fuse
