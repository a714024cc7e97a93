#include "dataserver/rebuild/rebuild_plan.h"

#include <algorithm>

namespace mendfs::rebuild {

Verdict judge(Completeness here, const std::vector<SourceReport>& others, bool is_declared_lost) {
  const auto all = [&](auto holds) { return std::all_of(others.begin(), others.end(), holds); };
  const bool all_at_end = all([](const SourceReport& source) { return source.reached_end; });
  switch (here) {
    case Completeness::Complete:
      return Verdict::Complete;
    // What none of them has was never fsync'd.
    case Completeness::Behind:
      return all_at_end ? Verdict::Complete : Verdict::GoOn;
    case Completeness::Incomplete:
    case Completeness::NoSource:
      break;
  }
  const bool some_complete = std::any_of(others.begin(), others.end(), [](const SourceReport& source) {
    return source.reached_end && source.was_complete;
  });
  if (some_complete) return Verdict::Complete;
  if (!all([](const SourceReport& source) { return source.is_rebuilding; })) return Verdict::GoOn;
  // Everything that is left has been exchanged: from now on this is what there is.
  if (is_declared_lost && all_at_end) return Verdict::Complete;
  return Verdict::NoSource;
}

HeartbeatNews news_of(const store::Superblock& superblock, const protocol::HeartbeatRequest& request) {
  HeartbeatNews news;
  if (!superblock.adopted) return news;
  // Every start of whatever store is in this slot gets a higher term. The generation says less: a store that has just
  // been rebuilt is not yet the confirmed one.
  const bool is_old = superblock.term_granted < request.confirmed_term;
  const bool claims_any = std::any_of(superblock.ranges.begin(), superblock.ranges.end(),
                                      [](const store::RangeState& range) { return range.complete; });
  news.is_outdated = is_old && claims_any;
  // Only the store that was reserved for the ring has missed nothing; one in an emptied directory may have, as a copy.
  const bool is_born_with_ring = request.complete_at_birth && request.confirmed_generation == superblock.generation;
  news.complete_at_birth = is_born_with_ring && !superblock.complete_at_birth && !is_old && !claims_any;
  for (const protocol::LostRange& lost : request.lost) {
    const bool is_known =
        std::any_of(superblock.lost.begin(), superblock.lost.end(), [&](const protocol::LostRange& known) {
          return known.range == lost.range && known.inode_high >= lost.inode_high;
        });
    if (!is_known && superblock.range_state(lost.range) != nullptr) news.lost.push_back(lost);
  }
  return news;
}

std::uint64_t blocks_per_second(std::uint64_t blocks, std::int64_t elapsed_ms) {
  return blocks * 1000 / static_cast<std::uint64_t>(std::max<std::int64_t>(elapsed_ms, 1));
}

}  // namespace mendfs::rebuild
