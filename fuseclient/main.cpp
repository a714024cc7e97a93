#include <fmt/core.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <utility>
#include <variant>

#include "cli/command_line.h"
#include "env/posix/posix_world.h"
#include "fuseclient/background.h"
#include "fuseclient/mount.h"
#include "fuseclient/options.h"
#include "fuseclient/preflight.h"

namespace {

using namespace mendfs;

/// A mount waits for answers of several servers, one after the other: longer than a server for the next question.
constexpr Duration kLookFor = std::chrono::microseconds(100);

std::string client_name(const std::string& mountpoint) {
  char host[256] = {};
  if (::gethostname(host, sizeof host - 1) != 0) host[0] = '\0';
  return fmt::format("{}:{}:{}", host, ::getpid(), mountpoint);
}

fuse::MountPlan make_plan(const fuse::Options& options, std::string mountpoint) {
  fuse::MountPlan plan;
  plan.options = options.mount;
  plan.client.metaserver = options.metaserver;
  plan.client.dataservers = options.dataservers;
  plan.client.root_uid = ::getuid();
  plan.client.root_gid = ::getgid();
  plan.client.client_name = client_name(mountpoint);
  plan.client.timeout = options.mount.timeout;
  plan.client.read_only = options.mount.read_only;
  plan.client.sync = options.mount.sync;
  plan.client.dirsync = options.mount.dirsync;
  plan.client.noatime = options.mount.noatime;
  plan.mountpoint = std::move(mountpoint);
  return plan;
}

int run(const fuse::Options& options, std::string mountpoint, fuse::Background background) {
  WorldOptions world_options;
  world_options.log_level = options.log_level;
  world_options.log_file = options.log_file;
  world_options.look_for = kLookFor;
  auto made = PosixWorld::make(world_options);
  if (!made.ok()) {
    background.failed(made.error().message);
    return cli::kExitFailure;
  }
  PosixWorld& world = **made;
  int exit_code = cli::kExitOk;
  fuse::MountEvents events;
  events.on_ready = [&] { background.ready(options.pid_file); };
  events.on_failed = [&](const std::string& sentence) {
    background.failed(sentence);
    exit_code = cli::kExitFailure;
    world.loop().stop();
  };
  events.on_ended = [&] { world.loop().stop(); };
  fuse::Mount mount(world.env(), world.readiness(), world.threads(), make_plan(options, std::move(mountpoint)),
                    std::move(events));
  world.loop().on_terminate([&] { mount.end(); });
  mount.start();
  world.loop().run();
  // Threads may still wait in the kernel and use what destructors would take from them.
  std::_Exit(exit_code);
}

}  // namespace

int main(int argc, char** argv) {
  auto parsed = fuse::parse_options(argc, argv);
  if (const int* exit_code = std::get_if<int>(&parsed)) return *exit_code;
  const fuse::Options& options = std::get<fuse::Options>(parsed);
  auto mountpoint = fuse::check_before_mount(options.mountpoint, options.mount);
  if (!mountpoint.ok()) return cli::report("fuseclient", mountpoint.error());
  // Before any thread or loop exists: they would not survive the fork.
  fuse::Background background = options.foreground ? fuse::Background::none() : fuse::Background::fork();
  return run(options, std::move(*mountpoint), std::move(background));
}
