#include "dataserver/store/run_index.h"

#include <algorithm>

#include "base/assert.h"
#include "dataserver/store/index_keys.h"
#include "protocol/fields.h"

namespace mendfs::store {
namespace {

/// Runs read beyond those asked for: few at first, more each time where the last window ended, as a sequential reader
/// does.
constexpr std::size_t kReadAheadMin = 4;
constexpr std::size_t kReadAheadMax = 256;
/// A window is halved above this, or above an eighth of all that may be in memory.
constexpr std::size_t kWindowRunsMin = 4096;
constexpr Unit kNoEnd = UINT64_MAX;
/// Each batch costs the store a few microseconds beyond those of its entries.
constexpr std::size_t kPendingMax = 256;

Result<StoredRun> parse(std::string_view key, std::string_view value) {
  const auto parsed = keys::parse_run(key);
  Result<StoredRun> run = unpack<StoredRun>(value);
  if (!parsed || !run || run->count == 0 || run->step == 0 || run->block_bits > 31)
    return Error{ErrorCode::Corruption, "the index has an impossible entry"};
  run->first = parsed->unit;
  return run;
}

/// The first run that ends after `begin`: where a walk over those that overlap starts.
auto first_after(std::map<Unit, StoredRun>& runs, Unit begin) {
  auto place = runs.upper_bound(begin);
  if (place != runs.begin() && std::prev(place)->second.end() > begin) --place;
  return place;
}

}  // namespace

Result<std::vector<StoredRun>> RunIndex::overlapping(const ClassKey& key, Unit begin, Unit end) {
  if (const StoredRun* const one = known_run(key, begin, end)) return std::vector<StoredRun>{*one};
  MENDFS_TRY(Window * window, window_over(key, begin, end));
  std::vector<StoredRun> found;
  for (auto place = first_after(window->runs, begin); place != window->runs.end() && place->first < end; ++place)
    found.push_back(place->second);
  return found;
}

Result<RunChange> RunIndex::insert(const ClassKey& key, const StoredRun& run, Position log_end) {
  MENDFS_TRY(const std::vector<StoredRun> overlapped, overlapping(key, run.first, run.end()));
  RunChange change = lay_over(overlapped, run);
  MENDFS_TRY_VOID(note(key, change, log_end));
  return change;
}

Result<void> RunIndex::write_pending() {
  if (pending_.empty()) return {};
  pending_.put(std::string(keys::kEnd), pack(pending_end_));
  const Result<void> written = kv_.apply(pending_);
  pending_.clear();
  return written;
}

Result<void> RunIndex::replace(const ClassKey& key, const StoredRun& old, std::span<const StoredRun> parts,
                               Position log_end) {
  MENDFS_TRY(Window* const window, window_over(key, old.first, old.end()));
  (void)window;  // it is there now, and note() keeps it up to date
  RunChange change;
  change.removed.push_back(old);
  change.added.assign(parts.begin(), parts.end());
  return note(key, change, log_end);
}

Result<std::optional<StoredRun>> RunIndex::last_before(const ClassKey& key, Unit end) {
  if (end == 0) return std::optional<StoredRun>{};
  MENDFS_TRY_VOID(write_pending());
  MENDFS_TRY(const auto entry, kv_.floor(keys::run(key, end - 1), keys::run(key, 0)));
  if (!entry) return std::optional<StoredRun>{};
  MENDFS_TRY(StoredRun run, parse(entry->first, entry->second));
  return std::optional<StoredRun>{run};
}

/// Makes the change in memory, and in the batch that goes to the store next.
Result<void> RunIndex::note(const ClassKey& key, const RunChange& change, Position log_end) {
  for (const StoredRun& run : change.removed) {
    const auto same = std::lower_bound(change.added.begin(), change.added.end(), run.first,
                                       [](const StoredRun& added, Unit first) { return added.first < first; });
    if (same == change.added.end() || same->first != run.first) pending_.remove(keys::run(key, run.first));
  }
  for (const StoredRun& run : change.added) pending_.put(keys::run(key, run.first), pack(run));
  pending_end_ = log_end;
  InodeNumber& newest = newest_since_[key.residue];
  newest = std::max(newest, key.inode);
  if (pending_.operations().size() >= kPendingMax) MENDFS_TRY_VOID(write_pending());

  const auto found = windows_.find(key);
  if (found == windows_.end()) return {};
  Window& window = found->second;
  cached_runs_ -= window.runs.size();
  for (const StoredRun& run : change.removed) window.runs.erase(run.first);
  for (const StoredRun& run : change.added) window.runs.insert_or_assign(run.first, run);
  cached_runs_ += window.runs.size();
  if (window.runs.size() > window_runs_max() && !change.added.empty()) shrink(window, change.added.back().first);
  evict();
  return {};
}

/// A run in memory, be it outside the window, that alone has all of [begin, end).
const StoredRun* RunIndex::known_run(const ClassKey& key, Unit begin, Unit end) {
  const auto found = windows_.find(key);
  if (found == windows_.end()) return nullptr;
  const auto place = first_after(found->second.runs, begin);
  if (place == found->second.runs.end() || place->first > begin || place->second.end() < end) return nullptr;
  used_.splice(used_.begin(), used_, found->second.used);
  return &place->second;
}

/// Whether nothing of this class, nor of any younger file, was ever noted.
Result<bool> RunIndex::is_young(const ClassKey& key) {
  if (!newest_at_start_) {
    MENDFS_TRY(const auto last, kv_.floor(keys::end_of(keys::kRun), std::string(1, keys::kRun)));
    const auto parsed = last ? keys::parse_run(last->first) : std::nullopt;
    newest_at_start_ = parsed ? parsed->key.inode : last ? UINT64_MAX : 0;
  }
  if (key.inode <= *newest_at_start_) return false;
  const auto since = newest_since_.find(key.residue);
  return since == newest_since_.end() || key.inode > since->second;
}

Result<RunIndex::Window*> RunIndex::window_over(const ClassKey& key, Unit begin, Unit end) {
  auto found = windows_.find(key);
  if (found != windows_.end() && found->second.begin <= begin && end <= found->second.end) {
    used_.splice(used_.begin(), used_, found->second.used);
    return &found->second;
  }
  // Where the window only has to grow at its end, nothing before it is looked for: a search backwards passes every
  // entry that an overwrite has removed lately.
  const bool goes_on = found != windows_.end() && found->second.begin < found->second.end &&
                       found->second.begin <= begin && begin <= found->second.end;
  if (goes_on) {
    Window& window = found->second;
    used_.splice(used_.begin(), used_, window.used);
    window.read_ahead = std::min(kReadAheadMax, window.read_ahead * 4);
    cached_runs_ -= window.runs.size();
    const Result<void> grown = load_forward(key, window.end, end, window);
    cached_runs_ += window.runs.size();
    if (!grown) return grown.error();
    if (window.runs.size() > window_runs_max()) drop_before(window, begin);
    evict();
    return &window;
  }
  Window fresh;
  MENDFS_TRY(const bool is_new, is_young(key));
  if (is_new) {
    fresh.end = kNoEnd;
  } else {
    MENDFS_TRY(fresh, load(key, begin, end));
  }
  if (found == windows_.end()) {
    used_.push_front(key);
    fresh.used = used_.begin();
    found = windows_.emplace(key, std::move(fresh)).first;
  } else {
    cached_runs_ -= found->second.runs.size();
    used_.splice(used_.begin(), used_, found->second.used);
    fresh.used = used_.begin();
    // What is known elsewhere stays true: every change passes here. The few go to the many, not the other way.
    if (fresh.runs.size() + found->second.runs.size() <= window_runs_max()) {
      found->second.runs.merge(fresh.runs);
      fresh.runs.swap(found->second.runs);
    }
    found->second = std::move(fresh);
  }
  cached_runs_ += found->second.runs.size();
  evict();
  return &found->second;
}

Result<RunIndex::Window> RunIndex::load(const ClassKey& key, Unit begin, Unit end) {
  Window window;
  window.read_ahead = kReadAheadMin;
  MENDFS_TRY(const std::optional<StoredRun> before, last_before(key, begin));
  if (before) {
    window.begin = before->first;
    window.runs.emplace(before->first, *before);
  }
  MENDFS_TRY_VOID(load_forward(key, begin, end, window));
  return window;
}

/// Adds the runs from `begin` up to `end`, and the read-ahead beyond.
Result<void> RunIndex::load_forward(const ClassKey& key, Unit begin, Unit end, Window& window) {
  MENDFS_TRY_VOID(write_pending());
  Unit next = kNoEnd;
  std::size_t ahead = 0;
  Result<void> parsed;
  MENDFS_TRY_VOID(
      kv_.scan(keys::run(key, begin), keys::run_class({key.inode, key.residue + 1}), [&](auto entry_key, auto value) {
        Result<StoredRun> run = parse(entry_key, value);
        if (!run) {
          parsed = run.error();
          return false;
        }
        if (run->first >= end && ++ahead > window.read_ahead) {
          next = run->first;
          return false;
        }
        window.runs.emplace(run->first, *run);
        return true;
      }));
  if (parsed) window.end = next;
  return parsed;
}

/// Lets go of the runs that end before `unit`.
void RunIndex::drop_before(Window& window, Unit unit) {
  const auto first = first_after(window.runs, unit);
  if (first == window.runs.begin()) return;
  cached_runs_ -= window.runs.size();
  const auto last_dropped = std::prev(first);
  window.begin = std::max(window.begin, last_dropped->second.end());
  window.runs.erase(window.runs.begin(), first);
  cached_runs_ += window.runs.size();
}

/// Lets go of the half that is away from `near`.
void RunIndex::shrink(Window& window, Unit near) {
  const auto middle = std::next(window.runs.begin(), static_cast<std::ptrdiff_t>(window.runs.size() / 2));
  cached_runs_ -= window.runs.size();
  if (near >= middle->first) {
    window.begin = std::max(window.begin, middle->first);
    window.runs.erase(window.runs.begin(), middle);
  } else {
    window.end = std::min(window.end, middle->first);
    window.runs.erase(middle, window.runs.end());
  }
  cached_runs_ += window.runs.size();
}

std::size_t RunIndex::window_runs_max() const { return std::max(kWindowRunsMin, cached_runs_max_ / 8); }

/// Never the most recently used: its caller looks at it.
void RunIndex::evict() {
  while (cached_runs_ > cached_runs_max_ && used_.size() > 1) {
    const auto oldest = windows_.find(used_.back());
    cached_runs_ -= oldest->second.runs.size();
    windows_.erase(oldest);
    used_.pop_back();
  }
}

}  // namespace mendfs::store
