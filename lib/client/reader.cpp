#include "client/reader.h"

#include <algorithm>
#include <utility>

#include "client/backoff.h"
#include "protocol/timing.h"

namespace mendfs::client {
namespace {

/// Spreads reads over the copies while neighbouring requests go to the same servers.
constexpr std::uint64_t kRotationBytes = 1u << 20;

}  // namespace

Reader::Reader(Loop& loop, Servers& servers, WaitLog& waits, Logger& log, Duration timeout, std::uint64_t sum_seed,
               Refresh refresh)
    : loop_(loop),
      servers_(servers),
      waits_(waits),
      log_(log),
      timeout_(timeout),
      refresh_(std::move(refresh)),
      auditor_(loop, servers, log, sum_seed) {}

Task<Result<Buffer>> Reader::read(std::shared_ptr<OpenFile> file, std::uint64_t offset, std::uint32_t size) {
  return read(std::move(file), offset, size, Patience::UntilItCanBeHad);
}

Task<Result<Buffer>> Reader::read_at_once(std::shared_ptr<OpenFile> file, std::uint64_t offset, std::uint32_t size) {
  return read(std::move(file), offset, size, Patience::AtOnce);
}

Task<Result<Buffer>> Reader::read(std::shared_ptr<OpenFile> file, std::uint64_t offset, std::uint32_t size,
                                  Patience patience) {
  co_await auditor_.until_room();
  // A write that is delivered while the servers are asked may be missing both from their answers and from the queue
  // afterwards, so what is queued now counts too.
  const auto queued_before = file->queued_pieces(offset, size);
  const std::uint64_t block_size = file->layout.block_size;
  const BlockIndex first = offset / block_size;
  const BlockIndex last = (offset + size - 1) / block_size;
  const auto count = static_cast<std::uint32_t>(last - first + 1);
  Task<Result<Gather>> work =
      patience == Patience::AtOnce ? gather_at_once(file, first, count) : gather(file, first, count);
  Result<Gather> gathered = co_await std::move(work);
  if (!gathered) co_return gathered.error();
  const Gather blocks = std::move(*gathered);
  counters_.verified += last - first + 1;
  auditor_.check(file, *blocks);

  Buffer bytes = blocks->bytes().slice(offset - first * block_size, size);
  const auto queued_now = file->queued_pieces(offset, size);
  if (queued_before.empty() && queued_now.empty()) co_return bytes;
  Buffer merged = Buffer::copy_of(bytes);
  for (const auto* pieces : {&queued_before, &queued_now})
    for (const auto& [range, piece] : *pieces)
      scatter(piece.data, {range, piece.begin, piece.end}, offset, merged.writable(), file->layout);
  co_return merged;
}

Task<Result<Reader::Gather>> Reader::gather_at_once(std::shared_ptr<OpenFile> file, BlockIndex first,
                                                    std::uint32_t count) {
  auto blocks = std::make_shared<ReadGather>(first, count, file->layout, auditor_.sum);
  const Result<void> asked = co_await run_rounds(file, blocks, true);
  if (!asked) co_return asked.error();
  if (!blocks->is_served()) co_return Error{ErrorCode::Unavailable, "not all of it can be had now"};
  co_return blocks;
}

/// All blocks verified, asking again for as long as a good copy may come.
Task<Result<Reader::Gather>> Reader::gather(std::shared_ptr<OpenFile> file, BlockIndex first, std::uint32_t count) {
  auto blocks = std::make_shared<ReadGather>(first, count, file->layout, auditor_.sum);
  std::string reason = "no answer yet";
  std::vector<Slot> silent{slot_of(first, 0, file->layout)};
  WaitLog::Entry wait(waits_, "read", file->inode, [this, &reason, &silent] { return servers_.blame(silent, reason); });
  Backoff backoff;
  bool only_quick = true;
  for (;;) {
    const Result<void> asked = co_await run_rounds(file, blocks, only_quick);
    if (!asked && asked.code() == ErrorCode::Stale) {
      const Result<void> refreshed = co_await refresh_(file);
      if (!refreshed) co_return refreshed.error();
      blocks = std::make_shared<ReadGather>(first, count, file->layout, auditor_.sum);
      reason = asked.error().message;
    } else if (!asked) {
      co_return asked.error();
    } else if (blocks->is_served()) {
      co_return blocks;
    } else if (blocks->is_failed()) {
      co_return Error{ErrorCode::Io, "no good copy is left of a block"};
    } else {
      only_quick = false;
      silent = blocks->silent();
      reason = "a good copy may be there, but cannot be had now";
    }
    if (timeout_ > Duration::zero() && wait.waited() >= timeout_)
      co_return Error{ErrorCode::Io, "no good copy could be had in time"};
    co_await sleep_for(loop_, backoff.next());
    blocks->forget_silent();
  }
}

/// Asks until there is nobody left who could know. Stale: the file's attributes are old.
Task<Result<void>> Reader::run_rounds(std::shared_ptr<OpenFile> file, Gather gather, bool only_quick) {
  const std::uint64_t rotation = gather->first() * file->layout.block_size / kRotationBytes;
  for (;;) {
    std::vector<SlotBlocks> requests = gather->next_round(
        [&](Slot slot) { return only_quick ? servers_.is_quick(slot) : servers_.is_up(slot); }, rotation);
    if (requests.empty()) co_return Result<void>{};
    std::vector<Task<Result<void>>> tasks;
    for (SlotBlocks& request : requests) tasks.push_back(ask(gather.get(), file->ref(), std::move(request)));
    const std::vector<Result<void>> answers = co_await all_of(loop_, std::move(tasks));
    for (const Result<void>& answer : answers)
      if (!answer) co_return answer;
  }
}

Task<Result<void>> Reader::ask(ReadGather* gather, protocol::FileRef file, SlotBlocks request) {
  protocol::ReadRequest message{std::move(file), {}};
  for (const BlockRun& run : request.blocks) message.parts.push_back({protocol::ReadMode::Data, run});
  protocol::Channel& channel = servers_.channel(request.slot);
  auto answer = co_await channel.call(std::move(message), {}, loop_.now() + timing::kReadHedgeAfter);
  if (answer) {
    const Result<void> accepted = gather->accept(request, answer->reply, answer->data);
    if (!accepted) log_.error("read refused server={} error=\"{}\"", request.slot, accepted.error().message);
    co_return Result<void>{};
  }
  gather->refuse(request);
  if (answer.code() == ErrorCode::Stale || answer.code() == ErrorCode::StaleHandle) co_return answer.error();
  ++counters_.hedged;
  if (answer.code() == ErrorCode::OutcomeUnknown) servers_.note_slow(request.slot);
  co_return Result<void>{};
}

}  // namespace mendfs::client
