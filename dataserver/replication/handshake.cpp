#include "dataserver/replication/handshake.h"

#include <utility>

#include "dataserver/replication/range_pull.h"
#include "env/future.h"
#include "protocol/timing.h"

namespace mendfs::replication {
namespace {

constexpr std::uint32_t kRunsPerPage = 256;
constexpr std::size_t kMessageSizeMax = 1u << 20;

}  // namespace

Handshake::Handshake(Node& node, Slot holder, std::function<void()> on_change)
    : node_(node), holder_(holder), on_change_(std::move(on_change)) {}

void Handshake::begin(std::uint64_t term) { scope_.spawn(run(term)); }

bool Handshake::is_current() const { return done_ && reply_.generation == node_.channel(holder_).peer().generation; }

Task<void> Handshake::run(std::uint64_t term) {
  protocol::Channel& channel = node_.channel(holder_);
  for (;;) {
    if (channel.is_up() && !is_current()) {
      Result<void> shaken = co_await shake(term);
      if (!shaken) {
        node_.env.log.debug("handshake not done slot={} term={} reason=\"{}\"", holder_, term, shaken.error().message);
        co_await sleep_for(node_.env.loop, timing::kForwardAgainAfter);
      }
      continue;
    }
    on_change_();
    Future<Unit> change = channel.changed().next();
    (void)co_await change;
  }
}

Task<Result<void>> Handshake::shake(std::uint64_t term) {
  protocol::HandshakeRequest request;
  request.range = node_.slot();
  request.term = term;
  const Time deadline = node_.env.loop.now() + timing::kPeerCallTimeout;
  auto answer = co_await node_.channel(holder_).call(std::move(request), std::vector<Buffer>(), deadline);
  if (!answer) co_return answer.error();
  const protocol::HandshakeReply reply = answer->reply;
  // A server that is behind catches up with everybody by itself; what it then has is what there is.
  while (node_.completeness(node_.slot()) == Completeness::Behind) {
    Future<Unit> change = node_.changed.next();
    (void)co_await change;
  }
  Result<void> pulled = co_await pull();
  if (!pulled) co_return pulled;
  // One that is being rebuilt pulls what it needs by itself.
  if (reply.complete) {
    Result<void> pushed = co_await push(term, reply.watermark);
    if (!pushed) co_return pushed;
  }
  reply_ = reply;
  done_ = true;
  node_.env.log.info("handshake done slot={} term={} complete={}", holder_, term, reply.complete);
  co_return Result<void>();
}

Task<Result<void>> Handshake::pull() {
  // While this server is being rebuilt, the rebuild pulls everything.
  if (!node_.is_complete(node_.slot())) co_return Result<void>();
  RangePull pull(node_, node_.slot(), holder_, node_.store.watermark(node_.slot()), RangePull::Unverifiable::KeepOlder);
  for (;;) {
    Result<bool> at_end = co_await pull.step();
    if (!at_end) co_return at_end.error();
    if (*at_end) co_return Result<void>();
  }
}

Task<Result<void>> Handshake::push(std::uint64_t term, Version above) {
  std::uint64_t cursor = 0;
  for (;;) {
    Result<store::Listed> listed = co_await node_.store.list(node_.slot(), above, cursor, kRunsPerPage);
    if (!listed) co_return listed.error();
    Result<void> pushed = co_await push_page(term, std::move(listed->runs));
    if (!pushed) co_return pushed;
    if (listed->end) co_return Result<void>();
    cursor = listed->cursor;
  }
}

Task<Result<void>> Handshake::push_page(std::uint64_t term, std::vector<RunSummary> listed) {
  std::vector<Run> gathered;
  std::size_t size = 0;
  for (const RunSummary& summary : listed) {
    Result<store::Fetched> fetched = co_await node_.store.fetch(summary.header.inode, summary.header.blocks);
    if (!fetched) co_return fetched.error();
    for (Run& run : fetched->runs) {
      const bool fits = gathered.empty() || (gathered.front().header.inode == run.header.inode &&
                                             size + run.data.size() <= kMessageSizeMax);
      if (!fits) {
        Result<void> sent = co_await send(term, std::exchange(gathered, {}));
        if (!sent) co_return sent;
        size = 0;
      }
      size += run.data.size();
      gathered.push_back(std::move(run));
    }
  }
  if (gathered.empty()) co_return Result<void>();
  co_return co_await send(term, std::move(gathered));
}

Task<Result<void>> Handshake::send(std::uint64_t term, std::vector<Run> runs) {
  Result<store::FileCuts> known = node_.store.cuts(runs.front().header.inode);
  if (!known) co_return known.error();
  protocol::ForwardRequest request;
  request.term = term;
  request.range = node_.slot();
  request.cuts = known->cuts;
  std::vector<Buffer> data;
  for (Run& run : runs) {
    request.runs.push_back({run.header, std::move(run.digests)});
    if (!run.data.empty()) data.push_back(std::move(run.data));
  }
  const Time deadline = node_.env.loop.now() + timing::kForwardTimeout;
  auto answer = co_await node_.channel(holder_).call(std::move(request), std::move(data), deadline);
  if (!answer) co_return answer.error();
  co_return Result<void>();
}

}  // namespace mendfs::replication
