// A bounded number of places, given out in the order of asking. Who waits for one, or has one, may be destroyed; the
// places must outlive them. Loop thread only.
#pragma once

#include <cstddef>
#include <list>
#include <optional>
#include <utility>

#include "env/future.h"

namespace mendfs {

class Places {
 public:
  Places(Loop& loop, std::size_t count) : loop_(loop), free_(count) {}
  Places(const Places&) = delete;

  class Guard {
   public:
    explicit Guard(Places* places) : places_(places) {}
    Guard(Guard&& other) noexcept : places_(std::exchange(other.places_, nullptr)) {}
    Guard(const Guard&) = delete;
    ~Guard() {
      if (places_ != nullptr) places_->give_back();
    }

   private:
    Places* places_;
  };

  /// Nothing when the deadline came first.
  Task<std::optional<Guard>> take(Time deadline) {
    std::optional<Guard> guard;
    if (free_ > 0) {
      --free_;
      guard.emplace(this);
      co_return guard;
    }
    Waiter waiter(*this);
    (void)co_await waiter.given.second.until(deadline);
    if (!waiter.given.first.is_set()) co_return guard;
    waiter.is_taken = true;
    guard.emplace(this);
    co_return guard;
  }

 private:
  struct Waiter {
    explicit Waiter(Places& owner)
        : places(owner),
          given(make_promise<Unit>(owner.loop_)),
          position(owner.waiting_.insert(owner.waiting_.end(), this)) {}
    Waiter(const Waiter&) = delete;
    ~Waiter() {
      if (!given.first.is_set()) {
        places.waiting_.erase(position);
      } else if (!is_taken) {
        places.give_back();
      }
    }
    Places& places;
    std::pair<Promise<Unit>, Future<Unit>> given;
    std::list<Waiter*>::iterator position;
    bool is_taken = false;
  };

  void give_back() {
    if (waiting_.empty()) {
      ++free_;
      return;
    }
    Waiter* next = waiting_.front();
    waiting_.pop_front();
    next->given.first.set({});
  }

  Loop& loop_;
  std::size_t free_;
  std::list<Waiter*> waiting_;
};

}  // namespace mendfs
