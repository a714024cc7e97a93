#include "cli/command_line.h"
#include "env/future.h"
#include "env/posix/posix_world.h"
#include "kv/rocks_kv.h"
#include "metaserver/options.h"
#include "metaserver/service/meta_server.h"

namespace {

using namespace mendfs;

constexpr const char* kProgram = "metaserver";

Task<void> serve(metaserver::MetaServer* server, PosixLoop* loop, int* exit_code) {
  Error error;
  const Result<void> started = co_await server->start();
  if (started.ok()) {
    error = co_await server->failed();
  } else {
    error = started.error();
  }
  *exit_code = cli::report(kProgram, error);
  loop->stop();
}

Task<void> stop(metaserver::MetaServer* server, PosixLoop* loop) {
  co_await server->stop();
  loop->stop();
}

int run(const metaserver::Options& options) {
  WorldOptions world_options;
  world_options.log_level = options.log_level;
  world_options.log_file = options.log_file;
  world_options.directory = options.directory;
  auto world = PosixWorld::make(world_options);
  if (!world.ok()) return cli::report(kProgram, world.error());
  PosixLoop& loop = (*world)->loop();
  if (const auto warning = cli::exposure_warning(options.address)) (*world)->log().warn("{}", *warning);
  RocksKvFactory kv(options.directory, loop);
  Env env = (*world)->env(kv);

  int exit_code = cli::kExitOk;
  metaserver::MetaServer server(env, {.address = options.address});
  Scope scope;
  bool stopping = false;
  loop.on_terminate([&] {
    if (stopping) return loop.stop();  // the second signal waits for nothing
    stopping = true;
    scope.spawn(stop(&server, &loop));
  });
  loop.post([&] { scope.spawn(serve(&server, &loop, &exit_code)); });
  loop.run();
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  metaserver::Options options;
  if (const auto exit_code = metaserver::parse_options(argc, argv, options)) return *exit_code;
  return run(options);
}
