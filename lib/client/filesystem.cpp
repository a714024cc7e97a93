#include "client/filesystem.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "client/backoff.h"
#include "client/filesystem_parts.h"
#include "protocol/timing.h"

namespace mendfs::client {
namespace {

/// Names are kept for the log only.
constexpr std::size_t kNamesMax = 4096;

}  // namespace

std::uint32_t block_size_of(HandleId handle) { return 1u << (handle & 31); }

Filesystem::Filesystem(Loop& loop, Network& network, Random& random, Logger& log, Options options, Hooks hooks)
    : loop_(loop),
      network_(network),
      random_(random),
      log_(log),
      options_(std::move(options)),
      hooks_(std::move(hooks)),
      waits_(loop, log,
             [this](InodeNumber inode) {
               const auto name = names_.find(inode);
               return name == names_.end() ? std::string() : name->second;
             }),
      cache_(MetaCache::Hooks{.forget_attributes = hooks_.forget_attributes, .forget_name = hooks_.forget_name}),
      meta_(loop, network, random, log, waits_, options_.metaserver, options_.timeout) {
  MetaClient::Hooks from_meta;
  from_meta.is_open = [this](InodeNumber inode) {
    const File file = find(inode);
    return (file != nullptr && file->handle_count > 0) || openings_.count(inode) > 0;
  };
  from_meta.on_new_epoch = [this] {
    cache_.reset();
    rejoin_all(false);
  };
  from_meta.on_new_session = [this] {
    cache_.reset();
    rejoin_all(true);
  };
  from_meta.on_changed = [this](const protocol::MetaReply& reply) { note_change(reply); };
  meta_.set_hooks(std::move(from_meta));
}

Filesystem::~Filesystem() = default;

Task<Result<void>> Filesystem::mount() {
  protocol::OpenSessionRequest request;
  for (const Address& address : options_.dataservers) request.addresses.push_back(to_string(address));
  request.root_uid = options_.root_uid;
  request.root_gid = options_.root_gid;
  request.client_name = options_.client_name;
  Result<protocol::OpenSessionRequest::Answer> answer = co_await meta_.open_session(std::move(request));
  if (!answer) co_return answer.error();
  std::vector<Address> addresses;
  for (const protocol::SlotInfo& slot : answer->ring.slots) {
    MENDFS_CO_TRY(Address address, parse_address(slot.address));
    addresses.push_back(std::move(address));
  }
  if (addresses.size() < 2)
    co_return Error{ErrorCode::Malformed, "the metaserver named a ring of fewer than 2 servers"};
  start(std::move(*answer), std::move(addresses));
  co_return Result<void>{};
}

void Filesystem::start(protocol::OpenSessionRequest::Answer answer, std::vector<Address> addresses) {
  protocol::HelloRequest hello;
  hello.cluster = answer.cluster;
  hello.ring = answer.ring.number;
  hello.session = meta_.session();
  servers_ = std::make_unique<Servers>(loop_, network_, std::move(addresses), std::move(hello));
  syncer_ = std::make_unique<Syncer>(loop_, *servers_, waits_, options_.timeout,
                                     [this](File file) { return refresh(std::move(file)); });
  Writer::Hooks from_writer;
  from_writer.on_failure = [this](OpenFile& file, const Error& error) { fail(file, error); };
  from_writer.refresh = [this](File file) { return refresh_for_writer(std::move(file)); };
  writer_ = std::make_unique<Writer>(loop_, *servers_, meta_, waits_, options_.timeout, std::move(from_writer));
  reader_ = std::make_unique<Reader>(loop_, *servers_, waits_, log_, options_.timeout, random_.next(),
                                     [this](File file) { return refresh(std::move(file)); });
  read_ahead_ = std::make_unique<ReadAhead>(loop_, *reader_);
  scope_.spawn(watch_changes());
  scope_.spawn(report_sizes());
  for (Slot slot = 0; slot < servers_->count(); ++slot) scope_.spawn(watch_server(slot));
}

Task<void> Filesystem::unmount(Time deadline) {
  if (servers_ == nullptr) co_return;
  const auto is_dirty = [](const auto& entry) {
    const OpenFile& file = *entry.second;
    return file.has_queued() || file.has_news() || file.given_up || file.is_mark_to_go;
  };
  while (loop_.now() < deadline && std::any_of(files_.begin(), files_.end(), is_dirty)) {
    for (const auto& [inode, file] : files_)
      if (!file->has_queued() && file->has_news() && !file->turn.is_taken()) scope_.spawn(report_size(file));
    scope_.spawn(unmark());
    co_await sleep_for(loop_, timing::kRetryBackoffMin);
  }
  co_await reader_->finish_audits(deadline);
  const auto files = files_;
  for (const auto& [inode, file] : files) {
    if (!file->has_queued()) continue;
    log_.error("dropped at unmount: bytes not delivered file={} name=\"{}\" size={}", inode, names_[inode],
               file->queued_cost());
    writer_->drop(*file, Error{ErrorCode::Io, "unmounted"});
  }
  scope_.cancel_all();
  co_await meta_.close_session(std::max(deadline, loop_.now() + timing::kRetryBackoffMax));
}

Filesystem::File Filesystem::find(InodeNumber inode) const {
  const auto found = files_.find(inode);
  return found == files_.end() ? nullptr : found->second;
}

Filesystem::File Filesystem::file_of(const protocol::Attributes& attributes, std::uint64_t told_in) {
  File file = find(attributes.inode);
  if (file != nullptr) {
    file->adopt(attributes, told_in);
    return file;
  }
  file = std::make_shared<OpenFile>(loop_, attributes, told_in);
  file->session = meta_.session();
  files_.emplace(attributes.inode, file);
  return file;
}

/// What the metaserver says, and what this mount knows better.
protocol::Attributes Filesystem::seen(const protocol::Attributes& attributes, std::uint64_t told_in) {
  const File file = find(attributes.inode);
  if (file == nullptr) return attributes;
  file->adopt(attributes, told_in);
  return file->view();
}

bool Filesystem::may_keep(const protocol::Attributes& attributes) {
  if (!cache_.keeps(attributes)) return false;
  if (const File file = find(attributes.inode)) file->is_kept = true;
  return true;
}

void Filesystem::note_name(InodeNumber inode, std::string name) {
  if (names_.size() >= kNamesMax) names_.clear();
  names_[inode] = std::move(name);
}

/// What a change of ours touched goes into the cache.
void Filesystem::note_change(const protocol::MetaReply& reply) {
  if (reply.repeated)
    cache_.forget_before(reply.index);
  else
    cache_.changed_here(reply.touched, reply.index);
}

/// Hears of others' changes for as long as the mount lives. When it does not, the cache holds nothing.
Task<void> Filesystem::watch_changes() {
  Backoff backoff;
  protocol::ChangesRequest request;
  for (;;) {
    auto heard = co_await meta_.try_call(request, loop_.now() + timing::kChangesTimeout);
    if (!heard) {
      cache_.reset();
      co_await sleep_for(loop_, backoff.next());
      continue;
    }
    backoff = Backoff();
    request.epoch = heard->change.epoch;
    request.since = heard->reply.up_to;
    MetaCache::Dropped dropped;
    if (heard->reply.unknown)
      cache_.reset();
    else
      dropped = cache_.changed_elsewhere(heard->reply);
    if (!dropped.inodes.empty() || !dropped.names.empty()) scope_.spawn(forget_twice(std::move(dropped)));
    cache_.begin(heard->reply.up_to);
  }
}

Task<void> Filesystem::forget_twice(MetaCache::Dropped dropped) {
  co_await sleep_for(loop_, timing::kForgetAgainAfter);
  cache_.forget_again(dropped);
}

Task<Result<void>> Filesystem::refresh(File file) {
  protocol::GetAttributesRequest request;
  request.inode = file->inode;
  auto answer = co_await meta_.call(std::move(request), file->inode);
  if (!answer) {
    if (answer.code() == ErrorCode::NotFound || answer.code() == ErrorCode::StaleHandle)
      co_return Error{ErrorCode::StaleHandle, "the file is gone"};
    co_return answer.error();
  }
  cache_.learn(answer->reply, answer->as_of);
  file->adopt(answer->reply, answer->change.epoch);
  co_return Result<void>{};
}

/// Not while a cut of our own is on its way: its number would be taken for a stranger's.
Task<Result<void>> Filesystem::refresh_for_writer(File file) {
  const Turn::Guard turn = co_await file->turn.take();
  const Result<void> refreshed = co_await refresh(file);
  co_return refreshed;
}

void Filesystem::rejoin_all(bool is_new_session) {
  for (const auto& [inode, file] : files_) scope_.spawn(rejoin(file, is_new_session));
}

/// After the metaserver restarted, or fenced our session: looks whether the file is still there and still the same.
Task<void> Filesystem::rejoin(File file, bool is_new_session) {
  const SessionId session = meta_.session();
  const std::uint64_t cut = file->attributes.cuts.number();
  const Result<void> refreshed = co_await refresh(file);
  if (session != meta_.session()) co_return;  // and again: a later call looks
  if (!refreshed) {
    file->is_gone = file->is_gone || refreshed.code() == ErrorCode::StaleHandle;
    writer_->drop(*file, refreshed.error());
  } else if (is_new_session && file->attributes.cuts.number() != cut) {
    writer_->drop(*file, Error{ErrorCode::Io, "the file was cut while the session was lost"});
  }
  file->session = session;
  // Of a restarted metaserver it is not known; what is closed is told all the same.
  if (is_new_session || file->writer_count > 0) file->has_mark = false;
  file->changed.notify_all();
  if (!file->is_gone && file->writer_count > 0) (void)co_await ensure_mark(file);
}

Task<void> Filesystem::report_sizes() {
  for (;;) {
    co_await sleep_for(loop_, timing::kSizeReportEvery);
    for (const auto& [inode, file] : files_)
      if (file->has_news() && !file->turn.is_taken()) scope_.spawn(report_size(file));
    forget_unused();
  }
}

/// A closed file is kept for as long as its bytes may not be durable: an fsync through another handle is for them too.
void Filesystem::forget_unused() {
  std::erase_if(files_, [this](const auto& entry) {
    const OpenFile& file = *entry.second;
    if (file.handle_count > 0 || file.has_queued() || file.has_news() || file.given_up) return false;
    if (file.turn.is_taken() || file.is_mark_to_go) return false;
    return file.unsynced.empty() || file.is_gone || loop_.now() - file.last_used > 2 * timing::kDataSyncEvery;
  });
  std::erase_if(changed_directories_, [this](const auto& entry) {
    return meta_.is_durable({.epoch = entry.first.second, .index = entry.second});
  });
}

Task<void> Filesystem::report_size(File file) { (void)co_await settle(file, file->delivered_up_to(), false); }

/// A server that comes back may have lost what it had not synced and have it from another one: it is asked to sync that
/// at once, so that only machines that go down together can take un-synced bytes with them.
Task<void> Filesystem::watch_server(Slot slot) {
  protocol::Channel& channel = servers_->channel(slot);
  Time handled = channel.since();
  for (;;) {
    if (!channel.is_up() || channel.since() == handled) {
      auto changed = channel.changed().next();
      (void)co_await changed;
      continue;
    }
    handled = channel.since();
    std::vector<File> files;
    for (const auto& [inode, file] : files_) files.push_back(file);
    co_await syncer_->sync_returned(slot, std::move(files));
  }
}

/// Bytes of the file were given up: every open handle hears of it once.
void Filesystem::fail(OpenFile& file, const Error& error) {
  if (file.given_up && !file.given_up->is_handled) {
    file.given_up->is_handled = true;
    scope_.spawn(cut_given_up(find(file.inode)));
  }
  const bool is_ours = error.code == ErrorCode::NoSpace || error.code == ErrorCode::FileTooBig ||
                       error.code == ErrorCode::StaleHandle || error.code == ErrorCode::ReadOnly;
  const Error reported{is_ours ? error.code : ErrorCode::Io, error.message};
  for (auto& [id, handle] : handles_)
    if (handle->file.get() == &file && !handle->failure) handle->failure = reported;
  if (error.code == ErrorCode::StaleHandle && file.handle_count == 0) return;  // deleted, and nobody looks
  log_.error("write lost file={} name=\"{}\" error={} reason=\"{}\"", file.inode, names_[file.inode],
             to_string(error.code), error.message);
  hooks_.invalidate(file.inode);
  hooks_.forget_attributes(file.inode);
}

std::vector<Blocked> Filesystem::blocked() const { return waits_.blocked(); }

Counters Filesystem::counters() const {
  Counters counters;
  if (reader_ == nullptr) return counters;
  counters.blocks_verified = reader_->counters().verified;
  counters.blocks_audited = reader_->audit_counters().audited;
  counters.blocks_mended = reader_->audit_counters().mended;
  counters.reads_hedged = reader_->counters().hedged;
  counters.bytes_queued = writer_->queued_size();
  return counters;
}

}  // namespace mendfs::client
