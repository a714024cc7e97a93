#include "env/posix/posix_network.h"

#include <utility>

#include "env/posix/http_client.h"
#include "env/posix/http_server.h"

namespace mendfs {

PosixNetwork::PosixNetwork(PosixLoop& loop, Logger& log)
    : loop_(loop), log_(log), client_(std::make_unique<HttpClient>(loop, log)) {}

PosixNetwork::~PosixNetwork() = default;

Result<std::unique_ptr<Listener>> PosixNetwork::listen(const Address& address, ConnectionHandler& handler) {
  return listen_http(loop_, log_, address, handler);
}

Task<Result<std::string>> PosixNetwork::post(Address server, std::string target, std::string body, Time deadline) {
  return client_->post(std::move(server), std::move(target), std::move(body), deadline);
}

Task<Result<std::shared_ptr<FrameStream>>> PosixNetwork::connect(Address server, Time deadline) {
  return client_->connect(std::move(server), deadline);
}

}  // namespace mendfs
