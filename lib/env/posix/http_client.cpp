#include "env/posix/http_client.h"

#include <fmt/core.h>

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/beast/http.hpp>
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

/// Each takes a connection; a server allows four times as many from everybody. More requests than this wait: a client
/// with thousands of files to report has them all at once.
constexpr std::size_t kRequestsMax = 256;
/// Idle connections kept for each server.
constexpr std::size_t kKeptMax = 16;
/// Half of what servers allow (kWaitMax), so that it is never the server who closes first.
constexpr auto kIdleMax = std::chrono::seconds(15);

Error unavailable(const Address& server, std::string reason) {
  // A body for people ends its line; this becomes a part of a sentence.
  while (!reason.empty() && reason.back() == '\n') reason.pop_back();
  return {ErrorCode::Unavailable, fmt::format("{} does not answer: {}", to_string(server), reason)};
}

Error outcome_unknown(const Address& server, const std::string& reason) {
  return {ErrorCode::OutcomeUnknown, fmt::format("{} gave no answer: {}", to_string(server), reason)};
}

/// Room for it, nearly always.
constexpr std::size_t kRequestHeadSize = 256;

std::string make_request(const Address& server, const std::string& target, const std::string& body) {
  std::string request;
  request.reserve(kRequestHeadSize + target.size() + body.size());
  request.append("POST ").append(target).append(" HTTP/1.1\r\nHost: ").append(to_string(server));
  request.append("\r\nUser-Agent: mendfs\r\nContent-Type: text/xml\r\nContent-Length: ");
  request.append(std::to_string(body.size())).append("\r\n\r\n").append(body);
  return request;
}

std::string make_upgrade(const Address& server) {
  return fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: mendfs\r\nConnection: Upgrade\r\nUpgrade: {}\r\n\r\n",
                     kUpgradeTarget, to_string(server), kUpgradeProtocol);
}

/// It broke, or ended early; anything else is not HTTP, or too much of it.
bool is_broken(const error_code& error) {
  return error.category() != http::make_error_code(http::error::bad_value).category() ||
         error == http::error::end_of_stream || error == http::error::partial_message;
}

}  // namespace

HttpClient::HttpClient(PosixLoop& loop, Logger& log) : loop_(loop), log_(log) {}
HttpClient::~HttpClient() = default;

Task<Result<std::string>> HttpClient::post(Address server, std::string target, std::string body, Time deadline) {
  Places& places = places_.try_emplace(server, loop_, kRequestsMax).first->second;
  const std::optional<Places::Guard> place = co_await places.take(deadline);
  if (!place) co_return unavailable(server, "too many requests before this one");
  const std::string request = make_request(server, target, body);
  if (std::optional<OwnedConnection> kept = take_kept(server)) {
    Exchanged exchanged = co_await exchange(std::move(*kept), &request, server, deadline);
    // When not one byte of it was taken, the server went away a moment ago, and may be back already.
    if (exchanged.answer.ok() || exchanged.any_sent) co_return std::move(exchanged.answer);
  }
  MENDFS_CO_TRY(OwnedConnection fresh, co_await open(server, deadline));
  Exchanged exchanged = co_await exchange(std::move(fresh), &request, server, deadline);
  co_return std::move(exchanged.answer);
}

Task<HttpClient::Exchanged> HttpClient::exchange(OwnedConnection connection, const std::string* request, Address server,
                                                 Time deadline) {
  const HttpConnection::Sent sent = co_await connection->send(*request, deadline);
  if (sent.error) {
    const bool any_sent = sent.size > 0 || sent.error == asio::error::timed_out;
    const std::string reason = sent.error.message();
    co_return Exchanged{any_sent ? outcome_unknown(server, reason) : unavailable(server, reason), any_sent};
  }
  HttpReplyParser parser;
  parser.header_limit(kHttpHeaderSizeMax);
  parser.body_limit(kHttpBodySizeMax);
  const error_code error = co_await connection->receive(&parser, deadline);
  if (error == asio::error::timed_out) co_return Exchanged{outcome_unknown(server, "the time is up")};
  if (error && is_broken(error)) co_return Exchanged{outcome_unknown(server, error.message())};
  if (error)
    co_return Exchanged{
        Error{ErrorCode::Malformed, fmt::format("{} gave no valid reply: {}", to_string(server), error.message())}};
  http::response<http::string_body> reply = parser.release();
  if (reply.keep_alive()) keep(server, std::move(connection));
  if (reply.result() == http::status::service_unavailable) co_return Exchanged{unavailable(server, reply.body())};
  if (reply.result() != http::status::ok)
    co_return Exchanged{Error{ErrorCode::Malformed, fmt::format("{} answers HTTP status {}: is it a mendfs server?",
                                                                to_string(server), reply.result_int())}};
  co_return Exchanged{std::move(reply.body())};
}

Task<Result<std::shared_ptr<FrameStream>>> HttpClient::connect(Address server, Time deadline) {
  MENDFS_CO_TRY(OwnedConnection connection, co_await open(server, deadline));
  const std::string request = make_upgrade(server);
  const HttpConnection::Sent sent = co_await connection->send(request, deadline);
  if (sent.error) co_return unavailable(server, sent.error.message());
  HttpReplyParser parser;
  parser.header_limit(kHttpHeaderSizeMax);
  const error_code error = co_await connection->receive(&parser, deadline);
  if (error == asio::error::timed_out) co_return unavailable(server, "the time is up");
  if (error) co_return unavailable(server, error.message());
  if (parser.get().result() != http::status::switching_protocols)
    co_return Error{ErrorCode::Malformed, fmt::format("{} does not speak the block protocol", to_string(server))};
  HttpConnection::Released released = co_await connection->release();
  co_return make_frame_stream(loop_, log_, std::move(released.socket), bytes_of(released.received));
}

Task<Result<OwnedConnection>> HttpClient::open(Address server, Time deadline) {
  MENDFS_CO_TRY(const std::vector<Tcp::endpoint> endpoints, co_await resolve(server, deadline));
  struct Connecting {
    Connecting(asio::io_context& context, std::vector<Tcp::endpoint> all)
        : socket(context.get_executor()), endpoints(std::move(all)) {}
    Socket socket;
    std::vector<Tcp::endpoint> endpoints;
  };
  // Kept alive by the attempt, which goes on when nobody waits for it any more.
  auto connecting = std::make_shared<Connecting>(loop_.context(), endpoints);
  auto pair = make_promise<error_code>(loop_);
  asio::async_connect(connecting->socket, connecting->endpoints,
                      [connecting, promise = pair.first](const error_code& error, const Tcp::endpoint& /*endpoint*/) {
                        promise.set(error);
                      });
  const std::optional<error_code> done = co_await pair.second.until(deadline);
  if (!done) {
    error_code ignored;
    connecting->socket.close(ignored);
    co_return unavailable(server, "the time is up");
  }
  if (*done) co_return unavailable(server, done->message());

  // TCP connects a port that nobody listens on with itself when the kernel happens to choose it as the source.
  error_code error;
  if (connecting->socket.local_endpoint(error) == connecting->socket.remote_endpoint(error))
    co_return unavailable(server, "nobody listens there");
  auto connection = std::make_shared<HttpConnection>(loop_, std::move(connecting->socket));
  connection->start();
  co_return OwnedConnection(std::move(connection));
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

std::optional<OwnedConnection> HttpClient::take_kept(const Address& server) {
  drop_idle();
  const auto found = kept_.find(server);
  if (found == kept_.end()) return std::nullopt;
  std::vector<Kept>& list = found->second;
  while (!list.empty()) {
    OwnedConnection connection = std::move(list.back().connection);
    list.pop_back();
    if (connection->is_quiet()) return connection;
  }
  return std::nullopt;
}

void HttpClient::keep(const Address& server, OwnedConnection connection) {
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
