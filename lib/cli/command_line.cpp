#include "cli/command_line.h"

#include <CLI/Error.hpp>
#include <cstdio>
#include <map>

namespace mendfs::cli {
namespace {

const std::map<std::string, LogLevel> kLogLevels{
    {"debug", LogLevel::Debug}, {"info", LogLevel::Info}, {"warn", LogLevel::Warn}, {"error", LogLevel::Error}};

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

Address parse_or_throw(const std::string& text) {
  Result<Address> address = parse_address(text);
  if (!address.ok()) throw CLI::ValidationError(address.error().message);
  return std::move(*address);
}

}  // namespace

CommandLine::CommandLine(std::string program, const std::string& description)
    : program_(std::move(program)), app_(description, program_) {
  app_.set_version_flag("--version", program_ + " " + MENDFS_VERSION, "Print the version and end");
  app_.set_help_flag("-h,--help", "Print this help and end");
  app_.add_option_function<std::string>(
          "--log-level", [this](const std::string& name) { log_level_ = kLogLevels.at(name); },
          "How much is logged: debug, info, warn or error (info)")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
      ->type_name("LEVEL");
  app_.add_option("--log-file", log_file_, "Log to this file, at most 3 of 8 MiB, instead of standard error")
      ->type_name("FILE");
}

std::optional<int> CommandLine::parse(int argc, const char* const* argv) {
  try {
    app_.parse(argc, argv);
    return std::nullopt;
  } catch (const CLI::Success& wanted) {
    return app_.exit(wanted);
  } catch (const CLI::Error& wrong) {
    std::fprintf(stderr, "%s: %s (see %s --help)\n", program_.c_str(), first_line(wrong.what()).c_str(),
                 program_.c_str());
    return kExitUsage;
  }
}

CLI::Option* add_address(CLI::App& app, const std::string& name, Address& target, const std::string& description) {
  return app
      .add_option_function<std::string>(
          name, [&target](const std::string& text) { target = parse_or_throw(text); }, description)
      ->type_name("[HOST:]PORT");
}

CLI::Option* add_addresses(CLI::App& app, const std::string& name, std::vector<Address>& targets,
                           const std::string& description) {
  return app
      .add_option_function<std::vector<std::string>>(
          name,
          [&targets](const std::vector<std::string>& texts) {
            targets.clear();
            for (const std::string& text : texts) targets.push_back(parse_or_throw(text));
          },
          description)
      ->type_name("[HOST:]PORT");
}

int report(const std::string& program, const Error& error) {
  std::fprintf(stderr, "%s: %s\n", program.c_str(), error.message.c_str());
  return error.code == ErrorCode::InvalidArgument ? kExitUsage : kExitFailure;
}

std::optional<std::string> exposure_warning(const Address& address) {
  const bool is_loopback = address.host == "localhost" || address.host == "::1" || address.host.starts_with("127.");
  if (is_loopback) return std::nullopt;
  return "listening on " + to_string(address) +
         ": whoever reaches this port can read and change everything, as there is no authentication yet";
}

}  // namespace mendfs::cli
