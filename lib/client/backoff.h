// When to try again, and until when. Pure.
#pragma once

#include <algorithm>

#include "env/loop.h"
#include "protocol/timing.h"

namespace mendfs::client {

/// kRetryBackoffMin, doubled each time up to kRetryBackoffMax.
class Backoff {
 public:
  Duration peek() const { return delay_; }
  Duration next() {
    const Duration now = delay_;
    delay_ = std::min<Duration>(delay_ * 2, timing::kRetryBackoffMax);
    return now;
  }
  void reset() { delay_ = timing::kRetryBackoffMin; }

 private:
  Duration delay_ = timing::kRetryBackoffMin;
};

/// How long one attempt may take, of which `waited` is over when a mount has a timeout (zero: none).
inline Duration attempt_limit(Duration longest, Duration timeout, Duration waited) {
  if (timeout == Duration::zero()) return longest;
  return std::clamp<Duration>(timeout - waited, Duration::zero(), longest);
}

}  // namespace mendfs::client
