#include "tests/sim/file_worker.h"

#include <fmt/core.h>

#include "env/future.h"
#include "tests/sim/world/recording_logger.h"

namespace mendfs::sim {
namespace {

constexpr std::uint32_t kReadSize = 128 * 1024;

std::string random_bytes(SimRandom& random, std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; i += 8) {
    const std::uint64_t word = random.next() | 1;  // never all zeros: a lost block would go unseen
    std::memcpy(bytes.data() + i, &word, std::min<std::size_t>(8, size - i));
  }
  return bytes;
}

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
    if (all_delivered && !file.changing) {
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
  // Nothing keeps a file without a name for a session that was fenced.
  const bool was_fenced = dynamic_cast<const RecordingLogger&>(log_).contains("session lapsed");
  if (error.code == ErrorCode::StaleHandle && (mine.file->may_be_gone || (mine.removed && was_fenced))) {
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
  begin("done");
  finished_ = true;
}

Task<bool> FileWorker::create() {
  journal_.files.push_back(std::make_unique<Journal::File>());
  Journal::File* file = journal_.files.back().get();
  file->name = fmt::format("{}-{}", name_, creations_++);
  mine_.push_back({file});
  begin("creating " + file->name);
  protocol::MakeRequest request;
  request.parent = kRootInode;
  request.name = file->name;
  request.mode = 0100644;
  client::OpenFlags flags;
  flags.write = true;
  const std::uint64_t losses = journal_.meta_losses;
  Result<client::Opened> opened = co_await filesystem_.create(std::move(request), flags);
  if (!opened.ok()) co_return failed(mine_.back(), "creation", opened.error());
  file->made = loop_.now();
  file->may_be_gone = file->in_doubt = losses != journal_.meta_losses;
  file->inode = opened->attributes.inode;
  mine_.back().handle = opened->handle;
  co_return true;
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
    if (!known || mine.gone) co_return known;
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
    default:
      return write(mine);
  }
}

Task<bool> FileWorker::write(Mine& mine) {
  std::uint64_t offset = random_.below(options_.file_size_max);
  std::uint64_t size = random_.one_in(3) ? random_.between(1, 600) : random_.between(1, options_.file_size_max / 3);
  if (options_.aligned) {
    offset = offset / kBlockSizeDefault * kBlockSizeDefault;
    size = (size + kBlockSizeDefault - 1) / kBlockSizeDefault * kBlockSizeDefault;
  }
  const std::string bytes = random_bytes(random_, static_cast<std::size_t>(size));
  begin(fmt::format("writing {} {}+{}", mine.file->name, offset, size));
  mine.file->model.write(offset, bytes);
  mine.file->changing = true;
  Buffer data = Buffer::copy_of(bytes_of(bytes));
  client::PreparedWrite prepared = client::prepare_write(offset, std::move(data), client::block_size_of(mine.handle));
  Result<std::uint32_t> written = co_await filesystem_.write(mine.handle, std::move(prepared));
  if (!written.ok()) co_return failed(mine, "write", written.error());
  mine.file->changing = false;
  if (*written != size) journal_.fail(fmt::format("{}: {} of {} bytes written", name_, *written, size));
  ++journal_.writes;
  co_return true;
}

Task<bool> FileWorker::read(Mine& mine) {
  const std::uint64_t offset = random_.below(options_.file_size_max);
  const auto size = static_cast<std::uint32_t>(random_.between(1, options_.file_size_max));
  begin(fmt::format("reading {} {}+{}", mine.file->name, offset, size));
  // A write that ended with NoSpace may not have said so yet.
  const FileModel& model = mine.file->model;
  const FileModel::Seen seen = options_.disks_fill ? model.seen_by_others() : model.seen_by_writer();
  Result<Buffer> bytes = co_await filesystem_.read(mine.handle, offset, size);
  if (!bytes.ok()) co_return failed(mine, "read", bytes.error());
  const auto wrong = mine.file->model.check(offset, size, text_of(*bytes), seen);
  if (wrong)
    journal_.fail(fmt::format("{}: its own read of {} {}+{} got {}", name_, mine.file->name, offset, size, *wrong));
  ++journal_.reads;
  co_return !wrong;
}

Task<bool> FileWorker::sync(Mine& mine) {
  begin("syncing " + mine.file->name);
  const FileModel::Mark mark = mine.file->model.mark();
  const std::uint64_t losses = journal_.meta_losses;
  const std::set<Slot> reset_before = mine.file->reset;
  Result<void> synced = co_await filesystem_.fsync(mine.handle, random_.one_in(2));
  if (synced.code() == ErrorCode::Io && journal_.hold_a_block(mine.file->reset)) {
    mine.file->model.report_loss();
    co_return true;
  }
  if (!synced.ok()) co_return failed(mine, "fsync", synced.error());
  for (const Slot slot : reset_before) mine.file->reset.erase(slot);
  mine.file->model.make_durable(mark);
  settled(mine, mark, losses);
  if (losses == journal_.meta_losses) mine.file->made = Time{-1};
  ++journal_.syncs;
  co_return true;
}

Task<bool> FileWorker::flush(Mine& mine) {
  begin("flushing " + mine.file->name);
  const FileModel::Mark mark = mine.file->model.mark();
  const std::uint64_t losses = journal_.meta_losses;
  Result<void> flushed = co_await filesystem_.flush(mine.handle);
  if (!flushed.ok()) co_return failed(mine, "flush", flushed.error());
  settled(mine, mark, losses);
  co_return true;
}

/// An answer that left before a power cut of the metaserver says nothing of the size any more.
void FileWorker::settled(Mine& mine, FileModel::Mark mark, std::uint64_t losses_before) {
  Journal::File& file = *mine.file;
  file.model.settle_bytes(mark);
  if (losses_before != journal_.meta_losses) return;
  file.model.settle(mark);
  file.told.emplace_back(loop_.now(), mark);
  file.size_in_doubt = false;
}

Task<bool> FileWorker::truncate(Mine& mine) {
  protocol::SetAttributesRequest request;
  request.inode = mine.file->inode;
  std::uint64_t size = random_.below(options_.file_size_max);
  if (options_.aligned) size = size / kBlockSizeDefault * kBlockSizeDefault;
  request.size = size;
  begin(fmt::format("cutting {} to {}", mine.file->name, size));
  mine.file->model.truncate(size);
  mine.file->changing = true;
  Result<protocol::Attributes> attributes = co_await filesystem_.set_attributes(std::move(request));
  if (!attributes.ok()) co_return failed(mine, "truncate", attributes.error());
  mine.file->changing = false;
  if (attributes->size != size)
    journal_.fail(fmt::format("{}: {} cut to {} has {} bytes", name_, mine.file->name, size, attributes->size));
  ++journal_.cuts;
  co_return true;
}

Task<bool> FileWorker::reopen(Mine& mine) {
  const bool flushed = co_await flush(mine);
  if (!flushed) co_return false;
  filesystem_.release(mine.handle);
  Journal::File& file = *mine.file;
  begin("opening " + file.name);
  Result<protocol::Attributes> found = co_await filesystem_.lookup(kRootInode, file.name);
  while (file.in_doubt) {
    const bool clear = co_await resolve(mine);
    if (!clear || mine.gone) co_return clear;
    found = co_await filesystem_.lookup(kRootInode, file.name);
  }
  if (!found.ok()) co_return failed(mine, "lookup", found.error());
  if (mine.file->size_in_doubt) {
    if (const auto wrong = mine.file->model.adopt_size(found->size))
      journal_.fail(fmt::format("{}: {} has {}", name_, mine.file->name, *wrong));
  } else if (found->size != mine.file->model.size())
    journal_.fail(
        fmt::format("{}: {} has {} bytes, not {}", name_, mine.file->name, found->size, mine.file->model.size()));
  co_return co_await open(mine);
}

Task<bool> FileWorker::open(Mine& mine) {
  client::OpenFlags flags;
  flags.write = true;
  Result<client::Opened> opened = co_await filesystem_.open(mine.file->inode, flags);
  if (!opened.ok()) co_return failed(mine, "open", opened.error());
  mine.handle = opened->handle;
  co_return true;
}

Task<bool> FileWorker::rename(Mine& mine) {
  protocol::RenameRequest request;
  request.parent = kRootInode;
  request.name = mine.file->name;
  request.new_parent = kRootInode;
  request.new_name = fmt::format("{}-renamed-{}", name_, renames_++);
  const std::string new_name = request.new_name;
  Journal::File& file = *mine.file;
  begin("renaming " + mine.file->name + " to " + new_name);
  file.new_name = new_name;
  const std::uint64_t losses = journal_.meta_losses;
  Result<void> renamed = co_await filesystem_.rename(std::move(request));
  file.new_name.clear();
  const bool may_be_lost = losses != journal_.meta_losses;
  if (renamed.code() == ErrorCode::NotFound && may_be_lost) co_return true;
  if (!renamed.ok()) co_return failed(mine, "rename", renamed.error());
  if (may_be_lost) file.other_names.push_back(file.name);
  file.old_name = std::exchange(file.name, new_name);
  file.renamed = loop_.now();
  co_return true;
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

/// After a write failed.
Task<bool> FileWorker::learn_size(Mine& mine) {
  begin("looking how long " + mine.file->name + " is");
  mine.lost_bytes = false;
  const Result<protocol::Attributes> found = co_await filesystem_.get_attributes(mine.file->inode);
  if (!found.ok()) co_return failed(mine, "getattr", found.error());
  if (const auto wrong = mine.file->model.adopt_size(found->size))
    journal_.fail(fmt::format("{}: after a full disk {} has {}", name_, mine.file->name, *wrong));
  co_return journal_.failure.empty();
}

/// The file stays open and in use.
Task<bool> FileWorker::unlink(Mine& mine) {
  begin("unlinking " + mine.file->name);
  mine.file->unlinked = true;
  protocol::RemoveRequest request;
  request.parent = kRootInode;
  request.name = mine.file->name;
  const std::uint64_t losses = journal_.meta_losses;
  Result<void> removed = co_await filesystem_.remove(std::move(request));
  if (losses != journal_.meta_losses) mine.file->in_doubt = true;
  if (removed.code() == ErrorCode::NotFound && mine.file->in_doubt) co_return true;
  if (!removed.ok()) co_return failed(mine, "unlink", removed.error());
  mine.removed = true;
  mine.file->removed = loop_.now();
  ++journal_.unlinks;
  co_return true;
}

/// Gives an unlinked file up: its blocks are to go.
Task<bool> FileWorker::replace(Mine& mine) {
  filesystem_.release(mine.handle);
  mine.file->deleted = true;
  mine_.erase(mine_.begin() + (&mine - mine_.data()));
  return create();
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
