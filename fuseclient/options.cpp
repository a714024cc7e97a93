#include "fuseclient/options.h"

#include <filesystem>
#include <optional>

#include "cli/command_line.h"

namespace mendfs::fuse {
namespace {

constexpr const char* kMountOptionsHelp =
    "As for mount(8), may be repeated: allow_other, ro, sync, dirsync, noatime, nonempty, timeout=SECONDS (answer EIO "
    "when a server is away longer; default: wait), fsname=NAME, dev, nodev, suid, nosuid, exec, noexec";
constexpr const char* kLogFileDefault = "fuseclient.log";

std::string make_absolute(const std::string& path) {
  return path.empty() ? path : std::filesystem::absolute(path).string();
}

}  // namespace

std::variant<Options, int> parse_options(int argc, const char* const* argv) {
  Options options;
  std::vector<std::string> lists;
  cli::CommandLine line("fuseclient",
                        "Mounts a mendfs filesystem. Returns once the mount answers, and goes on in the "
                        "background until it is unmounted (fusermount3 -u).");
  CLI::App& app = line.app();
  app.add_option("mountpoint", options.mountpoint, "An empty directory")->required();
  cli::add_address(app, "metaserver", options.metaserver, "Port, or host:port, of the metaserver")->required();
  cli::add_addresses(app, "dataservers", options.dataservers,
                     "Port, or host:port, of each dataserver, in the order of their indices: the first mount makes the "
                     "ring of them, later ones compare or leave them away");
  app.add_option("-o", lists, kMountOptionsHelp)->allow_extra_args(false);
  app.add_flag("-f,--foreground", options.foreground, "Stay in the foreground and log to standard error");
  app.add_option("--pid-file", options.pid_file, "Write the process id here before returning")->type_name("FILE");
  if (std::optional<int> exit_code = line.parse(argc, argv)) return *exit_code;

  for (const std::string& list : lists) {
    if (auto added = add_mount_options(list, options.mount); !added.ok()) {
      return cli::report("fuseclient", added.error());
    }
  }
  options.log_level = line.log_level();
  options.log_file = line.log_file();
  if (options.log_file.empty() && !options.foreground) options.log_file = kLogFileDefault;
  // The program leaves this directory when it goes into the background.
  options.log_file = make_absolute(options.log_file);
  options.pid_file = make_absolute(options.pid_file);
  return options;
}

}  // namespace mendfs::fuse
