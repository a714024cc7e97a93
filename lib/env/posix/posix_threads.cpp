#include "env/posix/posix_threads.h"

#include <algorithm>
#include <thread>
#include <utility>

namespace mendfs {
namespace {

constexpr int kThreadCountMax = 4;

int thread_count() { return std::clamp(static_cast<int>(std::thread::hardware_concurrency()) - 1, 1, kThreadCountMax); }

}  // namespace

PosixThreads::PosixThreads(Loop& loop) : loop_(loop), pool_(thread_count()) {}

void PosixThreads::run(std::function<void()> job, std::function<void()> done) {
  pool_.submit([&loop = loop_, job = std::move(job), done = std::move(done)]() mutable {
    job();
    loop.post_from_thread(std::move(done));
  });
}

}  // namespace mendfs
