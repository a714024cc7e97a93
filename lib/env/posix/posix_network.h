// TCP: HTTP/1.1 with kept connections, and frames after an Upgrade (docs/protocol.md). Everything is bounded: sizes
// (env/network.h), the number of connections, and the time a request may take to arrive.
#pragma once

#include <memory>

#include "base/logger.h"
#include "env/network.h"
#include "env/posix/posix_loop.h"

namespace mendfs {

class HttpClient;

class PosixNetwork final : public Network {
 public:
  PosixNetwork(PosixLoop& loop, Logger& log);
  ~PosixNetwork() override;

  Result<std::unique_ptr<Listener>> listen(const Address& address, ConnectionHandler& handler) override;
  Task<Result<std::string>> post(Address server, std::string target, std::string body, Time deadline) override;
  Task<Result<std::shared_ptr<FrameStream>>> connect(Address server, Time deadline) override;

 private:
  PosixLoop& loop_;
  Logger& log_;
  std::unique_ptr<HttpClient> client_;
};

}  // namespace mendfs
