#include "env/posix/http_client.h"

#include <fmt/core.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <cerrno>
#include <optional>
#include <utility>

#include "env/future.h"
#include "env/posix/frame_connection.h"
#include "env/posix/http_format.h"

namespace mendfs {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using beast::error_code;

/// Idle connections kept for each server.
constexpr std::size_t kKeptMax = 16;
/// Half of what servers allow (kRequestTimeMax), so that it is never the server who closes first.
constexpr auto kIdleMax = std::chrono::seconds(15);

Error unavailable(const Address& server, std::string reason) {
  // A body for people ends its line; this becomes a part of a sentence.
  while (!reason.empty() && reason.back() == '\n') reason.pop_back();
  return {ErrorCode::Unavailable, fmt::format("{} does not answer: {}", to_string(server), reason)};
}

Error outcome_unknown(const Address& server, const std::string& reason) {
  return {ErrorCode::OutcomeUnknown, fmt::format("{} gave no answer: {}", to_string(server), reason)};
}

/// Whether the other side has neither closed it nor said something unasked. One cheap system call instead of a request
/// whose outcome nobody would know.
bool is_still_quiet(Socket& socket) {
  char byte = 0;
  const ssize_t count = ::recv(socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

http::request<http::string_body> make_request(http::verb verb, const Address& server, const std::string& target) {
  http::request<http::string_body> request{verb, target, kHttpVersion};
  request.set(http::field::host, to_string(server));
  request.set(http::field::user_agent, "mendfs");
  return request;
}

}  // namespace

/// Kept alive by the operations under way on it.
struct HttpClient::Connection {
  explicit Connection(PosixLoop& loop) : socket(loop.context().get_executor()) {}

  void close() {
    error_code ignored;  // it may be broken already
    socket.shutdown(Tcp::socket::shutdown_both, ignored);
    socket.close(ignored);
  }

  Socket socket;
  std::vector<Tcp::endpoint> endpoints;
  http::request<http::string_body> request;
  bool any_sent = false;  // of the request, as far as is known
  beast::flat_buffer received;
  std::optional<http::response_parser<http::string_body>> parser;
};

/// Closes the connection unless it was released: also when the coroutine that waits on it is destroyed.
struct HttpClient::CloseAtEnd {
  explicit CloseAtEnd(std::shared_ptr<Connection> owned) : connection(std::move(owned)) {}
  CloseAtEnd(const CloseAtEnd&) = delete;
  ~CloseAtEnd() {
    if (connection) connection->close();
  }
  std::shared_ptr<Connection> release() { return std::exchange(connection, nullptr); }
  std::shared_ptr<Connection> connection;
};

HttpClient::HttpClient(PosixLoop& loop, Logger& log) : loop_(loop), log_(log) {}
HttpClient::~HttpClient() = default;

Task<Result<std::string>> HttpClient::post(Address server, std::string target, std::string body, Time deadline) {
  http::request<http::string_body> request = make_request(http::verb::post, server, target);
  request.set(http::field::content_type, "text/xml");
  request.body() = std::move(body);
  request.prepare_payload();

  if (std::shared_ptr<Connection> kept = take_kept(server)) {
    kept->request = std::move(request);
    Result<std::string> answer = co_await exchange(kept, server, deadline);
    // When not one byte of it was taken, the server went away a moment ago, and may be back already.
    if (answer.ok() || kept->any_sent) co_return answer;
    request = std::move(kept->request);
  }
  MENDFS_CO_TRY(std::shared_ptr<Connection> fresh, co_await open(server, deadline));
  fresh->request = std::move(request);
  co_return co_await exchange(fresh, server, deadline);
}

Task<Result<std::string>> HttpClient::exchange(std::shared_ptr<Connection> connection, Address server, Time deadline) {
  CloseAtEnd owner(connection);
  MENDFS_CO_TRY_VOID(co_await write_request(connection, server, deadline));

  connection->parser.emplace();
  connection->parser->header_limit(kHttpHeaderSizeMax);
  connection->parser->body_limit(kHttpBodySizeMax);
  auto pair = make_promise<error_code>(loop_);
  http::async_read(
      connection->socket, connection->received, *connection->parser,
      [connection, promise = pair.first](const error_code& error, std::size_t /*size*/) { promise.set(error); });
  const std::optional<error_code> done = co_await pair.second.until(deadline);
  if (!done) co_return outcome_unknown(server, "the time is up");
  if (*done) {
    const bool is_broken = done->category() != http::make_error_code(http::error::bad_value).category() ||
                           *done == http::error::end_of_stream || *done == http::error::partial_message;
    if (is_broken) co_return outcome_unknown(server, done->message());
    co_return Error{ErrorCode::Malformed,
                    fmt::format("{} gave no valid reply: {}", to_string(server), done->message())};
  }
  http::response<http::string_body> reply = connection->parser->release();
  if (reply.keep_alive()) keep(server, owner.release());
  if (reply.result() == http::status::service_unavailable) co_return unavailable(server, reply.body());
  if (reply.result() != http::status::ok)
    co_return Error{ErrorCode::Malformed, fmt::format("{} answers HTTP status {}: is it a mendfs server?",
                                                      to_string(server), reply.result_int())};
  co_return std::move(reply.body());
}

/// Unavailable when nothing of the request was taken by the connection, OutcomeUnknown when something was.
Task<Result<void>> HttpClient::write_request(std::shared_ptr<Connection> connection, Address server, Time deadline) {
  struct Written {
    error_code error;
    std::size_t size = 0;
  };
  connection->any_sent = true;
  auto pair = make_promise<Written>(loop_);
  http::async_write(connection->socket, connection->request,
                    [connection, promise = pair.first](const error_code& error, std::size_t size) {
                      promise.set(Written{error, size});
                    });
  const std::optional<Written> written = co_await pair.second.until(deadline);
  if (!written) co_return outcome_unknown(server, "the time is up");
  if (!written->error) co_return Result<void>();
  connection->any_sent = written->size > 0;
  if (!connection->any_sent) co_return unavailable(server, written->error.message());
  co_return outcome_unknown(server, written->error.message());
}

Task<Result<std::shared_ptr<FrameStream>>> HttpClient::connect(Address server, Time deadline) {
  MENDFS_CO_TRY(std::shared_ptr<Connection> connection, co_await open(server, deadline));
  CloseAtEnd owner(connection);
  connection->request = make_request(http::verb::get, server, kUpgradeTarget);
  connection->request.set(http::field::connection, "Upgrade");
  connection->request.set(http::field::upgrade, kUpgradeProtocol);
  const Result<void> written = co_await write_request(connection, server, deadline);
  if (!written.ok()) co_return unavailable(server, written.error().message);

  connection->parser.emplace();
  connection->parser->header_limit(kHttpHeaderSizeMax);
  auto pair = make_promise<error_code>(loop_);
  http::async_read_header(
      connection->socket, connection->received, *connection->parser,
      [connection, promise = pair.first](const error_code& error, std::size_t /*size*/) { promise.set(error); });
  const std::optional<error_code> done = co_await pair.second.until(deadline);
  if (!done) co_return unavailable(server, "the time is up");
  if (*done) co_return unavailable(server, done->message());
  if (connection->parser->get().result() != http::status::switching_protocols)
    co_return Error{ErrorCode::Malformed, fmt::format("{} does not speak the block protocol", to_string(server))};

  const auto received = connection->received.cdata();
  co_return make_frame_stream(loop_, log_, std::move(connection->socket),
                              {static_cast<const std::byte*>(received.data()), received.size()});
}

Task<Result<std::shared_ptr<HttpClient::Connection>>> HttpClient::open(Address server, Time deadline) {
  MENDFS_CO_TRY(std::vector<Tcp::endpoint> endpoints, co_await resolve(server, deadline));
  auto connection = std::make_shared<Connection>(loop_);
  CloseAtEnd owner(connection);
  connection->endpoints = std::move(endpoints);
  auto pair = make_promise<error_code>(loop_);
  asio::async_connect(connection->socket, connection->endpoints,
                      [connection, promise = pair.first](const error_code& error, const Tcp::endpoint& /*endpoint*/) {
                        promise.set(error);
                      });
  const std::optional<error_code> done = co_await pair.second.until(deadline);
  if (!done) co_return unavailable(server, "the time is up");
  if (*done) co_return unavailable(server, done->message());

  error_code error;
  connection->socket.set_option(Tcp::no_delay(true), error);
  // TCP connects a port that nobody listens on with itself when the kernel happens to choose it as the source.
  if (connection->socket.local_endpoint(error) == connection->socket.remote_endpoint(error))
    co_return unavailable(server, "nobody listens there");
  co_return owner.release();
}

Task<Result<std::vector<Tcp::endpoint>>> HttpClient::resolve(Address server, Time deadline) {
  error_code error;
  const auto literal = asio::ip::make_address(server.host, error);
  std::vector<Tcp::endpoint> endpoints;
  if (!error) {
    endpoints.emplace_back(literal, server.port);
    co_return endpoints;
  }

  struct Resolved {
    error_code error;
    Tcp::resolver::results_type results;
  };
  auto resolver = std::make_shared<Tcp::resolver>(loop_.context());
  auto pair = make_promise<Resolved>(loop_);
  resolver->async_resolve(
      server.host, std::to_string(server.port),
      [resolver, promise = pair.first](const error_code& failed, Tcp::resolver::results_type results) {
        promise.set(Resolved{failed, std::move(results)});
      });
  const std::optional<Resolved> resolved = co_await pair.second.until(deadline);
  if (!resolved) co_return unavailable(server, "the time is up");
  if (resolved->error) co_return unavailable(server, resolved->error.message());
  for (const auto& entry : resolved->results) endpoints.push_back(entry.endpoint());
  co_return endpoints;
}

std::shared_ptr<HttpClient::Connection> HttpClient::take_kept(const Address& server) {
  drop_idle();
  const auto found = kept_.find(server);
  if (found == kept_.end()) return nullptr;
  std::vector<Kept>& list = found->second;
  while (!list.empty()) {
    std::shared_ptr<Connection> connection = std::move(list.back().connection);
    list.pop_back();
    if (connection->received.size() == 0 && is_still_quiet(connection->socket)) return connection;
  }
  return nullptr;
}

void HttpClient::keep(const Address& server, std::shared_ptr<Connection> connection) {
  drop_idle();
  std::vector<Kept>& list = kept_[server];
  if (list.size() < kKeptMax) list.push_back({std::move(connection), loop_.now()});
}

void HttpClient::drop_idle() {
  const Time oldest = loop_.now() - kIdleMax;
  for (auto entry = kept_.begin(); entry != kept_.end();) {
    std::erase_if(entry->second, [oldest](const Kept& kept) { return kept.since < oldest; });
    entry = entry->second.empty() ? kept_.erase(entry) : std::next(entry);
  }
}

}  // namespace mendfs
