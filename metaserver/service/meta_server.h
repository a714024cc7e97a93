// The metaserver: takes calls over XML-RPC, keeps the namespace behind its log, calls the dataservers each second, and
// works off what dead sessions and deleted files leave. Decisions are made in metaserver/namespace and
// metaserver/membership; here they are carried out.
//
//   MetaServer server(env, {.address = *parse_address("1111")});
//   if (Result<void> started = co_await server.start(); !started.ok()) ...
//   std::string why = co_await server.failed();     // or a signal: co_await server.stop()
//
// Destroying it is a kill: nothing is written any more. Loop thread only.
#pragma once

#include <memory>
#include <string>

#include "base/error.h"
#include "env/env.h"
#include "env/task.h"

namespace mendfs::metaserver {

struct MetaServerOptions {
  Address address;  // to listen on; port 0 takes a free one
  std::uint64_t log_segment_size = 16u << 20;
  /// Of un-flushed state, or of log: a checkpoint is due. A restart replays what came after the last one, at some 40 us
  /// a change, so this is about 20,000 changes and a second.
  std::size_t checkpoint_bytes = 8u << 20;
};

class MetaServer {
 public:
  /// The parts of `env` outlive it.
  MetaServer(Env& env, MetaServerOptions options);
  ~MetaServer();
  MetaServer(const MetaServer&) = delete;
  MetaServer& operator=(const MetaServer&) = delete;

  /// Listens (Busy: the port is taken), recovers, and begins to serve. /health answers 503 meanwhile.
  Task<Result<void>> start();
  Address address() const;
  /// Waits until it cannot go on (the disk failed, the store is damaged): why. Answers nothing but errors from then on.
  Task<Error> failed();
  /// Takes no more calls, syncs the log, and makes a checkpoint if it is quick.
  Task<void> stop();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace mendfs::metaserver
