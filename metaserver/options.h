// The metaserver's command line: metaserver <port>.
#pragma once

#include <optional>
#include <string>

#include "base/logger.h"
#include "env/network.h"

namespace mendfs::metaserver {

struct Options {
  Address address;                      // to listen on
  std::string directory = "metastore";  // the log and the state, made if missing
  LogLevel log_level = LogLevel::Info;
  std::string log_file;  // empty: standard error
};

/// Fills `options`; or answers the exit code to end with, when all was said already (help, version, a wrong line).
std::optional<int> parse_options(int argc, const char* const* argv, Options& options);

}  // namespace mendfs::metaserver
