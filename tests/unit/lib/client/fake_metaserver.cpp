#include <sys/stat.h>

#include <algorithm>
#include <catch2/catch.hpp>

#include "env/future.h"
#include "tests/unit/lib/client/fake_cluster.h"

namespace mendfs::client {

using namespace protocol;

FakeMetaserver::FakeMetaserver(Env& env, FakeCluster& cluster, FakeNamespace& names)
    : env_(env), cluster_(cluster), names_(names) {
  add<OpenSessionRequest>();
  add<RenewRequest>();
  add<CloseSessionRequest>();
  add<LookupRequest>();
  add<GetAttributesRequest>();
  add<SetAttributesRequest>();
  add<MakeRequest>();
  add<RemoveRequest>();
  add<RenameRequest>();
  add<OpenRequest>();
  add<SettleRequest>();
  add<AbandonRequest>();
  add<UnmarkRequest>();
  add<SyncMetaRequest>();
  add<ReadDirectoryRequest>();
  add<ChangesRequest>();
  auto listener = env.network.listen(cluster.metaserver_address(), *this);
  REQUIRE(listener);
  listener_ = std::move(*listener);
}

Task<HttpReply> FakeMetaserver::on_request(HttpRequest request) {
  std::string body = co_await methods_.answer(std::move(request.body));
  HttpReply reply;
  reply.body = std::move(body);
  co_return reply;
}

Task<void> FakeMetaserver::on_stream(std::shared_ptr<FrameStream>) { co_return; }

template <class Request>
void FakeMetaserver::add() {
  methods_.add_packed(Request::kMethod, "fake",
                      [this](std::string packed) { return answer<Request>(std::move(packed)); });
}

template <class Request>
Task<std::string> FakeMetaserver::answer(std::string packed) {
  std::string reply = answer_now<Request>(packed);
  if constexpr (std::is_same_v<Request, SetAttributesRequest>) co_await sleep_for(env_.loop, names_.setattr_delay);
  if constexpr (std::is_same_v<Request, LookupRequest>) co_await sleep_for(env_.loop, names_.lookup_delay);
  if constexpr (std::is_same_v<Request, ReadDirectoryRequest>) co_await sleep_for(env_.loop, names_.listing_delay);
  if constexpr (std::is_same_v<Request, ChangesRequest>) co_await sleep_for(env_.loop, std::chrono::milliseconds(50));
  co_return reply;
}

template <class Request>
std::string FakeMetaserver::answer_now(const std::string& packed) {
  const Result<Request> request = unpack<Request>(packed);
  REQUIRE(request);
  if (!std::is_same_v<Request, ChangesRequest>) ++names_.calls;
  MetaReply reply;
  reply.epoch = names_.epoch;
  const CallHeader& call = request->call;
  constexpr bool kOpensSession = std::is_same_v<Request, OpenSessionRequest>;
  if (!kOpensSession && names_.sessions.count(call.session) == 0) {
    reply.code = ErrorCode::Refused;
    return pack(reply);
  }
  const auto before = names_.answered.find({call.session, call.sequence});
  if (call.sequence != 0 && before != names_.answered.end()) return before->second;
  const auto result = handle(*request);
  reply.code = result.code();
  if (result) {
    reply.body = pack(*result);
    if (call.sequence != 0) reply.index = ++names_.log_index;
  } else {
    reply.message = result.error().message;
  }
  reply.durable = names_.durable;
  reply.as_of = names_.log_index;
  const std::string packed_reply = pack(reply);
  if (call.sequence != 0) names_.answered[{call.session, call.sequence}] = packed_reply;
  return packed_reply;
}

Result<OpenSessionRequest::Answer> FakeMetaserver::handle(const OpenSessionRequest& request) {
  names_.sessions.insert(request.call.session);
  OpenSessionRequest::Answer answer;
  answer.cluster = {7, 7};
  answer.ring.number = 1;
  for (Slot slot = 0; slot < cluster_.stores.size(); ++slot)
    answer.ring.slots.push_back({to_string(cluster_.address_of(slot)), 1, {}, true});
  return answer;
}

Result<RenewRequest::Answer> FakeMetaserver::handle(const RenewRequest& request) {
  names_.said_open.insert(names_.said_open.end(), request.open.begin(), request.open.end());
  names_.said_not_open.insert(names_.said_not_open.end(), request.not_open.begin(), request.not_open.end());
  for (const InodeNumber inode : request.not_open) std::erase(names_.unlinked, inode);
  return RenewRequest::Answer{{}, names_.unlinked};
}

Result<Nothing> FakeMetaserver::handle(const CloseSessionRequest& request) {
  names_.sessions.erase(request.call.session);
  return Nothing{};
}

Result<Attributes> FakeMetaserver::find(InodeNumber inode) const {
  const auto found = names_.inodes.find(inode);
  if (found == names_.inodes.end()) return Error{ErrorCode::StaleHandle, "no such inode"};
  return found->second;
}

Result<Attributes> FakeMetaserver::handle(const LookupRequest& request) {
  const auto found = names_.names.find(request.name);
  if (found == names_.names.end()) return Error{ErrorCode::NotFound, "no such name"};
  return find(found->second);
}

Result<Attributes> FakeMetaserver::handle(const GetAttributesRequest& request) { return find(request.inode); }

Result<Attributes> FakeMetaserver::handle(const SetAttributesRequest& request) {
  ++names_.setattrs;
  MENDFS_TRY(Attributes attributes, find(request.inode));
  if (request.size && *request.size < attributes.size)
    attributes.cuts.add({attributes.cuts.number() + 1, *request.size});
  if (request.size) attributes.size = *request.size;
  if (request.mode) attributes.mode = (attributes.mode & S_IFMT) | *request.mode;
  if (request.uid) attributes.uid = *request.uid;
  if (request.mtime) attributes.mtime = request.mtime->now ? env_.loop.wall_now() : request.mtime->time;
  ++attributes.change;
  names_.inodes[request.inode] = attributes;
  return attributes;
}

Result<Attributes> FakeMetaserver::handle(const MakeRequest& request) {
  if (names_.names.count(request.name) > 0) return Error{ErrorCode::Exists, "taken"};
  Attributes attributes;
  attributes.inode = names_.next_inode++;
  attributes.mode = request.mode;
  attributes.link_count = 1;
  attributes.change = 1;
  attributes.layout = {1, static_cast<std::uint32_t>(cluster_.stores.size()),
                       static_cast<std::uint32_t>(attributes.inode % cluster_.stores.size()), 512, 2};
  names_.inodes[attributes.inode] = attributes;
  names_.names[request.name] = attributes.inode;
  if (request.open_for_write) names_.marks.insert({attributes.inode, request.call.session});
  return attributes;
}

Result<Nothing> FakeMetaserver::handle(const RemoveRequest& request) {
  const auto found = names_.names.find(request.name);
  if (found == names_.names.end()) return Error{ErrorCode::NotFound, "no such name"};
  names_.unlinked.push_back(found->second);
  names_.names.erase(found);
  return Nothing{};
}

Result<Nothing> FakeMetaserver::handle(const RenameRequest& request) {
  const auto found = names_.names.find(request.name);
  if (found == names_.names.end()) return Error{ErrorCode::NotFound, "no such name"};
  names_.names[request.new_name] = found->second;
  names_.names.erase(request.name);
  return Nothing{};
}

Result<Attributes> FakeMetaserver::handle(const OpenRequest& request) {
  if (request.write) names_.marks.insert({request.inode, request.call.session});
  return find(request.inode);
}

Result<Attributes> FakeMetaserver::handle(const SettleRequest& request) {
  MENDFS_TRY(Attributes attributes, find(request.inode));
  names_.settles.push_back(request);
  if (request.size && request.cut != attributes.cuts.number()) return Error{ErrorCode::Stale, "cut"};
  attributes.size = std::max(attributes.size, request.size.value_or(0));
  if (request.mtime) attributes.mtime = *request.mtime;
  if (request.atime) attributes.atime = *request.atime;
  if (request.mode) attributes.mode = (attributes.mode & S_IFMT) | *request.mode;
  if (request.uid) attributes.uid = *request.uid;
  if (request.gid) attributes.gid = *request.gid;
  ++attributes.change;
  if (request.close_write) names_.marks.erase({request.inode, request.call.session});
  names_.inodes[request.inode] = attributes;
  return attributes;
}

Result<Nothing> FakeMetaserver::handle(const UnmarkRequest& request) {
  ++names_.unmarks;
  for (const InodeNumber inode : request.inodes) names_.marks.erase({inode, request.call.session});
  return Nothing{};
}

Result<Attributes> FakeMetaserver::handle(const AbandonRequest& request) {
  MENDFS_TRY(Attributes attributes, find(request.inode));
  names_.abandoned.push_back(request);
  attributes.cuts.add({attributes.cuts.number() + 1, std::max(request.size, attributes.size)});
  ++attributes.change;
  names_.inodes[request.inode] = attributes;
  return attributes;
}

Result<Nothing> FakeMetaserver::handle(const SyncMetaRequest& request) {
  if (request.index > 0 && request.epoch != names_.epoch) return Error{ErrorCode::Stale, "lost"};
  ++names_.syncs;
  names_.durable = names_.log_index;
  return Nothing{};
}

Result<ReadDirectoryReply> FakeMetaserver::handle(const ReadDirectoryRequest&) {
  ++names_.listings;
  ReadDirectoryReply reply;
  reply.parent = kRootInode;
  reply.end = true;
  for (const auto& [name, inode] : names_.names) {
    MENDFS_TRY(Attributes attributes, find(inode));
    reply.entries.push_back({name, reply.entries.size() + 1, std::move(attributes)});
  }
  return reply;
}

/// Tests change nothing behind the client's back but with a new epoch.
Result<ChangesRequest::Answer> FakeMetaserver::handle(const ChangesRequest& request) {
  if (!names_.tells_changes) return Error{ErrorCode::NotSupported, "no feed of changes"};
  ChangesRequest::Answer answer;
  answer.up_to = names_.log_index;
  answer.unknown = request.epoch != names_.epoch || request.since > names_.log_index;
  return answer;
}

}  // namespace mendfs::client
