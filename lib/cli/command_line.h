// What the command lines of all programs have in common: --help, --version, --log-level, --log-file, addresses, exit
// codes, and errors of one line that begin with the program's name.
//
//   cli::CommandLine line("metaserver", "Keeps the names of a mendfs filesystem.");
//   cli::add_address(line.app(), "port", options.address, "Port, or host:port, to listen on")->required();
//   if (std::optional<int> exit_code = line.parse(argc, argv)) return *exit_code;
#pragma once

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/logger.h"
#include "env/network.h"

namespace mendfs::cli {

constexpr int kExitOk = 0;
constexpr int kExitFailure = 1;
constexpr int kExitUsage = 2;

class CommandLine {
 public:
  CommandLine(std::string program, const std::string& description);

  CLI::App& app() { return app_; }
  /// Nothing: go on. An exit code: end with it (help or version was printed: 0; the command line is wrong, which was
  /// said on standard error: 2).
  std::optional<int> parse(int argc, const char* const* argv);

  LogLevel log_level() const { return log_level_; }
  /// Empty: standard error.
  const std::string& log_file() const { return log_file_; }

 private:
  std::string program_;
  CLI::App app_;
  LogLevel log_level_ = LogLevel::Info;
  std::string log_file_;
};

/// `target` outlives the app.
CLI::Option* add_address(CLI::App& app, const std::string& name, Address& target, const std::string& description);
CLI::Option* add_addresses(CLI::App& app, const std::string& name, std::vector<Address>& targets,
                           const std::string& description);

/// Says "program: sentence" on standard error; returns the exit code (kExitUsage for InvalidArgument, else
/// kExitFailure).
int report(const std::string& program, const Error& error);

/// The sentence to log before listening beyond this machine, if `address` does.
std::optional<std::string> exposure_warning(const Address& address);

}  // namespace mendfs::cli
