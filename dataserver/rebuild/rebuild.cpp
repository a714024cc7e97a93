#include "dataserver/rebuild/rebuild.h"

#include <algorithm>
#include <map>
#include <utility>

#include "dataserver/rebuild/rebuild_plan.h"
#include "dataserver/replication/range_pull.h"
#include "env/future.h"
#include "protocol/timing.h"

namespace mendfs::rebuild {

using replication::Node;
using replication::RangePull;

namespace {

/// Between two looks at holders of which none could be streamed from.
constexpr Duration kLookAgainAfter = std::chrono::milliseconds(200);
/// After a page, while clients are being served.
constexpr Duration kYieldFor = std::chrono::milliseconds(10);
constexpr Duration kForegroundIsRecent = std::chrono::milliseconds(50);

}  // namespace

class Rebuild::Impl {
 public:
  Impl(Env& env, store::BlockStore& store, replication::Replica& replica)
      : env_(env), store_(store), node_(replica.node()) {
    scope_.spawn(run());
  }

  Task<Result<void>> note_heartbeat(protocol::HeartbeatRequest request);
  void note_known() {
    is_known_ = true;
    node_.changed.notify_all();
  }
  std::vector<protocol::RangeProgress> progress() const;

 private:
  /// One other holder of a range that is being made complete.
  struct Source {
    Source(Node& node, Slot range, Slot source, Version above, RangePull::Unverifiable unverifiable)
        : slot(source), pull(node, range, source, above, unverifiable) {}
    SourceReport report() const { return {reached_end, pull.source_was_complete(), pull.source_is_rebuilding()}; }
    Slot slot;
    RangePull pull;
    bool reached_end = false;
  };
  struct Progress {
    Time since{};
    std::uint64_t listed = 0;
    std::uint64_t total = 0;
    std::uint64_t pulled = 0;
  };

  Task<void> run();
  Task<void> keep_complete(Slot range);
  Task<void> make_complete(Slot range);
  Task<void> stream(Slot range, Source* source);
  Task<bool> finish(Slot range, bool is_behind);
  bool is_lost(Slot range) const;

  Env& env_;
  store::BlockStore& store_;
  Node& node_;
  bool is_known_ = false;
  std::map<Slot, Progress> progress_;  // of ranges being made complete
  Scope scope_;
};

Rebuild::Rebuild(Env& env, store::BlockStore& store, replication::Replica& replica)
    : impl_(std::make_unique<Impl>(env, store, replica)) {}
Rebuild::~Rebuild() = default;

Task<Result<void>> Rebuild::note_heartbeat(protocol::HeartbeatRequest request) {
  return impl_->note_heartbeat(std::move(request));
}
void Rebuild::note_known() { impl_->note_known(); }
std::vector<protocol::RangeProgress> Rebuild::progress() const { return impl_->progress(); }

Task<Result<void>> Rebuild::Impl::note_heartbeat(protocol::HeartbeatRequest request) {
  store::Superblock& superblock = store_.superblock();
  const HeartbeatNews news = news_of(superblock, request);
  if (!news.any()) co_return Result<void>();
  if (news.is_outdated) {
    env_.log.warn("this store is out of date: all of it is compared with the other holders term={} confirmed_term={}",
                  superblock.term_granted, request.confirmed_term);
    for (store::RangeState& range : superblock.ranges) range.complete = false;
  }
  if (news.complete_at_birth) {
    superblock.complete_at_birth = true;
    for (store::RangeState& range : superblock.ranges) range.complete = true;
  }
  for (const protocol::LostRange& lost : news.lost) {
    env_.log.error("declared lost: unknown blocks of inodes up to {} read as lost range={}", lost.inode_high,
                   lost.range);
    std::erase_if(superblock.lost, [&](const protocol::LostRange& known) { return known.range == lost.range; });
    superblock.lost.push_back(lost);
  }
  Result<void> saved = co_await store_.save_superblock();
  if (!saved) node_.note_store_error(saved.error());
  node_.changed.notify_all();
  co_return saved;
}

std::vector<protocol::RangeProgress> Rebuild::Impl::progress() const {
  std::vector<protocol::RangeProgress> all;
  if (!store_.superblock().adopted) return all;
  for (Slot range : node_.ranges()) {
    protocol::RangeProgress told;
    told.range = range;
    const Completeness completeness = node_.completeness(range);
    told.complete = completeness == Completeness::Complete;
    told.no_source = completeness == Completeness::NoSource;
    auto found = progress_.find(range);
    if (found != progress_.end() && !told.complete) {
      const Progress& now = found->second;
      told.blocks_left = now.total > now.listed ? now.total - now.listed : 0;
      const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(env_.loop.now() - now.since);
      told.blocks_per_second = blocks_per_second(now.listed, elapsed.count());
    }
    all.push_back(told);
  }
  return all;
}

Task<void> Rebuild::Impl::run() {
  while (!node_.joined()) co_await sleep_for(env_.loop, kLookAgainAfter);
  for (Slot range : node_.ranges()) scope_.spawn(keep_complete(range));
}

Task<void> Rebuild::Impl::keep_complete(Slot range) {
  for (;;) {
    if (node_.is_complete(range) || (!is_known_ && node_.completeness(range) != Completeness::Behind)) {
      progress_.erase(range);
      Future<Unit> change = node_.changed.next();
      (void)co_await change;
      continue;
    }
    co_await make_complete(range);
  }
}

bool Rebuild::Impl::is_lost(Slot range) const {
  const std::vector<protocol::LostRange>& lost = store_.superblock().lost;
  return std::any_of(lost.begin(), lost.end(), [&](const protocol::LostRange& known) { return known.range == range; });
}

/// Streams from the other holders until the range is complete, or has turned from behind into incomplete or so.
Task<void> Rebuild::Impl::make_complete(Slot range) {
  const bool is_behind = node_.completeness(range) == Completeness::Behind;
  const Version above = is_behind ? store_.watermark(range) : Version{};
  const auto unverifiable = is_behind ? RangePull::Unverifiable::KeepOlder : RangePull::Unverifiable::MarkLost;
  env_.log.info("making a range complete range={} behind={} above={}.{}", range, is_behind, above.term, above.count);
  progress_[range] = Progress{env_.loop.now()};
  std::vector<std::unique_ptr<Source>> sources;
  for (Slot slot : node_.other_holders(range))
    sources.push_back(std::make_unique<Source>(node_, range, slot, above, unverifiable));
  for (;;) {
    for (auto& source : sources) co_await stream(range, source.get());
    // A heartbeat may have said meanwhile that this store is out of date.
    const Completeness now = node_.completeness(range);
    if (is_behind != (now == Completeness::Behind)) co_return;
    std::vector<SourceReport> reports;
    for (const auto& source : sources) reports.push_back(source->report());
    const Verdict verdict = judge(now, reports, is_lost(range));
    if (verdict == Verdict::Complete) {
      const bool finished = co_await finish(range, is_behind);
      if (finished) co_return;
    }
    node_.set_no_source(range, verdict == Verdict::NoSource);
    co_await sleep_for(env_.loop, kLookAgainAfter);
    // What ended without making this server complete is streamed again: its source may have become complete.
    for (auto& source : sources)
      if (source->reached_end) source = std::make_unique<Source>(node_, range, source->slot, above, unverifiable);
  }
}

/// Until the source's end, or until it cannot be gone on with now.
Task<void> Rebuild::Impl::stream(Slot range, Source* source) {
  while (!source->reached_end) {
    Result<bool> at_end = co_await source->pull.step();
    if (!at_end) {
      if (at_end.code() != ErrorCode::Unavailable && at_end.code() != ErrorCode::OutcomeUnknown)
        env_.log.warn("a rebuild cannot go on range={} source={} reason=\"{}\"", range, source->slot,
                      at_end.error().message);
      co_return;
    }
    source->reached_end = *at_end;
    Progress& progress = progress_[range];
    progress.listed = source->pull.blocks_listed();
    progress.total = source->pull.blocks_total();
    progress.pulled = source->pull.blocks_pulled();
    if (env_.loop.now() - node_.last_foreground < kForegroundIsRecent) co_await sleep_for(env_.loop, kYieldFor);
  }
}

/// False when the disk failed, or a heartbeat has just said that this store is out of date.
Task<bool> Rebuild::Impl::finish(Slot range, bool is_behind) {
  Result<store::Position> synced = co_await store_.sync();
  if (!synced) {
    node_.note_store_error(synced.error());
    co_return false;
  }
  if (is_behind != (node_.completeness(range) == Completeness::Behind)) co_return false;
  node_.set_no_source(range, false);
  Result<void> saved = co_await node_.set_completeness(range, Completeness::Complete);
  if (!saved) co_return false;
  env_.log.info("a range is complete range={} blocks_pulled={}", range, progress_[range].pulled);
  co_return true;
}

}  // namespace mendfs::rebuild
