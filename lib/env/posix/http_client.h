// Requests to servers over kept connections, and connections upgraded to frames.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/logger.h"
#include "env/network.h"
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
  struct Connection;
  struct CloseAtEnd;
  struct Exchange;
  struct Kept {
    std::shared_ptr<Connection> connection;
    Time since;
  };

  Task<Result<std::shared_ptr<Connection>>> open(Address server, Time deadline);
  Task<Result<std::vector<Tcp::endpoint>>> resolve(Address server, Time deadline);
  Task<Result<std::string>> exchange(std::shared_ptr<Connection> connection, Address server, Time deadline);
  Task<Result<void>> write_request(std::shared_ptr<Connection> connection, Address server, Time deadline);

  std::shared_ptr<Connection> take_kept(const Address& server);
  void keep(const Address& server, std::shared_ptr<Connection> connection);
  void drop_idle();

  PosixLoop& loop_;
  Logger& log_;
  std::map<Address, std::vector<Kept>> kept_;
};

}  // namespace mendfs
