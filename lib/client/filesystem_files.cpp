// Open files: reading and writing, and telling the metaserver what was written.
#include <algorithm>
#include <utility>

#include "client/backoff.h"
#include "client/filesystem_parts.h"
#include "protocol/timing.h"

namespace mendfs::client {

using protocol::Attributes;

Result<std::shared_ptr<Handle>> Filesystem::handle_of(HandleId id) const {
  const auto found = handles_.find(id);
  if (found == handles_.end()) return Error{ErrorCode::StaleHandle, "not an open handle"};
  if (found->second->file->is_gone) return Error{ErrorCode::StaleHandle, "the file is gone"};
  return found->second;
}

Task<Result<Buffer>> Filesystem::read(HandleId id, std::uint64_t offset, std::uint32_t size) {
  MENDFS_CO_TRY(const std::shared_ptr<Handle> handle, handle_of(id));
  const File file = handle->file;
  if (size == 0 || offset >= file->size()) co_return Buffer();
  const std::uint64_t end = std::min(offset + size, file->size());
  struct Waiting {
    explicit Waiting(const File& read) : file(read) { ++file->waiting_reads; }
    Waiting(const Waiting&) = delete;
    ~Waiting() { --file->waiting_reads; }
    File file;
  };
  const Waiting waiting(file);
  Result<Buffer> bytes = co_await read_ahead_->read(handle, offset, static_cast<std::uint32_t>(end - offset));
  if (!bytes) co_return bytes;
  if (!options_.noatime && !options_.read_only && !handle->flags.noatime) {
    // relatime: often enough to tell whether a file was read since it changed.
    constexpr std::int64_t kDay = 24LL * 3600 * 1'000'000'000;
    const Attributes seen = file->view();
    const WallTime now = loop_.wall_now();
    if (seen.atime <= seen.mtime || seen.atime <= seen.ctime || now - seen.atime >= kDay) file->atime = now;
  }
  // Cut meanwhile: nothing beyond the new end is given out.
  if (offset >= file->size()) co_return Buffer();
  co_return bytes->slice(0, std::min<std::uint64_t>(bytes->size(), file->size() - offset));
}

Task<Result<std::uint32_t>> Filesystem::write(HandleId id, PreparedWrite bytes, WriteFlags flags) {
  MENDFS_CO_TRY_VOID(check_writable());
  MENDFS_CO_TRY(const std::shared_ptr<Handle> handle, handle_of(id));
  const File file = handle->file;
  if (bytes.data.empty()) co_return std::uint32_t{0};
  if (handle->failure) co_return *std::exchange(handle->failure, std::nullopt);
  MENDFS_CO_TRY_VOID(co_await ensure_mark(file));
  co_await writer_->until_room(file);
  if (handle->flags.append && !flags.from_page_cache && bytes.offset != file->size())
    bytes = prepare_write(file->size(), std::move(bytes.data), file->layout.block_size);
  const std::uint64_t size = bytes.data.size();
  if (bytes.offset > kFileSizeMax || size > kFileSizeMax - bytes.offset)
    co_return Error{ErrorCode::FileTooBig, "beyond the largest file"};
  const bool is_blocked = writer_->is_blocked(*file, bytes.offset, size);
  const Ticket ticket = writer_->write(file, bytes);
  bytes = {};
  if (options_.sync || handle->flags.sync) {
    MENDFS_CO_TRY_VOID(co_await fsync(id, true));
  } else if (is_blocked) {
    // A server that must hold these bytes is away or full: nothing is promised before it has them.
    co_await writer_->until_delivered(file, ticket);
    if (handle->failure) co_return *std::exchange(handle->failure, std::nullopt);
  }
  if (!flags.from_page_cache) file->is_kept = false;
  co_return static_cast<std::uint32_t>(size);
}

/// Sets the session's write mark, which says that the file's size at the metaserver may be behind.
Task<Result<void>> Filesystem::ensure_mark(File file) {
  if (file->has_mark) co_return Result<void>{};
  const Turn::Guard turn = co_await file->turn.take();
  while (!file->has_mark) {
    const SessionId session = meta_.session();
    protocol::OpenRequest request;
    request.inode = file->inode;
    request.write = true;
    auto answer = co_await meta_.call(std::move(request), file->inode);
    if (!answer) co_return answer.error();
    file->adopt(answer->reply, answer->change.epoch);
    // A session that lapsed meanwhile has taken the mark along.
    file->has_mark = session == meta_.session();
  }
  co_return Result<void>{};
}

/// Tells the metaserver size and times, and takes the write mark away if nobody writes any more (`may_close`).
Task<Result<void>> Filesystem::settle(File file, std::uint64_t size_max, bool may_close) {
  const Turn::Guard turn = co_await file->turn.take();
  MENDFS_CO_TRY_VOID(co_await confirm(file));
  const bool close = may_close && file->has_mark && !file->has_queued();
  if (!file->has_news() && !close) co_return Result<void>{};
  const Result<void> settled = co_await settle_once(file.get(), size_max, close);
  co_return settled;
}

/// The metaserver has restarted, and may have lost what we told it: asks what it knows.
Task<Result<void>> Filesystem::confirm(File file) {
  while (file->epoch != meta_.epoch() && !file->is_gone) {
    const Result<void> refreshed = co_await refresh(file);
    if (refreshed.code() == ErrorCode::StaleHandle) {
      file->is_gone = true;
      writer_->drop(*file, refreshed.error());
    }
    if (!refreshed) co_return refreshed;
  }
  co_return Result<void>{};
}

/// Tells the metaserver of a change of attributes together with size and times, and takes the write mark away; a later
/// write sets it again. Untarring ends each file so. False: not everything written was delivered within a moment, and
/// nothing was told. Requires: the file's turn is ours.
Task<Result<bool>> Filesystem::report_with(File file, const protocol::SetAttributesRequest* request) {
  const Time deadline = loop_.now() + timing::kReportWait;
  while (file->has_queued()) {
    auto changed = file->changed.next();
    const std::optional<Unit> news = co_await changed.until(deadline);
    if (!news) co_return false;
  }
  MENDFS_CO_TRY_VOID(co_await confirm(file));
  if (file->has_queued() || !file->may_be_reported_with(*request)) co_return false;
  file->add_to_news(*request, loop_.wall_now());
  MENDFS_CO_TRY_VOID(co_await settle_once(file.get(), UINT64_MAX, true, request));
  co_return true;
}

/// With `also`: of its mode and owner. Requires: the file's turn is ours.
Task<Result<void>> Filesystem::settle_once(OpenFile* file, std::uint64_t size_max, bool close,
                                           const protocol::SetAttributesRequest* also) {
  Backoff backoff;
  for (;;) {
    protocol::SettleRequest request;
    request.inode = file->inode;
    request.cut = file->attributes.cuts.number();
    const std::uint64_t size = std::min(file->known_end(), size_max);
    if (size > file->attributes.size) request.size = size;
    const std::optional<std::int64_t> mtime = file->mtime;
    const std::optional<std::int64_t> atime = file->atime;
    request.mtime = mtime;
    request.atime = atime;
    request.close_write = close;
    if (also != nullptr) {
      request.mode = also->mode;
      request.uid = also->uid;
      request.gid = also->gid;
    }
    if (close) file->has_mark = false;
    auto answer = co_await meta_.call(std::move(request), file->inode);
    if (answer) {
      // If nobody asked for this, the kernel does not know.
      if (also == nullptr && file->is_kept && answer->reply.change != file->attributes.change)
        hooks_.forget_attributes(file->inode);
      file->adopt(answer->reply, answer->change.epoch);
      file->change = std::max(file->change, answer->change);
      if (also != nullptr) file->attribute_change = file->change;
      if (file->mtime == mtime) file->note_times_told();
      if (file->atime == atime) file->atime.reset();
      if (auto unsaid = file->take_contradicted()) {
        auto said = co_await meta_.call(std::move(*unsaid), file->inode);
        if (!said) co_return said.error();
        file->adopt(said->reply, said->change.epoch);
        file->change = file->attribute_change = std::max(file->change, said->change);
      }
      // What it was told before is lost: told again, with this.
      if (std::min(file->known_end(), size_max) > file->attributes.size) continue;
      co_return Result<void>{};
    }
    if (answer.code() == ErrorCode::NotFound || answer.code() == ErrorCode::StaleHandle) {
      file->is_gone = true;
      writer_->drop(*file, answer.error());
      co_return Error{ErrorCode::StaleHandle, "the file is gone"};
    }
    if (answer.code() != ErrorCode::Stale) co_return answer.error();
    co_await sleep_for(loop_, backoff.next());
    protocol::GetAttributesRequest ask;
    ask.inode = file->inode;
    auto fresh = co_await meta_.call(std::move(ask), file->inode);
    if (!fresh) co_return fresh.error();
    file->adopt(fresh->reply, fresh->change.epoch);
  }
}

/// Everything written so far through any handle is on all copies; a failure is reported here, once.
Task<Result<void>> Filesystem::deliver_all(std::shared_ptr<Handle> handle) {
  const File file = handle->file;
  co_await writer_->until_delivered(file, file->next_ticket - 1);
  co_await until_cut(file);
  if (handle->failure) co_return *std::exchange(handle->failure, std::nullopt);
  co_return Result<void>{};
}

/// Bytes that were given up are gone, and the end of the file is known.
Task<void> Filesystem::until_cut(File file) {
  while (file->given_up) {
    auto changed = file->changed.next();
    (void)co_await changed;
  }
}

/// Cuts off what was stored beyond the first byte that was given up: it would show once the file is longer again.
Task<void> Filesystem::cut_given_up(File file) {
  while (file->given_up) {
    if (file->has_in_flight()) {
      auto changed = file->changed.next();
      (void)co_await changed;
      continue;
    }
    const Turn::Guard turn = co_await file->turn.take();
    const std::uint64_t from = file->given_up->from;
    if (file->has_strays() && !file->is_gone) {
      protocol::AbandonRequest request;
      request.inode = file->inode;
      request.size = std::max(from, file->attributes.size);
      auto answer = co_await meta_.call(std::move(request), file->inode);
      if (answer) {
        hooks_.forget_attributes(file->inode);
        file->adopt(answer->reply, answer->change.epoch);
        file->change = std::max(file->change, answer->change);
      }
    }
    // More was given up meanwhile.
    if (file->given_up->from < from) continue;
    file->forget_given_up();
    file->changed.notify_all();
  }
  writer_->pump(file);
}

Task<Result<void>> Filesystem::flush(HandleId id) {
  MENDFS_CO_TRY(const std::shared_ptr<Handle> handle, handle_of(id));
  if (!handle->flags.write) co_return Result<void>{};
  const File file = handle->file;
  const Result<void> delivered = co_await deliver_all(handle);
  // The write mark goes with the last handle.
  if (!file->has_news()) co_return delivered;
  Task<Result<void>> work = settle(file, UINT64_MAX, file->writer_count <= 1);
  const Result<void> settled = co_await detached(std::move(work));
  if (!delivered) co_return delivered;
  co_return settled;
}

Task<Result<void>> Filesystem::fsync(HandleId id, bool data_only) {
  MENDFS_CO_TRY(const std::shared_ptr<Handle> handle, handle_of(id));
  const File file = handle->file;
  file->note_sync();
  // A longer file is told once its bytes are there.
  if (file->size() > file->attributes.size) {
    MENDFS_CO_TRY_VOID(co_await deliver_all(handle));
    co_return co_await sync_file(file, data_only, handle.get());
  }
  std::vector<Task<Result<void>>> both;
  both.push_back(sync_data(handle));
  if (needs_metadata_sync(*file, data_only)) both.push_back(sync_metadata(file));
  const std::vector<Result<void>> results = co_await all_of(loop_, std::move(both));
  for (const Result<void>& result : results)
    if (!result) co_return result;
  if (!data_only && file->has_news()) report_soon(file);
  // Somebody cut it meanwhile, and these bytes made it longer again.
  if (file->known_end() > file->attributes.size) co_return co_await sync_file(file, data_only, handle.get());
  co_return Result<void>{};
}

Task<Result<void>> Filesystem::sync_data(std::shared_ptr<Handle> handle) {
  MENDFS_CO_TRY_VOID(co_await deliver_all(handle));
  const File file = handle->file;
  co_return co_await sync_bytes(file, handle.get());
}

/// Bytes that were lost are nobody's to sync any more: the handles that do not ask now hear of it with their next call.
Task<Result<void>> Filesystem::sync_bytes(File file, const Handle* asking) {
  const Result<void> synced = co_await syncer_->sync(file);
  if (synced.code() != ErrorCode::Io) co_return synced;
  for (auto& [id, handle] : handles_) {
    const bool is_other = handle->file == file && handle->flags.write && handle.get() != asking;
    if (is_other && !handle->failure) handle->failure = synced.error();
  }
  co_return synced;
}

bool Filesystem::needs_metadata_sync(const OpenFile& file, bool data_only) const {
  if (!meta_.is_durable(file.change) || !meta_.is_durable(file.attribute_change)) return true;
  return !data_only && (file.epoch != meta_.epoch() || file.has_news_for_sync());
}

/// Other mounts hear of the write soon, though no fsync waits for that.
void Filesystem::report_soon(const File& file) {
  if (std::exchange(file->is_reported_soon, true)) return;
  scope_.spawn(report_later(file));
}

Task<void> Filesystem::report_later(File file) {
  co_await sleep_for(loop_, timing::kTimesReport);
  file->is_reported_soon = false;
  if (file->has_news()) co_await report_size(file);
}

/// Data and metadata side by side.
Task<Result<void>> Filesystem::sync_file(File file, bool data_only, const Handle* asking) {
  std::vector<Task<Result<void>>> both;
  both.push_back(sync_bytes(file, asking));
  const bool is_longer = file->known_end() > file->attributes.size;
  if (is_longer || needs_metadata_sync(*file, data_only)) both.push_back(sync_metadata(file));
  const std::vector<Result<void>> results = co_await all_of(loop_, std::move(both));
  for (const Result<void>& result : results)
    if (!result) co_return result;
  co_return Result<void>{};
}

Task<Result<void>> Filesystem::sync_metadata(File file) {
  const Change attributes = file->attribute_change;
  const Result<void> kept = co_await make_durable(attributes);
  const bool is_lost = kept.code() == ErrorCode::Stale;
  if ((kept || is_lost) && file->attribute_change == attributes) file->attribute_change = {};
  if (is_lost) co_return lost_in_a_power_cut();
  if (!kept) co_return kept;
  for (;;) {
    const std::optional<std::int64_t> told = file->mtime;
    MENDFS_CO_TRY_VOID(co_await settle(file, UINT64_MAX, false));
    const bool is_told = told && file->attributes.mtime == *told;
    const Change change = file->change;
    const Result<void> durable = co_await make_durable(change);
    // The metaserver lost the end of its log in a power cut, and perhaps our last report with it: once more.
    if (durable.code() == ErrorCode::Stale || file->epoch != meta_.epoch()) continue;
    if (durable && is_told) file->durable_mtime = told;
    if (durable && file->change == change) file->change = {};
    co_return durable;
  }
}

Task<Result<void>> Filesystem::sync_all() {
  std::vector<File> files;
  for (const auto& [inode, file] : files_) files.push_back(file);
  Result<void> worst;
  for (const File& file : files) {
    co_await writer_->until_delivered(file, file->next_ticket - 1);
    const Result<void> synced = co_await sync_file(file, false, nullptr);
    if (!synced && !file->is_gone) worst = synced;
  }
  const Result<void> names = co_await make_all_durable();
  if (!names) co_return names;
  co_return worst;
}

Task<Result<void>> Filesystem::allocate(HandleId id, AllocateMode mode, std::uint64_t offset, std::uint64_t length) {
  MENDFS_CO_TRY_VOID(check_writable());
  MENDFS_CO_TRY(const std::shared_ptr<Handle> handle, handle_of(id));
  const File file = handle->file;
  if (length == 0) co_return Error{ErrorCode::InvalidArgument, "nothing to allocate"};
  if (offset > kFileSizeMax || length > kFileSizeMax - offset)
    co_return Error{ErrorCode::FileTooBig, "beyond the largest file"};
  if (mode == AllocateMode::KeepSize) co_return Result<void>{};
  const std::uint64_t end = offset + length;
  if (mode != AllocateMode::Extend && offset < file->size()) {
    MENDFS_CO_TRY_VOID(co_await ensure_mark(file));
    const Ticket ticket = writer_->write_hole(file, offset, std::min(end, file->size()) - offset);
    co_await writer_->until_delivered(file, ticket);
    if (handle->failure) co_return *std::exchange(handle->failure, std::nullopt);
  }
  const bool extends = mode == AllocateMode::Extend || mode == AllocateMode::ZeroRange;
  if (!extends || end <= file->size()) co_return Result<void>{};
  protocol::SetAttributesRequest grow;
  grow.inode = file->inode;
  grow.size = end;
  const Result<Attributes> grown = co_await set_attributes(std::move(grow));
  if (!grown) co_return grown.error();
  co_return Result<void>{};
}

}  // namespace mendfs::client
