#include "env/posix/http_server.h"

#include <fmt/core.h>

#include <boost/asio/ip/address.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>

#include "env/future.h"
#include "env/posix/frame_connection.h"
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
/// A request must have arrived this long after the connection began or the last reply was sent. Clients give up kept
/// connections sooner.
constexpr auto kRequestTimeMax = std::chrono::seconds(30);
/// A peer that does not take its reply.
constexpr auto kReplyTimeMax = std::chrono::seconds(30);
/// After an accept failed, most often for want of descriptors.
constexpr auto kAcceptPause = std::chrono::milliseconds(100);
/// A process that was killed a moment ago, and whose directory is free already, may still hold its port.
constexpr auto kListenWaitMax = std::chrono::milliseconds(300);
constexpr auto kListenPause = std::chrono::milliseconds(10);

using Request = http::request<http::string_body>;
using Reply = http::response<http::string_body>;

/// Kept alive by the operations under way on it.
struct Connection {
  explicit Connection(Socket accepted) : socket(std::move(accepted)) {}

  void close() {
    error_code ignored;  // it may be broken already
    socket.shutdown(Tcp::socket::shutdown_both, ignored);
    socket.close(ignored);
  }

  Socket socket;
  beast::flat_buffer received;
  std::optional<http::request_parser<http::string_body>> parser;
  Reply reply;
};

/// Closes the connection when its coroutine ends or is destroyed.
struct CloseAtEnd {
  explicit CloseAtEnd(std::shared_ptr<Connection> owned) : connection(std::move(owned)) {}
  CloseAtEnd(const CloseAtEnd&) = delete;
  ~CloseAtEnd() { connection->close(); }
  std::shared_ptr<Connection> connection;
};

bool wants_frames(const Request& request) {
  return http::token_list(request[http::field::connection]).exists("upgrade") &&
         beast::iequals(request[http::field::upgrade], kUpgradeProtocol);
}

Reply make_reply(HttpReply answer, bool keep_alive) {
  Reply reply{static_cast<http::status>(answer.status), kHttpVersion};
  reply.set(http::field::content_type, answer.content_type);
  reply.body() = std::move(answer.body);
  reply.keep_alive(keep_alive);
  reply.prepare_payload();
  return reply;
}

Reply make_refusal(const error_code& error) {
  http::status status = http::status::bad_request;
  if (error == http::error::body_limit) status = http::status::payload_too_large;
  if (error == http::error::header_limit) status = http::status::request_header_fields_too_large;
  HttpReply answer;
  answer.status = static_cast<unsigned>(status);
  answer.content_type = "text/plain";
  answer.body = error.message() + "\n";
  return make_reply(std::move(answer), false);
}

Reply make_switch() {
  Reply reply{http::status::switching_protocols, kHttpVersion};
  reply.set(http::field::connection, "Upgrade");
  reply.set(http::field::upgrade, kUpgradeProtocol);
  return reply;
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
  Task<bool> serve_request(std::shared_ptr<Connection> connection);
  Task<error_code> read_request(std::shared_ptr<Connection> connection);
  Task<bool> write_reply(std::shared_ptr<Connection> connection);

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
      error_code ignored;  // the peer may have gone
      accepted.socket.set_option(Tcp::no_delay(true), ignored);
      scope_.spawn(serve(std::move(accepted.socket)));
    }
  }
}

Task<void> HttpListener::serve(Socket socket) {
  const CloseAtEnd owner(std::make_shared<Connection>(std::move(socket)));
  bool go_on = true;
  while (go_on) go_on = co_await serve_request(owner.connection);
}

/// Whether the connection goes on to another request.
Task<bool> HttpListener::serve_request(std::shared_ptr<Connection> connection) {
  const error_code error = co_await read_request(connection);
  if (error) {
    const bool is_gone = error == http::error::end_of_stream || error.category() == asio::error::get_system_category();
    if (is_gone) co_return false;
    log_.debug("closing a connection peer={} reason={}", peer_name(connection->socket), error.message());
    connection->reply = make_refusal(error);
    (void)co_await write_reply(connection);
    co_return false;
  }
  Request request = connection->parser->release();

  if (wants_frames(request)) {
    connection->reply = make_switch();
    const bool switched = co_await write_reply(connection);
    if (!switched) co_return false;
    const auto received = connection->received.cdata();
    std::shared_ptr<FrameStream> stream = make_frame_stream(
        loop_, log_, std::move(connection->socket), {static_cast<const std::byte*>(received.data()), received.size()});
    connection->parser.reset();
    connection->received = {};
    co_await handler_.on_stream(stream);
    stream->close();
    co_return false;
  }

  const bool keep_alive = request.keep_alive();
  const bool wants_body = request.method() != http::verb::head;
  HttpRequest asked;
  asked.method = std::string(request.method_string());
  asked.target = std::string(request.target());
  asked.body = std::move(request.body());
  HttpReply answer = co_await handler_.on_request(std::move(asked));
  connection->reply = make_reply(std::move(answer), keep_alive);
  if (!wants_body) connection->reply.body().clear();  // its size is told all the same
  const bool written = co_await write_reply(connection);
  co_return written&& keep_alive;
}

Task<error_code> HttpListener::read_request(std::shared_ptr<Connection> connection) {
  connection->parser.emplace();
  connection->parser->header_limit(kHttpHeaderSizeMax);
  connection->parser->body_limit(kHttpBodySizeMax);
  auto pair = make_promise<error_code>(loop_);
  http::async_read(
      connection->socket, connection->received, *connection->parser,
      [connection, promise = pair.first](const error_code& error, std::size_t /*size*/) { promise.set(error); });
  const std::optional<error_code> done = co_await pair.second.until(loop_.now() + kRequestTimeMax);
  if (!done) co_return asio::error::timed_out;
  co_return *done;
}

Task<bool> HttpListener::write_reply(std::shared_ptr<Connection> connection) {
  auto pair = make_promise<error_code>(loop_);
  http::async_write(
      connection->socket, connection->reply,
      [connection, promise = pair.first](const error_code& error, std::size_t /*size*/) { promise.set(error); });
  const std::optional<error_code> done = co_await pair.second.until(loop_.now() + kReplyTimeMax);
  co_return done.has_value() && !*done;
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
