#include "env/posix/http_connection.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>

namespace mendfs {
namespace {

namespace asio = boost::asio;

/// Received and not yet parsed: beyond it the socket is left alone, and the sender waits.
constexpr std::size_t kUnparsedSizeMax = 64u << 10;

}  // namespace

void HttpConnection::start() {
  socket_.non_blocking(true, error_);
  error_code ignored;  // the peer may have gone
  socket_.set_option(Tcp::no_delay(true), ignored);
  read_more();
}

void HttpConnection::close() {
  loop_.cancel(wait_timer_);
  error_code ignored;  // it may be broken already
  socket_.shutdown(Tcp::socket::shutdown_both, ignored);
  socket_.close(ignored);
}

void HttpConnection::read_more() {
  if (reading_ || releasing_ || error_ || received_.size() >= kUnparsedSizeMax) return;
  reading_ = true;
  socket_.async_read_some(
      asio::buffer(staging_),
      [self = shared_from_this()](const error_code& error, std::size_t size) { self->on_read(error, size); });
}

void HttpConnection::on_read(const error_code& error, std::size_t size) {
  reading_ = false;
  received_.append(staging_.data(), size);
  if (!releasing_) error_ = error;
  if (receiver_) std::exchange(receiver_, std::nullopt)->set({});
  read_more();
}

Task<bool> HttpConnection::wait_for_read(std::optional<Time> deadline) {
  auto pair = make_promise<Unit>(loop_);
  receiver_ = pair.first;
  if (deadline) co_return (co_await pair.second.until(*deadline)).has_value();
  waiting_since_ = loop_.now();
  (void)co_await pair.second;
  waiting_since_.reset();
  co_return true;
}

Task<HttpConnection::Sent> HttpConnection::send(std::string_view text, std::optional<Time> deadline) {
  // Nearly always the kernel takes all of it at once.
  Sent sent;
  sent.size = socket_.write_some(asio::buffer(text), sent.error);
  const bool is_full = sent.error == asio::error::would_block || sent.error == asio::error::try_again;
  if (sent.size == text.size() || (sent.error && !is_full)) co_return sent;

  unsent_ = text.substr(sent.size);
  auto pair = make_promise<Sent>(loop_);
  asio::async_write(
      socket_, asio::buffer(unsent_),
      [self = shared_from_this(), before = sent.size, promise = pair.first](const error_code& error, std::size_t size) {
        promise.set(Sent{error, before + size});
      });
  if (!deadline) {
    waiting_since_ = loop_.now();
    sent = co_await pair.second;
    waiting_since_.reset();
    co_return sent;
  }
  const std::optional<Sent> done = co_await pair.second.until(*deadline);
  if (done) co_return *done;
  sent.error = asio::error::timed_out;
  co_return sent;
}

Task<HttpConnection::Released> HttpConnection::release() {
  const std::shared_ptr<HttpConnection> self = shared_from_this();
  releasing_ = true;
  // What the read under way has taken already must not be lost.
  error_code ignored;
  socket_.cancel(ignored);
  if (reading_) (void)co_await wait_for_read(std::nullopt);
  loop_.cancel(wait_timer_);
  // Registered anew: behind an end that Asio has seen it would wait for another one, which never comes.
  const Tcp::endpoint local = socket_.local_endpoint(ignored);
  Socket fresh(loop_.context().get_executor());
  fresh.assign(local.protocol(), socket_.release(ignored), ignored);
  co_return Released{std::move(fresh), std::move(received_)};
}

void HttpConnection::limit_waits(Duration max) {
  wait_max_ = max;
  check_waits();
}

void HttpConnection::check_waits() {
  const Time now = loop_.now();
  if (waiting_since_ && now - *waiting_since_ >= wait_max_) {
    close();  // what waits hears of it
    return;
  }
  wait_timer_ = loop_.call_at(waiting_since_.value_or(now) + wait_max_, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->check_waits();
  });
}

}  // namespace mendfs
