#include "env/posix/posix_loop.h"

#include <sched.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <deque>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

namespace mendfs {
namespace {

namespace asio = boost::asio;

/// Callbacks run in a row before sockets and timers get their turn again.
constexpr int kBatchMax = 256;

std::chrono::steady_clock::time_point to_steady(Time when) {
  return std::chrono::steady_clock::time_point(std::chrono::duration_cast<std::chrono::steady_clock::duration>(when));
}

}  // namespace

struct PosixLoop::Parts {
  // Only the loop thread runs it, while others may post to it: the hint saves wake-ups and keeps the locks.
  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  asio::signal_set signals{context};
  std::function<void()> terminate_handler;

  std::deque<std::function<void()>> ready;

  // One Asio timer serves all: it is armed for the earliest, and a cancelled one only makes it fire for nothing.
  asio::steady_timer timer{context};
  std::optional<Time> armed;
  std::map<std::pair<Time, TimerId>, std::function<void()>> timers;
  std::unordered_map<TimerId, Time> timer_times;
  TimerId last_timer = 0;
};

PosixLoop::PosixLoop(Duration look_for) : look_for_(look_for), parts_(std::make_unique<Parts>()) {
  std::signal(SIGPIPE, SIG_IGN);
}
PosixLoop::~PosixLoop() = default;

Time PosixLoop::now() const {
  return std::chrono::duration_cast<Time>(std::chrono::steady_clock::now().time_since_epoch());
}

WallTime PosixLoop::wall_now() const {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

void PosixLoop::post(std::function<void()> work) { parts_->ready.push_back(std::move(work)); }

void PosixLoop::run_ready() {
  for (int i = 0; i < kBatchMax && !parts_->ready.empty() && !parts_->context.stopped(); ++i) {
    const std::function<void()> work = std::move(parts_->ready.front());
    parts_->ready.pop_front();
    work();
  }
}

void PosixLoop::post_from_thread(std::function<void()> work) { asio::post(parts_->context, std::move(work)); }

TimerId PosixLoop::call_at(Time when, std::function<void()> work) {
  const TimerId id = ++parts_->last_timer;
  parts_->timers.emplace(std::pair(when, id), std::move(work));
  parts_->timer_times.emplace(id, when);
  arm_timer();
  return id;
}

void PosixLoop::cancel(TimerId timer) {
  const auto found = parts_->timer_times.find(timer);
  if (found == parts_->timer_times.end()) return;
  parts_->timers.erase({found->second, timer});
  parts_->timer_times.erase(found);
}

void PosixLoop::arm_timer() {
  if (parts_->timers.empty()) return;
  const Time earliest = parts_->timers.begin()->first.first;
  if (parts_->armed && *parts_->armed <= earliest) return;
  parts_->armed = earliest;
  parts_->timer.expires_at(to_steady(earliest));
  parts_->timer.async_wait([this](const boost::system::error_code& error) {
    if (error) return;  // armed anew for an earlier time
    parts_->armed.reset();
    run_due_timers();
  });
}

void PosixLoop::run_due_timers() {
  // Those that come due while these run wait for their turn after the sockets'.
  const Time due = now();
  while (!parts_->timers.empty() && parts_->timers.begin()->first.first <= due && !parts_->context.stopped()) {
    auto node = parts_->timers.extract(parts_->timers.begin());
    parts_->timer_times.erase(node.key().second);
    node.mapped()();
  }
  arm_timer();
}

void PosixLoop::run() {
  parts_->context.restart();
  while (!parts_->context.stopped()) {
    run_ready();
    // What the callback of a socket posts runs right behind it, before Asio asks the kernel for news.
    if (parts_->ready.empty()) {
      wait_for_news();
    } else {
      parts_->context.poll();
    }
  }
}

void PosixLoop::wait_for_news() {
  if (parts_->context.poll_one() > 0) return;
  const Time give_up = now() + look_for_;
  do {
    ::sched_yield();
    if (parts_->context.poll_one() > 0) return;
  } while (now() < give_up);
  parts_->context.run_one();
}

void PosixLoop::stop() { parts_->context.stop(); }

void PosixLoop::on_terminate(std::function<void()> handler) {
  parts_->terminate_handler = std::move(handler);
  parts_->signals.cancel();
  boost::system::error_code ignored;  // fails only for signals that cannot be caught
  parts_->signals.add(SIGTERM, ignored);
  parts_->signals.add(SIGINT, ignored);
  wait_for_signal();
}

void PosixLoop::wait_for_signal() {
  parts_->signals.async_wait([this](const boost::system::error_code& error, int /*signal*/) {
    if (error) return;
    parts_->terminate_handler();
    wait_for_signal();
  });
}

asio::io_context& PosixLoop::context() { return parts_->context; }

}  // namespace mendfs
