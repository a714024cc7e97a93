// One value that one coroutine waits for, and signals that many wait for.
//
//   auto [promise, future] = make_promise<int>(loop);
//   ... promise.set(3);                       // by whoever knows; the waiter runs from the loop, not inside set()
//   int n = co_await future;                  // or: std::optional<int> n = co_await future.until(deadline);
//
// The waiter may be destroyed while it waits: set() then finds nobody. A promise that is dropped without set() leaves
// its waiter waiting for ever, so whoever holds one answers it, also when giving up. One loop thread only.
#pragma once

#include <coroutine>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "env/loop.h"
#include "env/task.h"

namespace mendfs {

/// The value of a Promise that carries nothing but the moment.
struct Unit {};

namespace detail {
template <class T>
struct FutureState {
  explicit FutureState(Loop& owner) : loop(owner) {}
  Loop& loop;
  std::optional<T> value;
  std::coroutine_handle<> waiter;
};
}  // namespace detail

template <class T>
class Promise {
 public:
  explicit Promise(std::shared_ptr<detail::FutureState<T>> state) : state_(std::move(state)) {}
  /// The first value counts; later ones are ignored.
  void set(T value) const {
    if (state_->value.has_value()) return;
    state_->value.emplace(std::move(value));
    if (state_->waiter) {
      state_->loop.post([state = state_] {
        if (state->waiter) std::exchange(state->waiter, nullptr).resume();
      });
    }
  }
  bool is_set() const { return state_->value.has_value(); }

 private:
  std::shared_ptr<detail::FutureState<T>> state_;
};

template <class T>
class [[nodiscard]] Future {
 public:
  explicit Future(std::shared_ptr<detail::FutureState<T>> state) : state_(std::move(state)) {}

  bool ready() const { return state_->value.has_value(); }

  /// `co_await future`: the value. Once.
  auto operator co_await() const { return Awaiter(state_); }
  /// `co_await future.until(deadline)`: the value, or nothing when the deadline came first (it may be awaited again).
  auto until(Time deadline) const { return TimedAwaiter(state_, deadline); }

 private:
  struct Awaiter {
    explicit Awaiter(std::shared_ptr<detail::FutureState<T>> s) : state(std::move(s)) {}
    Awaiter(const Awaiter&) = delete;
    ~Awaiter() {
      if (waiting) state->waiter = nullptr;
    }
    bool await_ready() const { return state->value.has_value(); }
    void await_suspend(std::coroutine_handle<> handle) {
      MENDFS_ASSERT(!state->waiter);
      waiting = true;
      state->waiter = handle;
    }
    T await_resume() {
      waiting = false;
      return std::move(*state->value);
    }
    std::shared_ptr<detail::FutureState<T>> state;
    bool waiting = false;
  };

  struct TimedAwaiter {
    TimedAwaiter(std::shared_ptr<detail::FutureState<T>> s, Time d) : state(std::move(s)), deadline(d) {}
    TimedAwaiter(const TimedAwaiter&) = delete;
    ~TimedAwaiter() { stop(); }
    bool await_ready() const { return state->value.has_value(); }
    void await_suspend(std::coroutine_handle<> handle) {
      MENDFS_ASSERT(!state->waiter);
      waiting = true;
      state->waiter = handle;
      timer = state->loop.call_at(deadline, [weak = std::weak_ptr(state)] {
        auto waited = weak.lock();
        if (waited && waited->waiter) std::exchange(waited->waiter, nullptr).resume();
      });
    }
    std::optional<T> await_resume() {
      stop();
      if (!state->value.has_value()) return std::nullopt;
      return std::move(*state->value);
    }
    void stop() {
      if (!waiting) return;
      waiting = false;
      state->waiter = nullptr;
      state->loop.cancel(timer);
    }
    std::shared_ptr<detail::FutureState<T>> state;
    Time deadline;
    TimerId timer = 0;
    bool waiting = false;
  };

  std::shared_ptr<detail::FutureState<T>> state_;
};

template <class T>
std::pair<Promise<T>, Future<T>> make_promise(Loop& loop) {
  auto state = std::make_shared<detail::FutureState<T>>(loop);
  return {Promise<T>(state), Future<T>(state)};
}

inline Task<void> sleep_until(Loop& loop, Time when) {
  auto pair = make_promise<Unit>(loop);
  (void)co_await pair.second.until(when);
}
inline Task<void> sleep_for(Loop& loop, Duration duration) { return sleep_until(loop, loop.now() + duration); }

/// Something has changed: wakes all who wait, who then look for themselves.
class Signal {
 public:
  explicit Signal(Loop& loop) : loop_(loop) {}

  Future<Unit> next() {
    auto [promise, future] = make_promise<Unit>(loop_);
    waiters_.push_back(std::move(promise));
    return future;
  }
  void notify_all() {
    for (const Promise<Unit>& waiter : std::exchange(waiters_, {})) waiter.set({});
  }

 private:
  Loop& loop_;
  std::vector<Promise<Unit>> waiters_;
};

/// Runs tasks side by side; answers in their order once all have ended.
template <class T>
Task<std::vector<T>> all_of(Loop& loop, std::vector<Task<T>> tasks) {
  struct Gather {
    explicit Gather(Loop& l, std::size_t n) : results(n), left(n), done(make_promise<Unit>(l)) {}
    std::vector<std::optional<T>> results;
    std::size_t left;
    std::pair<Promise<Unit>, Future<Unit>> done;
    static Task<void> one(Gather* gather, std::size_t index, Task<T> task) {
      gather->results[index].emplace(co_await std::move(task));
      if (--gather->left == 0) gather->done.first.set({});
    }
  };
  std::vector<T> answers;
  if (tasks.empty()) co_return answers;
  Gather gather(loop, tasks.size());
  Scope scope;
  for (std::size_t i = 0; i < tasks.size(); ++i) scope.spawn(Gather::one(&gather, i, std::move(tasks[i])));
  (void)co_await gather.done.second;
  answers.reserve(gather.results.size());
  for (auto& result : gather.results) answers.push_back(std::move(*result));
  co_return answers;
}

}  // namespace mendfs
