#include "client/auditor.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "protocol/timing.h"

namespace mendfs::client {
namespace {

/// Beyond so many blocks waiting, reads do not go first any more.
constexpr std::uint64_t kBlocksWaitingMax = 128u << 10;
/// Beyond so many the next read waits: checks have to keep up, or mending would come later than within the second.
constexpr std::uint64_t kBlocksMax = 2 * kBlocksWaitingMax;
/// A message is closed once it has so many.
constexpr std::uint64_t kMessageBlocks = 1024;
constexpr std::size_t kMessageItems = 256;

/// Of the parts [first_part, end_part). An answer out of order gives fewer, and is refused for it.
std::span<protocol::AuditRun> runs_of(protocol::AuditAnswer& answer, std::uint32_t first_part, std::uint32_t end_part) {
  const auto is_before = [](const protocol::AuditRun& run, std::uint32_t part) { return run.part < part; };
  const auto begin = std::lower_bound(answer.runs.begin(), answer.runs.end(), first_part, is_before);
  const auto end = std::lower_bound(begin, answer.runs.end(), end_part, is_before);
  return {begin, end};
}

}  // namespace

Task<void> Auditor::until_room() {
  while (blocks_ >= kBlocksMax) {
    auto ended = ended_.next();
    (void)co_await ended;
  }
}

void Auditor::check(const std::shared_ptr<OpenFile>& file, const ReadGather& gather) {
  last_read_ = loop_.now();
  for (SlotBlocks& suspect : gather.suspects()) scope_.spawn(mend(file, std::move(suspect), "its copy is damaged"));
  for (AuditQuestion& question : gather.audit_questions()) {
    // One that is away is behind, not wrong: it catches up before it answers reads again.
    if (!servers_.is_up(question.slot)) continue;
    const Slot slot = question.slot;
    Lane& lane = lanes_[slot];
    if (lane.waiting.empty()) lane.oldest = loop_.now();
    blocks_ += question.block_count();
    lane.waiting.push_back({file, file->writes, std::move(question)});
    if (lane.is_running) continue;
    lane.is_running = true;
    scope_.spawn(run(slot));
  }
}

Task<void> Auditor::finish(Time deadline) {
  is_finishing_ = true;
  while (blocks_ > 0 && loop_.now() < deadline) co_await sleep_for(loop_, timing::kAuditQuiet);
}

bool Auditor::reads_go_first(const Lane& lane) const {
  const Time now = loop_.now();
  return !is_finishing_ && blocks_ < kBlocksWaitingMax && now - last_read_ < timing::kAuditQuiet &&
         now - lane.oldest < timing::kAuditWaitMax;
}

Task<void> Auditor::run(Slot slot) {
  Lane& lane = lanes_[slot];
  while (!lane.waiting.empty()) {
    while (reads_go_first(lane)) co_await sleep_for(loop_, timing::kAuditQuiet);
    std::vector<Item> items = std::exchange(lane.waiting, {});
    for (std::size_t begin = 0; begin < items.size();) {
      std::vector<Item> message;
      std::uint64_t count = 0;
      for (; begin < items.size() && count < kMessageBlocks && message.size() < kMessageItems; ++begin) {
        count += items[begin].question.block_count();
        message.push_back(std::move(items[begin]));
      }
      co_await ask(slot, std::move(message));
      blocks_ -= count;
      ended_.notify_all();
    }
  }
  lane.is_running = false;
}

Task<void> Auditor::ask(Slot slot, std::vector<Item> items) {
  protocol::AuditRequest message;
  message.seed = sum.seed();
  const OpenFile* last = nullptr;
  for (const Item& item : items) {
    if (item.file.get() != last) message.files.push_back({item.file->ref(), {}});
    last = item.file.get();
    const std::vector<BlockRun> blocks = item.question.blocks();
    std::vector<BlockRun>& all = message.files.back().blocks;
    all.insert(all.end(), blocks.begin(), blocks.end());
  }
  const std::size_t file_count = message.files.size();
  auto answer = co_await servers_.channel(slot).call(std::move(message), {}, loop_.now() + timing::kAuditTimeout);
  if (!answer) co_return;
  if (answer->reply.files.size() != file_count) {
    log_.error("audit refused server={} error=\"it answers other questions than it was asked\"", slot);
    co_return;
  }
  // Each question's part of its file's answer, as if it had been asked alone.
  last = nullptr;
  std::size_t file = 0;
  std::uint32_t first_part = 0;
  for (const Item& item : items) {
    if (last != nullptr && item.file.get() != last) {
      ++file;
      first_part = 0;
    }
    last = item.file.get();
    protocol::AuditAnswer& whole = answer->reply.files[file];
    const auto end_part = static_cast<std::uint32_t>(first_part + item.question.given.size());
    const std::span<protocol::AuditRun> own = runs_of(whole, first_part, end_part);
    for (protocol::AuditRun& run : own) run.part -= first_part;
    // Deleted or cut meanwhile: there is nothing to compare any more.
    if (whole.is_known) take(item, own);
    first_part = end_part;
  }
}

void Auditor::take(const Item& item, std::span<const protocol::AuditRun> answer) {
  Result<AuditResult> result = compare(item.question, answer);
  if (!result) {
    log_.error("audit refused server={} error=\"{}\"", item.question.slot, result.error().message);
    return;
  }
  counters_.audited += result->agreed;
  for (SlotBlocks& suspect : result->damaged)
    scope_.spawn(mend(item.file, std::move(suspect), "its copy is not what was read"));
  // What this mount has written since, or is writing, is newer than what was read.
  if (item.file->has_queued() || item.file->writes != item.writes) return;
  for (SlotBlocks& suspect : result->older) scope_.spawn(mend(item.file, std::move(suspect), "its copy is old"));
}

/// Has a server look at its copy and fetch a good one.
Task<void> Auditor::mend(std::shared_ptr<OpenFile> file, SlotBlocks request, std::string why) {
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
  else
    log_.info("nothing to repair server={} file={} first_block={} blocks={} though=\"{}\"", request.slot, file->inode,
              first, count, why);
}

}  // namespace mendfs::client
