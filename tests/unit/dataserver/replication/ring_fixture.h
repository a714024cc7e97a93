// A ring of dataservers in one simulated world, without a metaserver: the fixture adopts them, grants terms, and asks
// them as a client would.
#pragma once

#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "block/checksum.h"
#include "dataserver/replication/replica.h"
#include "dataserver/store/block_store.h"
#include "protocol/channel.h"
#include "protocol/serve.h"
#include "tests/sim/world/world.h"

namespace mendfs::test {

using namespace std::chrono_literals;
using namespace protocol;

constexpr std::uint32_t kBlock = 512;
const SessionId kSession{7, 7};
const ClusterId kCluster{1, 2};

inline Address address_of(Slot slot) { return {"10.0.0." + std::to_string(slot + 1), 2222}; }

inline Layout layout_of(std::uint32_t slot_count) {
  Layout layout;
  layout.ring = 1;
  layout.slot_count = slot_count;
  return layout;
}

/// One dataserver: what the service around the replica does at its start, and no more.
class DataProgram final : public ConnectionHandler {
 public:
  struct Options {
    Slot slot = 0;
    std::uint32_t slot_count = 3;
    std::uint64_t term = 1;
    bool complete_at_birth = true;
    std::function<std::shared_ptr<void>(Env&, store::BlockStore&, replication::Replica&)> attach;
  };
  DataProgram(Env& env, Options options) : env_(env), options_(std::move(options)) { scope_.spawn(start(this)); }
  ~DataProgram() override {
    scope_.cancel_all();
    listener.reset();
    attached.reset();
    replica.reset();
  }

  Task<HttpReply> on_request(HttpRequest) override { co_return HttpReply{}; }
  Task<void> on_stream(std::shared_ptr<FrameStream> stream) override {
    return serve_stream(env_.loop, env_.log, std::move(stream), *replica);
  }

  std::unique_ptr<store::BlockStore> store;
  std::unique_ptr<replication::Replica> replica;
  std::shared_ptr<void> attached;
  std::unique_ptr<Listener> listener;
  std::string stopped;

 private:
  static Task<void> start(DataProgram* self) {
    Result<std::unique_ptr<store::BlockStore>> opened =
        co_await store::BlockStore::open(self->env_, store::StoreOptions());
    if (!opened) {
      self->stopped = opened.error().message;
      co_return;
    }
    self->store = std::move(*opened);
    self->adopt();
    Result<void> saved = co_await self->store->save_superblock();
    if (!saved) self->stopped = saved.error().message;
    self->replica = std::make_unique<replication::Replica>(self->env_, *self->store,
                                                           [self](Error why) { self->stopped = why.message; });
    Result<std::unique_ptr<Listener>> listening = self->env_.network.listen(address_of(self->options_.slot), *self);
    if (!listening) {
      self->stopped = listening.error().message;
      co_return;
    }
    self->listener = std::move(*listening);
    self->replica->join_ring();
    if (self->options_.attach) self->attached = self->options_.attach(self->env_, *self->store, *self->replica);
    self->replica->confirm_term(self->options_.term);
    self->replica->grant_writes_until(self->env_.loop.now() + 24h);
  }

  void adopt() {
    store::Superblock& superblock = store->superblock();
    superblock.term_granted = superblock.term_confirmed = options_.term;
    if (superblock.adopted) return;
    superblock.adopted = true;
    superblock.cluster = kCluster;
    superblock.ring = 1;
    superblock.slot = options_.slot;
    superblock.slot_count = options_.slot_count;
    for (Slot slot = 0; slot < options_.slot_count; ++slot) superblock.addresses.push_back(to_string(address_of(slot)));
    for (Slot range : ranges_of(options_.slot, options_.slot_count, kCopyCountDefault)) {
      store::RangeState state;
      state.range = range;
      state.complete = options_.complete_at_birth;
      superblock.ranges.push_back(state);
    }
  }

  Env& env_;
  Options options_;
  Scope scope_;
};

/// What a read of one block answered.
struct BlockRead {
  BlockState state = BlockState::Unknown;
  Version version;
  std::string bytes;
  bool verified = false;
};

class Ring {
 public:
  explicit Ring(std::uint32_t slot_count = 3, std::uint64_t seed = 1) : world(seed), slot_count_(slot_count) {
    programs_.resize(slot_count);
    client_ = &world.process("client");
    for (Slot slot = 0; slot < slot_count; ++slot) {
      start(slot);
      channels_.push_back(std::make_unique<Channel>(client_->loop(), client_->env().network, address_of(slot),
                                                    [slot] { return hello_to(slot); }));
    }
  }
  ~Ring() {
    channels_.clear();
    for (Slot slot = 0; slot < slot_count_; ++slot)
      if (process(slot).alive()) kill(slot);
  }

  sim::SimProcess& process(Slot slot) { return world.process("data" + std::to_string(slot)); }
  DataProgram& server(Slot slot) { return *programs_[slot]; }
  Channel& channel(Slot slot) { return *channels_[slot]; }
  Time soon() { return world.now() + 60s; }

  /// Each start has a higher term.
  void start(Slot slot, bool complete_at_birth = true) {
    DataProgram::Options options;
    options.slot = slot;
    options.slot_count = slot_count_;
    options.term = ++terms_;
    options.complete_at_birth = complete_at_birth;
    options.attach = attach;
    process(slot).start([&](Env& env) {
      programs_[slot] = std::make_shared<DataProgram>(env, options);
      return programs_[slot];
    });
  }
  void kill(Slot slot) {
    programs_[slot].reset();
    process(slot).kill();
  }
  void cut_power(Slot slot) {
    programs_[slot].reset();
    process(slot).power_cut();
  }

  bool settle() {
    return world.run_until([&] {
      for (Slot slot = 0; slot < slot_count_; ++slot) {
        if (process(slot).alive() && (!programs_[slot]->replica || !programs_[slot]->replica->status().takes_writes))
          return false;
        if (process(slot).alive() && !channels_[slot]->is_up()) return false;
      }
      return true;
    });
  }

  FileRef file(InodeNumber inode) const {
    FileRef ref;
    ref.inode = inode;
    ref.layout = layout_of(slot_count_);
    return ref;
  }

  /// A write within the blocks of one primary: `bytes` from `begin` of block `first` on.
  WriteRequest write_request(const FileRef& target, BlockIndex first, std::string_view bytes, std::uint32_t begin = 0) {
    WriteRequest request;
    request.id = {kSession, ++sequence_};
    request.file = target;
    WritePart part;
    const auto end = static_cast<std::uint32_t>(begin + bytes.size());
    part.blocks = {first, slot_count_, (end + kBlock - 1) / kBlock};
    part.first_begin = begin;
    part.last_end = end - (part.blocks.count - 1) * kBlock;
    for (std::uint32_t i = 0; i < part.blocks.count; ++i) {
      const std::uint32_t from = i == 0 ? 0 : i * kBlock - begin;
      const std::uint32_t to =
          std::min<std::uint32_t>((i + 1) * kBlock - begin, static_cast<std::uint32_t>(bytes.size()));
      part.digests.push_back(sha256(bytes_of(bytes.substr(from, to - from))));
    }
    request.parts.push_back(std::move(part));
    return request;
  }
  Task<Result<Answer<WriteRequest>>> send(WriteRequest request, std::string bytes, Time deadline) {
    std::vector<Buffer> data;
    data.push_back(Buffer::copy_of(bytes_of(bytes)));
    const Slot primary = primary_of(request.parts.front().blocks.first, request.file.layout);
    return channel(primary).call(std::move(request), std::move(data), deadline);
  }
  Result<WriteReply> write(InodeNumber inode, BlockIndex first, const std::string& bytes, std::uint32_t begin = 0) {
    WriteRequest request = write_request(file(inode), first, bytes, begin);
    Result<Answer<WriteRequest>> answer = sim::run(world, send(std::move(request), bytes, soon()));
    if (!answer) return answer.error();
    return answer->reply;
  }

  Result<BlockRead> read(Slot slot, InodeNumber inode, BlockIndex block, ReadMode mode = ReadMode::Data) {
    ReadRequest request;
    request.file = file(inode);
    request.parts.push_back({mode, {block, slot_count_, 1}});
    Result<Answer<ReadRequest>> answer =
        sim::run(world, channel(slot).call(std::move(request), std::vector<Buffer>(), soon()));
    if (!answer) return answer.error();
    if (answer->reply.runs.size() != 1) return Error{ErrorCode::Internal, "a block in several runs"};
    const ReadRun& run = answer->reply.runs.front();
    BlockRead read{run.state, run.version, std::string(text_of(answer->data)), false};
    if (run.state == BlockState::Data && mode == ReadMode::Data)
      read.verified = sha256(answer->data) == run.digests.front();
    return read;
  }

  /// Until every range of the server is complete.
  bool until_complete(Slot slot, Duration limit = 60s) {
    return world.run_until(
        [&] {
          const DataProgram& program = *programs_[slot];
          if (!program.replica) return false;
          for (Slot range : program.replica->node().ranges())
            if (!program.replica->node().is_complete(range)) return false;
          return true;
        },
        limit);
  }

  sim::SimWorld world;
  /// What else runs in each server, from its next start on.
  decltype(DataProgram::Options::attach) attach;

 private:
  static HelloRequest hello_to(Slot slot) {
    HelloRequest hello;
    hello.cluster = kCluster;
    hello.ring = 1;
    hello.to_slot = slot;
    hello.session = kSession;
    return hello;
  }

  std::uint32_t slot_count_;
  std::uint64_t terms_ = 0;
  std::uint64_t sequence_ = 0;
  sim::SimProcess* client_ = nullptr;
  std::vector<std::shared_ptr<DataProgram>> programs_;
  std::vector<std::unique_ptr<Channel>> channels_;
};

inline std::string filled(std::size_t size, char with) { return std::string(size, with); }

}  // namespace mendfs::test
