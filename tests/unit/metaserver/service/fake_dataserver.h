// A dataserver as the metaserver sees it: keeps what it is told, answers what a test wants.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "block/placement.h"
#include "protocol/control_call.h"
#include "protocol/timing.h"
#include "rpc/method_table.h"
#include "tests/sim/world/world.h"

namespace mendfs::metaserver {

/// What a dataserver's disk keeps.
struct FakeStore {
  protocol::NodeIdentity identity;
  std::uint64_t term = 0;
  std::uint64_t fence = 0;
  std::uint64_t durable_index = 0;
  InodeNumber inode_high = 0;
  bool complete = false;
  std::vector<protocol::CutRecord> cuts;
};

class FakeDataserver : public ConnectionHandler {
 public:
  FakeDataserver(Env& env, Address address, std::shared_ptr<FakeStore> store) : store_(std::move(store)), env_(env) {
    if (store_->identity.generation.is_zero()) store_->identity.generation = {env.random.next(), 1};
    start_id_ = {env.random.next(), 2};
    add<protocol::ReserveRequest>([this](const protocol::ReserveRequest& request) { return reserve(request); });
    add<protocol::HeartbeatRequest>([this](const protocol::HeartbeatRequest& request) { return heartbeat(request); });
    add<protocol::CutsRequest>([this](const protocol::CutsRequest& request) { return record(request); });
    add<protocol::ExtentsRequest>([this](const protocol::ExtentsRequest& request) { return extents_of(request); });
    listener_ = std::move(*env.network.listen(address, *this));
  }

  Task<HttpReply> on_request(HttpRequest request) override {
    HttpReply reply;
    reply.body = co_await methods_.answer(std::move(request.body));
    co_return reply;
  }
  Task<void> on_stream(std::shared_ptr<FrameStream>) override { co_return; }

  // What a test looks at and sets.
  std::uint64_t term_confirmed = 0;
  std::size_t heartbeats = 0;
  bool no_source = false;
  std::uint64_t free_bytes = 600;  // of 1000
  bool refuses_completion = false;
  std::map<InodeNumber, std::uint64_t> extents;
  std::vector<protocol::LostRange> lost;
  std::vector<protocol::Fence> fences;
  Time last_grant{};
  FakeStore& store() { return *store_; }

 private:
  template <class Request, class Handler>
  void add(Handler handler) {
    methods_.add_packed(Request::kMethod, "", [handler](std::string packed) -> Task<std::string> {
      return answer<Request>(handler, std::move(packed));
    });
  }
  template <class Request, class Handler>
  static Task<std::string> answer(Handler handler, std::string packed) {
    Result<Request> request = unpack<Request>(packed);
    Result<typename Request::Reply> reply = Error{ErrorCode::Malformed, "not a request"};
    if (request.ok()) reply = handler(*request);
    co_return protocol::pack_control_reply(reply);
  }

  Result<protocol::NodeIdentity> reserve(const protocol::ReserveRequest& request) {
    if (reserved_for_.is_zero()) reserved_for_ = request.cluster;
    if (reserved_for_ != request.cluster) return Error{ErrorCode::Refused, "kept for another metaserver"};
    return store_->identity;
  }

  Result<protocol::HeartbeatReply> heartbeat(const protocol::HeartbeatRequest& request) {
    ++heartbeats;
    protocol::NodeIdentity& identity = store_->identity;
    if (!identity.blank && identity.cluster != request.cluster) return Error{ErrorCode::Refused, "another cluster"};
    if (identity.index != request.slot) return Error{ErrorCode::Refused, "another slot"};
    if (identity.blank) store_->complete = request.complete_at_birth;
    identity.blank = false;
    identity.cluster = request.cluster;
    identity.ring = request.ring;
    if (request.term_for == start_id_) {
      store_->term = request.term_granted;
      if (request.term_confirmed) term_confirmed = request.term_granted;
    }
    if (request.heard_start == start_id_) last_grant = Time{request.heard_clock};
    for (const protocol::Fence& fence : request.fences) {
      store_->fence = std::max(store_->fence, fence.number);
      fences.push_back(fence);
    }
    store_->durable_index = std::max(store_->durable_index, request.durable_index);
    store_->inode_high = std::max(store_->inode_high, request.inode_high);
    lost = request.lost;
    if (!lost.empty()) store_->complete = true;
    protocol::HeartbeatReply reply;
    reply.identity = identity;
    reply.start_id = start_id_;
    reply.clock = env_.loop.now().count();
    reply.term_synced = request.term_for == start_id_ ? store_->term : 0;
    reply.fence_synced = store_->fence;
    reply.total_bytes = 1000;
    reply.free_bytes = free_bytes;
    reply.durable_index = store_->durable_index;
    reply.inode_high = store_->inode_high;
    for (const Slot range : ranges_of(identity.index, identity.slot_count, kCopyCountDefault)) {
      reply.ranges.push_back({.range = range,
                              .complete = store_->complete && !refuses_completion,
                              .blocks_left = 0,
                              .blocks_per_second = 0,
                              .no_source = no_source});
    }
    return reply;
  }

  Result<protocol::CutsReply> record(const protocol::CutsRequest& request) {
    store_->cuts.insert(store_->cuts.end(), request.records.begin(), request.records.end());
    return protocol::CutsReply{start_id_};
  }

  Result<protocol::ExtentsReply> extents_of(const protocol::ExtentsRequest& request) {
    protocol::ExtentsReply reply;
    for (const protocol::FileRef& file : request.files) reply.sizes.push_back(extents[file.inode]);
    return reply;
  }

  std::shared_ptr<FakeStore> store_;
  Env& env_;
  Uuid start_id_;
  ClusterId reserved_for_;
  rpc::MethodTable methods_;
  std::unique_ptr<Listener> listener_;
};

}  // namespace mendfs::metaserver
