// What a file worker does to its files, one step at a time, and what the oracle learns of it.
#include <fmt/core.h>
#include <sys/stat.h>

#include "client/prepared_write.h"
#include "tests/sim/file_worker.h"

namespace mendfs::sim {
namespace {

std::string random_bytes(SimRandom& random, std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; i += 8) {
    const std::uint64_t word = random.next() | 1;  // never all zeros: a lost block would go unseen
    std::memcpy(bytes.data() + i, &word, std::min<std::size_t>(8, size - i));
  }
  return bytes;
}

}  // namespace

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
  const bool data_only = random_.one_in(2);
  Result<void> synced = co_await filesystem_.fsync(mine.handle, data_only);
  const bool mode_may_be_lost = mine.mode_set && *mine.mode_set != journal_.meta_losses;
  if (synced.code() == ErrorCode::Io && mode_may_be_lost) {
    mine.mode_set.reset();
    co_return true;
  }
  if (synced.code() == ErrorCode::Io && journal_.hold_a_block(mine.file->reset)) {
    mine.file->model.report_loss();
    co_return true;
  }
  if (!synced.ok()) co_return failed(mine, "fsync", synced.error());
  for (const Slot slot : reset_before) mine.file->reset.erase(slot);
  if (!data_only) mine.mode_set.reset();
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

/// Size and times of what was written may go with it, and the write mark.
Task<bool> FileWorker::change_mode(Mine& mine) {
  protocol::SetAttributesRequest request;
  request.inode = mine.file->inode;
  const auto mode = static_cast<std::uint32_t>(random_.below(01000));
  request.mode = mode;
  begin("changing the mode of " + mine.file->name);
  mine.mode_set = journal_.meta_losses;
  const Result<protocol::Attributes> attributes = co_await filesystem_.set_attributes(std::move(request));
  if (!attributes.ok()) co_return failed(mine, "chmod", attributes.error());
  if (attributes->mode != (S_IFREG | mode))
    journal_.fail(fmt::format("{}: {} has mode {:o}, not {:o}", name_, mine.file->name, attributes->mode, mode));
  co_return true;
}

Task<bool> FileWorker::reopen(Mine& mine) {
  const bool flushed = co_await flush(mine);
  if (!flushed || mine.lost_bytes) co_return flushed;
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

}  // namespace mendfs::sim
