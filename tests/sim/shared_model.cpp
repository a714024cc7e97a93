#include "tests/sim/shared_model.h"

#include <fmt/core.h>

#include <algorithm>

namespace mendfs::sim {

SharedModel::SharedModel(std::string content, std::uint32_t block_size) : block_size_(block_size) {
  of_block_.resize((content.size() + block_size - 1) / block_size, {0});
  writes_.push_back({0, 0, std::move(content), 0, 0, 0, 0, true});
}

SharedModel::Write SharedModel::begin(Mount mount, std::uint64_t offset, std::string bytes) {
  const Write write = writes_.size();
  for (std::uint64_t block = offset / block_size_; block * block_size_ < offset + bytes.size(); ++block)
    of_block_[block].push_back(write);
  writes_.push_back({mount, offset, std::move(bytes), now(), losses_});
  return write;
}

void SharedModel::settle(Write write) {
  Written& written = writes_[write];
  // What all copies had may be gone again when a flush asks for it: only an fsync would say so.
  const bool is_there = written.is_durable || written.losses_before == losses_;
  if (is_there && written.settled == UINT64_MAX) written.settled = now();
}

void SharedModel::make_durable(Write write) {
  writes_[write].is_durable = true;
  settle(write);
}

void SharedModel::lose_power() {
  ++losses_;
  for (Written& written : writes_)
    if (!written.is_durable) written.settled = UINT64_MAX;
}

std::optional<std::string> SharedModel::check(std::string_view bytes, Moment since, Mount own) {
  if (bytes.size() != size()) return fmt::format("{} bytes of {}", bytes.size(), size());
  for (std::uint64_t begin = 0; begin < bytes.size(); begin += block_size_) {
    const std::uint64_t count = std::min<std::uint64_t>(block_size_, bytes.size() - begin);
    if (auto wrong = check_block(begin, bytes.substr(begin, count), since, own)) return wrong;
  }
  return std::nullopt;
}

/// Where writes begin and end within the block, and where it does.
std::vector<std::uint64_t> SharedModel::ends_in(std::uint64_t begin, std::uint64_t end) const {
  std::set<std::uint64_t> ends{begin, end};
  for (const Write write : of_block_[begin / block_size_])
    for (const std::uint64_t place : {writes_[write].offset, writes_[write].offset + writes_[write].bytes.size()})
      if (place > begin && place < end) ends.insert(place);
  return {ends.begin(), ends.end()};
}

std::optional<std::string> SharedModel::check_block(std::uint64_t begin, std::string_view bytes, Moment since,
                                                    Mount own) {
  const std::uint64_t block = begin / block_size_;
  const std::vector<std::uint64_t> ends = ends_in(begin, begin + bytes.size());
  std::vector<Stretch> stretches;
  std::set<Write> applied;
  const auto is_own_news = [&](Write write) { return writes_[write].mount == own && writes_[write].settled > since; };
  for (std::size_t i = 0; i + 1 < ends.size(); ++i) {
    Stretch stretch{ends[i], ends[i + 1], std::nullopt};
    std::size_t candidates = 0;
    for (const Write write : of_block_[block]) {
      const Written& written = writes_[write];
      if (!written.covers(stretch.from, stretch.to)) continue;
      if (written.at(stretch.from, stretch.to) != bytes.substr(stretch.from - begin, stretch.to - stretch.from))
        continue;
      ++candidates;
      stretch.shown = write;
    }
    if (candidates == 0)
      return fmt::format("block {}: bytes {} to {} that nobody wrote there", block, stretch.from, stretch.to);
    if (candidates > 1) stretch.shown.reset();
    if (stretch.shown && !is_own_news(*stretch.shown)) applied.insert(*stretch.shown);
    stretches.push_back(stretch);
  }
  for (const Write write : of_block_[block])
    if (writes_[write].settled <= since) applied.insert(write);

  // Of this reading only: the order of writes that are not acknowledged yet is open, and may change with a server's
  // fate.
  Order here;
  for (const Stretch& stretch : stretches) {
    if (!stretch.shown || is_own_news(*stretch.shown)) continue;
    for (const Write earlier : applied)
      if (earlier != *stretch.shown && writes_[earlier].covers(stretch.from, stretch.to))
        here.insert({block, {earlier, *stretch.shown}});
  }
  for (const auto& [where, pair] : here) {
    const auto [earlier, later] = pair;
    if (seen_.contains({block, pair})) continue;
    if (is_before(block, later, earlier, here, since))
      return fmt::format("block {}: bytes of {}, though {} came after it", block, describe(later), describe(earlier));
    if (writes_[earlier].settled <= since && writes_[later].settled <= since) seen_.insert({block, pair});
  }
  return std::nullopt;
}

/// By what was seen, by what was acknowledged before the other one began, or by the order within one mount.
bool SharedModel::is_before(std::uint64_t block, Write a, Write b, const Order& here, Moment since) const {
  std::set<Write> reached{a};
  std::vector<Write> next{a};
  while (!next.empty()) {
    const Write write = next.back();
    next.pop_back();
    if (write == b) return true;
    const Written& written = writes_[write];
    for (const Write later : of_block_[block]) {
      const Written& other = writes_[later];
      // Of two that do not overlap, the mount may send the later one first.
      const bool is_same_mount = written.mount == other.mount && written.taken < other.begun && written.overlaps(other);
      // Who began to read before both were acknowledged may have been answered while their order was open.
      const bool was_closed = written.settled <= since && other.settled <= since;
      const bool is_seen =
          (was_closed && seen_.contains({block, {write, later}})) || here.contains({block, {write, later}});
      const bool follows = written.settled < other.begun || is_same_mount || is_seen;
      if (follows && reached.insert(later).second) next.push_back(later);
    }
  }
  return false;
}

std::string SharedModel::describe(Write write) const {
  const Written& written = writes_[write];
  return fmt::format("write {} (mount {}, {}+{}, begun {}, taken {}, settled {}{})", write, written.mount,
                     written.offset, written.bytes.size(), written.begun, static_cast<std::int64_t>(written.taken),
                     static_cast<std::int64_t>(written.settled), written.is_durable ? ", durable" : "");
}

}  // namespace mendfs::sim
