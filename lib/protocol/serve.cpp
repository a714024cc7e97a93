#include "protocol/serve.h"

#include <string>
#include <string_view>
#include <utility>

#include "block/checksum.h"
#include "env/future.h"
#include "protocol/fields.h"
#include "protocol/timing.h"

namespace mendfs::protocol {
namespace {

/// One connection of a server, for as long as its coroutine runs.
class Connection {
 public:
  Connection(Loop& loop, std::shared_ptr<FrameStream> stream, BlockService& service)
      : loop_(loop), stream_(std::move(stream)), service_(service), heard_(loop.now()) {
    requests_.spawn(close_when_silent());
  }

  /// Why the connection ended: Unavailable when the other side left.
  Task<Error> run() {
    for (;;) {
      Result<Frame> frame = co_await stream_->receive();
      if (!frame) co_return frame.error();
      heard_ = loop_.now();
      Result<void> accepted = accept(std::move(*frame));
      if (!accepted) co_return accepted.error();
    }
  }

 private:
  Result<void> accept(Frame frame) {
    Unpacker unpacker(frame.header);
    MessageHeader header;
    unpacker.get(header);
    if (!unpacker.ok() || header.reply) return Error{ErrorCode::Malformed, "a frame that is no request"};
    if (header.type == MessageType::Ping) {
      answer(header, Result<std::string>(std::string()), {});
      return {};
    }
    if (header.type == MessageType::Hello) return accept_hello(header, unpacker.rest());
    if (!greeted_) return Error{ErrorCode::Malformed, "a request before hello"};
    Buffer data;
    if (!frame.data.empty()) data = std::move(frame.data.front());
    if (!data.empty() && checksum64(data) != header.data_checksum) {
      answer(header, Error{ErrorCode::Corruption, "the bytes of a message were damaged on their way"}, {});
      return {};
    }
    switch (header.type) {
      case MessageType::Write:
        return start<WriteRequest>(header, unpacker.rest(), std::move(data));
      case MessageType::Read:
        return start<ReadRequest>(header, unpacker.rest(), std::move(data));
      case MessageType::Audit:
        return start<AuditRequest>(header, unpacker.rest(), std::move(data));
      case MessageType::Repair:
        return start<RepairRequest>(header, unpacker.rest(), std::move(data));
      case MessageType::Sync:
        return start<SyncRequest>(header, unpacker.rest(), std::move(data));
      case MessageType::Forward:
        return start<ForwardRequest>(header, unpacker.rest(), std::move(data));
      case MessageType::Fetch:
        return start<FetchRequest>(header, unpacker.rest(), std::move(data));
      case MessageType::List:
        return start<ListRequest>(header, unpacker.rest(), std::move(data));
      case MessageType::Handshake:
        return start<HandshakeRequest>(header, unpacker.rest(), std::move(data));
      case MessageType::AskWrite:
        return start<AskWriteRequest>(header, unpacker.rest(), std::move(data));
      case MessageType::Hello:
      case MessageType::Ping:
        break;
    }
    return Error{ErrorCode::Malformed, "a request of an unknown type"};
  }

  Result<void> accept_hello(const MessageHeader& header, std::string_view body) {
    MENDFS_TRY(HelloRequest hello, unpack<HelloRequest>(body));
    Result<HelloReply> accepted = service_.on_hello(hello);
    greeted_ = accepted.ok();
    caller_ = {hello.role, hello.from_slot, hello.session};
    Result<std::string> packed = accepted.ok() ? Result<std::string>(pack(*accepted)) : accepted.error();
    answer(header, std::move(packed), {});
    return {};
  }

  template <class Request>
  Result<void> start(const MessageHeader& header, std::string_view body, Buffer data) {
    MENDFS_TRY(Request request, unpack<Request>(body));
    const bool full = in_flight_ >= timing::kRequestsInFlightMax ||
                      bytes_in_flight_ + data.size() + stream_->unsent_size() > timing::kRequestBytesInFlightMax;
    if (full) {
      answer(header, Error{ErrorCode::Unavailable, "too many requests in flight on one connection"}, {});
      return {};
    }
    requests_.spawn(run_one(this, header, std::move(request), std::move(data)));
    return {};
  }

  template <class Request>
  static Task<void> run_one(Connection* self, MessageHeader header, Request request, Buffer data) {
    const std::size_t size = data.size();
    self->in_flight_ += 1;
    self->bytes_in_flight_ += size;
    Result<Served<Request>> served = co_await self->service_.serve(std::move(request), std::move(data), self->caller_);
    self->in_flight_ -= 1;
    self->bytes_in_flight_ -= size;
    if (served.ok()) {
      self->answer(header, pack(served->reply), std::move(served->data));
    } else {
      self->answer(header, served.error(), {});
    }
  }

  void answer(const MessageHeader& request, Result<std::string> body, std::vector<Buffer> data) {
    MessageHeader header;
    header.type = request.type;
    header.id = request.id;
    header.reply = true;
    if (!body.ok()) {
      header.code = body.error().code;
      header.message = body.error().message;
    }
    Frame frame;
    frame.header = pack(header);
    if (body.ok()) frame.header += *body;
    frame.data = std::move(data);
    stream_->send(std::move(frame));
  }

  /// A peer pings twice a second; one that says nothing at all has gone without telling.
  Task<void> close_when_silent() {
    while (!stream_->closed()) {
      co_await sleep_for(loop_, timing::kConnectionIdleMax / 4);
      if (loop_.now() - heard_ > timing::kConnectionIdleMax) stream_->close();
    }
  }

  Loop& loop_;
  std::shared_ptr<FrameStream> stream_;
  BlockService& service_;
  Caller caller_;
  bool greeted_ = false;
  Time heard_;
  std::size_t in_flight_ = 0;
  std::size_t bytes_in_flight_ = 0;
  Scope requests_;  // last: its coroutines use all of the above
};

}  // namespace

Task<void> serve_stream(Loop& loop, Logger& log, std::shared_ptr<FrameStream> stream, BlockService& service) {
  Connection connection(loop, stream, service);
  Error ended = co_await connection.run();
  if (ended.code != ErrorCode::Unavailable)
    log.warn("closed a connection that broke the protocol reason=\"{}\"", ended.message);
  stream->close();
}

}  // namespace mendfs::protocol
