// Channel: one kept connection to one dataserver, for whoever sends it block-protocol requests.
//
// It connects by itself, says hello, pings, and connects again with back-off when the connection breaks or the server
// falls silent; those are the only things it decides. It never repeats a request: only the caller knows whether that
// is right. Many requests are in flight at once; replies are matched by id.
//
//   Channel channel(loop, network, address, [&] { return my_hello(); });
//   if (co_await channel.until_up(deadline)) {
//     Result<Answer<ReadRequest>> answer = co_await channel.call(std::move(request), {}, deadline);
//
// Owned by one program part and outlives the calls made on it (destroying a calling coroutine is fine). Loop thread
// only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/buffer.h"
#include "base/error.h"
#include "env/future.h"
#include "env/network.h"
#include "protocol/data.h"
#include "protocol/fields.h"

namespace mendfs::protocol {

/// What came back for a request: the reply and the bytes it speaks of, in one piece.
template <class Request>
struct Answer {
  typename Request::Reply reply;
  Buffer data;
};

class Channel {
 public:
  /// Asked anew for each connection: identities may change between two.
  using HelloMaker = std::function<HelloRequest()>;

  /// Begins to connect at once.
  Channel(Loop& loop, Network& network, Address server, HelloMaker make_hello);
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  /// Sends a request and waits for its reply.
  ///   Unavailable      the channel is down: it was not sent
  ///   OutcomeUnknown   sent, and the connection broke or the deadline passed before an answer came
  ///   anything else    the server's own refusal, or Malformed when its answer makes no sense
  template <class Request>
  Task<Result<Answer<Request>>> call(Request request, std::vector<Buffer> data, Time deadline);

  /// Hello is answered, and the server was heard of in the last kPeerSilentMax.
  bool is_up() const { return up_; }
  /// When it went up, or down; the channel begins as down.
  Time since() const { return since_; }
  /// Waits until it is up; false when the deadline came first.
  Task<bool> until_up(Time deadline);
  /// Notified whenever it goes up, goes down or is refused.
  Signal& changed() { return changed_; }

  /// Why it is down: the last attempt's error. After Refused (another cluster, slot or protocol) it is tried on, once a
  /// second: the right server may yet come to this address.
  const std::optional<Error>& last_error() const { return last_error_; }
  bool is_refused() const { return last_error_ && last_error_->code == ErrorCode::Refused; }
  /// What the server said of itself when it last came up.
  const HelloReply& peer() const { return peer_; }

  const Address& address() const { return server_; }
  /// Bytes queued here and not yet taken by the kernel.
  std::size_t unsent_size() const { return stream_ ? stream_->unsent_size() : 0; }

 private:
  struct RawAnswer {
    std::string body;
    Buffer data;
  };
  using Outcome = Result<RawAnswer>;
  /// Forgets the request when its coroutine is destroyed.
  struct InFlight {
    std::map<std::uint64_t, Promise<Outcome>>& pending;
    std::uint64_t id;
    ~InFlight() { pending.erase(id); }
  };

  Task<Outcome> exchange(MessageType type, std::string body, std::vector<Buffer> data, Time deadline);
  void send_request(MessageType type, std::uint64_t id, const std::string& body, std::vector<Buffer> data);
  Task<void> run();
  Task<Result<void>> serve_one_connection();
  Task<void> keep_alive(std::shared_ptr<FrameStream> stream);
  Result<void> accept_reply(Frame frame);
  Result<void> accept_hello(ErrorCode code, std::string message, std::string_view body);
  void go_down(Error why);

  Loop& loop_;
  Network& network_;
  Address server_;
  HelloMaker make_hello_;

  std::shared_ptr<FrameStream> stream_;
  bool up_ = false;
  Time since_;
  Time heard_{};  // of this connection: when the last frame came
  std::optional<Error> last_error_;
  HelloReply peer_;
  Signal changed_;
  std::uint64_t next_id_ = 1;
  std::map<std::uint64_t, Promise<Outcome>> pending_;
  Scope scope_;  // last: its coroutines use all of the above
};

template <class Request>
Task<Result<Answer<Request>>> Channel::call(Request request, std::vector<Buffer> data, Time deadline) {
  std::string body = pack(request);
  Outcome outcome = co_await exchange(Request::kType, std::move(body), std::move(data), deadline);
  if (!outcome) co_return outcome.error();
  Result<typename Request::Reply> reply = unpack<typename Request::Reply>(outcome->body);
  if (!reply) co_return Error{ErrorCode::Malformed, to_string(server_) + " answered nonsense"};
  Answer<Request> answer{std::move(*reply), std::move(outcome->data)};
  co_return answer;
}

}  // namespace mendfs::protocol
