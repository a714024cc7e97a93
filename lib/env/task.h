// Coroutines: what waits (for a disk, a server, a time) is a suspended frame, never a thread.
//
//   Task<T>   a coroutine that has not started; `co_await` runs it as a part of the caller.
//   Scope     owns coroutines that run on their own; destroying it destroys them, wherever they wait.
//
// A frame is destroyed in place, so everything it holds is released by destructors, and whatever would have woken it
// finds nobody (see Future). That is how a process "crashes" in simulation and how a client lets go of an operation.
//
// Rules that keep this safe (g++ 12 has bugs around some of them):
//   - parameters of a coroutine that is spawned are values or outlive the Scope; never `const T&` to a temporary;
//   - no coroutine lambdas with captures;
//   - arguments that are aggregates with non-trivial members are named locals, moved in;
//   - no `co_await` inside ?:, && or ||.
// One loop thread only.
#pragma once

#include <coroutine>
#include <exception>
#include <list>
#include <optional>
#include <utility>

#include "base/assert.h"

namespace mendfs {

template <class T>
class Task;

namespace detail {

struct TaskPromiseBase {
  std::coroutine_handle<> continuation;

  std::suspend_always initial_suspend() noexcept { return {}; }
  struct FinalAwaiter {
    bool await_ready() noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> finished) noexcept {
      std::coroutine_handle<> next = finished.promise().continuation;
      return next ? next : std::noop_coroutine();
    }
    void await_resume() noexcept {}
  };
  FinalAwaiter final_suspend() noexcept { return {}; }
  void unhandled_exception() noexcept { std::terminate(); }
};

template <class T>
struct TaskPromise : TaskPromiseBase {
  std::optional<T> value;
  Task<T> get_return_object();
  template <class U>
  void return_value(U&& result) {
    value.emplace(std::forward<U>(result));
  }
  T take() { return std::move(*value); }
};

template <>
struct TaskPromise<void> : TaskPromiseBase {
  Task<void> get_return_object();
  void return_void() {}
  void take() {}
};

}  // namespace detail

template <class T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::TaskPromise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  explicit Task(Handle handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      reset();
      handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
  }
  ~Task() { reset(); }

  bool await_ready() const noexcept { return false; }
  /// Runs the task until it first waits. One that ends without waiting goes on in the caller at once: handing over by
  /// symmetric transfer would deepen the stack at each such call in builds without tail calls (-O0, sanitizers).
  bool await_suspend(std::coroutine_handle<> awaiting) noexcept {
    handle_.resume();
    if (handle_.done()) return false;
    handle_.promise().continuation = awaiting;
    return true;
  }
  T await_resume() { return handle_.promise().take(); }

 private:
  void reset() {
    if (handle_) handle_.destroy();
    handle_ = nullptr;
  }
  Handle handle_;
};

template <class T>
Task<T> detail::TaskPromise<T>::get_return_object() {
  return Task<T>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}
inline Task<void> detail::TaskPromise<void>::get_return_object() {
  return Task<void>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}

/// Frames are kept and destroyed in the order they were spawned in: the same in every run.
class Scope {
 public:
  Scope() = default;
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  /// Destroys what still runs. Requires: no coroutine of this scope is on the stack.
  ~Scope() { cancel_all(); }

  /// Starts `task` at once, on the caller's stack, until it first waits.
  void spawn(Task<void> task) { run(this, std::move(task)); }

  void cancel_all() {
    while (!frames_.empty()) {
      const std::coroutine_handle<> frame = frames_.front();
      frames_.pop_front();
      frame.destroy();
    }
  }
  bool empty() const { return frames_.empty(); }
  std::size_t count() const { return frames_.size(); }

 private:
  struct Root {
    struct promise_type {
      Scope* scope;
      std::list<std::coroutine_handle<>>::iterator place;
      promise_type(Scope* owner, Task<void>&) : scope(owner) {
        const auto self = std::coroutine_handle<promise_type>::from_promise(*this);
        place = scope->frames_.insert(scope->frames_.end(), self);
      }
      Root get_return_object() { return {}; }
      std::suspend_never initial_suspend() noexcept { return {}; }
      struct Leave {
        bool await_ready() noexcept { return false; }
        void await_suspend(std::coroutine_handle<promise_type> self) noexcept {
          self.promise().scope->frames_.erase(self.promise().place);
          self.destroy();
        }
        void await_resume() noexcept {}
      };
      Leave final_suspend() noexcept { return {}; }
      void return_void() {}
      void unhandled_exception() noexcept { std::terminate(); }
    };
  };
  static Root run(Scope*, Task<void> task) { co_await std::move(task); }

  std::list<std::coroutine_handle<>> frames_;
};

}  // namespace mendfs
