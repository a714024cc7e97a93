#include "tests/sim/file_worker.h"

#include <fmt/core.h>

#include "env/future.h"
#include "tests/sim/world/recording_logger.h"

namespace mendfs::sim {
namespace {

constexpr std::uint32_t kReadSize = 128 * 1024;

}  // namespace

FileWorker::FileWorker(Env& env, client::Filesystem& filesystem, Journal& journal, std::string name, std::uint64_t seed,
                       WorkerOptions options)
    : loop_(env.loop),
      log_(env.log),
      filesystem_(filesystem),
      journal_(journal),
      name_(std::move(name)),
      random_(seed),
      options_(options),
      operations_left_(options.operation_count) {}

std::vector<Journal::File*> FileWorker::die(bool all_delivered) {
  std::vector<Journal::File*> left = std::move(inherited_);
  for (const Mine& mine : mine_) {
    Journal::File& file = *mine.file;
    file.deleted = mine.removed;
    if (file.deleted) continue;
    left.push_back(&file);
    // What a full disk refused may not have been told yet.
    if (all_delivered && !file.changing && !options_.disks_fill) {
      file.model.settle_bytes(file.model.mark());
      file.size_untold = true;
    } else {
      file.model.lose_writer();
    }
    file.changing = false;
  }
  return left;
}

void FileWorker::begin(std::string what) {
  doing_ = std::move(what);
  log_.debug("{}: {}", name_, doing_);
}

/// Answers whether to go on.
bool FileWorker::failed(Mine& mine, const char* what, const Error& error) {
  mine.file->changing = false;
  // Nothing keeps a file without a name for a session that was fenced; the dataservers may know of that first.
  if (error.code == ErrorCode::StaleHandle && (mine.file->may_be_gone || mine.removed)) {
    must_have_lapsed_ = must_have_lapsed_ || !mine.file->may_be_gone;
    mine.file->unlinked = true;
    mine.gone = true;
    return true;
  }
  // What was not settled is lost or not; what was, stays.
  if (error.code == ErrorCode::NoSpace && options_.disks_fill) {
    mine.file->model.lose_writer();
    mine.lost_bytes = true;
    ++journal_.full_disks;
    return true;
  }
  journal_.fail(
      fmt::format("{}: {} of {} failed: {} ({})", name_, what, mine.file->name, to_string(error.code), error.message));
  return false;
}

Task<void> FileWorker::run(Inheritance inheritance) {
  inherited_ = std::move(inheritance.files);
  if (!inherited_.empty()) begin("waiting for the fence of " + inheritance.client);
  while (!inherited_.empty() && !journal_.is_recovered(inheritance.client, inheritance.died))
    co_await sleep_for(loop_, std::chrono::milliseconds(200));
  while (!inherited_.empty()) {
    Journal::File* file = inherited_.back();
    const bool taken = co_await take_over(file);
    if (!taken) co_return;
  }
  while (mine_.size() < options_.file_count) {
    const bool made = co_await create();
    if (!made) co_return;
  }
  for (; operations_left_ > 0; --operations_left_) {
    const bool good = co_await step(mine_[random_.below(mine_.size())]);
    if (!good || !journal_.failure.empty()) co_return;
    co_await sleep_for(loop_, Duration(random_.below(static_cast<std::uint64_t>(options_.pause_max.count()) + 1)));
  }
  for (Mine& mine : mine_) {
    const bool flushed = co_await flush(mine);
    if (!flushed) co_return;
    filesystem_.release(mine.handle);
    mine.file->deleted = mine.removed;
  }
  begin("waiting to hear that the session lapsed");
  while (must_have_lapsed_ && !dynamic_cast<const RecordingLogger&>(log_).contains("session lapsed"))
    co_await sleep_for(loop_, std::chrono::seconds(1));
  begin("done");
  finished_ = true;
}

/// What a dead worker was in the middle of has happened or not; from here on it is known.
Task<bool> FileWorker::take_over(Journal::File* file) {
  begin("taking over " + file->name);
  const std::optional<protocol::Attributes> found = co_await find(file);
  inherited_.pop_back();
  if (!found) {
    if (file->inode != 0 && !file->unlinked && !file->may_be_gone)
      journal_.fail(fmt::format("{}: {} has lost its name", name_, file->name));
    file->unlinked = file->deleted = true;
    co_return journal_.failure.empty();
  }
  mine_.push_back({file});
  Mine& mine = mine_.back();
  file->unlinked = file->may_be_gone = file->size_in_doubt = false;
  file->inode = found->inode;
  if (file->size_untold) file->model.settle(file->model.mark());
  file->size_untold = false;
  if (const auto wrong = file->model.adopt_size(found->size)) {
    journal_.fail(fmt::format("{}: {} has {}", name_, file->name, *wrong));
    co_return false;
  }
  const bool opened = co_await open(mine);
  if (!opened) co_return false;
  co_return co_await check_file(filesystem_, journal_, *file, name_);
}

Task<bool> FileWorker::step(Mine& mine) {
  if (mine.file->in_doubt) {
    const bool clear = co_await resolve(mine);
    if (!clear) co_return false;
  }
  if (mine.lost_bytes && !mine.gone) {
    const bool known = co_await learn_size(mine);
    if (!known || mine.gone || mine.lost_bytes) co_return known;
  }
  co_return co_await step_of(mine);
}

Task<bool> FileWorker::step_of(Mine& mine) {
  if (mine.removed || mine.gone) {
    if (mine.gone || random_.one_in(8)) return replace(mine);
  } else if (options_.unlinks && random_.one_in(24)) {
    return unlink(mine);
  }
  switch (random_.below(16)) {
    case 0:
    case 1:
      return sync(mine);
    case 2:
    case 3:
      return flush(mine);
    case 4:
      return truncate(mine);
    case 5:
      return mine.removed ? write(mine) : reopen(mine);
    case 6:
      return mine.removed ? write(mine) : rename(mine);
    case 7:
    case 8:
    case 9:
    case 10:
      return read(mine);
    case 11:
      return change_mode(mine);
    default:
      return write(mine);
  }
}

/// After a power cut of the metaserver: its latest changes may be undone.
Task<bool> FileWorker::resolve(Mine& mine) {
  Journal::File& file = *mine.file;
  const std::optional<protocol::Attributes> found = co_await find(&file);
  if (found && mine.removed) {
    mine.removed = false;
    co_return co_await unlink(mine);
  }
  mine.gone = mine.gone || (!found && !mine.removed && file.may_be_gone);
  file.unlinked = mine.removed || mine.gone;
  if (found) file.may_be_gone = false;
  if (!found && !file.unlinked) journal_.fail(fmt::format("{}: {} has lost its name", name_, file.name));
  co_return journal_.failure.empty();
}

/// Under any name that it may have; nothing: it has none.
Task<std::optional<protocol::Attributes>> FileWorker::find(Journal::File* file) {
  begin("looking for " + file->name);
  for (;;) {
    file->in_doubt = false;
    // So that the mount has heard of the restart, and remembers nothing from before.
    (void)co_await filesystem_.statfs();
    std::vector<std::string> names{file->name};
    if (!file->new_name.empty()) names.push_back(file->new_name);
    names.insert(names.end(), file->other_names.begin(), file->other_names.end());
    std::optional<protocol::Attributes> found;
    for (std::size_t i = 0; i < names.size() && !found; ++i) {
      const std::string name = names[i];
      const Result<protocol::Attributes> there = co_await filesystem_.lookup(kRootInode, name);
      if (!there.ok() || (file->inode != 0 && there->inode != file->inode)) continue;
      found = *there;
      file->name = name;
    }
    if (file->in_doubt) continue;
    file->new_name.clear();
    file->other_names.clear();
    co_return found;
  }
}

/// After a write failed: the rest of what was queued goes, or fails too.
Task<bool> FileWorker::learn_size(Mine& mine) {
  begin("looking how long " + mine.file->name + " is");
  const Result<void> flushed = co_await filesystem_.flush(mine.handle);
  if (!flushed.ok()) co_return failed(mine, "flush", flushed.error());
  mine.lost_bytes = false;
  const Result<protocol::Attributes> found = co_await filesystem_.get_attributes(mine.file->inode);
  if (!found.ok()) co_return failed(mine, "getattr", found.error());
  if (const auto wrong = mine.file->model.adopt_size(found->size))
    journal_.fail(fmt::format("{}: after a full disk {} has {}", name_, mine.file->name, *wrong));
  co_return journal_.failure.empty();
}

Task<bool> check_file(client::Filesystem& filesystem, Journal& journal, Journal::File& file, std::string reader) {
  // What was settled before the open must be seen; power may be lost while we read.
  const FileModel::Seen seen = file.model.seen_by_others();
  // Nor need it be there if its creation went with the power of the metaserver, until its writer has looked.
  const auto may_be_stale = [&file] { return file.unlinked || file.may_be_gone; };
  client::OpenFlags flags;
  Result<client::Opened> opened = co_await filesystem.open(file.inode, flags);
  if (opened.code() == ErrorCode::StaleHandle && may_be_stale()) co_return true;
  if (!opened.ok()) {
    journal.fail(fmt::format("{}: open of {} failed: {} ({})", reader, file.name, to_string(opened.code()),
                             opened.error().message));
    co_return false;
  }
  Result<Buffer> bytes = co_await filesystem.read(opened->handle, 0, kReadSize);
  filesystem.release(opened->handle);
  if (bytes.code() == ErrorCode::StaleHandle && may_be_stale()) co_return true;
  if (!bytes.ok()) {
    journal.fail(fmt::format("{}: read of {} failed: {} ({})", reader, file.name, to_string(bytes.code()),
                             bytes.error().message));
    co_return false;
  }
  const FileModel::Seen now = file.model.seen_by_others();
  const FileModel::Seen both{std::min(seen.bytes, now.bytes), std::min(seen.size, now.size)};
  const auto wrong = file.model.check(0, kReadSize, text_of(*bytes), both);
  if (wrong)
    journal.fail(
        fmt::format("{}: opened {} with {} bytes, and read {}", reader, file.name, opened->attributes.size, *wrong));
  ++journal.reads;
  co_return !wrong;
}

}  // namespace mendfs::sim
