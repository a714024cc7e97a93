// Other cores, for what would hold up the loop: hashing a large write, for example.
#pragma once

#include <functional>

namespace mendfs {

class Threads {
 public:
  virtual ~Threads() = default;
  /// Runs `job` beside the loop and then `done` on it. `job` touches nothing that anybody else uses meanwhile; of
  /// several, any may end first.
  virtual void run(std::function<void()> job, std::function<void()> done) = 0;
};

}  // namespace mendfs
