// Replica: what one dataserver does with the block protocol. It orders and forwards the writes of the blocks it is
// primary of, keeps copies for its neighbours, reads, repairs and syncs, over one BlockStore.
//
// Who this server is (slot, addresses, terms, fences, completeness) is in the store's superblock, which the service
// around it saves; the heartbeats' news is passed on by the calls below. Before adoption every hello is answered
// Unavailable. Replica keeps the connections to the other slots.
//
// Owned by the dataserver's main; env, store and the callbacks outlive it. Loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/error.h"
#include "dataserver/replication/node.h"
#include "dataserver/store/block_store.h"
#include "env/env.h"
#include "protocol/control.h"
#include "protocol/data.h"
#include "protocol/ring_data.h"
#include "protocol/serve.h"

namespace mendfs::replication {

/// For the status and the heartbeat's reply.
struct ReplicaStatus {
  std::uint64_t writes_blocked = 0;  // appended here, waiting for another holder for longer than a second
  Slot blocked_on = 0;               // the holder that the oldest of them waits for
  std::uint64_t blocked_ms = 0;      // how long it has
  std::uint64_t blocks_mended = 0;   // since the start
  bool takes_writes = false;         // handshake done, grant valid
};

class Replica final : public protocol::BlockService {
 public:
  /// `stop` is called once when the store has failed: the program must end.
  Replica(Env& env, store::BlockStore& store, std::function<void(Error)> stop);
  ~Replica() override;

  /// Call when the superblock says who this server is: at the start, or right after its adoption was saved. Connects to
  /// the other slots.
  void join_ring();

  /// A term of this very start is confirmed: handshakes begin, then writes are taken. Idempotent.
  void confirm_term(std::uint64_t term);
  /// Writes are refused from then on, until the next call.
  void grant_writes_until(Time until);
  /// Takes no write of this session any more. Idempotent.
  void fence(const SessionId& session);

  /// Records cuts and deletions; they survive a power cut when this ends.
  Task<Result<void>> record_cuts(std::vector<protocol::CutRecord> records);
  /// The end of the last byte that counts here, for each file.
  Result<std::vector<std::uint64_t>> extents(const std::vector<protocol::FileRef>& files);

  ReplicaStatus status() const;
  /// What the rebuild works on: the connections, and what this server is complete for.
  Node& node();

  Result<protocol::HelloReply> on_hello(const protocol::HelloRequest& request) override;
  protocol::ServedTask<protocol::WriteRequest> serve(protocol::WriteRequest, Buffer, protocol::Caller) override;
  protocol::ServedTask<protocol::ReadRequest> serve(protocol::ReadRequest, Buffer, protocol::Caller) override;
  protocol::ServedTask<protocol::AuditRequest> serve(protocol::AuditRequest, Buffer, protocol::Caller) override;
  protocol::ServedTask<protocol::RepairRequest> serve(protocol::RepairRequest, Buffer, protocol::Caller) override;
  protocol::ServedTask<protocol::SyncRequest> serve(protocol::SyncRequest, Buffer, protocol::Caller) override;
  protocol::ServedTask<protocol::ForwardRequest> serve(protocol::ForwardRequest, Buffer, protocol::Caller) override;
  protocol::ServedTask<protocol::FetchRequest> serve(protocol::FetchRequest, Buffer, protocol::Caller) override;
  protocol::ServedTask<protocol::ListRequest> serve(protocol::ListRequest, Buffer, protocol::Caller) override;
  protocol::ServedTask<protocol::HandshakeRequest> serve(protocol::HandshakeRequest, Buffer, protocol::Caller) override;
  protocol::ServedTask<protocol::AskWriteRequest> serve(protocol::AskWriteRequest, Buffer, protocol::Caller) override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mendfs::replication
