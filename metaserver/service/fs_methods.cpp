#include "metaserver/service/fs_methods.h"

#include <fmt/format.h>

#include <algorithm>
#include <type_traits>

#include "protocol/timing.h"

namespace mendfs::metaserver {

using namespace protocol;

namespace {

/// Requests that are logged; OpenRequest only when it asks for writing.
template <class Request>
constexpr bool kIsChange = std::is_same_v<Request, MakeRequest> || std::is_same_v<Request, RemoveRequest> ||
                           std::is_same_v<Request, LinkRequest> || std::is_same_v<Request, RenameRequest> ||
                           std::is_same_v<Request, SetAttributesRequest> || std::is_same_v<Request, OpenRequest> ||
                           std::is_same_v<Request, SettleRequest> || std::is_same_v<Request, AbandonRequest> ||
                           std::is_same_v<Request, UnmarkRequest> || std::is_same_v<Request, SetXattrRequest> ||
                           std::is_same_v<Request, RemoveXattrRequest>;

template <class Reply>
Result<Outcome> to_outcome(const Result<Reply>& reply) {
  if (!reply.ok()) return reply.error();
  Outcome outcome;
  outcome.body = pack(*reply);
  return outcome;
}

}  // namespace

template <class Request>
void FsMethods::add(rpc::MethodTable& methods, std::string help) {
  methods.add_packed(Request::kMethod, std::move(help),
                     [this](std::string packed) { return serve<Request>(std::move(packed)); });
}

void FsMethods::add_to(rpc::MethodTable& methods) {
  add<OpenSessionRequest>(methods, "A mount begins: makes or compares the ring, opens a session.");
  add<RenewRequest>(methods, "Renews a session's lease; asks which unlinked files it has open.");
  add<ChangesRequest>(methods, "What other sessions have changed since a log entry; waits until there is something.");
  add<CloseSessionRequest>(methods, "A clean unmount: ends the session.");
  add<LookupRequest>(methods, "A name in a directory: its attributes.");
  add<GetAttributesRequest>(methods, "An inode's attributes.");
  add<SetAttributesRequest>(methods, "Changes mode, owner, size or times.");
  add<MakeRequest>(methods, "Makes a file, directory, symlink, FIFO, socket or device.");
  add<RemoveRequest>(methods, "Removes a name: unlink or rmdir.");
  add<LinkRequest>(methods, "Gives an inode one more name.");
  add<RenameRequest>(methods, "Moves a name, replacing, refusing to replace, or exchanging.");
  add<ReadLinkRequest>(methods, "A symlink's target.");
  add<ReadDirectoryRequest>(methods, "A page of a directory, with attributes.");
  add<OpenRequest>(methods, "Opens an inode; for writing it leaves the session's mark.");
  add<SettleRequest>(methods, "Size and times that a writer has learnt; drops its mark at close.");
  add<AbandonRequest>(methods, "Cuts off what a writer could not deliver and nobody else counts on.");
  add<UnmarkRequest>(methods, "Drops a session's marks on files that it has closed and has nothing to tell of.");
  add<SetXattrRequest>(methods, "Sets an extended attribute.");
  add<RemoveXattrRequest>(methods, "Removes an extended attribute.");
  add<GetXattrRequest>(methods, "An extended attribute's value.");
  add<ListXattrRequest>(methods, "The names of an inode's extended attributes.");
  add<StatFsRequest>(methods, "Space and inodes of the filesystem.");
  add<SyncMetaRequest>(methods, "Waits until a change survives a power cut.");
}

template <class Request>
Task<std::string> FsMethods::serve(std::string packed) {
  Result<Outcome> outcome = Outcome{};
  Result<Request> request = unpack<Request>(packed);
  if (!request.ok()) {
    outcome = request.error();
  } else if (core_.submitter.failure()) {
    outcome = Error{ErrorCode::Unavailable, "the metaserver has stopped: " + core_.submitter.failure()->message};
  } else if (!std::is_same_v<Request, OpenSessionRequest> && !sessions_.is_open(request->call.session)) {
    outcome = Error{ErrorCode::Refused, "this session has ended or never began: mount anew"};
  } else {
    outcome = co_await answer(std::move(*request));
  }
  MetaReply reply;
  reply.code = outcome.code();
  reply.epoch = core_.epoch;
  reply.as_of = core_.names.applied_index();
  if (outcome.ok()) {
    reply.code = outcome->code;
    reply.message = std::move(outcome->message);
    reply.index = outcome->index;
    if (outcome->index != 0) reply.as_of = outcome->index;
    reply.repeated = outcome->repeated;
    reply.touched = std::move(outcome->touched);
    reply.body = std::move(outcome->body);
  } else {
    reply.message = outcome.error().message;
  }
  reply.durable = core_.log.durable();
  co_return pack(reply);
}

template <class Request>
Task<Result<Outcome>> FsMethods::answer(Request request) {
  if constexpr (std::is_same_v<Request, OpenSessionRequest>) {
    co_return co_await mount(std::move(request));
  } else if constexpr (std::is_same_v<Request, CloseSessionRequest>) {
    MENDFS_CO_TRY_VOID(co_await sessions_.close(request.call.session));
    co_return Outcome{};
  } else if constexpr (std::is_same_v<Request, ChangesRequest>) {
    const ChangesRequest::Answer changes = co_await core_.feed.wait(request.call.session, request.epoch, request.since);
    Outcome outcome;
    outcome.body = pack(changes);
    co_return outcome;
  } else if constexpr (std::is_same_v<Request, SyncMetaRequest>) {
    if (request.index > 0) {
      MENDFS_CO_TRY(const bool is_kept, core_.submitter.checked(core_.names.has_kept(request.index, request.epoch)));
      if (!is_kept || request.index > core_.log.accepted())
        co_return Error{ErrorCode::Stale, "this change was lost with the end of the log in a power cut"};
    }
    MENDFS_CO_TRY_VOID(co_await core_.submitter.sync(request.index == 0 ? core_.log.accepted() : request.index));
    co_return Outcome{};
  } else if constexpr (std::is_same_v<Request, OpenRequest>) {
    if (!request.write) co_return to_outcome(read(request));
    const Result<Attributes> found = read(request);
    if (!found.ok()) co_return found.error();
    co_return co_await change(std::move(request));
  } else if constexpr (kIsChange<Request>) {
    co_return co_await change(std::move(request));
  } else {
    co_return to_outcome(read(request));
  }
}

template <class Request>
Task<Result<Outcome>> FsMethods::change(Request request) {
  if (core_.read_only) co_return Error{ErrorCode::ReadOnly, *core_.read_only};
  MENDFS_CO_TRY(std::optional<Outcome> known, core_.submitter.checked(core_.names.remembered(request.call)));
  Result<Outcome> outcome = Outcome{};
  if (known) {
    outcome = std::move(*known);
  } else {
    Command::Body body = request;
    outcome = co_await core_.submitter.submit(std::move(body));
  }
  if constexpr (std::is_same_v<Request, SetAttributesRequest>) {
    if (request.size && outcome.ok() && outcome->code == ErrorCode::Ok) {
      MENDFS_CO_TRY(Attributes attributes, unpack<Attributes>(outcome->body));
      MENDFS_CO_TRY_VOID(co_await until_shrink_is_safe(std::move(request), std::move(attributes)));
    }
  }
  co_return outcome;
}

/// Another session that is writing may still write under the old cut number, so every holder must know the new one
/// first.
Task<Result<void>> FsMethods::until_shrink_is_safe(SetAttributesRequest request, Attributes attributes) {
  if (attributes.cuts.number() == 0) co_return Result<void>();
  cuts_.look_now();
  MENDFS_CO_TRY(const std::vector<SessionId> writers, core_.submitter.checked(core_.names.writers(request.inode)));
  const bool alone = std::all_of(writers.begin(), writers.end(),
                                 [&](const SessionId& writer) { return writer == request.call.session; });
  if (!alone) co_await cuts_.until_told(request.inode);
  co_return Result<void>();
}

Task<Result<Outcome>> FsMethods::mount(OpenSessionRequest request) {
  if (request.protocol_version != kProtocolVersion)
    co_return Error{ErrorCode::Refused,
                    fmt::format("this metaserver speaks protocol version {}, the mount {}: use programs "
                                "of one version",
                                kProtocolVersion, request.protocol_version)};
  if (request.call.session.is_zero()) co_return Error{ErrorCode::Malformed, "a session has an id that is not zero"};
  if (request.client_name.size() > kPathSizeMax) co_return Error{ErrorCode::Malformed, "a client's name is too long"};
  RingKeeper::FirstMount first{
      .addresses = std::move(request.addresses), .root_uid = request.root_uid, .root_gid = request.root_gid};
  MENDFS_CO_TRY_VOID(co_await ring_.ensure_ring(std::move(first)));
  MENDFS_CO_TRY_VOID(co_await sessions_.open(request.call.session, std::move(request.client_name), request.follows));
  MENDFS_CO_TRY(const std::optional<ClusterRecord> cluster, core_.submitter.checked(core_.names.cluster()));
  OpenSessionRequest::Answer answer;
  answer.cluster = cluster->cluster;
  MENDFS_CO_TRY(answer.ring, ring_.info());
  answer.lease_ms = static_cast<std::uint32_t>(std::chrono::milliseconds(timing::kSessionLease).count());
  Outcome outcome;
  outcome.body = pack(answer);
  co_return outcome;
}

Result<Attributes> FsMethods::read(const LookupRequest& request) {
  return core_.submitter.checked(core_.names.lookup(request.parent, request.name));
}

Result<Attributes> FsMethods::read(const GetAttributesRequest& request) {
  return core_.submitter.checked(core_.names.attributes(request.inode));
}

Result<Attributes> FsMethods::read(const OpenRequest& request) {
  if (sessions_.has_let_go(request.call.session, request.inode))
    return Error{ErrorCode::StaleHandle, "this file was deleted"};
  if (request.parent != 0) {
    const Result<Attributes> named = core_.submitter.checked(core_.names.lookup(request.parent, request.name));
    if (!named.ok() || named->inode != request.inode)
      return Error{ErrorCode::StaleHandle, "the name leads elsewhere now"};
    return named;
  }
  return core_.submitter.checked(core_.names.attributes(request.inode));
}

Result<ReadLinkReply> FsMethods::read(const ReadLinkRequest& request) {
  MENDFS_TRY(std::string target, core_.submitter.checked(core_.names.read_link(request.inode)));
  return ReadLinkReply{std::move(target)};
}

Result<ReadDirectoryReply> FsMethods::read(const ReadDirectoryRequest& request) {
  const std::uint32_t count = std::clamp(request.count_max, 1U, kDirectoryPageMax);
  return core_.submitter.checked(core_.names.read_directory(request.inode, request.cookie, count));
}

Result<XattrReply> FsMethods::read(const GetXattrRequest& request) {
  MENDFS_TRY(std::string value, core_.submitter.checked(core_.names.xattr(request.inode, request.name)));
  return XattrReply{std::move(value)};
}

Result<ListXattrReply> FsMethods::read(const ListXattrRequest& request) {
  MENDFS_TRY(std::vector<std::string> names, core_.submitter.checked(core_.names.xattr_names(request.inode)));
  return ListXattrReply{std::move(names)};
}

/// From the dataservers' last reports: they may be down. Every file is spread over all of them, so what is free is what
/// the fullest one leaves.
Result<StatFsReply> FsMethods::read(const StatFsRequest&) {
  StatFsReply reply;
  MENDFS_TRY(reply.inode_count, core_.submitter.checked(core_.names.inode_count()));
  const RingWatch* watch = ring_.watch();
  std::uint64_t used = 0;
  std::uint64_t least_free = UINT64_MAX;
  std::uint64_t count = 0;
  for (Slot slot = 0; watch != nullptr && slot < watch->slot_count(); ++slot) {
    const SlotView& view = watch->view(slot);
    if (!view.last) continue;
    ++count;
    used += view.last->total_bytes - std::min(view.last->total_bytes, view.last->free_bytes);
    least_free = std::min(least_free, view.last->free_bytes);
  }
  if (count > 0) reply.free_bytes = least_free * count / kCopyCountDefault;
  reply.total_bytes = used / kCopyCountDefault + reply.free_bytes;
  return reply;
}

Result<RenewRequest::Answer> FsMethods::read(const RenewRequest& request) {
  RenewRequest::Answer answer;
  MENDFS_TRY(answer.unlinked, sessions_.renew(request.call.session, request.not_open));
  MENDFS_TRY(answer.ring, ring_.info());
  return answer;
}

}  // namespace mendfs::metaserver
