// Asks the metaserver: typed calls that are repeated until they are answered, and the session that they belong to.
//
// A change has a number and is sent under it however often it takes, so it happens once; it goes on when whoever asked
// for it stops waiting. While the metaserver is away calls wait. A session that lapsed is replaced by a new one, and
// what is still unanswered is asked again under that. Loop thread only.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/logger.h"
#include "client/wait_log.h"
#include "env/future.h"
#include "env/loop.h"
#include "env/network.h"
#include "env/random.h"
#include "env/task.h"
#include "protocol/meta.h"
#include "protocol/session.h"
#include "protocol/xattr.h"

namespace mendfs::client {

/// Whether a request changes something: then it needs a number.
template <class Request>
bool is_change(const Request& request) {
  using namespace protocol;
  if constexpr (std::is_same_v<Request, OpenRequest>) {
    return request.write;
  } else {
    constexpr bool kAsks = std::is_same_v<Request, LookupRequest> || std::is_same_v<Request, GetAttributesRequest> ||
                           std::is_same_v<Request, ReadLinkRequest> || std::is_same_v<Request, ReadDirectoryRequest> ||
                           std::is_same_v<Request, GetXattrRequest> || std::is_same_v<Request, ListXattrRequest> ||
                           std::is_same_v<Request, StatFsRequest> || std::is_same_v<Request, SyncMetaRequest>;
    return !kAsks;
  }
}

/// A log entry: its number, 0 for none, and the metaserver's start that answered with it. A power cut may take the end
/// of the log, and then other entries get the numbers.
struct Change {
  std::uint64_t epoch = 0;
  std::uint64_t index = 0;
  auto operator<=>(const Change&) const = default;
};

template <class Request>
struct Answered {
  typename Request::Reply reply;
  /// The log entry it made.
  Change change;
  std::uint64_t as_of = 0;  // the last log entry that the reply knows of
};

class MetaClient {
 public:
  /// What the filesystem is asked and told. All are set before mount().
  struct Hooks {
    std::function<bool(InodeNumber)> is_open;
    /// The metaserver has restarted: what it knew and had not synced may be gone.
    std::function<void()> on_new_epoch;
    /// Before the caller has the reply to a change.
    std::function<void(const protocol::MetaReply&)> on_changed;
    /// The old session was fenced; session() is a new one.
    std::function<void()> on_new_session;
  };

  MetaClient(Loop& loop, Network& network, Random& random, Logger& log, WaitLog& waits, Address server,
             Duration timeout);
  void set_hooks(Hooks hooks) { hooks_ = std::move(hooks); }

  /// Opens the session and keeps it; `request` without its call header.
  Task<Result<protocol::OpenSessionRequest::Answer>> open_session(protocol::OpenSessionRequest request);
  /// Ends it, if that works by `deadline`.
  Task<void> close_session(Time deadline);

  /// Waits until it is answered (or Io after the mount's timeout). `inode` is for the log.
  template <class Request>
  Task<Result<Answered<Request>>> call(Request request, InodeNumber inode = 0);
  /// One attempt of a request that changes nothing: Unavailable, OutcomeUnknown or Refused come back to the caller.
  template <class Request>
  Task<Result<Answered<Request>>> try_call(Request request, Time deadline);

  const SessionId& session() const { return session_; }
  /// Whether it is known to survive a power cut.
  bool is_durable(const Change& change) const;
  /// The metaserver's start that was heard of last.
  std::uint64_t epoch() const { return epoch_; }
  /// Whether an inode was, in a renewal on its way, given up for good: opening it is too late.
  bool is_given_up(InodeNumber inode) const;

 private:
  using Encoder = std::function<std::string(const protocol::CallHeader&)>;
  using Reply = Result<protocol::MetaReply>;

  template <class Request>
  static Result<Answered<Request>> answered(protocol::MetaReply reply);
  Task<Reply> ask(std::string method, Encoder encode, std::uint64_t sequence, InodeNumber inode);
  Task<Reply> ask_once(std::string method, std::string packed, Time deadline);
  Task<Reply> change(std::string method, Encoder encode, InodeNumber inode);
  Task<void> finish_change(std::string method, Encoder encode, InodeNumber inode, Promise<Reply> done);
  Task<void> keep_session();
  Task<Result<void>> renew();
  Task<void> replace_session();
  void note(const protocol::MetaReply& reply);
  SessionId new_session_id();

  Loop& loop_;
  Network& network_;
  Random& random_;
  Logger& log_;
  WaitLog& waits_;
  Address server_;
  Duration timeout_;
  Hooks hooks_;

  SessionId session_;
  bool session_lapsed_ = false;
  protocol::OpenSessionRequest opening_;  // how the session was opened, to do it again
  Signal session_changed_;
  Signal renewal_wanted_;
  std::vector<InodeNumber> asked_;     // unlinked, to be answered with the next renewal
  std::vector<InodeNumber> given_up_;  // by the renewal on its way
  std::uint64_t next_sequence_ = 1;
  std::set<std::uint64_t> unanswered_;
  std::uint64_t epoch_ = 0;
  std::uint64_t durable_ = 0;
  std::map<std::uint64_t, std::uint64_t> durable_before_;  // in earlier epochs
  Scope scope_;
};

template <class Request>
Task<Result<Answered<Request>>> MetaClient::call(Request request, InodeNumber inode) {
  const bool changes = is_change(request);
  Encoder encode = [request = std::move(request)](const protocol::CallHeader& header) mutable {
    request.call = header;
    return pack(request);
  };
  Reply reply = Error{};
  if (changes)
    reply = co_await change(Request::kMethod, std::move(encode), inode);
  else
    reply = co_await ask(Request::kMethod, std::move(encode), 0, inode);
  if (!reply) co_return reply.error();
  co_return answered<Request>(std::move(*reply));
}

template <class Request>
Task<Result<Answered<Request>>> MetaClient::try_call(Request request, Time deadline) {
  request.call = {session_, 0, unanswered_.empty() ? next_sequence_ : *unanswered_.begin()};
  std::string packed = pack(request);
  Reply reply = co_await ask_once(Request::kMethod, std::move(packed), deadline);
  if (!reply) co_return reply.error();
  co_return answered<Request>(std::move(*reply));
}

template <class Request>
Result<Answered<Request>> MetaClient::answered(protocol::MetaReply reply) {
  auto body = unpack<typename Request::Reply>(reply.body);
  if (!body) return Error{ErrorCode::Malformed, "the metaserver answered nonsense"};
  return Answered<Request>{std::move(*body), {reply.epoch, reply.index}, reply.as_of};
}

}  // namespace mendfs::client
