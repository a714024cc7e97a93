#include "corrupt/options.h"

#include "cli/command_line.h"

namespace mendfs::corrupt {

std::variant<Options, int> parse_options(int argc, const char* const* argv) {
  Options options;
  cli::CommandLine line("corrupt",
                        "Damages a stored block of a file on one dataserver: by default flips one random byte of one "
                        "random block. The next read of the file mends it.");
  CLI::App& app = line.app();
  cli::add_address(app, "dataserver", options.dataserver, "Port, or host:port, of the dataserver to damage")
      ->required();
  app.add_option("path", options.path, "The file, from the root of the filesystem: /folder/file")->required();
  app.add_option("--block", options.wish.block, "This block of the file, counted from 0")->type_name("N");
  app.add_option("--copy", options.wish.copy, "Only a block of which the server has this copy: 0 or 1")->type_name("K");
  app.add_option("--mode", options.mode,
                 "flip a byte; zero the block; truncate its record; delete it; make it stale (an older version)")
      ->check(CLI::IsMember({"flip", "zero", "truncate", "delete", "stale"}))
      ->type_name("MODE");
  app.add_option("--seed", options.seed, "Choose by this number instead of at random")->type_name("N");
  app.add_flag("--json", options.json, "Print JSON");
  app.add_flag("--list", options.list, "Damage nothing: print where each block of the file is");
  if (std::optional<int> exit_code = line.parse(argc, argv)) return *exit_code;
  options.log_level = line.log_level();
  if (!options.path.starts_with('/')) options.path.insert(0, 1, '/');
  return options;
}

}  // namespace mendfs::corrupt
