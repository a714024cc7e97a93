// A metaserver and dataservers that are just clever enough for a client: real messages over the simulated network, maps
// instead of stores. Tests look into them, damage them and make them refuse.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "block/types.h"
#include "client/filesystem.h"
#include "env/env.h"
#include "protocol/data.h"
#include "protocol/meta.h"
#include "protocol/ring_data.h"
#include "protocol/serve.h"
#include "protocol/session.h"
#include "rpc/method_table.h"
#include "tests/sim/world/world.h"

namespace mendfs::client {

struct FakeBlock {
  Version version;
  std::uint64_t cut = 0;
  std::vector<std::byte> bytes;
  bool is_hole = false;
  bool is_damaged = false;  // its bytes have a bit flipped, its digest is of the right ones
};

/// What one dataserver keeps; outlives its process.
struct FakeStore {
  Slot slot = 0;
  Uuid boot{1, 1};
  Generation generation{2, 2};
  std::map<std::pair<InodeNumber, BlockIndex>, FakeBlock> blocks;
  std::uint64_t position = 0;
  std::uint64_t synced = 0;
  std::vector<protocol::EarlierLife> earlier;
  std::map<InodeNumber, CutList> cuts;
  bool is_complete = true;
  std::set<InodeNumber> deleted;
  std::optional<Error> write_refusal;          // answers every write with it
  std::vector<protocol::WriteRequest> writes;  // as they came, retries included
  std::uint32_t data_reads = 0;
  std::uint32_t digest_reads = 0;
  std::uint32_t audits = 0;  // messages
  std::uint32_t repairs = 0;
  std::uint32_t syncs = 0;
};

class FakeCluster;

/// Serves a store; one life of a process.
class FakeDataserver : public ConnectionHandler, public protocol::BlockService {
 public:
  FakeDataserver(Env& env, FakeCluster& cluster, FakeStore& store);

  Task<HttpReply> on_request(HttpRequest request) override;
  Task<void> on_stream(std::shared_ptr<FrameStream> stream) override;

  Result<protocol::HelloReply> on_hello(const protocol::HelloRequest& request) override;
  protocol::ServedTask<protocol::WriteRequest> serve(protocol::WriteRequest, Buffer, protocol::Caller) override;
  protocol::ServedTask<protocol::AuditRequest> serve(protocol::AuditRequest, Buffer, protocol::Caller) override;
  protocol::ServedTask<protocol::ReadRequest> serve(protocol::ReadRequest, Buffer, protocol::Caller) override;
  protocol::ServedTask<protocol::RepairRequest> serve(protocol::RepairRequest, Buffer, protocol::Caller) override;
  protocol::ServedTask<protocol::SyncRequest> serve(protocol::SyncRequest, Buffer, protocol::Caller) override;
  protocol::ServedTask<protocol::ForwardRequest> serve(protocol::ForwardRequest, Buffer, protocol::Caller) override;
  protocol::ServedTask<protocol::FetchRequest> serve(protocol::FetchRequest, Buffer, protocol::Caller) override;
  protocol::ServedTask<protocol::ListRequest> serve(protocol::ListRequest, Buffer, protocol::Caller) override;
  protocol::ServedTask<protocol::HandshakeRequest> serve(protocol::HandshakeRequest, Buffer, protocol::Caller) override;
  protocol::ServedTask<protocol::AskWriteRequest> serve(protocol::AskWriteRequest, Buffer, protocol::Caller) override;

 private:
  bool is_stale(const protocol::FileRef& file);
  Env& env_;
  FakeCluster& cluster_;
  FakeStore& store_;
  std::unique_ptr<Listener> listener_;
};

/// What the metaserver knows; outlives its process. Names are flat: all in the root directory.
struct FakeNamespace {
  std::uint64_t epoch = 1;
  std::uint64_t log_index = 0;
  std::uint64_t durable = 0;
  InodeNumber next_inode = 10;
  std::map<InodeNumber, protocol::Attributes> inodes;
  std::map<std::string, InodeNumber> names;
  std::set<std::pair<InodeNumber, SessionId>> marks;
  std::set<SessionId> sessions;
  std::map<std::pair<SessionId, std::uint64_t>, std::string> answered;
  std::vector<protocol::SettleRequest> settles;
  std::uint32_t setattrs = 0;
  std::vector<protocol::AbandonRequest> abandoned;
  int unmarks = 0;                    // calls, each of many files
  std::vector<InodeNumber> unlinked;  // asked at each renewal until answered
  std::vector<InodeNumber> said_open, said_not_open;
  std::uint32_t syncs = 0;
  // Of replies; what they say, or do, is of the moment when the request came.
  Duration setattr_delay{0};
  Duration lookup_delay{0};
  Duration listing_delay{0};
  bool tells_changes = false;  // so that the client may keep attributes and names
  std::uint32_t calls = 0;
  std::uint32_t listings = 0;
};

class FakeMetaserver : public ConnectionHandler {
 public:
  FakeMetaserver(Env& env, FakeCluster& cluster, FakeNamespace& names);
  Task<HttpReply> on_request(HttpRequest request) override;
  Task<void> on_stream(std::shared_ptr<FrameStream> stream) override;

 private:
  template <class Request>
  void add();
  template <class Request>
  Task<std::string> answer(std::string packed);
  template <class Request>
  std::string answer_now(const std::string& packed);
  Result<protocol::OpenSessionRequest::Answer> handle(const protocol::OpenSessionRequest& request);
  Result<protocol::RenewRequest::Answer> handle(const protocol::RenewRequest& request);
  Result<protocol::Nothing> handle(const protocol::CloseSessionRequest& request);
  Result<protocol::Attributes> handle(const protocol::LookupRequest& request);
  Result<protocol::Attributes> handle(const protocol::GetAttributesRequest& request);
  Result<protocol::Attributes> handle(const protocol::SetAttributesRequest& request);
  Result<protocol::Attributes> handle(const protocol::MakeRequest& request);
  Result<protocol::Nothing> handle(const protocol::RemoveRequest& request);
  Result<protocol::Nothing> handle(const protocol::RenameRequest& request);
  Result<protocol::Attributes> handle(const protocol::OpenRequest& request);
  Result<protocol::Attributes> handle(const protocol::SettleRequest& request);
  Result<protocol::Attributes> handle(const protocol::AbandonRequest& request);
  Result<protocol::Nothing> handle(const protocol::UnmarkRequest& request);
  Result<protocol::Nothing> handle(const protocol::SyncMetaRequest& request);
  Result<protocol::ReadDirectoryReply> handle(const protocol::ReadDirectoryRequest& request);
  Result<protocol::ChangesRequest::Answer> handle(const protocol::ChangesRequest& request);
  Result<protocol::Attributes> find(InodeNumber inode) const;

  Env& env_;
  FakeCluster& cluster_;
  FakeNamespace& names_;
  rpc::MethodTable methods_;
  std::unique_ptr<Listener> listener_;
};

class FakeCluster {
 public:
  explicit FakeCluster(std::uint32_t slot_count, std::uint64_t seed = 1);

  sim::SimWorld world;
  FakeNamespace names;
  std::vector<FakeStore> stores;
  std::uint64_t next_version = 1;
  std::set<WriteId> applied;
  std::set<SessionId> fenced;

  Address metaserver_address() const { return {"127.0.0.1", 1111}; }
  Address address_of(Slot slot) const { return {"127.0.0.1", static_cast<std::uint16_t>(2000 + slot)}; }
  sim::SimProcess& server(Slot slot) { return world.process("server" + std::to_string(slot)); }
  sim::SimProcess& metaserver() { return world.process("metaserver"); }
  sim::SimProcess& client() { return world.process("client"); }
  void start_server(Slot slot);
  void start_metaserver();

  /// A mounted filesystem in the process "client".
  std::unique_ptr<Filesystem> mount(Options options = {}, Hooks hooks = {});
  std::vector<Slot> holders(BlockIndex block, const Layout& layout) const;
  /// The file's bytes as its primaries have them.
  std::vector<std::byte> stored(InodeNumber inode) const;

  template <class T>
  T run(Task<T> task, Duration limit = std::chrono::seconds(600)) {
    return sim::run(world, std::move(task), limit);
  }
};

}  // namespace mendfs::client
