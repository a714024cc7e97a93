#include <chrono>

#include "cli/command_line.h"
#include "dataserver/options.h"
#include "dataserver/service/data_server.h"
#include "env/future.h"
#include "env/posix/posix_world.h"
#include "kv/rocks_kv.h"

namespace {

using namespace mendfs;

constexpr const char* kProgram = "dataserver";
/// The end waits no longer for the disk: what has been written survives it anyway, as it survives a kill.
constexpr auto kStopMax = std::chrono::seconds(1);

Task<void> serve(dataserver::DataServer* server, PosixLoop* loop, int* exit_code) {
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

Task<void> stop(dataserver::DataServer* server, PosixLoop* loop) {
  co_await server->stop();
  loop->stop();
}

int run(const dataserver::Options& options) {
  WorldOptions world_options;
  world_options.log_level = options.log_level;
  world_options.log_file = options.log_file;
  world_options.directory = options.server.directory;
  auto world = PosixWorld::make(world_options);
  if (!world.ok()) return cli::report(kProgram, world.error());
  PosixLoop& loop = (*world)->loop();
  if (const auto warning = cli::exposure_warning(options.server.addresses[options.server.index]))
    (*world)->log().warn("{}", *warning);
  RocksKvFactory kv(options.server.directory, loop);
  Env env = (*world)->env(kv);

  int exit_code = cli::kExitOk;
  dataserver::DataServer server(env, options.server);
  Scope scope;
  bool stopping = false;
  loop.on_terminate([&] {
    if (stopping) return loop.stop();  // the second signal waits for nothing
    stopping = true;
    loop.call_at(loop.now() + kStopMax, [&loop] { loop.stop(); });
    scope.spawn(stop(&server, &loop));
  });
  loop.post([&] { scope.spawn(serve(&server, &loop, &exit_code)); });
  loop.run();
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  dataserver::Options options;
  if (const auto exit_code = dataserver::parse_options(argc, argv, options)) return *exit_code;
  return run(options);
}
