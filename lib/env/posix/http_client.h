// Requests to servers over kept connections, and connections upgraded to frames.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/logger.h"
#include "env/network.h"
#include "env/places.h"
#include "env/posix/http_connection.h"
#include "env/posix/posix_loop.h"
#include "env/posix/socket.h"

namespace mendfs {

class HttpClient {
 public:
  HttpClient(PosixLoop& loop, Logger& log);
  ~HttpClient();

  /// As Network::post and Network::connect.
  Task<Result<std::string>> post(Address server, std::string target, std::string body, Time deadline);
  Task<Result<std::shared_ptr<FrameStream>>> connect(Address server, Time deadline);

 private:
  struct Kept {
    OwnedConnection connection;
    Time since;
  };
  struct Exchanged {
    Result<std::string> answer;
    bool any_sent = true;  // of the request, as far as is known
  };

  Task<Result<OwnedConnection>> open(Address server, Time deadline);
  Task<Result<std::vector<Tcp::endpoint>>> resolve(Address server, Time deadline);
  Task<Exchanged> exchange(OwnedConnection connection, const std::string* request, Address server, Time deadline);

  std::optional<OwnedConnection> take_kept(const Address& server);
  void keep(const Address& server, OwnedConnection connection);
  void drop_idle();

  PosixLoop& loop_;
  Logger& log_;
  std::map<Address, std::vector<Kept>> kept_;
  std::map<Address, Places> places_;  // for the requests on their way to each server
};

}  // namespace mendfs
