// Handles: opening, creating and releasing files.
#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "client/filesystem_parts.h"
#include "protocol/timing.h"

namespace mendfs::client {

using protocol::Attributes;

struct Filesystem::Opening {
  Opening(Filesystem& owner, InodeNumber opened) : filesystem(owner), inode(opened) { ++filesystem.openings_[inode]; }
  Opening(const Opening&) = delete;
  Opening& operator=(const Opening&) = delete;
  ~Opening() {
    if (--filesystem.openings_[inode] == 0) filesystem.openings_.erase(inode);
  }
  Filesystem& filesystem;
  InodeNumber inode;
};

struct Filesystem::Claim {
  bool is_wanted = true;
  std::optional<HandleId> handle;

  /// Lives in the frame of whoever waits for the handle.
  struct Waiter {
    explicit Waiter(Filesystem& owner) : filesystem(owner), claim(std::make_shared<Claim>()) {}
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    ~Waiter() {
      claim->is_wanted = false;
      if (claim->handle && !is_taken) filesystem.release(*claim->handle);
    }
    Filesystem& filesystem;
    std::shared_ptr<Claim> claim;
    bool is_taken = false;
  };
};

Task<Result<Opened>> Filesystem::open(InodeNumber inode, OpenFlags flags) {
  if (flags.write || flags.truncate) MENDFS_CO_TRY_VOID(check_writable());
  Claim::Waiter waiter(*this);
  Task<Result<Opened>> work = do_open(inode, flags, waiter.claim);
  Result<Opened> opened = co_await detached(std::move(work));
  waiter.is_taken = true;
  if (!opened || !flags.truncate) co_return opened;
  protocol::SetAttributesRequest cut;
  cut.inode = inode;
  cut.size = 0;
  Result<Attributes> cut_to_nothing = co_await set_attributes(std::move(cut));
  if (!cut_to_nothing) {
    release(opened->handle);
    co_return cut_to_nothing.error();
  }
  opened->attributes = std::move(*cut_to_nothing);
  co_return opened;
}

Task<Result<Opened>> Filesystem::do_open(InodeNumber inode, OpenFlags flags, std::shared_ptr<Claim> claim) {
  const Opening opening(*this, inode);
  if (meta_.is_given_up(inode)) co_return Error{ErrorCode::StaleHandle, "the file was deleted"};
  // Not while a close of another handle takes the write mark away.
  std::optional<Turn::Guard> turn;
  const File known = find(inode);
  if (known != nullptr && flags.write) turn.emplace(co_await known->turn.take());
  protocol::OpenRequest request;
  request.inode = inode;
  request.write = flags.write;
  // The kernel may have come here by a name that it remembers.
  const std::optional<protocol::NameState> name = cache_.name_of(inode);
  if (name) {
    request.parent = name->parent;
    request.name = name->name;
  }
  // The bytes come while the open is being asked for: they are those of now, or newer.
  std::shared_ptr<AheadPiece> bytes;
  const std::optional<Attributes> cached = cache_.attributes(inode);
  if (cached && S_ISREG(cached->mode) && flags.read && !flags.write && !flags.truncate)
    bytes = read_ahead_->fetch_small(file_of(*cached, 0));
  const SessionId session = meta_.session();
  auto answer = co_await meta_.call(std::move(request), inode);
  if (!answer) {
    if (name && answer.code() == ErrorCode::StaleHandle) cache_.drop_name(*name);
    co_return answer.error();
  }
  cache_.learn(answer->reply, answer->as_of);
  if (!cached || cached->change != answer->reply.change) hooks_.forget_attributes_now(inode);
  // Nobody can have come here by a name that still stands, unless by a descriptor of ours: the kernel looks again.
  if (answer->reply.link_count == 0 && (known == nullptr || known->handle_count == 0))
    co_return Error{ErrorCode::StaleHandle, "the file has lost its name"};
  const File file = file_of(answer->reply, answer->change.epoch);
  // A session that lapsed meanwhile has taken the mark along: the first write sets it again.
  if (flags.write) file->has_mark = session == meta_.session();
  file->change = std::max(file->change, answer->change);
  if (answer->change.epoch < meta_.epoch()) scope_.spawn(rejoin(file, false));
  Opened opened = add_handle(file, flags);
  if (bytes) handles_.at(opened.handle)->ahead.pieces.push_back(std::move(bytes));
  claim->handle = opened.handle;
  if (!claim->is_wanted) release(opened.handle);
  co_return opened;
}

Task<Result<Opened>> Filesystem::create(protocol::MakeRequest request, OpenFlags flags) {
  MENDFS_CO_TRY_VOID(check_writable());
  Claim::Waiter waiter(*this);
  Task<Result<Opened>> work = do_create(std::move(request), flags, waiter.claim);
  Result<Opened> opened = co_await detached(std::move(work));
  waiter.is_taken = true;
  co_return opened;
}

Task<Result<Opened>> Filesystem::do_create(protocol::MakeRequest request, OpenFlags flags,
                                           std::shared_ptr<Claim> claim) {
  request.open_for_write = flags.write;
  std::string name = request.name;
  const InodeNumber parent = request.parent;
  const SessionId session = meta_.session();
  auto answer = co_await meta_.call(std::move(request));
  if (!answer) co_return answer.error();
  MENDFS_CO_TRY_VOID(co_await changed_directory(parent, answer->change));
  note_name(answer->reply.inode, std::move(name));
  const File file = file_of(answer->reply, answer->change.epoch);
  file->has_mark = flags.write && session == meta_.session();
  file->change = std::max(file->change, answer->change);
  if (answer->change.epoch < meta_.epoch()) scope_.spawn(rejoin(file, false));
  Opened opened = add_handle(file, flags);
  claim->handle = opened.handle;
  if (!claim->is_wanted) release(opened.handle);
  co_return opened;
}

Opened Filesystem::add_handle(const File& file, OpenFlags flags) {
  const auto size_bits = static_cast<HandleId>(std::countr_zero(file->layout.block_size));
  const HandleId id = next_handle_++ << 5 | size_bits;
  handles_.emplace(id, std::make_shared<Handle>(Handle{file, flags, std::nullopt, {}}));
  ++file->handle_count;
  if (flags.write) ++file->writer_count;
  return {id, file->view(), file->waiting_reads > 0};
}

void Filesystem::release(HandleId id) {
  const auto found = handles_.find(id);
  if (found == handles_.end()) return;
  const std::shared_ptr<Handle> handle = found->second;
  handles_.erase(found);
  --handle->file->handle_count;
  if (handle->flags.write) --handle->file->writer_count;
  scope_.spawn(retire(handle->file));
}

/// Brings home what a closed file still has.
Task<void> Filesystem::retire(File file) {
  while (file->writer_count == 0 && (file->has_queued() || file->given_up)) {
    auto changed = file->changed.next();
    (void)co_await changed;
  }
  file->last_used = loop_.now();
  if (file->writer_count > 0 || file->is_gone) co_return;
  const bool has_only_mark = file->has_mark && !file->has_news() && !file->atime;
  if (has_only_mark && !file->turn.is_taken())
    unmark_soon(file);
  else
    (void)co_await settle(file, UINT64_MAX, true);
  file->last_used = loop_.now();
}

/// Of a file that was made, or opened for writing, and not written there is nothing to tell but that it is closed. Who
/// makes thousands of them asks once for many.
void Filesystem::unmark_soon(const File& file) {
  if (std::exchange(file->is_mark_to_go, true)) return;
  to_unmark_.push_back(file);
  if (to_unmark_.size() == 1) scope_.spawn(unmark_later());
}

Task<void> Filesystem::unmark_later() {
  co_await sleep_for(loop_, timing::kUnmarkAfter);
  co_await unmark();
}

/// Takes the marks away that are to go, unless a file is in use again.
Task<void> Filesystem::unmark() {
  std::vector<File> files = std::exchange(to_unmark_, {});
  while (!files.empty()) {
    protocol::UnmarkRequest request;
    std::vector<File> unmarked;
    std::vector<Turn::Guard> turns;
    for (; !files.empty() && unmarked.size() < protocol::kUnmarkCountMax; files.pop_back()) {
      File file = std::move(files.back());
      const bool has_more = file->turn.is_taken() || file->has_queued() || file->has_news() || file->given_up;
      if (has_more || file->writer_count > 0 || !file->has_mark || file->is_gone) {
        file->is_mark_to_go = false;
        if (has_more) scope_.spawn(retire(std::move(file)));
        continue;
      }
      // An open for writing waits for this, and sets the mark again.
      turns.push_back(co_await file->turn.take());
      file->has_mark = false;
      request.inodes.push_back(file->inode);
      unmarked.push_back(std::move(file));
    }
    if (!unmarked.empty()) (void)co_await meta_.call(std::move(request));
    for (const File& file : unmarked) file->is_mark_to_go = false;
  }
}

}  // namespace mendfs::client
