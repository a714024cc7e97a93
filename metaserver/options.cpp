#include "metaserver/options.h"

#include "cli/command_line.h"

namespace mendfs::metaserver {

std::optional<int> parse_options(int argc, const char* const* argv, Options& options) {
  cli::CommandLine line("metaserver",
                        "Keeps the names of a mendfs filesystem: directories, attributes, who has what open.");
  cli::add_address(line.app(), "port", options.address, "Port, or host:port, to listen on")->required();
  line.app()
      .add_option("--dir", options.directory, "Where the metadata is kept; made if missing")
      ->capture_default_str();
  if (const std::optional<int> exit_code = line.parse(argc, argv)) return exit_code;
  options.log_level = line.log_level();
  options.log_file = line.log_file();
  return std::nullopt;
}

}  // namespace mendfs::metaserver
