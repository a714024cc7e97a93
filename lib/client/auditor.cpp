#include "client/auditor.h"

#include <algorithm>

#include "protocol/timing.h"

namespace mendfs::client {
namespace {

/// Beyond so many blocks under way the next read waits, so that memory stays bounded and checks keep up.
constexpr std::uint64_t kBlocksMax = 128u << 10;
/// A message of so many blocks is worth sending at once.
constexpr std::uint64_t kBatchBlocksMin = 256;
constexpr std::size_t kBatchItemsMax = 64;

std::uint64_t block_count(const SlotRequest& request) {
  std::uint64_t count = 0;
  for (const protocol::ReadPart& part : request.parts) count += part.blocks.count;
  return count;
}

}  // namespace

Task<void> Auditor::until_room() {
  while (blocks_ >= kBlocksMax) {
    auto ended = ended_.next();
    (void)co_await ended;
  }
}

void Auditor::check(const std::shared_ptr<OpenFile>& file, Gather gather) {
  for (MendRequest& suspect : gather->suspects()) scope_.spawn(mend(file, std::move(suspect), "its copy is damaged"));
  for (SlotRequest& request : gather->audit_requests()) {
    // One that is away is behind, not wrong: it catches up before it answers reads again.
    if (!servers_.is_up(request.slot)) continue;
    const Key key{file->inode, request.slot};
    // The file may have been forgotten and opened anew meanwhile.
    if (const auto older = waiting_.find(key); older != waiting_.end() && older->second.file != file) send(older);
    const auto place = waiting_.try_emplace(key).first;
    Batch& batch = place->second;
    batch.file = file;
    batch.slot = request.slot;
    const std::uint64_t count = block_count(request);
    batch.block_count += count;
    blocks_ += count;
    batch.items.push_back({gather, std::move(request)});
    if (batch.block_count >= kBatchBlocksMin || batch.items.size() >= kBatchItemsMax) send(place);
  }
  if (waiting_.empty() || is_gathering_) return;
  is_gathering_ = true;
  scope_.spawn(send_waiting());
}

void Auditor::send(std::map<Key, Batch>::iterator batch) {
  Batch sent = std::move(batch->second);
  waiting_.erase(batch);
  scope_.spawn(ask(std::move(sent)));
}

Task<void> Auditor::send_waiting() {
  co_await sleep_for(loop_, timing::kAuditGather);
  is_gathering_ = false;
  while (!waiting_.empty()) send(waiting_.begin());
}

Task<void> Auditor::ask(Batch batch) {
  protocol::ReadRequest message{batch.file->ref(), {}};
  for (const Item& item : batch.items)
    message.parts.insert(message.parts.end(), item.request.parts.begin(), item.request.parts.end());
  protocol::Channel& channel = servers_.channel(batch.slot);
  auto answer = co_await channel.call(std::move(message), {}, loop_.now() + timing::kAuditTimeout);
  blocks_ -= batch.block_count;
  ended_.notify_all();
  if (!answer) co_return;
  // Each item's part of the answer, as if it had been asked alone.
  auto run = answer->reply.runs.begin();
  std::uint32_t first_part = 0;
  for (const Item& item : batch.items) {
    const auto end_part = static_cast<std::uint32_t>(first_part + item.request.parts.size());
    protocol::ReadReply own;
    for (; run != answer->reply.runs.end() && run->part >= first_part && run->part < end_part; ++run) {
      own.runs.push_back(std::move(*run));
      own.runs.back().part -= first_part;
    }
    first_part = end_part;
    compare(batch, item, own);
  }
}

void Auditor::compare(const Batch& batch, const Item& item, const protocol::ReadReply& reply) {
  Result<ReadGather::AuditResult> result = item.gather->compare(item.request, reply);
  if (!result) {
    log_.error("read refused server={} error=\"{}\"", batch.slot, result.error().message);
    return;
  }
  counters_.audited += result->agreed;
  for (const BlockIndex block : result->contradictions)
    log_.error("copies differ under one version, neither is known to be wrong file={} block={}", batch.file->inode,
               block);
  for (MendRequest& suspect : result->damaged)
    scope_.spawn(mend(batch.file, std::move(suspect), "its copy is damaged"));
  // While this mount's own writes are on their way, the copies differ for a moment.
  if (batch.file->has_queued()) return;
  for (MendRequest& suspect : result->older) scope_.spawn(mend(batch.file, std::move(suspect), "its copy is old"));
}

/// Has a server look at its copy and fetch a good one.
Task<void> Auditor::mend(std::shared_ptr<OpenFile> file, MendRequest request, std::string why) {
  std::uint64_t count = 0;
  for (const BlockRun& run : request.blocks) count += run.count;
  const BlockIndex first = request.blocks.front().first;
  protocol::RepairRequest message{file->ref(), std::move(request.blocks)};
  protocol::Channel& channel = servers_.channel(request.slot);
  auto answer = co_await channel.call(std::move(message), {}, loop_.now() + timing::kRepairTimeout);
  if (!answer) {
    log_.warn("repair not done server={} file={} first_block={} blocks={} because=\"{}\" error=\"{}\"", request.slot,
              file->inode, first, count, why, answer.error().message);
    co_return;
  }
  counters_.mended += answer->reply.repaired;
  if (answer->reply.repaired > 0)
    log_.info("repaired server={} file={} first_block={} blocks={} because=\"{}\"", request.slot, file->inode, first,
              answer->reply.repaired, why);
}

}  // namespace mendfs::client
