// The dataserver's command line: dataserver <index> <port> <port> ...
#pragma once

#include <optional>
#include <string>

#include "base/logger.h"
#include "dataserver/service/data_server.h"

namespace mendfs::dataserver {

struct Options {
  DataServerOptions server;
  LogLevel log_level = LogLevel::Info;
  std::string log_file;  // empty: standard error
};

/// Fills `options`; or answers the exit code to end with, when all was said already (help, version, a wrong line).
std::optional<int> parse_options(int argc, const char* const* argv, Options& options);

}  // namespace mendfs::dataserver
