// The socket types of this folder, without Asio's type-erased executors.
#pragma once

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <string>

#include "env/network.h"

namespace mendfs {

using Tcp = boost::asio::ip::tcp;
using SocketExecutor = boost::asio::io_context::executor_type;
using Socket = boost::asio::basic_stream_socket<Tcp, SocketExecutor>;
using Acceptor = boost::asio::basic_socket_acceptor<Tcp, SocketExecutor>;

inline Address to_address(const Tcp::endpoint& endpoint) { return {endpoint.address().to_string(), endpoint.port()}; }

/// The other side's address, for messages.
inline std::string peer_name(const Socket& socket) {
  boost::system::error_code error;
  const Tcp::endpoint endpoint = socket.remote_endpoint(error);
  return error ? "a peer that has gone" : to_string(to_address(endpoint));
}

}  // namespace mendfs
