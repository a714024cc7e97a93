#include "protocol/channel.h"

#include <algorithm>

#include "block/checksum.h"
#include "protocol/timing.h"

namespace mendfs::protocol {
namespace {

// Hello goes under an id of its own, outside the requests of callers.
constexpr std::uint64_t kHelloId = 0;

}  // namespace

Channel::Channel(Loop& loop, Network& network, Address server, HelloMaker make_hello)
    : loop_(loop),
      network_(network),
      server_(std::move(server)),
      make_hello_(std::move(make_hello)),
      since_(loop.now()),
      changed_(loop) {
  scope_.spawn(run());
}

Task<bool> Channel::until_up(Time deadline) {
  while (!up_) {
    Future<Unit> change = changed_.next();
    std::optional<Unit> changed = co_await change.until(deadline);
    if (!changed) co_return up_;
  }
  co_return true;
}

Task<Channel::Outcome> Channel::exchange(MessageType type, std::string body, std::vector<Buffer> data, Time deadline) {
  if (!up_) {
    std::string why = last_error_ ? last_error_->message : to_string(server_) + " is not connected yet";
    co_return Error{ErrorCode::Unavailable, std::move(why)};
  }
  const std::uint64_t id = next_id_++;
  auto [promise, future] = make_promise<Outcome>(loop_);
  pending_.emplace(id, std::move(promise));
  InFlight in_flight{pending_, id};
  send_request(type, id, body, std::move(data));
  body = std::string();
  std::optional<Outcome> outcome = co_await future.until(deadline);
  if (!outcome) co_return Error{ErrorCode::OutcomeUnknown, to_string(server_) + " did not answer in time"};
  co_return std::move(*outcome);
}

void Channel::send_request(MessageType type, std::uint64_t id, const std::string& body, std::vector<Buffer> data) {
  MessageHeader header;
  header.type = type;
  header.id = id;
  if (!data.empty()) header.data_checksum = checksum64(data);
  Frame frame;
  frame.header = pack(header) + body;
  frame.data = std::move(data);
  stream_->send(std::move(frame));
}

Task<void> Channel::run() {
  Duration backoff = timing::kRetryBackoffMin;
  for (;;) {
    Result<void> ended = co_await serve_one_connection();
    const bool was_up = up_;
    go_down(ended.error());
    // A connection that worked is worth trying again quickly; a server that refuses us is not.
    if (was_up) backoff = timing::kRetryBackoffMin;
    if (is_refused()) backoff = timing::kRetryBackoffMax;
    co_await sleep_for(loop_, backoff);
    backoff = std::min<Duration>(backoff * 2, timing::kRetryBackoffMax);
  }
}

/// From connecting to the end of the connection, which is always an error.
Task<Result<void>> Channel::serve_one_connection() {
  Result<std::shared_ptr<FrameStream>> connected =
      co_await network_.connect(server_, loop_.now() + timing::kConnectTimeout);
  if (!connected) co_return connected.error();
  stream_ = std::move(*connected);
  heard_ = loop_.now();
  Scope pinging;
  pinging.spawn(keep_alive(stream_));
  send_request(MessageType::Hello, kHelloId, pack(make_hello_()), {});
  for (;;) {
    Result<Frame> frame = co_await stream_->receive();
    if (!frame) co_return frame.error();
    heard_ = loop_.now();
    Result<void> accepted = accept_reply(std::move(*frame));
    if (!accepted) co_return accepted;
  }
}

/// Closes a connection whose other side has fallen silent, which ends its receive().
Task<void> Channel::keep_alive(std::shared_ptr<FrameStream> stream) {
  while (!stream->closed()) {
    co_await sleep_for(loop_, timing::kPingEvery);
    if (loop_.now() - heard_ >= timing::kPeerSilentMax) {
      stream->close();
      co_return;
    }
    if (up_) send_request(MessageType::Ping, next_id_++, std::string(), {});
  }
}

Result<void> Channel::accept_reply(Frame frame) {
  const auto nonsense = [this] {
    return Error{ErrorCode::Malformed, to_string(server_) + " sent a frame that is no reply"};
  };
  Unpacker unpacker(frame.header);
  MessageHeader header;
  unpacker.get(header);
  if (!unpacker.ok() || !header.reply) return nonsense();
  if (!up_) {
    if (header.type != MessageType::Hello || header.id != kHelloId) return nonsense();
    return accept_hello(header.code, std::move(header.message), unpacker.rest());
  }
  // A reply nobody waits for any more: a ping's, or one that came after its deadline.
  auto found = pending_.find(header.id);
  if (found == pending_.end()) return {};
  if (header.code != ErrorCode::Ok) {
    found->second.set(Error{header.code, std::move(header.message)});
  } else {
    RawAnswer raw;
    raw.body = std::string(unpacker.rest());
    if (!frame.data.empty()) raw.data = std::move(frame.data.front());
    found->second.set(std::move(raw));
  }
  pending_.erase(found);
  return {};
}

Result<void> Channel::accept_hello(ErrorCode code, std::string message, std::string_view body) {
  if (code != ErrorCode::Ok) return Error{code, std::move(message)};
  MENDFS_TRY(peer_, unpack<HelloReply>(body));
  up_ = true;
  since_ = loop_.now();
  last_error_.reset();
  changed_.notify_all();
  return {};
}

void Channel::go_down(Error why) {
  if (stream_) stream_->close();
  stream_ = nullptr;
  const bool news = up_ || !last_error_ || last_error_->code != why.code;
  if (up_) since_ = loop_.now();
  up_ = false;
  last_error_ = std::move(why);
  for (auto& [id, promise] : std::exchange(pending_, {}))
    promise.set(Error{ErrorCode::OutcomeUnknown, to_string(server_) + ": the connection broke before the answer"});
  if (news) changed_.notify_all();
}

}  // namespace mendfs::protocol
