// The few threads on which system calls that wait for a device are made. Jobs touch nothing but their own values and
// answer through Loop::post_from_thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "env/future.h"
#include "env/loop.h"
#include "env/task.h"

namespace mendfs {

class ThreadPool {
 public:
  explicit ThreadPool(int thread_count);
  /// Runs what was submitted, then ends the threads.
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  void submit(std::function<void()> job);

 private:
  void work();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;  // under mutex_
  bool ending_ = false;                     // under mutex_
  std::vector<std::thread> threads_;
};

/// Runs `job` on a thread of the pool and answers on the loop.
template <class T>
Task<T> run_on(ThreadPool& threads, Loop& loop, std::function<T()> job) {
  auto pair = make_promise<T>(loop);
  threads.submit([&loop, promise = pair.first, work = std::move(job)] {
    loop.post_from_thread([promise, answer = work()] { promise.set(answer); });
  });
  co_return co_await pair.second;
}

}  // namespace mendfs
