#include "cli/command_line.h"

#include <catch2/catch.hpp>

namespace mendfs::cli {
namespace {

struct Parsed {
  std::optional<int> exit_code;
  LogLevel log_level;
  std::string log_file;
  Address address;
  std::vector<Address> others;
};

Parsed parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "program");
  CommandLine line("program", "Does things.");
  Parsed parsed{};
  add_address(line.app(), "port", parsed.address, "Where to listen")->required();
  add_addresses(line.app(), "others", parsed.others, "The others");
  parsed.exit_code = line.parse(static_cast<int>(arguments.size()), arguments.data());
  parsed.log_level = line.log_level();
  parsed.log_file = line.log_file();
  return parsed;
}

TEST_CASE("addresses are ports or host:port, in order", "[cli]") {
  const Parsed parsed = parse({"1111", "host:2", "[::1]:3"});
  CHECK_FALSE(parsed.exit_code);
  CHECK(parsed.address == Address{"127.0.0.1", 1111});
  CHECK(parsed.others == std::vector<Address>{{"host", 2}, {"::1", 3}});
  CHECK(parsed.log_level == LogLevel::Info);
  CHECK(parsed.log_file.empty());
}

TEST_CASE("log level and file are common to all programs", "[cli]") {
  const Parsed parsed = parse({"--log-level", "debug", "--log-file=x.log", "1"});
  CHECK_FALSE(parsed.exit_code);
  CHECK(parsed.log_level == LogLevel::Debug);
  CHECK(parsed.log_file == "x.log");
}

TEST_CASE("a wrong command line is exit code 2", "[cli]") {
  CHECK(parse({}).exit_code == kExitUsage);
  CHECK(parse({"0"}).exit_code == kExitUsage);
  CHECK(parse({"70000"}).exit_code == kExitUsage);
  CHECK(parse({"1111", "x"}).exit_code == kExitUsage);
  CHECK(parse({"--log-level", "loud", "1"}).exit_code == kExitUsage);
  CHECK(parse({"--no-such", "1"}).exit_code == kExitUsage);
}

TEST_CASE("help and version end with 0", "[cli]") {
  CHECK(parse({"--help"}).exit_code == kExitOk);
  CHECK(parse({"--version"}).exit_code == kExitOk);
}

TEST_CASE("only addresses beyond this machine are warned of", "[cli]") {
  for (const std::string host : {"127.0.0.1", "127.1.2.3", "localhost", "::1"})
    CHECK_FALSE(exposure_warning({host, 1}));
  for (const std::string host : {"0.0.0.0", "192.168.1.2", "::", "example.org"}) CHECK(exposure_warning({host, 1}));
}

TEST_CASE("what a program ends with says whose fault it was", "[cli]") {
  CHECK(report("program", {ErrorCode::InvalidArgument, "no"}) == kExitUsage);
  CHECK(report("program", {ErrorCode::Busy, "no"}) == kExitFailure);
}

}  // namespace
}  // namespace mendfs::cli
