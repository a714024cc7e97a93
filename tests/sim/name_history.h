// What a namespace may be found to be after a power cut: the oracle of promise 7 (docs/design.md). Pure.
//
// One user changes names, one change at a time. The states after each change are kept from the last one that surely
// survives; a power cut leaves one of them, and nothing else.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "env/loop.h"
#include "tests/sim/name_model.h"

namespace mendfs::sim {

class NameHistory {
 public:
  explicit NameHistory(InodeNumber root) { states_.push_back({NameModel(root), Time{}}); }

  const NameModel& newest() const { return states_.back().names; }
  /// What a change will answer if nothing was lost.
  ErrorCode expect(const NameChange& change) const;

  /// The change was answered.
  void changed(const NameChange& change, InodeNumber made, Time now);
  /// All changes that were answered up to now survive.
  void make_durable() { states_.erase(states_.begin(), states_.end() - 1); }

  /// The metaserver's machine loses power: what was answered later than `synced_at` may be gone.
  void lose_power(Time synced_at);
  /// Whether it has since the last found().
  bool has_lost_power() const { return lost_power_; }
  std::uint64_t losses() const { return losses_; }

  /// A change that was under way when the power went, or when the user died.
  struct UnderWay {
    NameChange change;
    std::optional<ErrorCode> answer;  // none: it has happened or not
    InodeNumber made = 0;             // with an answer
  };
  /// Looks which state the tree is in now, and goes on from that. Otherwise a sentence.
  std::optional<std::string> found(const NameModel& names, const std::optional<UnderWay>& under_way, Time now);

 private:
  struct State {
    NameModel names;
    Time answered;  // the change that made it
  };
  static bool leads_to(const NameModel& from, const NameModel& names, const std::optional<UnderWay>& under_way);

  std::vector<State> states_;
  bool lost_power_ = false;
  std::uint64_t losses_ = 0;
};

}  // namespace mendfs::sim
