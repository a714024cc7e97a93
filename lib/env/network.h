// Requests and kept connections between the parts. Real (Boost.Beast over TCP) in lib/env/posix; simulated, with lost,
// late, repeated and reordered messages, in tests/sim.
//
// One port serves both: HTTP/1.1 requests (XML-RPC, /health), and frames after an HTTP Upgrade to "mendfs".
// A frame is an opaque header and opaque data; this layer frames, bounds and checks them (docs/protocol.md,
// "Frames") but does not know what they say. Loop thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "base/error.h"
#include "env/loop.h"
#include "env/task.h"

namespace mendfs {

struct Address {
  std::string host;
  std::uint16_t port = 0;
  auto operator<=>(const Address&) const = default;
};
std::string to_string(const Address& address);
/// "2222" means 127.0.0.1:2222; otherwise host:port, or [v6]:port.
Result<Address> parse_address(const std::string& text);

/// Larger ones are refused before memory is taken for them.
constexpr std::size_t kHttpBodySizeMax = 8u << 20;
constexpr std::size_t kFrameHeaderSizeMax = 4u << 20;
constexpr std::size_t kFrameDataSizeMax = 16u << 20;

struct HttpRequest {
  std::string method;  // "GET", "POST"
  std::string target;  // "/RPC2", "/health"
  std::string body;
};

struct HttpReply {
  unsigned status = 200;
  std::string content_type = "text/xml";
  std::string body;
};

struct Frame {
  std::string header;
  std::vector<Buffer> data;  // sent one after the other; received as one piece, or none when empty

  std::size_t data_size() const {
    std::size_t size = 0;
    for (const Buffer& piece : data) size += piece.size();
    return size;
  }
};

/// One kept connection. Either side may send at any time; order is kept while it lives. Destroying it closes it.
class FrameStream {
 public:
  virtual ~FrameStream() = default;
  /// Queues the frame and returns at once; nothing if the connection is gone (receive() tells).
  virtual void send(Frame frame) = 0;
  /// Bytes queued and not yet taken by the kernel, for whoever wants to bound them.
  virtual std::size_t unsent_size() const = 0;
  /// The next frame. An error (Unavailable, Malformed) ends the connection for good. One caller at a time.
  virtual Task<Result<Frame>> receive() = 0;
  /// Ends receive() with Unavailable, here and on the other side.
  virtual void close() = 0;
  virtual bool closed() const = 0;
};

/// What a server does with what arrives. Both calls may be made again before the last has ended.
class ConnectionHandler {
 public:
  virtual ~ConnectionHandler() = default;
  virtual Task<HttpReply> on_request(HttpRequest request) = 0;
  /// Owns the stream from now on; the connection ends when the task does.
  virtual Task<void> on_stream(std::shared_ptr<FrameStream> stream) = 0;
};

/// Listens until destroyed.
class Listener {
 public:
  virtual ~Listener() = default;
  virtual Address address() const = 0;
};

class Network {
 public:
  virtual ~Network() = default;

  /// Port 0 takes a free one. Busy with a sentence when the port is taken. `handler` outlives the listener.
  virtual Result<std::unique_ptr<Listener>> listen(const Address& address, ConnectionHandler& handler) = 0;

  /// POSTs `body` to `target` and waits for the body of a 200 reply. Connections are kept and re-used.
  /// Unavailable: it was not delivered, or nobody listens. OutcomeUnknown: it may have been delivered and no answer
  /// came (the connection broke, or the deadline passed). Malformed: an answer, but not one of ours.
  virtual Task<Result<std::string>> post(Address server, std::string target, std::string body, Time deadline) = 0;

  /// Opens a stream. Unavailable when nobody answers by the deadline.
  virtual Task<Result<std::shared_ptr<FrameStream>>> connect(Address server, Time deadline) = 0;
};

}  // namespace mendfs
