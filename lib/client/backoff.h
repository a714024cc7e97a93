// How long to wait before the next attempt: kRetryBackoffMin, doubled each time up to kRetryBackoffMax. Pure.
#pragma once

#include <algorithm>

#include "env/loop.h"
#include "protocol/timing.h"

namespace mendfs::client {

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

}  // namespace mendfs::client
