// Threads over a ThreadPool with a thread for each core but the loop's.
#pragma once

#include "env/posix/thread_pool.h"
#include "env/threads.h"

namespace mendfs {

class PosixThreads final : public Threads {
 public:
  explicit PosixThreads(Loop& loop);
  void run(std::function<void()> job, std::function<void()> done) override;

 private:
  Loop& loop_;
  ThreadPool pool_;
};

}  // namespace mendfs
