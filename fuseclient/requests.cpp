#include "fuseclient/requests.h"

#include <chrono>

#include "fuseclient/process.h"

namespace mendfs::fuse {
namespace {

using namespace std::chrono_literals;

constexpr auto kOrphanCheckEvery = 1s;
/// exit(2) closes what is open, and nobody can interrupt that: it gets longer than a killed process, not for ever.
constexpr auto kExitMax = 10s;

/// Refusals of POSIX are the caller's business; the rest is worth a line for whoever keeps the mount.
bool is_worth_a_line(ErrorCode code) {
  return code == ErrorCode::Io || code == ErrorCode::NoSpace || static_cast<int>(code) >= 64;
}

}  // namespace

Requests::Requests(Loop& loop, Logger& log, client::Filesystem& filesystem)
    : loop_(loop), log_(log), filesystem_(filesystem) {
  abandon_orphans();
}

Requests::~Requests() { loop_.cancel(orphan_timer_); }

Requests::Registration::Registration(Requests* requests, const Origin& origin) : requests_(requests), id_(origin.id) {
  Waiting waiting{.interrupt = std::make_shared<client::Interrupt>(requests->loop_),
                  .pid = origin.pid,
                  .since = requests->loop_.now(),
                  .abandoned = false};
  if (origin.interrupted) waiting.interrupt->interrupt();
  requests->waiting_.emplace(id_, std::move(waiting));
}

Requests::Origin Requests::origin_of(fuse_req_t request, OnExists on_exists) {
  Origin origin{.id = next_id_++, .pid = fuse_req_ctx(request)->pid, .on_exists = on_exists, .interrupted = false};
  // libfuse may run the callback while the request is being answered, so it gets a number, never a pointer.
  fuse_req_interrupt_func(request, &Requests::on_interrupt, reinterpret_cast<void*>(origin.id));
  origin.interrupted = fuse_req_interrupted(request) != 0;
  return origin;
}

void Requests::on_interrupt(fuse_req_t request, void* id) {
  // Later: libfuse holds a lock of the request's.
  Requests& self = of(request);
  self.loop_.post([&self, id] { self.interrupt(reinterpret_cast<std::uint64_t>(id)); });
}

void Requests::interrupt(std::uint64_t id) {
  auto entry = waiting_.find(id);
  if (entry == waiting_.end()) return;
  // Kept alive: the request may end, and leave the table, within the call.
  const std::shared_ptr<client::Interrupt> waiting = entry->second.interrupt;
  waiting->interrupt();
}

void Requests::abandon_orphans() {
  const Time now = loop_.now();
  for (auto& [id, waiting] : waiting_) {
    if (now - waiting.since < kOrphanCheckEvery) break;
    if (waiting.abandoned || waiting.pid <= 0) continue;
    const ProcessState state = process_state(waiting.pid);
    if (state == ProcessState::Alive) continue;
    if (state == ProcessState::Leaving && now - waiting.since < kExitMax) continue;
    waiting.abandoned = true;
    waiting.interrupt->abandon();  // only wakes: the table does not change here
  }
  orphan_timer_ = loop_.call_at(now + kOrphanCheckEvery, [this] { abandon_orphans(); });
}

void Requests::close() {
  closed_ = true;
  loop_.cancel(orphan_timer_);
  for (auto& [id, waiting] : waiting_) {
    waiting.abandoned = true;
    waiting.interrupt->abandon();
  }
}

Error Requests::translate(const Error& error, OnExists on_exists, bool abandoned) {
  // The kernel may have asked for a page that others wait for too: for them EINTR would mean nothing.
  if (abandoned && error.code == ErrorCode::Interrupted) return {ErrorCode::Io, "its process is gone"};
  if (error.code == ErrorCode::Exists && on_exists == OnExists::LookAgain)
    return {ErrorCode::StaleHandle, error.message};
  return error;
}

void Requests::refuse(fuse_req_t request, const Error& error) {
  if (is_worth_a_line(error.code)) {
    log_.warn("request failed error={} reason=\"{}\"", to_string(error.code), error.message);
  }
  fuse_reply_err(request, to_errno(error.code));
}

}  // namespace mendfs::fuse
