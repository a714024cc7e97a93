// One TCP connection that speaks HTTP, at either end. A message goes out in one piece, and a read is always under way:
// what arrives costs one system call, and that the other side has left is known without asking. Loop thread only.
#pragma once

#include <array>
#include <boost/asio/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "env/future.h"
#include "env/posix/posix_loop.h"
#include "env/posix/socket.h"

namespace mendfs {

using HttpRequestParser = boost::beast::http::request_parser<boost::beast::http::string_body>;
using HttpReplyParser = boost::beast::http::response_parser<boost::beast::http::string_body>;

class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  using error_code = boost::system::error_code;
  struct Sent {
    error_code error;
    std::size_t size = 0;  // bytes taken by the kernel
  };

  HttpConnection(PosixLoop& loop, Socket socket) : loop_(loop), socket_(std::move(socket)) {}
  HttpConnection(const HttpConnection&) = delete;

  /// Begins to read. Once, before anything else; from then on it lives until close() or release().
  void start();
  /// From now on no send() or receive() waits longer than this: the connection is closed. One timer serves all of them.
  void limit_waits(Duration max);

  /// Sends all of `text`. timed_out when the deadline came first.
  Task<Sent> send(std::string_view text, std::optional<Time> deadline);
  /// Feeds what arrives to one of the two parsers until its message is whole. What comes after that stays.
  template <class Parser>
  Task<error_code> receive(Parser* parser, std::optional<Time> deadline);

  /// The other side has neither left nor said anything unasked.
  bool is_quiet() const { return received_.empty() && !error_; }
  void close();

  const Socket& socket() const { return socket_; }
  struct Released {
    Socket socket;
    std::string received;
  };
  /// The socket and what was received and not parsed, for another protocol. Nothing else may be called afterwards.
  Task<Released> release();

 private:
  void read_more();
  void on_read(const error_code& error, std::size_t size);
  /// Until something was read or broke; false when the deadline came first.
  Task<bool> wait_for_read(std::optional<Time> deadline);
  void check_waits();

  PosixLoop& loop_;
  Socket socket_;
  std::array<char, 16u << 10> staging_;
  std::string received_;
  std::string unsent_;
  error_code error_;  // no more will arrive
  bool reading_ = false;
  bool releasing_ = false;
  std::optional<Promise<Unit>> receiver_;

  Duration wait_max_{0};
  std::optional<Time> waiting_since_;
  TimerId wait_timer_ = 0;
};

/// Closes the connection when it goes, also together with a coroutine that waits on it.
class OwnedConnection {
 public:
  explicit OwnedConnection(std::shared_ptr<HttpConnection> connection) : connection_(std::move(connection)) {}
  OwnedConnection(OwnedConnection&&) noexcept = default;
  OwnedConnection& operator=(OwnedConnection&& other) noexcept {
    std::swap(connection_, other.connection_);
    return *this;
  }
  ~OwnedConnection() {
    if (connection_) connection_->close();
  }
  HttpConnection* operator->() const { return connection_.get(); }

 private:
  std::shared_ptr<HttpConnection> connection_;
};

template <class Parser>
Task<boost::system::error_code> HttpConnection::receive(Parser* parser, std::optional<Time> deadline) {
  namespace http = boost::beast::http;
  const std::shared_ptr<HttpConnection> self = shared_from_this();  // its caller may close it and let it go
  parser->eager(true);
  while (true) {
    error_code error;
    if (!received_.empty()) {
      const std::size_t taken = parser->put(boost::asio::buffer(received_), error);
      received_.erase(0, taken);
      read_more();  // it may have been held back
    }
    if (parser->is_done()) co_return error_code();
    if (error && error != http::error::need_more) co_return error;
    if (error_ == boost::asio::error::eof && parser->got_some()) {
      error = {};
      parser->put_eof(error);
      co_return error;
    }
    if (error_) co_return error_ == boost::asio::error::eof ? error_code(http::error::end_of_stream) : error_;
    const bool in_time = co_await wait_for_read(deadline);
    if (!in_time) co_return boost::asio::error::timed_out;
  }
}

}  // namespace mendfs
