// The life of a server process: a world around it, started, served until a signal or until it cannot go on, stopped.
//
//   return run_server<MetaServer>({.name = "metaserver", .world = ..., .listening = ...}, server_options);
//
// Server has start(), failed() and stop(), as MetaServer and DataServer do.
#pragma once

#include <string>
#include <utility>

#include "cli/command_line.h"
#include "env/future.h"
#include "env/posix/posix_world.h"
#include "kv/rocks_kv.h"

namespace mendfs {

struct ServerProgram {
  std::string name;
  WorldOptions world;
  Address listening;
  /// What stop() waits for survives anyway, as it survives a kill: it gets this long.
  Duration stop_max = std::chrono::milliseconds(1500);
};

namespace detail {

template <class Server>
Task<void> serve(Server* server, PosixLoop* loop, std::string name, int* exit_code) {
  Error error;
  const Result<void> started = co_await server->start();
  if (started.ok()) {
    error = co_await server->failed();
  } else {
    error = started.error();
  }
  *exit_code = cli::report(name, error);
  loop->stop();
}

template <class Server>
Task<void> stop(Server* server, PosixLoop* loop) {
  co_await server->stop();
  loop->stop();
}

}  // namespace detail

/// The exit code.
template <class Server, class Options>
int run_server(const ServerProgram& program, const Options& options) {
  auto world = PosixWorld::make(program.world);
  if (!world.ok()) return cli::report(program.name, world.error());
  PosixLoop& loop = (*world)->loop();
  if (const auto warning = cli::exposure_warning(program.listening)) (*world)->log().warn("{}", *warning);
  RocksKvFactory kv(program.world.directory, loop);
  Env env = (*world)->env(kv);

  int exit_code = cli::kExitOk;
  Server server(env, options);
  Scope scope;
  bool stopping = false;
  loop.on_terminate([&] {
    if (stopping) return loop.stop();  // the second signal waits for nothing
    stopping = true;
    loop.call_at(loop.now() + program.stop_max, [&loop] { loop.stop(); });
    scope.spawn(detail::stop(&server, &loop));
  });
  loop.post([&] { scope.spawn(detail::serve(&server, &loop, program.name, &exit_code)); });
  loop.run();
  return exit_code;
}

}  // namespace mendfs
