// A dataserver: one port with XML-RPC for its control, /health, and the block protocol, over one store. It belongs to
// nobody until a metaserver calls it (adoption.h decides); what it does with blocks is in dataserver/replication and
// dataserver/rebuild.
//
//   DataServer server(env, options);
//   if (Result<void> started = co_await server.start(); !started.ok()) ...
//   Error why = co_await server.failed();     // or a signal: co_await server.stop()
//
// Destroying it is a kill: nothing is written any more. Loop thread only.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "dataserver/store/block_store.h"
#include "env/env.h"
#include "env/task.h"

namespace mendfs::dataserver {

struct DataServerOptions {
  Slot index = 0;                     // which of `addresses` is this one
  std::vector<Address> addresses;     // of all dataservers of the ring, two at least
  std::optional<Address> metaserver;  // to call first; otherwise it is waited for
  std::string directory = ".";        // for sentences
  store::StoreOptions store;
};

class DataServer {
 public:
  /// The parts of `env` outlive it.
  DataServer(Env& env, DataServerOptions options);
  ~DataServer();
  DataServer(const DataServer&) = delete;
  DataServer& operator=(const DataServer&) = delete;

  /// Listens (Busy: the port is taken), recovers the store, and begins to serve. /health answers 503 meanwhile.
  /// Refused: the directory belongs to another slot.
  Task<Result<void>> start();
  Address address() const;
  /// Waits until it cannot go on (the disk failed, the store is damaged): why.
  Task<Error> failed();
  /// Takes no more calls and syncs the store.
  Task<void> stop();

 private:
  class Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace mendfs::dataserver
