// The server's half of the block protocol: takes frames from a connection, hands each request to a BlockService as a
// coroutine of its own, and sends the answers in whatever order they come.
//
// Nothing that arrives is trusted: a frame that cannot be decoded closes its connection. Nothing is served before a
// good hello. Requests in flight are bounded per connection, in number and bytes; beyond the bound a request is
// answered Unavailable, so pings are always answered. Loop thread only.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "base/buffer.h"
#include "base/error.h"
#include "base/logger.h"
#include "env/loop.h"
#include "env/network.h"
#include "env/task.h"
#include "protocol/data.h"
#include "protocol/ring_data.h"

namespace mendfs::protocol {

/// A reply and the bytes it speaks of.
template <class Request>
struct Served {
  typename Request::Reply reply;
  std::vector<Buffer> data;
};
template <class Request>
using ServedTask = Task<Result<Served<Request>>>;

/// Who is at the other end, as its hello said and the service accepted.
struct Caller {
  Role role = Role::Client;
  Slot from_slot = 0;
  SessionId session;
};

/// What a dataserver does with each request. `data` is all the bytes that came with it, in one piece.
/// A connection that ends destroys the coroutines of its requests where they wait: whatever must go on regardless
/// (an appended write on its way to the other copy) the service runs on its own.
class BlockService {
 public:
  virtual ~BlockService() = default;
  virtual Result<HelloReply> on_hello(const HelloRequest& request) = 0;
  virtual ServedTask<WriteRequest> serve(WriteRequest request, Buffer data, Caller caller) = 0;
  virtual ServedTask<ReadRequest> serve(ReadRequest request, Buffer data, Caller caller) = 0;
  virtual ServedTask<AuditRequest> serve(AuditRequest request, Buffer data, Caller caller) = 0;
  virtual ServedTask<RepairRequest> serve(RepairRequest request, Buffer data, Caller caller) = 0;
  virtual ServedTask<SyncRequest> serve(SyncRequest request, Buffer data, Caller caller) = 0;
  virtual ServedTask<ForwardRequest> serve(ForwardRequest request, Buffer data, Caller caller) = 0;
  virtual ServedTask<FetchRequest> serve(FetchRequest request, Buffer data, Caller caller) = 0;
  virtual ServedTask<ListRequest> serve(ListRequest request, Buffer data, Caller caller) = 0;
  virtual ServedTask<HandshakeRequest> serve(HandshakeRequest request, Buffer data, Caller caller) = 0;
  virtual ServedTask<AskWriteRequest> serve(AskWriteRequest request, Buffer data, Caller caller) = 0;
};

/// Serves one connection until it ends. `service`, `loop` and `log` outlive it.
Task<void> serve_stream(Loop& loop, Logger& log, std::shared_ptr<FrameStream> stream, BlockService& service);

}  // namespace mendfs::protocol
