#include "client/wait_log.h"

#include <algorithm>

#include "protocol/timing.h"

namespace mendfs::client {
namespace {

std::string name_of_server(const Blocked& blocked) {
  if (!blocked.slot) return fmt::format("the metaserver ({})", to_string(blocked.server));
  return fmt::format("server {} ({})", *blocked.slot, to_string(blocked.server));
}

}  // namespace

WaitLog::WaitLog(Loop& loop, Logger& log, std::function<std::string(InodeNumber)> name_of)
    : loop_(loop), log_(log), name_of_(std::move(name_of)) {
  scope_.spawn(report());
}

WaitLog::Entry::Entry(WaitLog& log, const char* what, InodeNumber inode, std::function<Blame()> blame)
    : log_(log),
      what_(what),
      inode_(inode),
      blame_(std::move(blame)),
      since_(log.loop_.now()),
      place_(log.entries_.insert(log.entries_.end(), this)) {}

WaitLog::Entry::~Entry() { log_.entries_.erase(place_); }

Duration WaitLog::Entry::waited() const { return log_.loop_.now() - since_; }

std::vector<Blocked> WaitLog::blocked() const {
  std::vector<Blocked> all;
  for (const Entry* entry : entries_) {
    if (entry->waited() < timing::kBlockedLogAfter) continue;
    Blame blame = entry->blame_();
    all.push_back(
        {entry->what_, entry->inode_, blame.slot, std::move(blame.server), entry->waited(), std::move(blame.reason)});
  }
  std::stable_sort(all.begin(), all.end(), [](const Blocked& a, const Blocked& b) { return a.waited > b.waited; });
  return all;
}

Task<void> WaitLog::report() {
  for (;;) {
    co_await sleep_for(loop_, timing::kBlockedLogAfter);
    report_once();
  }
}

/// One line for each kind of request and server, with the file that has waited longest.
void WaitLog::report_once() {
  const std::vector<Blocked> all = blocked();
  std::erase_if(reported_, [&](const Reported& earlier) {
    return std::none_of(all.begin(), all.end(),
                        [&](const Blocked& now) { return earlier.what == now.what && earlier.slot == now.slot; });
  });
  std::vector<Reported> seen;
  for (const Blocked& blocked : all) {
    const auto is_same = [&](const Reported& other) {
      return other.what == blocked.what && other.slot == blocked.slot;
    };
    if (std::any_of(seen.begin(), seen.end(), is_same)) continue;
    seen.push_back({blocked.what, blocked.slot, loop_.now()});
    const auto earlier = std::find_if(reported_.begin(), reported_.end(), is_same);
    if (earlier != reported_.end() && loop_.now() - earlier->at < timing::kBlockedLogEvery) continue;
    if (earlier == reported_.end())
      reported_.push_back(seen.back());
    else
      earlier->at = loop_.now();
    const auto count = std::count_if(all.begin(), all.end(), [&](const Blocked& other) {
      return other.what == std::string_view(blocked.what) && other.slot == blocked.slot;
    });
    const std::string name = blocked.inode == 0 ? std::string() : name_of_(blocked.inode);
    log_.warn("{} blocked on {} for {} s file={} waiting={} reason=\"{}\": start it again, or Ctrl-C to stop waiting",
              blocked.what, name_of_server(blocked),
              std::chrono::duration_cast<std::chrono::seconds>(blocked.waited).count(),
              name.empty() ? fmt::format("inode:{}", blocked.inode) : name, count, blocked.reason);
  }
}

}  // namespace mendfs::client
