#include "client/meta_client.h"

#include <algorithm>

#include "client/backoff.h"
#include "protocol/timing.h"
#include "rpc/client.h"

namespace mendfs::client {

namespace {

/// Of the metaserver: how far each had synced its log, as far as was heard.
constexpr std::size_t kStartsRemembered = 64;

}  // namespace

MetaClient::MetaClient(Loop& loop, Network& network, Random& random, Logger& log, WaitLog& waits, Address server,
                       Duration timeout)
    : loop_(loop),
      network_(network),
      random_(random),
      log_(log),
      waits_(waits),
      server_(std::move(server)),
      timeout_(timeout),
      session_changed_(loop),
      renewal_wanted_(loop) {}

SessionId MetaClient::new_session_id() { return {random_.next(), random_.next()}; }

bool MetaClient::is_given_up(InodeNumber inode) const {
  return std::find(given_up_.begin(), given_up_.end(), inode) != given_up_.end();
}

Task<Result<protocol::OpenSessionRequest::Answer>> MetaClient::open_session(protocol::OpenSessionRequest request) {
  session_ = new_session_id();
  opening_ = std::move(request);
  opening_.call = {session_, 0, 0};
  const Time deadline = loop_.now() + timing::kMountTimeout;
  Backoff backoff;
  std::optional<Error> why;
  for (;;) {
    std::string packed = pack(opening_);
    Reply reply = co_await ask_once(protocol::OpenSessionRequest::kMethod, std::move(packed), deadline);
    if (reply) {
      auto answer = unpack<protocol::OpenSessionRequest::Answer>(reply->body);
      if (!answer) co_return Error{ErrorCode::Malformed, "the metaserver answered nonsense"};
      scope_.spawn(keep_session());
      co_return std::move(*answer);
    }
    const bool is_passing = reply.code() == ErrorCode::Unavailable || reply.code() == ErrorCode::OutcomeUnknown;
    // A last attempt that ran out of time says less than the answer before it, which names the dataserver that is
    // missing.
    if (!why || reply.code() != ErrorCode::OutcomeUnknown) why = reply.error();
    if (!is_passing || loop_.now() + backoff.peek() >= deadline) co_return *why;
    co_await sleep_for(loop_, backoff.next());
  }
}

Task<void> MetaClient::close_session(Time deadline) {
  protocol::CloseSessionRequest request;
  request.call = {session_, next_sequence_++, 0};
  std::string packed = pack(request);
  (void)co_await ask_once(protocol::CloseSessionRequest::kMethod, std::move(packed), deadline);
  scope_.cancel_all();
}

/// One attempt; a refusal by the metaserver is an error like any other.
Task<MetaClient::Reply> MetaClient::ask_once(std::string method, std::string packed, Time deadline) {
  Result<std::string> raw =
      co_await rpc::call_packed(network_, server_, std::move(method), std::move(packed), deadline);
  if (!raw) co_return raw.error();
  Result<protocol::MetaReply> reply = unpack<protocol::MetaReply>(*raw);
  if (!reply) co_return Error{ErrorCode::Malformed, to_string(server_) + " is no metaserver of this version"};
  note(*reply);
  // What it speaks of may be lost, and nobody would look again.
  if (reply->epoch != 0 && reply->epoch < epoch_)
    co_return Error{ErrorCode::OutcomeUnknown, "a late answer from before the metaserver's restart"};
  if (reply->code != ErrorCode::Ok) co_return Error{reply->code, std::move(reply->message)};
  co_return std::move(*reply);
}

bool MetaClient::is_durable(const Change& change) const {
  if (change.index == 0) return true;
  if (change.epoch == epoch_) return change.index <= durable_;
  const auto known = durable_before_.find(change.epoch);
  return known != durable_before_.end() && change.index <= known->second;
}

void MetaClient::note(const protocol::MetaReply& reply) {
  if (reply.epoch == 0) return;
  if (reply.epoch < epoch_) return;  // a late answer of an earlier start
  if (reply.epoch > epoch_) {
    const bool is_first = epoch_ == 0;
    durable_before_[epoch_] = durable_;
    if (durable_before_.size() > kStartsRemembered) durable_before_.erase(durable_before_.begin());
    epoch_ = reply.epoch;
    durable_ = 0;
    if (!is_first && hooks_.on_new_epoch) hooks_.on_new_epoch();
  }
  durable_ = std::max(durable_, reply.durable);
  if (reply.index != 0 && hooks_.on_changed) hooks_.on_changed(reply);
}

Task<MetaClient::Reply> MetaClient::ask(std::string method, Encoder encode, std::uint64_t sequence, InodeNumber inode) {
  std::string reason = "no answer yet";
  WaitLog::Entry wait(waits_, "metadata", inode, [this, &reason] {
    return WaitLog::Blame{std::nullopt, server_, reason};
  });
  Backoff backoff;
  for (;;) {
    if (session_lapsed_) {
      auto changed = session_changed_.next();
      reason = "the session lapsed, a new one is being opened";
      (void)co_await changed;
      continue;
    }
    const protocol::CallHeader header{session_, sequence, unanswered_.empty() ? next_sequence_ : *unanswered_.begin()};
    std::string packed = encode(header);
    const Duration limit = attempt_limit(timing::kMetaCallTimeout, timeout_, wait.waited());
    Reply reply = co_await ask_once(method, std::move(packed), loop_.now() + limit);
    if (reply) co_return reply;
    if (reply.code() == ErrorCode::Refused) {
      if (header.session == session_) {
        session_lapsed_ = true;
        renewal_wanted_.notify_all();
      }
      continue;
    }
    if (reply.code() != ErrorCode::Unavailable && reply.code() != ErrorCode::OutcomeUnknown) co_return reply;
    reason = reply.error().message;
    if (timeout_ > Duration::zero() && wait.waited() >= timeout_)
      co_return Error{ErrorCode::Io, "the metaserver did not answer in time: " + reason};
    co_await sleep_for(loop_, backoff.next());
  }
}

Task<MetaClient::Reply> MetaClient::change(std::string method, Encoder encode, InodeNumber inode) {
  auto [promise, future] = make_promise<Reply>(loop_);
  // In a scope of its own: a change that may have been sent is asked about until it is answered, whoever waits.
  scope_.spawn(finish_change(std::move(method), std::move(encode), inode, promise));
  co_return co_await future;
}

Task<void> MetaClient::finish_change(std::string method, Encoder encode, InodeNumber inode, Promise<Reply> done) {
  const std::uint64_t sequence = next_sequence_++;
  unanswered_.insert(sequence);
  Reply reply = co_await ask(std::move(method), std::move(encode), sequence, inode);
  unanswered_.erase(sequence);
  done.set(std::move(reply));
}

Task<void> MetaClient::keep_session() {
  for (;;) {
    auto wanted = renewal_wanted_.next();
    if (!session_lapsed_) (void)co_await wanted.until(loop_.now() + timing::kSessionRenew);
    if (session_lapsed_) {
      co_await replace_session();
      continue;
    }
    const Result<void> renewed = co_await renew();
    if (renewed) continue;
    if (renewed.code() == ErrorCode::Refused)
      session_lapsed_ = true;
    else
      co_await sleep_for(loop_, timing::kRetryBackoffMax);
  }
}

Task<Result<void>> MetaClient::renew() {
  protocol::RenewRequest request;
  request.call = {session_, 0, unanswered_.empty() ? next_sequence_ : *unanswered_.begin()};
  for (const InodeNumber inode : asked_) (hooks_.is_open(inode) ? request.open : request.not_open).push_back(inode);
  given_up_ = request.not_open;
  std::string packed = pack(request);
  Reply reply =
      co_await ask_once(protocol::RenewRequest::kMethod, std::move(packed), loop_.now() + timing::kMetaCallTimeout);
  // Not known whether it arrived: what it gave up stays given up until a renewal has said so.
  if (!reply) co_return reply.error();
  given_up_.clear();
  asked_.clear();
  auto answer = unpack<protocol::RenewRequest::Answer>(reply->body);
  if (!answer) co_return Error{ErrorCode::Malformed, "the metaserver answered nonsense"};
  asked_ = std::move(answer->unlinked);
  co_return Result<void>{};
}

/// The session was fenced: its opens, marks and queued writes count no more. Begins another one.
Task<void> MetaClient::replace_session() {
  log_.warn("session lapsed, opening a new one session={}", to_string(session_));
  std::string reason = "no answer yet";
  WaitLog::Entry wait(waits_, "session", 0, [this, &reason] { return WaitLog::Blame{std::nullopt, server_, reason}; });
  opening_.call = {new_session_id(), 0, 0};
  opening_.follows = session_;
  Backoff backoff;
  for (;;) {
    std::string packed = pack(opening_);
    Reply reply = co_await ask_once(protocol::OpenSessionRequest::kMethod, std::move(packed),
                                    loop_.now() + timing::kMetaCallTimeout);
    if (reply) break;
    reason = reply.error().message;
    // An earlier attempt may have opened it unheard, and it has lapsed and was fenced in its turn.
    if (reply.code() == ErrorCode::Refused) opening_.call = {new_session_id(), 0, 0};
    co_await sleep_for(loop_, backoff.next());
  }
  session_ = opening_.call.session;
  session_lapsed_ = false;
  asked_.clear();
  given_up_.clear();
  session_changed_.notify_all();
  hooks_.on_new_session();
}

}  // namespace mendfs::client
