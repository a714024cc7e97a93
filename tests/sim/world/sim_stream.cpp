#include "tests/sim/world/sim_stream.h"

#include "block/checksum.h"
#include "env/frame_format.h"

namespace mendfs::sim {
namespace {

std::uint64_t hash_of(const Frame& frame) {
  std::uint64_t hash = checksum64(bytes_of(frame.header));
  for (const Buffer& piece : frame.data) hash = hash * 31 + checksum64(piece);
  return hash;
}

/// As it leaves a socket: checked as there, and the data is one piece of fresh memory, or none.
Result<Frame> as_received(const Frame& sent) {
  if (sent.header.size() > kFrameHeaderSizeMax || sent.data_size() > kFrameDataSizeMax)
    return Error{ErrorCode::Malformed, "a frame larger than allowed"};
  const auto encoded = encode_frame_prefix(bytes_of(sent.header), sent.data_size());
  MENDFS_TRY(const FramePrefix prefix, decode_frame_prefix(encoded));
  MENDFS_TRY_VOID(check_frame_header(prefix, bytes_of(sent.header)));
  Frame frame{sent.header, {}};
  if (const std::size_t size = sent.data_size(); size > 0) {
    Buffer whole = Buffer::allocate(size);
    std::byte* target = whole.writable().data();
    for (const Buffer& piece : sent.data) {
      if (!piece.empty()) std::memcpy(target, piece.data(), piece.size());
      target += piece.size();
    }
    frame.data.push_back(std::move(whole));
  }
  return frame;
}

}  // namespace

void SimStream::send(Frame frame) { network_.send_frame(link_, side_, std::move(frame)); }

Task<Result<Frame>> SimStream::next_frame(std::shared_ptr<Link> link, int side) {
  Link::End& end = link->end(side);
  while (end.inbox.empty() && !end.ended) (void)co_await end.changed.next();
  if (end.inbox.empty()) co_return Error{ErrorCode::Unavailable, "the connection is closed"};
  Frame frame = std::move(end.inbox.front());
  end.inbox.pop_front();
  co_return frame;
}

Task<SimNetwork::StreamResult> SimNetwork::connect(ProcessId client, Address server, Time deadline) {
  SimLoop& loop = *nodes_[client].loop;
  auto [answer, future] = make_promise<StreamResult>(loop);
  const std::optional<ProcessId> owner = owner_of(server);
  Connecting connecting{client, server, answer};
  const bool lost = random_.per_million(faults_.lost_per_million);
  // Into the dark, or lost: silence until the deadline.
  if (!owner || (reachable(client, *owner) && !lost)) {
    const Time arrival = scheduler_.now() + delay(client, owner.value_or(client));
    scheduler_.add(arrival, nullptr, [this, connecting] { connect_arrived(connecting); });
  }
  std::optional<StreamResult> result = co_await future.until(deadline);
  if (!result) co_return Error{ErrorCode::Unavailable, to_string(server) + " does not answer"};
  co_return std::move(*result);
}

void SimNetwork::connect_arrived(const Connecting& connecting) {
  const Address server = connecting.server;
  const ProcessId client = connecting.client;
  if (const std::optional<ProcessId> owner = owner_of(server)) {
    before_delivery(client, *owner);
    if (!reachable(client, *owner)) return;
  }
  SimLoop& client_loop = *nodes_[client].loop;
  if (!client_loop.alive()) return;
  const Service* service = service_at(server);
  if (service == nullptr) {
    const Error refused{ErrorCode::Unavailable, to_string(server) + " refuses connections"};
    client_loop.call_at(scheduler_.now() + delay(client, client),
                        [answer = connecting.answer, refused] { answer.set(StreamResult(refused)); });
    return;
  }
  SimLoop& server_loop = *nodes_[service->process].loop;
  const auto link = std::make_shared<Link>(client, client_loop, service->process, server_loop);
  std::erase_if(links_, [](const std::weak_ptr<Link>& old) { return old.expired(); });
  links_.push_back(link);
  const std::shared_ptr<FrameStream> client_end = std::make_shared<SimStream>(*this, link, 0);
  const std::shared_ptr<FrameStream> server_end = std::make_shared<SimStream>(*this, link, 1);
  client_loop.call_at(scheduler_.now() + delay(service->process, client),
                      [answer = connecting.answer, client_end] { answer.set(StreamResult(client_end)); });
  server_loop.post([this, server, server_end] {
    // The listener may have gone since.
    if (const Service* now = service_at(server)) now->scope->spawn(serve_stream(now->handler, server_end));
  });
}

Task<void> SimNetwork::serve_stream(ConnectionHandler* handler, std::shared_ptr<FrameStream> stream) {
  co_await handler->on_stream(stream);
  stream->close();
}

void SimNetwork::send_frame(const std::shared_ptr<Link>& link, int side, Frame frame) {
  Link::End& from = link->end(side);
  if (link->broken || from.ended) return;
  if (random_.per_million(faults_.lost_per_million)) {
    break_link(link);
    return;
  }
  // The other side would end the connection over a frame that breaks the rules.
  Result<Frame> received = as_received(frame);
  if (!received.ok()) {
    break_link(link);
    return;
  }
  from.unsent_size += frame.header.size() + frame.data_size();
  transmit(link, side, std::move(*received));
}

void SimNetwork::transmit(const std::shared_ptr<Link>& link, int side, std::optional<Frame> frame) {
  Link::End& from = link->end(side);
  Link::End& to = link->end(1 - side);
  if (!from.held_back.empty() || is_blocked(from.process, to.process)) {
    from.held_back.push_back(std::move(frame));
    return;
  }
  to.last_arrival = std::max(to.last_arrival, scheduler_.now() + delay(from.process, to.process));
  // std::function wants a copyable closure; a frame is a string and a shared buffer.
  scheduler_.add(to.last_arrival, nullptr,
                 [this, link, side, frame = std::move(frame)] { frame_arrived(link, side, frame); });
}

void SimNetwork::frame_arrived(const std::shared_ptr<Link>& link, int side, std::optional<Frame> frame) {
  Link::End& from = link->end(side);
  Link::End& to = link->end(1 - side);
  before_delivery(from.process, to.process);
  if (frame) from.unsent_size -= frame->header.size() + frame->data_size();
  if (link->broken || to.ended || nodes_[to.process].dark || !nodes_[to.process].loop->alive()) return;
  if (frame) {
    scheduler_.record(hash_of(*frame));
    to.inbox.push_back(std::move(*frame));
  } else {
    to.ended = true;
  }
  to.changed.notify_all();
}

void SimNetwork::close_side(const std::shared_ptr<Link>& link, int side) {
  Link::End& here = link->end(side);
  if (here.ended && here.inbox.empty() && link->broken) return;
  const bool first = !here.ended;
  here.ended = true;
  here.inbox.clear();
  if (!first || link->broken) return;
  here.changed.notify_all();
  // What is on its way still arrives, or a reset overtakes it.
  if (random_.one_in(2)) {
    transmit(link, side, std::nullopt);
  } else {
    break_link(link);
  }
}

void SimNetwork::break_link(const std::shared_ptr<Link>& link) {
  if (link->broken) return;
  link->broken = true;
  for (int side : {0, 1}) {
    Link::End& end = link->end(side);
    const Time when = scheduler_.now() + delay(link->end(1 - side).process, end.process);
    scheduler_.add(when, nullptr, [link, side] {
      link->end(side).ended = true;
      link->end(side).changed.notify_all();
    });
  }
}

std::vector<std::shared_ptr<Link>> SimNetwork::links_of(ProcessId process) {
  std::vector<std::shared_ptr<Link>> found;
  for (const std::weak_ptr<Link>& weak : links_) {
    std::shared_ptr<Link> link = weak.lock();
    if (link && (link->ends[0].process == process || link->ends[1].process == process))
      found.push_back(std::move(link));
  }
  return found;
}

void SimNetwork::break_connections(ProcessId a, ProcessId b) {
  for (const std::shared_ptr<Link>& link : links_of(a))
    if (link->ends[0].process == b || link->ends[1].process == b) break_link(link);
}

void SimNetwork::unblock(ProcessId from, ProcessId to) {
  if (blocked_.erase({from, to}) == 0) return;
  for (const std::shared_ptr<Link>& link : links_of(from)) {
    for (int side : {0, 1}) {
      Link::End& end = link->end(side);
      if (end.process != from || link->end(1 - side).process != to || end.held_back.empty()) continue;
      // Either the sender's kernel tried long enough, or it gave up before.
      const auto frames = std::exchange(end.held_back, {});
      if (random_.one_in(2)) {
        break_link(link);
        continue;
      }
      for (const std::optional<Frame>& frame : frames) transmit(link, side, frame);
    }
  }
}

}  // namespace mendfs::sim
