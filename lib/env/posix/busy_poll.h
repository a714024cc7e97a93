// How long a loop looks for news before its thread sleeps. Waking a thread whose core has halted takes tens of
// microseconds, more in a virtual machine: as long as a whole answer of another process. So a loop whose news came
// soon after it had nothing to do looks out for the next instead of sleeping, and gives the core to whoever else wants
// it meanwhile; one whose news comes late stops looking. The rule is that of the kernel's halt polling
// (Documentation/virt/kvm/halt-polling.rst), docs/performance.md has what it gains.
#pragma once

#include <chrono>

#include "env/loop.h"

namespace mendfs {

class BusyPoll {
 public:
  /// News that comes within this is worth the looking.
  static constexpr Time kMost = std::chrono::microseconds(100);

  /// How long to look next time; 0: sleep at once.
  Time span() const { return span_; }

  /// The last news came `after` there was nothing left to do.
  void came(Time after) {
    if (after <= kMost) {
      span_ = kMost;
    } else {
      span_ = span_ < kLeast ? Time(0) : span_ / 2;
    }
  }

 private:
  static constexpr Time kLeast = std::chrono::microseconds(10);

  Time span_{0};
};

}  // namespace mendfs
