// The filesystem without FUSE: one object per mount. Front ends (fuseclient, a gateway, tests) stand on it.
//
// It knows where blocks are, verifies every byte it gives out, has damaged copies mended, queues and retries writes
// until all copies have them, keeps the session with the metaserver, and waits, for as long as it takes, for servers
// that are away. Attributes and names are cached and kept true (meta_cache.h); data never is.
//
// Every operation may be destroyed while it waits (see interrupt.h), and must be before the filesystem is: taken bytes
// stay queued. In requests, `call` is
// filled in here. Errors carry the errno to answer (to_errno) and a sentence for the log.
// Loop thread only, but for prepare_write() and block_size_of().
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/buffer.h"
#include "base/error.h"
#include "base/logger.h"
#include "client/meta_cache.h"
#include "client/meta_client.h"
#include "client/prepared_write.h"
#include "client/wait_log.h"
#include "env/future.h"
#include "env/loop.h"
#include "env/network.h"
#include "env/random.h"
#include "env/task.h"
#include "protocol/meta.h"
#include "protocol/session.h"
#include "protocol/xattr.h"

namespace mendfs::client {

class ReadAhead;
class Reader;
class Servers;
class Syncer;
class Writer;
struct Handle;
struct OpenFile;

struct Options {
  Address metaserver;
  /// As on the command line; empty: whatever ring the metaserver has. The first mount creates the ring from them.
  std::vector<Address> dataservers;
  std::uint32_t root_uid = 0;  // owner of the root directory if this mount creates the filesystem
  std::uint32_t root_gid = 0;
  std::string client_name;  // host, pid and mountpoint, for the status page
  /// Zero: wait for ever. Else a wait for a server ends with EIO after this, and bytes queued as long are dropped.
  Duration timeout{0};
  bool read_only = false;
  bool sync = false;     // every write waits until it is on all copies and survives a power cut
  bool dirsync = false;  // every change of a directory waits until it survives a power cut
  bool noatime = false;
};

/// What a front end does when the core asks. Called on the loop thread; must not call back into the core at once.
struct Hooks {
  /// Pages of this file in the kernel may be wrong (bytes were dropped): forget them.
  std::function<void(InodeNumber)> invalidate = [](InodeNumber) {};
  /// Attributes, or a name, may have changed: whatever the front end keeps of them must go, soon.
  std::function<void(InodeNumber)> forget_attributes = [](InodeNumber) {};
  std::function<void(InodeNumber parent, const std::string& name)> forget_name = [](InodeNumber, const std::string&) {};
  /// The same, done when it returns: an open, not yet answered, has found them changed.
  std::function<void(InodeNumber)> forget_attributes_now = [](InodeNumber) {};
};

using HandleId = std::uint64_t;
/// Of the file behind a handle, for prepare_write(). Any thread: it is a part of the id.
std::uint32_t block_size_of(HandleId handle);

struct OpenFlags {
  bool read = true;
  bool write = false;
  bool append = false;
  bool sync = false;      // O_SYNC, O_DSYNC
  bool truncate = false;  // O_TRUNC, when the kernel leaves it to us
  bool noatime = false;
};

struct Opened {
  HandleId handle = 0;
  protocol::Attributes attributes;
  /// The kernel must keep its pages of this file: a read of it waits, and dropping them would hang the open with it.
  bool keep_cache = false;
};

struct WriteFlags {
  bool from_page_cache = false;  // written back from mmap'ed pages: O_APPEND does not move it
};

enum class AllocateMode {
  Extend,    // mode 0: the file has at least this many bytes
  KeepSize,  // FALLOC_FL_KEEP_SIZE: nothing to do, blocks take no space before they are written
  PunchHole,
  ZeroRange,
  ZeroRangeKeepSize,
};

/// Counters since the mount.
struct Counters {
  std::uint64_t blocks_verified = 0;  // read and found right here
  std::uint64_t blocks_audited = 0;   // other copies found right on their server
  std::uint64_t blocks_mended = 0;
  std::uint64_t reads_hedged = 0;  // turned to the other copy because the first was slow or away
  std::uint64_t bytes_queued = 0;  // taken by write() and not yet on all copies
};

class Filesystem {
 public:
  Filesystem(Loop& loop, Network& network, Random& random, Logger& log, Options options, Hooks hooks = {});
  ~Filesystem();
  Filesystem(const Filesystem&) = delete;
  Filesystem& operator=(const Filesystem&) = delete;

  /// Opens the session and, with Options::dataservers, creates or compares the ring. Fails after kMountTimeout with a
  /// sentence that says what is missing.
  Task<Result<void>> mount();
  /// Tries what is queued until `deadline`, then drops it and logs each file; ends the session. Called once, no
  /// operation after it.
  Task<void> unmount(Time deadline);

  // Names. Sizes and times in attributes include what this mount has written and not yet told.
  Task<Result<protocol::Attributes>> lookup(InodeNumber parent, std::string name);
  Task<Result<protocol::Attributes>> get_attributes(InodeNumber inode);
  Task<Result<protocol::Attributes>> set_attributes(protocol::SetAttributesRequest request);
  Task<Result<protocol::Attributes>> make(protocol::MakeRequest request);
  /// make() of a regular file and open() in one call.
  Task<Result<Opened>> create(protocol::MakeRequest request, OpenFlags flags);
  Task<Result<void>> remove(protocol::RemoveRequest request);
  Task<Result<protocol::Attributes>> link(protocol::LinkRequest request);
  Task<Result<void>> rename(protocol::RenameRequest request);
  Task<Result<std::string>> read_link(InodeNumber inode);
  /// A page of entries after `cookie` (0: from the start), without "." and "..".
  Task<Result<protocol::ReadDirectoryReply>> read_directory(InodeNumber inode, std::uint64_t cookie,
                                                            std::uint32_t count_max);
  Task<Result<std::string>> get_xattr(InodeNumber inode, std::string name);
  Task<Result<std::vector<std::string>>> list_xattrs(InodeNumber inode);
  Task<Result<void>> set_xattr(protocol::SetXattrRequest request);
  Task<Result<void>> remove_xattr(InodeNumber inode, std::string name);
  Task<Result<protocol::StatFsReply>> statfs();
  /// fsync of a directory, syncfs: what was changed before is durable afterwards.
  Task<Result<void>> sync_directory(InodeNumber inode);
  Task<Result<void>> sync_all();

  /// Whether attributes, or a name, that were just given out may be kept until a hook says otherwise.
  bool may_keep(const protocol::Attributes& attributes);
  bool may_keep_name(InodeNumber parent, const std::string& name, InodeNumber inode) const {
    return cache_.keeps_name(parent, name, inode);
  }

  // Files. StaleHandle for a handle that is not open.
  Task<Result<Opened>> open(InodeNumber inode, OpenFlags flags);
  /// Fewer bytes than asked only at the end of the file.
  Task<Result<Buffer>> read(HandleId handle, std::uint64_t offset, std::uint32_t size);
  /// The bytes taken: all of them, or an error.
  Task<Result<std::uint32_t>> write(HandleId handle, PreparedWrite bytes, WriteFlags flags = {});
  /// close(2): what was written through any handle of this file is on all copies and its size is known.
  Task<Result<void>> flush(HandleId handle);
  /// What was written before survives a power cut. `data_only`: times may lag (fdatasync).
  Task<Result<void>> fsync(HandleId handle, bool data_only);
  /// The handle is gone at once; what is queued goes on.
  void release(HandleId handle);
  Task<Result<void>> allocate(HandleId handle, AllocateMode mode, std::uint64_t offset, std::uint64_t length);

  /// What waits for a server longer than kBlockedLogAfter, longest first.
  std::vector<Blocked> blocked() const;
  Counters counters() const;

 private:
  using File = std::shared_ptr<OpenFile>;
  /// Keeps an inode from being given up while an open of it is on its way.
  struct Opening;
  /// Gives a handle back that nobody is left to take.
  struct Claim;

  /// Runs to its end even if whoever waits for it goes away.
  template <class T>
  Task<Result<T>> detached(Task<Result<T>> work);
  template <class T>
  static Task<void> finish(Task<Result<T>> work, Promise<Result<T>> done);

  // Sessions and attributes (filesystem.cpp).
  void start(protocol::OpenSessionRequest::Answer answer, std::vector<Address> addresses);
  Task<Result<void>> refresh(File file);
  Task<Result<void>> refresh_for_writer(File file);
  Task<void> rejoin(File file, bool is_new_session);
  void rejoin_all(bool is_new_session);
  void note_change(const protocol::MetaReply& reply);
  Task<void> watch_changes();
  Task<void> forget_twice(MetaCache::Dropped dropped);
  Task<void> report_sizes();
  Task<void> watch_server(Slot slot);
  Task<void> report_size(File file);
  File find(InodeNumber inode) const;
  File file_of(const protocol::Attributes& attributes, std::uint64_t told_in);
  protocol::Attributes seen(const protocol::Attributes& attributes, std::uint64_t told_in);
  void forget_unused();
  void note_name(InodeNumber inode, std::string name);

  // Names (filesystem_names.cpp).
  Result<void> check_writable() const;
  Task<Result<void>> make_durable(Change change);
  Task<Result<void>> make_all_durable();
  Task<Result<void>> sync_changes_of(InodeNumber inode);
  Task<Result<void>> changed_directory(InodeNumber inode, Change change);
  Task<Result<protocol::Attributes>> do_set_attributes(protocol::SetAttributesRequest request);
  Task<Result<protocol::Attributes>> set_attributes_of(File file, protocol::SetAttributesRequest request);
  Task<Result<void>> protect_source(const protocol::RenameRequest* request);
  template <class Request>
  Task<Result<void>> change_directory(Request request);
  Task<Result<protocol::ReadDirectoryReply>> read_page(InodeNumber inode, std::uint64_t cookie,
                                                       std::uint32_t count_max);
  Task<void> read_whole(InodeNumber inode);

  // Handles (filesystem_handles.cpp).
  Task<Result<Opened>> do_open(InodeNumber inode, OpenFlags flags, std::shared_ptr<Claim> claim);
  Task<Result<Opened>> do_create(protocol::MakeRequest request, OpenFlags flags, std::shared_ptr<Claim> claim);
  Opened add_handle(const File& file, OpenFlags flags);
  Task<void> retire(File file);
  void unmark_soon(const File& file);
  Task<void> unmark_later();
  Task<void> unmark();

  // Open files (filesystem_files.cpp).
  Result<std::shared_ptr<Handle>> handle_of(HandleId id) const;
  Task<Result<void>> ensure_mark(File file);
  Task<Result<void>> settle(File file, std::uint64_t size_max, bool may_close);
  Task<Result<void>> confirm(File file);
  Task<Result<bool>> report_with(File file, const protocol::SetAttributesRequest* request);
  Task<Result<void>> settle_once(OpenFile* file, std::uint64_t size_max, bool close,
                                 const protocol::SetAttributesRequest* also = nullptr);
  Task<Result<void>> deliver_all(std::shared_ptr<Handle> handle);
  Task<void> until_cut(File file);
  Task<void> cut_given_up(File file);
  Task<Result<void>> sync_data(std::shared_ptr<Handle> handle);
  Task<Result<void>> sync_file(File file, bool data_only, const Handle* asking);
  Task<Result<void>> sync_bytes(File file, const Handle* asking);
  bool needs_metadata_sync(const OpenFile& file, bool data_only) const;
  void report_soon(const File& file);
  Task<void> report_later(File file);
  Task<Result<void>> sync_metadata(File file);
  void fail(OpenFile& file, const Error& error);

  Loop& loop_;
  Network& network_;
  Random& random_;
  Logger& log_;
  Options options_;
  Hooks hooks_;

  std::unordered_map<InodeNumber, std::string> names_;  // for the log: of files lately seen
  std::unordered_map<InodeNumber, File> files_;
  std::map<HandleId, std::shared_ptr<Handle>> handles_;
  std::map<InodeNumber, std::uint32_t> openings_;
  std::set<InodeNumber> being_read_;  // directories, whole
  std::uint64_t next_handle_ = 1;
  std::vector<File> to_unmark_;
  /// The last change of each directory by this mount in each start of the metaserver, while it may not be durable.
  std::map<std::pair<InodeNumber, std::uint64_t>, std::uint64_t> changed_directories_;

  WaitLog waits_;
  MetaCache cache_;
  MetaClient meta_;
  // From mount() on.
  std::unique_ptr<Servers> servers_;
  std::unique_ptr<Syncer> syncer_;
  std::unique_ptr<Writer> writer_;
  std::unique_ptr<Reader> reader_;
  std::unique_ptr<ReadAhead> read_ahead_;
  Scope scope_;  // last: its coroutines use all of the above
};

}  // namespace mendfs::client
