#include "env/posix/http_server.h"

#include <fmt/core.h>

#include <boost/asio/ip/address.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>

#include "env/future.h"
#include "env/posix/frame_connection.h"
#include "env/posix/http_connection.h"
#include "env/posix/http_format.h"
#include "env/posix/socket.h"

namespace mendfs {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using beast::error_code;

/// A connection from anybody costs memory: more are closed as they come.
constexpr int kConnectionCountMax = 1024;
/// A request must have arrived this long after the connection began or the last reply was sent, and a reply be taken.
/// Clients give up kept connections sooner.
constexpr auto kWaitMax = std::chrono::seconds(30);
/// After an accept failed, most often for want of descriptors.
constexpr auto kAcceptPause = std::chrono::milliseconds(100);
/// A process that was killed a moment ago, and whose directory is free already, may still hold its port.
constexpr auto kListenWaitMax = std::chrono::milliseconds(300);
constexpr auto kListenPause = std::chrono::milliseconds(10);

using Request = http::request<http::string_body>;

bool wants_frames(const Request& request) {
  return http::token_list(request[http::field::connection]).exists("upgrade") &&
         beast::iequals(request[http::field::upgrade], kUpgradeProtocol);
}

/// Room for it, nearly always.
constexpr std::size_t kReplyHeadSize = 128;

enum class ReplyForm { Whole, HeadOnly };

std::string write_reply(const HttpReply& reply, bool keep_alive, ReplyForm form) {
  const auto reason = http::obsolete_reason(static_cast<http::status>(reply.status));
  std::string text;
  text.reserve(kReplyHeadSize + reply.body.size());
  text.append("HTTP/1.1 ").append(std::to_string(reply.status)).append(" ").append(reason.data(), reason.size());
  text.append("\r\nContent-Type: ").append(reply.content_type);
  text.append("\r\nContent-Length: ").append(std::to_string(reply.body.size())).append("\r\n");
  if (!keep_alive) text.append("Connection: close\r\n");
  text.append("\r\n");
  if (form == ReplyForm::Whole) text.append(reply.body);
  return text;
}

std::string write_refusal(const error_code& error) {
  http::status status = http::status::bad_request;
  if (error == http::error::body_limit) status = http::status::payload_too_large;
  if (error == http::error::header_limit) status = http::status::request_header_fields_too_large;
  HttpReply reply;
  reply.status = static_cast<unsigned>(status);
  reply.content_type = "text/plain";
  reply.body = error.message() + "\n";
  return write_reply(reply, false, ReplyForm::Whole);
}

std::string write_switch() {
  return fmt::format("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {}\r\n\r\n",
                     kUpgradeProtocol);
}

class HttpListener final : public Listener {
 public:
  HttpListener(PosixLoop& loop, Logger& log, Acceptor acceptor, ConnectionHandler& handler)
      : loop_(loop), log_(log), acceptor_(std::move(acceptor)), handler_(handler) {
    scope_.spawn(accept_all());
  }

  Address address() const override { return to_address(acceptor_.local_endpoint()); }

 private:
  struct Accepted {
    error_code error;
    Socket socket;
  };

  Task<void> accept_all();
  Task<void> serve(Socket socket);
  Task<bool> serve_request(HttpConnection* connection);
  Task<void> serve_frames(HttpConnection* connection);

  PosixLoop& loop_;
  Logger& log_;
  Acceptor acceptor_;
  ConnectionHandler& handler_;
  Scope scope_;  // all coroutines, one for each connection and one that accepts; the first to be destroyed
};

Task<void> HttpListener::accept_all() {
  bool failing = false;  // said once, until it succeeds again
  while (true) {
    auto pair = make_promise<Accepted>(loop_);
    acceptor_.async_accept([promise = pair.first](const error_code& error, Socket socket) {
      promise.set(Accepted{error, std::move(socket)});
    });
    Accepted accepted = co_await pair.second;
    const bool is_too_many = scope_.count() > kConnectionCountMax;
    const bool fails = accepted.error || is_too_many;
    if (fails && !failing)
      log_.warn("connections are not taken address={} reason=\"{}\"", to_string(address()),
                is_too_many ? "there are too many" : accepted.error.message());
    failing = fails;
    if (accepted.error) {
      co_await sleep_for(loop_, kAcceptPause);
    } else if (!is_too_many) {
      scope_.spawn(serve(std::move(accepted.socket)));
    }
  }
}

Task<void> HttpListener::serve(Socket socket) {
  const OwnedConnection connection(std::make_shared<HttpConnection>(loop_, std::move(socket)));
  connection->start();
  connection->limit_waits(kWaitMax);
  bool go_on = true;
  while (go_on) go_on = co_await serve_request(connection.operator->());
}

/// Whether the connection goes on to another request.
Task<bool> HttpListener::serve_request(HttpConnection* connection) {
  HttpRequestParser parser;
  parser.header_limit(kHttpHeaderSizeMax);
  parser.body_limit(kHttpBodySizeMax);
  const error_code error = co_await connection->receive(&parser, std::nullopt);
  if (error) {
    const bool is_gone = error == http::error::end_of_stream || error.category() == asio::error::get_system_category();
    if (is_gone) co_return false;
    log_.debug("closing a connection peer={} reason={}", peer_name(connection->socket()), error.message());
    const std::string refusal = write_refusal(error);
    (void)co_await connection->send(refusal, std::nullopt);
    co_return false;
  }
  Request request = parser.release();
  if (wants_frames(request)) {
    co_await serve_frames(connection);
    co_return false;
  }

  const bool keep_alive = request.keep_alive();
  const ReplyForm form = request.method() == http::verb::head ? ReplyForm::HeadOnly : ReplyForm::Whole;
  HttpRequest asked;
  asked.method = std::string(request.method_string());
  asked.target = std::string(request.target());
  asked.body = std::move(request.body());
  const HttpReply answer = co_await handler_.on_request(std::move(asked));
  const std::string text = write_reply(answer, keep_alive, form);
  const HttpConnection::Sent sent = co_await connection->send(text, std::nullopt);
  co_return !sent.error && keep_alive;
}

Task<void> HttpListener::serve_frames(HttpConnection* connection) {
  const std::string text = write_switch();
  const HttpConnection::Sent sent = co_await connection->send(text, std::nullopt);
  if (sent.error) co_return;
  std::shared_ptr<FrameStream> stream;
  {
    HttpConnection::Released released = co_await connection->release();
    stream = make_frame_stream(loop_, log_, std::move(released.socket), bytes_of(released.received));
  }
  co_await handler_.on_stream(stream);
  stream->close();
}

Error listen_failure(const error_code& error, const Address& address) {
  if (error == asio::error::address_in_use)
    return {ErrorCode::Busy,
            fmt::format("port {} is in use: stop what listens there or choose another port", address.port)};
  return {ErrorCode::Io, fmt::format("cannot listen on {}: {}", to_string(address), error.message())};
}

Result<Tcp::endpoint> resolve_now(PosixLoop& loop, const Address& address) {
  error_code error;
  const auto literal = asio::ip::make_address(address.host, error);
  if (!error) return Tcp::endpoint(literal, address.port);
  Tcp::resolver resolver(loop.context());
  const auto found = resolver.resolve(address.host, std::to_string(address.port), error);
  if (error || found.empty()) return listen_failure(error, address);
  return found.begin()->endpoint();
}

/// One attempt.
error_code open_acceptor(Acceptor& acceptor, const Tcp::endpoint& endpoint) {
  error_code error;
  acceptor.open(endpoint.protocol(), error);
  // A port is free at once after a kill: connections of the dead process that linger do not count.
  if (!error) acceptor.set_option(Acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  return error;
}

}  // namespace

Result<std::unique_ptr<Listener>> listen_http(PosixLoop& loop, Logger& log, const Address& address,
                                              ConnectionHandler& handler) {
  MENDFS_TRY(const Tcp::endpoint endpoint, resolve_now(loop, address));
  const Time deadline = loop.now() + kListenWaitMax;
  Acceptor acceptor(loop.context().get_executor());
  error_code error = open_acceptor(acceptor, endpoint);
  while (error == asio::error::address_in_use && loop.now() < deadline) {
    std::this_thread::sleep_for(kListenPause);
    acceptor = Acceptor(loop.context().get_executor());
    error = open_acceptor(acceptor, endpoint);
  }
  if (error) return listen_failure(error, address);
  return std::unique_ptr<Listener>(std::make_unique<HttpListener>(loop, log, std::move(acceptor), handler));
}

}  // namespace mendfs
