#include "metaserver/service/meta_server.h"

#include <fmt/format.h>

#include "metaserver/log/segmented_log.h"
#include "metaserver/namespace/namespace.h"
#include "metaserver/service/core.h"
#include "metaserver/service/cut_teller.h"
#include "metaserver/service/fs_methods.h"
#include "metaserver/service/hand_methods.h"
#include "metaserver/service/ring_keeper.h"
#include "metaserver/service/session_keeper.h"
#include "metaserver/service/submitter.h"
#include "rpc/client.h"

namespace mendfs::metaserver {
namespace {

constexpr const char* kStateName = "state";
constexpr std::size_t kReplayBytes = 1u << 20;

/// A checkpoint at the end that takes longer is left to the next start's replay.
constexpr std::size_t kQuickCheckpointBytes = 16u << 20;

HttpReply plain(unsigned status, std::string text) {
  return {.status = status, .content_type = "text/plain; charset=utf-8", .body = std::move(text)};
}

/// Everything that runs once the state is there, in the order in which each uses those before it.
struct Service {
  Service(Env& env, Namespace& names, CommandLog& log, Submitter& submitter, ChangeFeed& feed)
      : core{.env = env,
             .names = names,
             .log = log,
             .submitter = submitter,
             .feed = feed,
             .epoch = 0,
             .recovered = 0,
             .self = {},
             .read_only = {}},
        ring(core),
        cuts(core, ring),
        sessions(core, ring, cuts),
        fs_methods(core, ring, sessions, cuts),
        hand_methods(core, ring, sessions, cuts) {
    fs_methods.add_to(methods);
    hand_methods.add_to(methods);
  }

  Core core;
  RingKeeper ring;
  CutTeller cuts;
  SessionKeeper sessions;
  FsMethods fs_methods;
  HandMethods hand_methods;
  rpc::MethodTable methods;
};

}  // namespace

struct MetaServer::Parts : ConnectionHandler {
  Parts(Env& world, MetaServerOptions what) : env(world), options(std::move(what)) {}

  Task<Result<void>> open();
  Result<void> replay();
  Task<Result<void>> begin_epoch();
  Task<HttpReply> on_request(HttpRequest request) override;
  Task<void> on_stream(std::shared_ptr<FrameStream> stream) override;

  Env& env;
  MetaServerOptions options;
  std::unique_ptr<SegmentedLog> log;
  std::unique_ptr<Kv> kv;
  std::unique_ptr<Namespace> names;
  std::unique_ptr<ChangeFeed> feed;
  std::unique_ptr<Submitter> submitter;
  std::unique_ptr<Service> service;
  bool serving = false;
  std::string not_serving = "starting: the metadata is being read";
  std::unique_ptr<Listener> listener;  // goes first, with all that it is answering
};

MetaServer::MetaServer(Env& env, MetaServerOptions options)
    : parts_(std::make_unique<Parts>(env, std::move(options))) {}
MetaServer::~MetaServer() = default;

Address MetaServer::address() const { return parts_->listener->address(); }

Task<Result<void>> MetaServer::start() {
  Parts& parts = *parts_;
  Result<std::unique_ptr<Listener>> listener = parts.env.network.listen(parts.options.address, parts);
  if (!listener.ok()) co_return listener.error();
  parts.listener = std::move(*listener);
  MENDFS_CO_TRY_VOID(co_await parts.open());
  MENDFS_CO_TRY_VOID(parts.replay());
  MENDFS_CO_TRY_VOID(co_await parts.begin_epoch());
  parts.serving = true;
  parts.env.log.info("the metaserver serves address={} epoch={} index={}", to_string(address()),
                     parts.service->core.epoch, parts.names->applied_index());
  co_return Result<void>();
}

Task<Result<void>> MetaServer::Parts::open() {
  SegmentedLog::World world{.loop = env.loop, .disk = env.disk, .random = env.random, .log = env.log};
  SegmentedLog::Options log_options;
  log_options.segment_size = options.log_segment_size;
  MENDFS_CO_TRY(log, co_await SegmentedLog::open(world, std::move(log_options)));
  MENDFS_CO_TRY(kv, env.kv.open(kStateName));
  names = std::make_unique<Namespace>(*kv);
  co_return names->load();
}

/// The changes that the state has not seen yet.
Result<void> MetaServer::Parts::replay() {
  const LogIndex known = names->applied_index();
  if (known > log->accepted())
    return Error{
        ErrorCode::Corruption,
        fmt::format("the metadata store has change {}, but the command log ends at {}: the log was exchanged or cut; "
                    "restore the whole directory from a backup",
                    known, log->accepted())};
  if (known + 1 < log->first())
    return Error{
        ErrorCode::Corruption,
        fmt::format("the metadata store ends at change {}, but the command log begins at {}: the store is older than "
                    "the log; restore the whole directory from a backup",
                    known, log->first())};
  while (names->applied_index() < log->accepted()) {
    MENDFS_TRY(const std::vector<LogEntry> entries, log->read(names->applied_index() + 1, kReplayBytes));
    for (const LogEntry& entry : entries) {
      Result<Command> command = decode_command(entry.bytes);
      if (!command.ok())
        return Error{ErrorCode::Corruption, fmt::format("entry {} of the command log is no command: {}", entry.index,
                                                        command.error().message)};
      MENDFS_TRY(const Outcome outcome, names->apply(entry.index, *command));
      (void)outcome;  // a refusal then is one now
    }
    MENDFS_TRY_VOID(names->commit());
  }
  return {};
}

/// Nothing is served before the new epoch is on the device: inode numbers are made of it.
Task<Result<void>> MetaServer::Parts::begin_epoch() {
  feed = std::make_unique<ChangeFeed>(env.loop);
  Submitter::Parts submitter_parts{
      .loop = env.loop, .logger = env.log, .log = *log, .kv = *kv, .names = *names, .feed = *feed};
  submitter = std::make_unique<Submitter>(submitter_parts, options.checkpoint_bytes);
  service = std::make_unique<Service>(env, *names, *log, *submitter, *feed);
  Core& core = service->core;
  MENDFS_CO_TRY(const std::uint64_t last_epoch, names->epoch());
  core.epoch = last_epoch + 1;
  core.recovered = log->accepted();
  core.self = to_string(listener->address());
  submitter->set_epoch(core.epoch);
  feed->begin(core.epoch, names->applied_index());
  Command::Body body = StartEpoch{};
  const Result<Outcome> begun = co_await submitter->submit_durable(std::move(body));
  MENDFS_CO_TRY_VOID(refusal_of(begun));
  MENDFS_CO_TRY_VOID(service->ring.start());
  MENDFS_CO_TRY_VOID(service->sessions.start());
  service->cuts.start();
  co_return Result<void>();
}

Task<HttpReply> MetaServer::Parts::on_request(HttpRequest request) {
  if (request.target == "/health") {
    if (!serving) co_return plain(503, not_serving + "\n");
    if (submitter->failure()) co_return plain(503, "stopped: " + submitter->failure()->message + "\n");
    co_return plain(200, service->hand_methods.health());
  }
  if (request.target != rpc::kTarget) co_return plain(404, "XML-RPC is at /RPC2, the state at /health\n");
  if (request.method != "POST") co_return plain(405, "XML-RPC takes POST\n");
  if (!serving) co_return plain(503, not_serving + "\n");
  HttpReply reply;
  reply.body = co_await service->methods.answer(std::move(request.body));
  co_return reply;
}

Task<void> MetaServer::Parts::on_stream(std::shared_ptr<FrameStream> stream) {
  stream->close();  // the block protocol is spoken by dataservers only
  co_return;
}

Task<Error> MetaServer::failed() { return parts_->submitter->failed(); }

Task<void> MetaServer::stop() {
  Parts& parts = *parts_;
  if (!parts.serving) co_return;
  parts.serving = false;
  parts.not_serving = "stopping";
  Result<void> saved = co_await parts.submitter->sync(parts.log->accepted());
  if (saved.ok() && parts.kv->unflushed_size() <= kQuickCheckpointBytes) saved = co_await parts.submitter->checkpoint();
  if (!saved.ok())
    parts.env.log.error("the metadata could not be saved at the end error=\"{}\"", saved.error().message);
}

}  // namespace mendfs::metaserver
