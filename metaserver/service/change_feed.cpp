#include "metaserver/service/change_feed.h"

#include <algorithm>
#include <utility>

#include "protocol/timing.h"

namespace mendfs::metaserver {
namespace {

constexpr std::size_t kCostMax = 16u << 20;
constexpr std::size_t kChangeCost = sizeof(protocol::NameState) * 2;
/// Of one answer: more go with the next.
constexpr std::size_t kItemsMax = 4096;

}  // namespace

void ChangeFeed::begin(std::uint64_t epoch, std::uint64_t index) {
  epoch_ = epoch;
  base_ = last_ = index;
}

void ChangeFeed::add(std::uint64_t index, const SessionId& origin, const protocol::Touched& touched) {
  last_ = index;
  Change change;
  change.index = index;
  change.origin = origin;
  change.inodes = touched.gone;
  for (const protocol::Attributes& attributes : touched.inodes) change.inodes.push_back(attributes.inode);
  change.names = touched.names;
  change.cost = kChangeCost + change.inodes.size() * sizeof(InodeNumber);
  for (protocol::NameState& name : change.names) {
    name.inode = 0;
    change.cost += sizeof name + name.name.size();
  }
  if (!change.inodes.empty() || !change.names.empty()) {
    for (Waiter& waiter : waiters_) {
      if (waiter.woken) continue;
      if (waiter.session == origin) continue;
      waiter.woken = true;
      waiter.wake.set({});
    }
    cost_ += change.cost;
    changes_.push_back(std::move(change));
  }
  for (Waiter& waiter : waiters_)
    if (!waiter.woken) waiter.seen = index;
  while (cost_ > kCostMax) {
    cost_ -= changes_.front().cost;
    base_ = changes_.front().index;
    changes_.pop_front();
  }
}

std::deque<ChangeFeed::Change>::const_iterator ChangeFeed::after(std::uint64_t index) const {
  return std::upper_bound(changes_.begin(), changes_.end(), index,
                          [](std::uint64_t value, const Change& change) { return value < change.index; });
}

Task<protocol::ChangesRequest::Answer> ChangeFeed::wait(SessionId session, std::uint64_t epoch, std::uint64_t since) {
  protocol::ChangesRequest::Answer answer;
  answer.up_to = last_;
  answer.unknown = epoch != epoch_ || since < base_ || since > last_;
  if (answer.unknown) co_return answer;

  if (std::none_of(after(since), changes_.cend(), [&](const Change& change) { return change.origin != session; })) {
    auto pair = make_promise<Unit>(loop_);
    const auto place = waiters_.insert(waiters_.end(), Waiter{session, last_, false, pair.first});
    struct Leave {
      std::list<Waiter>& waiters;
      std::list<Waiter>::iterator place;
      ~Leave() { waiters.erase(place); }
    } leave{waiters_, place};
    const std::optional<Unit> woken = co_await pair.second.until(loop_.now() + timing::kChangesWaitMax);
    since = place->seen;
    // What comes in the next moment goes into the same answer: a busy neighbour costs one call for many changes.
    if (woken) co_await sleep_for(loop_, timing::kChangesGather);
    answer.unknown = since < base_;
  }
  answer.up_to = last_;
  std::size_t items = 0;
  for (auto next = after(since); next != changes_.cend() && !answer.unknown; ++next) {
    const Change& change = *next;
    if (change.origin == session) continue;
    if (items >= kItemsMax) {
      answer.up_to = change.index - 1;
      break;
    }
    items += change.inodes.size() + change.names.size();
    answer.inodes.insert(answer.inodes.end(), change.inodes.begin(), change.inodes.end());
    answer.names.insert(answer.names.end(), change.names.begin(), change.names.end());
  }
  co_return answer;
}

}  // namespace mendfs::metaserver
