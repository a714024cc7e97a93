#include "dataserver/service/scrubber.h"

#include <utility>

#include "protocol/timing.h"

namespace mendfs::dataserver {
namespace {

using protocol::BlockState;

/// Of one look at the segments.
constexpr std::uint32_t kRunsPerPage = 16;
/// While clients are being served.
constexpr auto kForegroundIsRecent = std::chrono::milliseconds(20);
constexpr auto kYieldFor = std::chrono::milliseconds(5);

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

Scrubber::Scrubber(Env& env, store::BlockStore& store, replication::Replica& replica)
    : env_(env), store_(store), replica_(replica), wanted_(env.loop) {}

void Scrubber::start() { scope_.spawn(run()); }

void Scrubber::add_methods(rpc::MethodTable& table) {
  table.add({"scrub.start",
             "S:", "Reads and verifies all that is stored here, now, and mends it: scrub.status tells how it goes.",
             [this](std::vector<rpc::Value>) { return begin(); }});
  table.add({"scrub.status", "S:",
             "The scrub that runs or the last one: running, blocks_checked of about blocks_total, blocks_bad, "
             "blocks_mended, bytes_read, seconds; passes: how many came to their end since the start.",
             [this](std::vector<rpc::Value>) { return status(); }});
}

Task<void> Scrubber::run() {
  Time next = env_.loop.now() + timing::kScrubFirst;
  for (;;) {
    auto wanted = wanted_.next();
    if (!is_wanted_) (void)co_await wanted.until(next);
    if (!is_wanted_ && env_.loop.now() < next) continue;
    pass_ = Pass{};
    pass_.is_running = true;
    pass_.is_hasty = std::exchange(is_wanted_, false);
    pass_.begun = env_.loop.now();
    const Result<void> done = co_await scrub();
    pass_.is_running = false;
    pass_.ended = env_.loop.now();
    next = pass_.ended + timing::kScrubEvery;
    if (done.ok()) ++passes_;
    env_.log.info("scrubbed blocks={} bad={} mended={} seconds={:.0f} ended=\"{}\"", pass_.blocks_checked,
                  pass_.blocks_bad, pass_.blocks_mended, seconds(pass_.ended - pass_.begun),
                  done.ok() ? "whole" : done.error().message);
  }
}

Task<Result<void>> Scrubber::scrub() {
  if (!store_.superblock().adopted) co_return Result<void>();
  MENDFS_CO_TRY(const store::StoreSpace space, store_.space());
  pass_.blocks_total = space.block_count;
  const std::vector<Slot> ranges = replica_.node().ranges();
  for (std::size_t i = 0; i < ranges.size(); ++i) MENDFS_CO_TRY_VOID(co_await scrub_range(ranges[i]));
  co_return Result<void>();
}

Task<Result<void>> Scrubber::scrub_range(Slot range) {
  std::uint64_t cursor = 0;
  for (;;) {
    MENDFS_CO_TRY(const store::Listed page, co_await store_.list(range, Version{}, cursor, kRunsPerPage));
    for (std::size_t i = 0; i < page.runs.size(); ++i) {
      RunHeader header = page.runs[i].header;
      if (header.kind == RunKind::Hole) continue;
      MENDFS_CO_TRY_VOID(co_await scrub_run(std::move(header)));
      co_await make_way();
    }
    if (page.end) co_return Result<void>();
    cursor = page.cursor;
  }
}

Task<Result<void>> Scrubber::scrub_run(RunHeader header) {
  MENDFS_CO_TRY(const std::vector<store::ReadPiece> pieces,
                co_await store_.read(header.inode, header.blocks, store::ReadWhat::VerifiedDigests));
  std::vector<BlockRun> bad;
  for (const store::ReadPiece& piece : pieces) {
    // Cut or replaced since it was listed: the newer run comes later.
    if (piece.state == BlockState::Absent) continue;
    pass_.blocks_checked += piece.blocks.count;
    pass_.bytes_read += std::uint64_t{piece.blocks.count} * header.layout.block_size;
    if (piece.state != BlockState::Bad && piece.state != BlockState::Lost) continue;
    pass_.blocks_bad += piece.blocks.count;
    bad.push_back(piece.blocks);
  }
  if (bad.empty()) co_return Result<void>();
  co_return co_await mend(std::move(header), std::move(bad));
}

/// As if a client had reported them. Those that cannot be mended now are left to the next pass.
Task<Result<void>> Scrubber::mend(RunHeader header, std::vector<BlockRun> bad) {
  MENDFS_CO_TRY(const store::FileCuts cuts, store_.cuts(header.inode));
  if (cuts.deleted) co_return Result<void>();
  protocol::RepairRequest request;
  request.file = {header.inode, header.layout, cuts.cuts};
  request.blocks = std::move(bad);
  protocol::Caller caller;
  caller.role = protocol::Role::Tool;
  Buffer nothing;
  const Result<protocol::Served<protocol::RepairRequest>> served =
      co_await replica_.serve(std::move(request), std::move(nothing), std::move(caller));
  if (served.ok()) {
    pass_.blocks_mended += served->reply.repaired;
  } else {
    env_.log.warn("scrub found damage that cannot be mended now inode={} first={} reason=\"{}\"", header.inode,
                  header.blocks.first, served.error().message);
  }
  co_return Result<void>();
}

Task<void> Scrubber::make_way() {
  if (env_.loop.now() - replica_.node().last_foreground < kForegroundIsRecent) co_await sleep_for(env_.loop, kYieldFor);
  if (pass_.is_hasty) co_return;
  const auto due = std::chrono::duration<double>(static_cast<double>(pass_.bytes_read) /
                                                 static_cast<double>(timing::kScrubBytesPerSecond));
  auto wanted = wanted_.next();
  (void)co_await wanted.until(pass_.begun + std::chrono::duration_cast<Duration>(due));
}

Task<Result<rpc::Value>> Scrubber::begin() {
  if (pass_.is_running) {
    pass_.is_hasty = true;
  } else {
    is_wanted_ = true;
  }
  wanted_.notify_all();
  co_return co_await status();
}

Task<Result<rpc::Value>> Scrubber::status() const {
  rpc::Struct members;
  members["running"] = pass_.is_running || is_wanted_;
  members["blocks_total"] = pass_.blocks_total;
  members["blocks_checked"] = pass_.blocks_checked;
  members["blocks_bad"] = pass_.blocks_bad;
  members["blocks_mended"] = pass_.blocks_mended;
  members["bytes_read"] = pass_.bytes_read;
  members["seconds"] = seconds((pass_.is_running ? env_.loop.now() : pass_.ended) - pass_.begun);
  members["passes"] = passes_;
  co_return rpc::Value(std::move(members));
}

}  // namespace mendfs::dataserver
