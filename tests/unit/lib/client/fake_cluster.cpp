#include "tests/unit/lib/client/fake_cluster.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "block/checksum.h"
#include "block/copy_sum.h"
#include "block/placement.h"
#include "rpc/client.h"

namespace mendfs::client {

using namespace protocol;

FakeDataserver::FakeDataserver(Env& env, FakeCluster& cluster, FakeStore& store)
    : env_(env), cluster_(cluster), store_(store) {
  auto listener = env.network.listen(cluster.address_of(store.slot), *this);
  REQUIRE(listener);
  listener_ = std::move(*listener);
}

Task<HttpReply> FakeDataserver::on_request(HttpRequest) { co_return HttpReply{404, "text/plain", ""}; }

Task<void> FakeDataserver::on_stream(std::shared_ptr<FrameStream> stream) {
  co_await serve_stream(env_.loop, env_.log, std::move(stream), *this);
}

Result<HelloReply> FakeDataserver::on_hello(const HelloRequest& request) {
  CHECK(request.to_slot == store_.slot);
  CHECK(request.role == Role::Client);
  return HelloReply{store_.generation, 1};
}

bool FakeDataserver::is_stale(const FileRef& file) {
  CutList& known = store_.cuts[file.inode];
  const bool is_older = file.cuts.number() < known.number();
  known.merge(file.cuts);
  return is_older;
}

ServedTask<WriteRequest> FakeDataserver::serve(WriteRequest request, Buffer data, Caller) {
  store_.writes.push_back(request);
  if (store_.write_refusal) co_return *store_.write_refusal;
  if (cluster_.fenced.count(request.id.session) > 0) co_return Error{ErrorCode::Refused, "fenced"};
  if (store_.deleted.count(request.file.inode) > 0) co_return Error{ErrorCode::StaleHandle, "deleted"};
  if (is_stale(request.file)) co_return Error{ErrorCode::Stale, "newer cuts"};
  const bool is_new = cluster_.applied.insert(request.id).second;
  const std::uint32_t size = request.file.layout.block_size;
  WriteReply reply;
  reply.version = {1, cluster_.next_version++};
  std::size_t used = 0;
  for (const WritePart& part : request.parts) {
    for (std::uint32_t i = 0; i < part.blocks.count; ++i) {
      const BlockIndex block = part.blocks.at(i);
      REQUIRE(primary_of(block, request.file.layout) == store_.slot);
      const std::uint32_t begin = i == 0 ? part.first_begin : 0;
      const std::uint32_t end = i + 1 == part.blocks.count ? part.last_end : size;
      std::vector<std::byte> bytes(end - begin);
      if (part.kind == RunKind::Data) {
        std::copy_n(data.view().begin() + static_cast<std::ptrdiff_t>(used), end - begin, bytes.begin());
        used += end - begin;
        if (bytes.size() == size) REQUIRE(sha256(bytes) == part.digests[i]);
      }
      if (!is_new) continue;
      FakeBlock merged = store_.blocks[{request.file.inode, block}];
      merged.bytes.resize(size);
      for (std::uint64_t at = 0; at < size; ++at)
        if (block * size + at >= request.file.cuts.limit_for(merged.cut)) merged.bytes[at] = std::byte{0};
      std::copy(bytes.begin(), bytes.end(), merged.bytes.begin() + begin);
      merged.version = reply.version;
      merged.is_damaged = false;
      merged.is_hole = part.kind == RunKind::Hole && end - begin == size;
      merged.cut = request.file.cuts.number();
      for (const Slot slot : cluster_.holders(block, request.file.layout))
        cluster_.stores[slot].blocks[{request.file.inode, block}] = merged;
    }
  }
  REQUIRE(used == data.size());
  for (const Slot slot : holders_of(store_.slot, request.file.layout.slot_count, request.file.layout.copy_count)) {
    // All copies or no answer.
    while (!cluster_.server(slot).alive()) co_await sleep_for(env_.loop, std::chrono::milliseconds(50));
    FakeStore& holder = cluster_.stores[slot];
    reply.holders.push_back({slot, holder.boot, holder.generation, ++holder.position});
    if (request.durable) holder.synced = holder.position;
  }
  co_return Served<WriteRequest>{std::move(reply), {}};
}

ServedTask<ReadRequest> FakeDataserver::serve(ReadRequest request, Buffer, Caller) {
  if (is_stale(request.file)) co_return Error{ErrorCode::Stale, "newer cuts"};
  Served<ReadRequest> served;
  const std::uint32_t size = request.file.layout.block_size;
  for (std::uint32_t part = 0; part < request.parts.size(); ++part) {
    const bool wants_data = request.parts[part].mode == ReadMode::Data;
    ++(wants_data ? store_.data_reads : store_.digest_reads);
    for (std::uint32_t i = 0; i < request.parts[part].blocks.count; ++i) {
      const BlockIndex block = request.parts[part].blocks.at(i);
      const auto found = store_.blocks.find({request.file.inode, block});
      ReadRun run{part, {block, request.file.layout.slot_count, 1}, BlockState::Absent, {}, {}};
      if (!store_.is_complete) {
        run.state = BlockState::Unknown;
      } else if (found != store_.blocks.end()) {
        FakeBlock shown = found->second;
        run.version = shown.version;
        run.state = shown.is_hole ? BlockState::Hole : BlockState::Data;
        if (shown.is_damaged && !wants_data) run.state = BlockState::Bad;
        const std::uint64_t limit = request.file.cuts.limit_for(shown.cut);
        for (std::uint64_t at = 0; at < size; ++at)
          if (block * size + at >= limit) shown.bytes[at] = std::byte{0};
        if (run.state == BlockState::Data) {
          run.digests.push_back(sha256(shown.bytes));
          if (shown.is_damaged) shown.bytes[0] ^= std::byte{1};
          if (wants_data) served.data.push_back(Buffer::copy_of(shown.bytes));
        }
      }
      served.reply.runs.push_back(std::move(run));
    }
  }
  co_return served;
}

ServedTask<AuditRequest> FakeDataserver::serve(AuditRequest request, Buffer, Caller caller) {
  ++store_.audits;
  Served<AuditRequest> served;
  const CopySum sum(request.seed);
  for (const AuditFile& file : request.files) {
    ReadRequest one{file.file, {}};
    for (const BlockRun& run : file.blocks) one.parts.push_back({ReadMode::Data, run});
    Result<Served<ReadRequest>> answer = co_await serve(std::move(one), Buffer(), caller);
    AuditAnswer& known = served.reply.files.emplace_back();
    known.is_known = answer.ok();
    if (!answer) continue;
    auto data = answer->data.begin();
    for (const ReadRun& run : answer->reply.runs) {
      known.runs.push_back({run.part, run.blocks, run.state, run.version, {}});
      for (const Digest& digest : run.digests) known.runs.back().sums.push_back(sum.of(*data++, digest));
    }
  }
  co_return served;
}

ServedTask<RepairRequest> FakeDataserver::serve(RepairRequest request, Buffer, Caller) {
  Served<RepairRequest> served;
  for (const BlockRun& run : request.blocks) {
    for (std::uint32_t i = 0; i < run.count; ++i) {
      const std::pair<InodeNumber, BlockIndex> key{request.file.inode, run.at(i)};
      for (const Slot slot : cluster_.holders(run.at(i), request.file.layout)) {
        const auto other = cluster_.stores[slot].blocks.find(key);
        if (slot == store_.slot || other == cluster_.stores[slot].blocks.end() || other->second.is_damaged) continue;
        FakeBlock& mine = store_.blocks[key];
        if (!mine.is_damaged && mine.version >= other->second.version) continue;
        mine = other->second;
        ++served.reply.repaired;
      }
    }
  }
  ++store_.repairs;
  co_return served;
}

ServedTask<SyncRequest> FakeDataserver::serve(SyncRequest, Buffer, Caller) {
  ++store_.syncs;
  store_.synced = store_.position;
  Served<SyncRequest> served{{{store_.slot, store_.boot, store_.generation, store_.synced}, store_.earlier}, {}};
  co_return served;
}

ServedTask<ForwardRequest> FakeDataserver::serve(ForwardRequest, Buffer, Caller) {
  co_return Error{ErrorCode::NotSupported, "no client sends this"};
}
ServedTask<FetchRequest> FakeDataserver::serve(FetchRequest, Buffer, Caller) {
  co_return Error{ErrorCode::NotSupported, "no client sends this"};
}
ServedTask<ListRequest> FakeDataserver::serve(ListRequest, Buffer, Caller) {
  co_return Error{ErrorCode::NotSupported, "no client sends this"};
}
ServedTask<HandshakeRequest> FakeDataserver::serve(HandshakeRequest, Buffer, Caller) {
  co_return Error{ErrorCode::NotSupported, "no client sends this"};
}
ServedTask<AskWriteRequest> FakeDataserver::serve(AskWriteRequest, Buffer, Caller) {
  co_return Error{ErrorCode::NotSupported, "no client sends this"};
}

FakeCluster::FakeCluster(std::uint32_t slot_count, std::uint64_t seed) : world(seed) {
  stores.resize(slot_count);
  start_metaserver();
  for (Slot slot = 0; slot < slot_count; ++slot) {
    stores[slot].slot = slot;
    start_server(slot);
  }
}

void FakeCluster::start_server(Slot slot) {
  server(slot).start([this, slot](Env& env) -> sim::SimProcess::Program {
    return std::make_shared<FakeDataserver>(env, *this, stores[slot]);
  });
}

void FakeCluster::start_metaserver() {
  metaserver().start(
      [this](Env& env) -> sim::SimProcess::Program { return std::make_shared<FakeMetaserver>(env, *this, names); });
}

std::unique_ptr<Filesystem> FakeCluster::mount(Options options, Hooks hooks) {
  options.metaserver = metaserver_address();
  Env& env = client().env();
  auto filesystem = std::make_unique<Filesystem>(env.loop, env.network, env.random, env.log, options, std::move(hooks));
  REQUIRE(run(filesystem->mount()));
  world.run_for(std::chrono::milliseconds(20));  // until the dataservers are connected
  return filesystem;
}

std::vector<Slot> FakeCluster::holders(BlockIndex block, const Layout& layout) const {
  return holders_of(primary_of(block, layout), layout.slot_count, layout.copy_count);
}

std::vector<std::byte> FakeCluster::stored(InodeNumber inode) const {
  const Attributes& attributes = names.inodes.at(inode);
  std::vector<std::byte> bytes(attributes.size);
  for (std::uint64_t at = 0; at < attributes.size; ++at) {
    const BlockIndex block = at / 512;
    const FakeStore& store = stores[primary_of(block, attributes.layout)];
    const auto found = store.blocks.find({inode, block});
    if (found == store.blocks.end() || at >= attributes.cuts.limit_for(found->second.cut)) continue;
    bytes[at] = found->second.bytes[at % 512];
  }
  return bytes;
}

}  // namespace mendfs::client
