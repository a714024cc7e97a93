#include "dataserver/service/data_server.h"

#include <fmt/core.h>

#include <utility>

#include "dataserver/rebuild/rebuild.h"
#include "dataserver/replication/replica.h"
#include "dataserver/service/block_methods.h"
#include "dataserver/service/control.h"
#include "dataserver/service/node_methods.h"
#include "dataserver/service/scrubber.h"
#include "env/future.h"
#include "protocol/serve.h"
#include "rpc/client.h"
#include "rpc/method_table.h"

namespace mendfs::dataserver {
namespace {

/// What stands on an open store. Members are destroyed from the last to the first.
struct Service {
  Service(Env& env, std::unique_ptr<store::BlockStore> opened, const Control::Settings& settings,
          std::function<void(Error)> fail)
      : store(std::move(opened)),
        replica(env, *store, std::move(fail)),
        rebuild(env, *store, replica),
        control({env, *store, replica, rebuild}, settings),
        node_methods(env, *store, replica, rebuild, control),
        block_methods(env, *store, replica),
        scrubber(env, *store, replica) {
    control.add_methods(table);
    node_methods.add_methods(table);
    block_methods.add_methods(table);
    scrubber.add_methods(table);
  }

  std::unique_ptr<store::BlockStore> store;
  rpc::MethodTable table;
  replication::Replica replica;
  rebuild::Rebuild rebuild;
  Control control;
  NodeMethods node_methods;
  BlockMethods block_methods;
  Scrubber scrubber;
};

HttpReply text_reply(unsigned status, std::string body) {
  HttpReply reply;
  reply.status = status;
  reply.content_type = "text/plain";
  reply.body = std::move(body);
  return reply;
}

}  // namespace

class DataServer::Parts final : public ConnectionHandler {
 public:
  Parts(Env& environment, DataServerOptions given)
      : env(environment), options(std::move(given)), failure(make_promise<Error>(environment.loop)) {}

  Task<HttpReply> on_request(HttpRequest request) override;
  Task<void> on_stream(std::shared_ptr<FrameStream> stream) override;
  Task<Result<void>> start();

  Env& env;
  DataServerOptions options;
  std::pair<Promise<Error>, Future<Error>> failure;
  std::unique_ptr<Service> service;    // once the store is open
  std::unique_ptr<Listener> listener;  // last: destroyed first, with all that is being answered
};

Task<HttpReply> DataServer::Parts::on_request(HttpRequest request) {
  if (!service) co_return text_reply(503, "the store is being opened\n");
  if (request.target == "/health") {
    HttpReply reply = text_reply(200, service->node_methods.health());
    reply.content_type = "application/json";
    co_return reply;
  }
  if (request.target != rpc::kTarget)
    co_return text_reply(404, "XML-RPC is at /RPC2 (system.listMethods says what there is), the state at /health\n");
  if (request.method != "POST") co_return text_reply(405, "XML-RPC calls are POSTed\n");
  HttpReply reply;
  reply.body = co_await service->table.answer(std::move(request.body));
  co_return reply;
}

Task<void> DataServer::Parts::on_stream(std::shared_ptr<FrameStream> stream) {
  if (!service) co_return;
  co_await protocol::serve_stream(env.loop, env.log, std::move(stream), service->replica);
}

Task<Result<void>> DataServer::Parts::start() {
  const Address self = options.addresses.at(options.index);
  MENDFS_CO_TRY(listener, env.network.listen(self, *this));

  store::StoreOptions store_options = options.store;
  store_options.name = fmt::format("dataserver {} ({})", options.index, options.directory);
  MENDFS_CO_TRY(std::unique_ptr<store::BlockStore> store,
                co_await store::BlockStore::open(env, std::move(store_options)));
  Control::Settings settings;
  settings.line = {options.index, static_cast<std::uint32_t>(options.addresses.size())};
  settings.self = self;
  settings.metaserver = options.metaserver;
  MENDFS_CO_TRY_VOID(check_store(store->superblock(), settings.line, options.directory));

  std::function<void(Error)> fail = [promise = failure.first](Error error) { promise.set(std::move(error)); };
  service = std::make_unique<Service>(env, std::move(store), settings, std::move(fail));
  service->store->forget_recovery();
  service->control.start();
  service->scrubber.start();
  co_return Result<void>();
}

DataServer::DataServer(Env& env, DataServerOptions options)
    : parts_(std::make_unique<Parts>(env, std::move(options))) {}
DataServer::~DataServer() = default;

Task<Result<void>> DataServer::start() { return parts_->start(); }

Address DataServer::address() const { return parts_->listener->address(); }

Task<Error> DataServer::failed() { co_return co_await parts_->failure.second; }

Task<void> DataServer::stop() {
  parts_->listener.reset();
  if (!parts_->service) co_return;
  const Result<store::Position> synced = co_await parts_->service->store->sync();
  if (!synced.ok()) parts_->env.log.error("the store could not be synced error=\"{}\"", synced.error().message);
}

}  // namespace mendfs::dataserver
