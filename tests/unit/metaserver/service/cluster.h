// A metaserver and fake dataservers in a simulated world, and a client that calls it.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "metaserver/service/meta_server.h"
#include "protocol/meta.h"
#include "protocol/session.h"
#include "rpc/client.h"
#include "tests/unit/metaserver/service/fake_dataserver.h"

namespace mendfs::metaserver {

using namespace std::chrono_literals;

/// The reply to a change or read, decoded.
template <class Request>
struct Called {
  protocol::MetaReply meta;
  typename Request::Reply reply;
  bool ok() const { return meta.code == ErrorCode::Ok; }
};

class Cluster {
 public:
  explicit Cluster(std::size_t slot_count = 3, std::uint64_t seed = 1)
      : world_(seed), meta_(world_.process("metaserver")), client_(world_.process("client")) {
    for (std::size_t i = 0; i < slot_count; ++i) {
      stores_.push_back(blank_store(static_cast<Slot>(i), static_cast<std::uint32_t>(slot_count)));
      nodes_.emplace_back();
      addresses_.push_back(to_string(node_address(i)));
    }
  }
  ~Cluster() {
    server_.reset();
    nodes_.clear();
  }

  static std::shared_ptr<FakeStore> blank_store(Slot index, std::uint32_t slot_count) {
    auto store = std::make_shared<FakeStore>();
    store->identity.index = index;
    store->identity.slot_count = slot_count;
    store->identity.blank = true;
    return store;
  }

  sim::SimWorld& world() { return world_; }
  sim::SimProcess& meta() { return meta_; }
  MetaServerOptions& options() { return options_; }
  MetaServer& server() { return *server_; }
  const std::vector<std::string>& addresses() const { return addresses_; }
  FakeDataserver& node(std::size_t i) { return *nodes_[i]; }
  std::shared_ptr<FakeStore>& store(std::size_t i) { return stores_[i]; }
  static Address node_address(std::size_t i) { return {"127.0.0.1", static_cast<std::uint16_t>(2222 + i)}; }
  static Address meta_address() { return {"127.0.0.1", 1111}; }

  Result<void> start_server() {
    server_ = std::make_unique<MetaServer>(meta_.env(), options_);
    return sim::run(world_, server_->start());
  }
  void kill_server() {
    server_.reset();
    meta_.kill();
    meta_.start();
  }
  void cut_server_power() {
    server_.reset();
    meta_.power_cut();
    meta_.start();
  }
  void start_node(std::size_t i) {
    sim::SimProcess& process = world_.process("dataserver " + std::to_string(i));
    nodes_[i] = std::make_unique<FakeDataserver>(process.env(), node_address(i), stores_[i]);
  }
  void start_nodes() {
    for (std::size_t i = 0; i < nodes_.size(); ++i) start_node(i);
  }
  void kill_node(std::size_t i) {
    nodes_[i].reset();
    sim::SimProcess& process = world_.process("dataserver " + std::to_string(i));
    process.kill();
    process.start();
  }

  template <class Request>
  Called<Request> call(Request request, Duration limit = 20s) {
    Called<Request> called;
    const Result<std::string> answer = sim::run(
        world_,
        rpc::call_packed(client_.env().network, meta_address(), Request::kMethod, pack(request), world_.now() + limit),
        limit + 1s);
    if (!answer.ok()) {
      called.meta.code = answer.code();
      called.meta.message = answer.error().message;
      return called;
    }
    called.meta = *unpack<protocol::MetaReply>(*answer);
    if (called.ok()) called.reply = *unpack<typename Request::Reply>(called.meta.body);
    return called;
  }
  Result<rpc::Value> call_by_hand(const std::string& method, std::vector<rpc::Value> parameters = {}) {
    return sim::run(
        world_, rpc::call(client_.env().network, meta_address(), method, std::move(parameters), world_.now() + 20s));
  }

  Called<protocol::OpenSessionRequest> mount(SessionId session, std::vector<std::string> addresses) {
    protocol::OpenSessionRequest request;
    request.call.session = session;
    request.addresses = std::move(addresses);
    request.root_uid = 1000;
    request.client_name = "test";
    return call(request);
  }
  Called<protocol::MakeRequest> make(SessionId session, std::uint64_t sequence, const std::string& name,
                                     bool open_for_write = false) {
    protocol::MakeRequest request;
    request.call = {.session = session, .sequence = sequence, .answered_below = 0};
    request.parent = kRootInode;
    request.name = name;
    request.mode = 0100644;
    request.open_for_write = open_for_write;
    return call(request);
  }
  Called<protocol::LookupRequest> lookup(SessionId session, const std::string& name) {
    protocol::LookupRequest request;
    request.call.session = session;
    request.parent = kRootInode;
    request.name = name;
    return call(request);
  }
  Called<protocol::RenewRequest> renew(SessionId session, std::vector<InodeNumber> not_open = {}) {
    protocol::RenewRequest request;
    request.call.session = session;
    request.not_open = std::move(not_open);
    return call(request);
  }
  /// Lets time pass with the session renewing.
  void live(SessionId session, Duration duration) {
    const Time end = world_.now() + duration;
    while (world_.now() < end) {
      (void)renew(session);
      world_.run_for(1s);
    }
  }

 private:
  sim::SimWorld world_;
  sim::SimProcess& meta_;
  sim::SimProcess& client_;
  std::vector<std::shared_ptr<FakeStore>> stores_;
  std::vector<std::string> addresses_;
  std::vector<std::unique_ptr<FakeDataserver>> nodes_;
  MetaServerOptions options_{.address = meta_address()};
  std::unique_ptr<MetaServer> server_;
};

constexpr SessionId kSessionA{1, 1};
constexpr SessionId kSessionB{2, 2};

/// A running cluster with session A mounted.
inline std::unique_ptr<Cluster> mounted_cluster(std::size_t slot_count = 3) {
  auto cluster = std::make_unique<Cluster>(slot_count);
  cluster->start_nodes();
  if (!cluster->start_server().ok()) return nullptr;
  if (!cluster->mount(kSessionA, cluster->addresses()).ok()) return nullptr;
  return cluster;
}

}  // namespace mendfs::metaserver
