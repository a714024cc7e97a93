#include "dataserver/options.h"

#include <fmt/core.h>

#include <algorithm>

#include "block/types.h"
#include "cli/command_line.h"

namespace mendfs::dataserver {
namespace {

Result<void> check(const DataServerOptions& options) {
  const std::size_t count = options.addresses.size();
  const auto wrong = [](std::string sentence) { return Error{ErrorCode::InvalidArgument, std::move(sentence)}; };
  if (count < 2)
    return wrong("a ring needs at least two dataservers: name the ports of all of them, as in: dataserver 0 2222 3333");
  if (count > kSlotCountMax) return wrong(fmt::format("a ring has at most {} dataservers", kSlotCountMax));
  if (options.index >= count)
    return wrong(
        fmt::format("index {} is not one of the {} ports named: they are counted from 0", options.index, count));
  std::vector<Address> sorted = options.addresses;
  std::sort(sorted.begin(), sorted.end());
  const auto twin = std::adjacent_find(sorted.begin(), sorted.end());
  if (twin != sorted.end()) return wrong(fmt::format("{} is named twice", to_string(*twin)));
  return {};
}

}  // namespace

std::optional<int> parse_options(int argc, const char* const* argv, Options& options) {
  DataServerOptions& server = options.server;
  std::string directory;
  Address metaserver;
  cli::CommandLine line("dataserver", "Keeps blocks of a mendfs filesystem, each with its checksum.");
  line.app()
      .add_option("index", server.index, "Which of the ports is this dataserver's own, counted from 0")
      ->required();
  cli::add_addresses(line.app(), "ports", server.addresses, "Ports, or host:port, of all dataservers, in order")
      ->required();
  line.app().add_option("--dir", directory, "Where the blocks are kept; made if missing (./datastore<index>)");
  const CLI::Option* named = cli::add_address(line.app(), "--metaserver", metaserver,
                                              "Call this metaserver first, instead of waiting to be called");
  if (const std::optional<int> exit_code = line.parse(argc, argv)) return exit_code;
  if (const Result<void> checked = check(server); !checked.ok()) return cli::report("dataserver", checked.error());

  server.directory = directory.empty() ? fmt::format("./datastore{}", server.index) : directory;
  if (named->count() > 0) server.metaserver = metaserver;
  options.log_level = line.log_level();
  options.log_file = line.log_file();
  return std::nullopt;
}

}  // namespace mendfs::dataserver
