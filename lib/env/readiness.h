// Descriptors that a library outside lib/env reads by itself, such as libfuse's: the loop only says when. Loop thread.
#pragma once

#include <functional>
#include <memory>

namespace mendfs {

/// Ends when destroyed, also from within its own callback.
class ReadWatch {
 public:
  virtual ~ReadWatch() = default;
};

class Readiness {
 public:
  virtual ~Readiness() = default;
  /// Calls `on_readable` again and again for as long as `descriptor` can be read, is broken, or has ended; other work
  /// gets its turn in between. The descriptor stays the caller's and must outlive the watch.
  virtual std::unique_ptr<ReadWatch> watch(int descriptor, std::function<void()> on_readable) = 0;
};

}  // namespace mendfs
