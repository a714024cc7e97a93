#include "tests/sim/name_history.h"

#include <fmt/core.h>

namespace mendfs::sim {

ErrorCode NameHistory::expect(const NameChange& change) const {
  NameModel names = newest();
  return names.apply(change, 1);
}

void NameHistory::changed(const NameChange& change, InodeNumber made, Time now) {
  states_.push_back({newest(), now});
  (void)states_.back().names.apply(change, made);
}

void NameHistory::lose_power(Time synced_at) {
  while (!lost_power_ && states_.size() > 1 && states_[1].answered <= synced_at) states_.erase(states_.begin());
  lost_power_ = true;
  ++losses_;
}

bool NameHistory::leads_to(const NameModel& from, const NameModel& names, const std::optional<UnderWay>& under_way) {
  // The answer may have left before the power went.
  if (from == names) return true;
  if (!under_way) return false;
  NameModel changed = from;
  if (under_way->answer)
    return changed.apply(under_way->change, under_way->made) == *under_way->answer && changed == names;
  const auto parent = names.nodes().find(under_way->change.parent);
  if (parent == names.nodes().end()) return false;
  const auto made = parent->second.children.find(under_way->change.name);
  (void)changed.apply(under_way->change, made == parent->second.children.end() ? 0 : made->second);
  return changed == names;
}

std::optional<std::string> NameHistory::found(const NameModel& names, const std::optional<UnderWay>& under_way,
                                              Time now) {
  for (const State& state : states_) {
    // Without a power cut only the newest is left.
    if (!lost_power_ && &state != &states_.back()) continue;
    if (!leads_to(state.names, names, under_way)) continue;
    // What a restarted metaserver has found is durable.
    if (std::exchange(lost_power_, false)) states_.clear();
    states_.push_back({names, now});
    return std::nullopt;
  }
  std::string text = "the tree is" + names.describe();
  if (under_way) text += "; under way was " + sim::describe(under_way->change);
  if (under_way && under_way->answer)
    text += fmt::format(", answered {}, made {:x}", to_string(*under_way->answer), under_way->made);
  for (const State& state : states_) text += "\n  it may have been" + state.names.describe();
  return text;
}

}  // namespace mendfs::sim
