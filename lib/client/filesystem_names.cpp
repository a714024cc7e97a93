// Names, attributes and directories: passed to the metaserver, with what this mount knows better put in.
#include <sys/stat.h>

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "client/filesystem_parts.h"

namespace mendfs::client {

using namespace protocol;

namespace {

/// A directory is read whole for the sake of its names up to this many pages.
constexpr std::size_t kWholePagesMax = 16;

}  // namespace

Error lost_in_a_power_cut() { return {ErrorCode::Io, "changes were lost when the metaserver's machine lost power"}; }

Result<void> Filesystem::check_writable() const {
  if (options_.read_only) return Error{ErrorCode::ReadOnly, "mounted read-only"};
  return {};
}

/// Waits until it survives a power cut; Stale: it did not.
Task<Result<void>> Filesystem::make_durable(Change change) {
  if (meta_.is_durable(change)) co_return Result<void>{};
  SyncMetaRequest request;
  request.index = change.index;
  request.epoch = change.epoch;
  auto answer = co_await meta_.call(std::move(request));
  if (!answer) co_return answer.error();
  co_return Result<void>{};
}

/// Waits until all changes of names survive a power cut. Io, once: some did not.
Task<Result<void>> Filesystem::make_all_durable() {
  std::set<InodeNumber> directories;
  for (const auto& [key, index] : changed_directories_) directories.insert(key.first);
  Result<void> worst;
  for (const InodeNumber directory : directories) {
    const Result<void> durable = co_await sync_changes_of(directory);
    if (!durable) worst = durable;
  }
  if (!worst) co_return worst;
  auto answer = co_await meta_.call(SyncMetaRequest{});
  if (!answer) co_return answer.error();
  co_return Result<void>{};
}

/// A name in it was made or removed by this mount.
Task<Result<void>> Filesystem::changed_directory(InodeNumber inode, Change change) {
  changed_directories_[{inode, change.epoch}] = change.index;
  if (!options_.dirsync) co_return Result<void>{};
  co_return co_await sync_changes_of(inode);
}

Task<Result<void>> Filesystem::sync_changes_of(InodeNumber inode) {
  std::vector<Change> changes;
  const auto first = changed_directories_.lower_bound({inode, 0});
  for (auto entry = first; entry != changed_directories_.end() && entry->first.first == inode; ++entry)
    changes.push_back({entry->first.second, entry->second});
  bool is_lost = false;
  for (const Change& change : changes) {
    const Result<void> durable = co_await make_durable(change);
    is_lost = is_lost || durable.code() == ErrorCode::Stale;
    if (!durable && durable.code() != ErrorCode::Stale) co_return durable;
    const auto entry = changed_directories_.find({inode, change.epoch});
    if (entry != changed_directories_.end() && entry->second == change.index) changed_directories_.erase(entry);
  }
  if (is_lost) co_return lost_in_a_power_cut();
  co_return Result<void>{};
}

Task<Result<Attributes>> Filesystem::lookup(InodeNumber parent, std::string name) {
  if (name.size() > kNameSizeMax) co_return Error{ErrorCode::NameTooLong, "a name has at most 255 bytes"};
  if (const std::optional<InodeNumber> known = cache_.find(parent, name)) {
    if (*known == 0) co_return Error{ErrorCode::NotFound, "no such name"};
    if (const std::optional<Attributes> attributes = cache_.attributes(*known)) {
      note_name(*known, std::move(name));
      co_return seen(*attributes, 0);  // news only if they are newer than what is known
    }
  }
  if (cache_.is_worth_reading(parent) && being_read_.insert(parent).second) scope_.spawn(read_whole(parent));
  LookupRequest request;
  request.parent = parent;
  request.name = name;
  auto answer = co_await meta_.call(std::move(request), parent);
  if (!answer) co_return answer.error();
  cache_.learn(answer->reply, answer->as_of);
  cache_.learn_name(parent, name, answer->reply.inode, answer->as_of);
  note_name(answer->reply.inode, std::move(name));
  co_return seen(answer->reply, answer->change.epoch);
}

Task<Result<Attributes>> Filesystem::get_attributes(InodeNumber inode) {
  if (const std::optional<Attributes> known = cache_.attributes(inode)) co_return seen(*known, 0);
  GetAttributesRequest request;
  request.inode = inode;
  auto answer = co_await meta_.call(std::move(request), inode);
  if (!answer) co_return answer.error();
  cache_.learn(answer->reply, answer->as_of);
  co_return seen(answer->reply, answer->change.epoch);
}

Task<Result<Attributes>> Filesystem::set_attributes(SetAttributesRequest request) {
  MENDFS_CO_TRY_VOID(check_writable());
  if (request.size && *request.size > kFileSizeMax) co_return Error{ErrorCode::FileTooBig, "beyond the largest file"};
  Task<Result<Attributes>> work = do_set_attributes(std::move(request));
  co_return co_await detached(std::move(work));
}

Task<Result<Attributes>> Filesystem::do_set_attributes(SetAttributesRequest request) {
  const File file = find(request.inode);
  if (file != nullptr) {
    Task<Result<Attributes>> work = set_attributes_of(file, std::move(request));
    co_return co_await std::move(work);
  }
  const InodeNumber inode = request.inode;
  auto answer = co_await meta_.call(std::move(request), inode);
  if (!answer) co_return answer.error();
  co_return seen(answer->reply, answer->change.epoch);
}

Task<Result<Attributes>> Filesystem::set_attributes_of(File file, SetAttributesRequest request) {
  // Who sets times, owner or mode has mostly written what there was to write.
  writer_->pump(file);
  // A longer file would show what is to be cut off.
  if (request.size) co_await until_cut(file);
  // Under a mark it would cost a cut.
  if (request.size && file->is_mark_to_go) co_await unmark();
  const Turn::Guard turn = co_await file->turn.take();
  if (file->goes_with_news(request)) {
    file->add_to_news(request, loop_.wall_now());
    co_return file->view();
  }
  // Told now, so it counts more than what was to be looked at later.
  if (request.mode) file->unsaid.mode.reset();
  if (request.uid) file->unsaid.uid.reset();
  if (request.gid) file->unsaid.gid.reset();
  if (file->may_be_reported_with(request)) {
    // What close would tell goes with it.
    MENDFS_CO_TRY(const bool is_told, co_await report_with(file, &request));
    if (is_told) co_return file->view();
  }
  const std::optional<std::uint64_t> size = request.size;
  const bool sets_mtime = request.mtime.has_value();
  const bool sets_atime = request.atime.has_value();
  if (size && *size < file->size() && file->attributes.size < file->size()) {
    // The metaserver must know what there is to cut, or the bytes beyond would come back when the file grows.
    file->acked_end = file->size();
    MENDFS_CO_TRY_VOID(co_await settle_once(file.get(), UINT64_MAX, false));
  }
  struct Cutting {
    explicit Cutting(File cut) : file(std::move(cut)) { file->is_being_cut = true; }
    Cutting(const Cutting&) = delete;
    ~Cutting() { file->is_being_cut = false; }
    File file;
  };
  std::optional<Cutting> cutting;
  if (size) cutting.emplace(file);
  const std::uint64_t cut_before = file->attributes.cuts.number();
  auto answer = co_await meta_.call(std::move(request), file->inode);
  cutting.reset();
  if (!answer) {
    writer_->pump(file);
    co_return answer.error();
  }
  file->adopt(answer->reply, answer->change.epoch);
  file->change = file->attribute_change = std::max(file->change, answer->change);
  if (size && file->attributes.cuts.number() != cut_before) file->note_own_cut(*size);
  writer_->pump(file);
  if (sets_mtime || !file->mtime) file->note_times_told();
  if (sets_atime) file->atime.reset();
  co_return file->view();
}

Task<Result<Attributes>> Filesystem::make(MakeRequest request) {
  MENDFS_CO_TRY_VOID(check_writable());
  request.open_for_write = false;
  std::string name = request.name;
  const InodeNumber parent = request.parent;
  auto answer = co_await meta_.call(std::move(request));
  if (!answer) co_return answer.error();
  note_name(answer->reply.inode, std::move(name));
  if (S_ISDIR(answer->reply.mode)) cache_.learn_new_directory(answer->reply.inode);
  MENDFS_CO_TRY_VOID(co_await changed_directory(parent, answer->change));
  co_return answer->reply;
}

template <class Request>
Task<Result<void>> Filesystem::change_directory(Request request) {
  MENDFS_CO_TRY_VOID(check_writable());
  std::vector<InodeNumber> parents{request.parent};
  if constexpr (std::is_same_v<Request, RenameRequest>) parents.push_back(request.new_parent);
  auto answer = co_await meta_.call(std::move(request));
  if (!answer) co_return answer.error();
  for (std::size_t i = 0; i < parents.size(); ++i)
    MENDFS_CO_TRY_VOID(co_await changed_directory(parents[i], answer->change));
  co_return Result<void>{};
}

Task<Result<void>> Filesystem::remove(RemoveRequest request) { return change_directory(std::move(request)); }

Task<Result<Attributes>> Filesystem::link(LinkRequest request) {
  MENDFS_CO_TRY_VOID(check_writable());
  const InodeNumber parent = request.parent;
  auto answer = co_await meta_.call(std::move(request));
  if (!answer) co_return answer.error();
  MENDFS_CO_TRY_VOID(co_await changed_directory(parent, answer->change));
  co_return seen(answer->reply, answer->change.epoch);
}

Task<Result<void>> Filesystem::rename(RenameRequest request) {
  if (!request.no_replace && !request.exchange) MENDFS_CO_TRY_VOID(co_await protect_source(&request));
  co_return co_await change_directory(std::move(request));
}

/// Before a file takes another one's place: one copy of each of its blocks is durable, so that a power cut leaves the
/// old content or the new, not neither.
Task<Result<void>> Filesystem::protect_source(const RenameRequest* request) {
  const auto is_unsynced = [](const auto& entry) { return !entry.second->unsynced.empty(); };
  if (std::none_of(files_.begin(), files_.end(), is_unsynced)) co_return Result<void>{};
  const Result<Attributes> target = co_await lookup(request->new_parent, request->new_name);
  if (!target) co_return Result<void>{};
  const Result<Attributes> source = co_await lookup(request->parent, request->name);
  if (!source) co_return Result<void>{};
  const File file = find(source->inode);
  if (file == nullptr) co_return Result<void>{};
  co_await writer_->until_delivered(file, file->next_ticket - 1);
  co_return co_await syncer_->sync_one_copy(file);
}

Task<Result<std::string>> Filesystem::read_link(InodeNumber inode) {
  ReadLinkRequest request;
  request.inode = inode;
  auto answer = co_await meta_.call(std::move(request), inode);
  if (!answer) co_return answer.error();
  co_return std::move(answer->reply.target);
}

Task<Result<ReadDirectoryReply>> Filesystem::read_directory(InodeNumber inode, std::uint64_t cookie,
                                                            std::uint32_t count_max) {
  co_return co_await read_page(inode, cookie, count_max);
}

/// Up to kWholePagesMax pages of a directory, for the cache alone. Requires: it is marked as being read.
Task<void> Filesystem::read_whole(InodeNumber inode) {
  std::uint64_t cookie = 0;
  for (std::size_t i = 0; i < kWholePagesMax; ++i) {
    const Result<ReadDirectoryReply> page = co_await read_page(inode, cookie, kDirectoryPageMax);
    if (!page || page->end || page->entries.empty()) break;
    cookie = page->entries.back().cookie;
  }
  being_read_.erase(inode);
}

Task<Result<ReadDirectoryReply>> Filesystem::read_page(InodeNumber inode, std::uint64_t cookie,
                                                       std::uint32_t count_max) {
  ReadDirectoryRequest request;
  request.inode = inode;
  request.cookie = cookie;
  request.count_max = std::min(count_max, kDirectoryPageMax);
  auto answer = co_await meta_.call(std::move(request), inode);
  if (!answer) co_return answer.error();
  cache_.learn_page(inode, cookie, answer->reply, answer->as_of);
  for (Dentry& entry : answer->reply.entries) entry.attributes = seen(entry.attributes, answer->change.epoch);
  co_return std::move(answer->reply);
}

Task<Result<std::string>> Filesystem::get_xattr(InodeNumber inode, std::string name) {
  GetXattrRequest request;
  request.inode = inode;
  request.name = std::move(name);
  auto answer = co_await meta_.call(std::move(request), inode);
  if (!answer) co_return answer.error();
  co_return std::move(answer->reply.value);
}

Task<Result<std::vector<std::string>>> Filesystem::list_xattrs(InodeNumber inode) {
  ListXattrRequest request;
  request.inode = inode;
  auto answer = co_await meta_.call(std::move(request), inode);
  if (!answer) co_return answer.error();
  co_return std::move(answer->reply.names);
}

Task<Result<void>> Filesystem::set_xattr(SetXattrRequest request) {
  MENDFS_CO_TRY_VOID(check_writable());
  const InodeNumber inode = request.inode;
  auto answer = co_await meta_.call(std::move(request), inode);
  if (!answer) co_return answer.error();
  if (const File file = find(inode)) file->change = file->attribute_change = std::max(file->change, answer->change);
  co_return Result<void>{};
}

Task<Result<void>> Filesystem::remove_xattr(InodeNumber inode, std::string name) {
  MENDFS_CO_TRY_VOID(check_writable());
  RemoveXattrRequest request;
  request.inode = inode;
  request.name = std::move(name);
  auto answer = co_await meta_.call(std::move(request), inode);
  if (!answer) co_return answer.error();
  if (const File file = find(inode)) file->change = file->attribute_change = std::max(file->change, answer->change);
  co_return Result<void>{};
}

Task<Result<StatFsReply>> Filesystem::statfs() {
  auto answer = co_await meta_.call(StatFsRequest{});
  if (!answer) co_return answer.error();
  co_return answer->reply;
}

Task<Result<void>> Filesystem::sync_directory(InodeNumber inode) {
  MENDFS_CO_TRY_VOID(co_await sync_changes_of(inode));
  // Another mount may have changed it.
  auto answer = co_await meta_.call(SyncMetaRequest{});
  if (!answer) co_return answer.error();
  co_return Result<void>{};
}

}  // namespace mendfs::client
