#include "kv/rocks_kv.h"

#include <fmt/core.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/perf_level.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <utility>

#include "env/future.h"

namespace mendfs {

namespace {

/// The owner asks for a checkpoint every 32 MiB or so; RocksDB must never think that it is time by itself.
constexpr std::size_t kMemtableSizeMax = std::size_t{4} << 30;

rocksdb::Slice slice(std::string_view text) { return {text.data(), text.size()}; }
std::string_view view(const rocksdb::Slice& text) { return {text.data(), text.size()}; }

Error error_from(const rocksdb::Status& status, std::string_view what) {
  ErrorCode code = ErrorCode::Io;
  if (status.IsCorruption()) code = ErrorCode::Corruption;
  if (status.IsNoSpace()) code = ErrorCode::NoSpace;
  return {code, fmt::format("{}: {}", what, status.ToString())};
}

/// What background threads report, brought to the loop.
struct Reports {
  std::optional<Error> failure;        // the first; ends the store
  std::uint64_t flushed_sequence = 0;  // changes up to this one are on disk
  std::optional<Promise<Unit>> waiter;

  void wake() {
    if (waiter) std::exchange(waiter, std::nullopt)->set({});
  }
};

class Listener final : public rocksdb::EventListener {
 public:
  Listener(Loop& loop, std::weak_ptr<Reports> reports) : loop_(loop), reports_(std::move(reports)) {}

  void OnFlushCompleted(rocksdb::DB*, const rocksdb::FlushJobInfo& flush) override {
    loop_.post_from_thread([weak = reports_, sequence = flush.largest_seqno] {
      const std::shared_ptr<Reports> reports = weak.lock();
      if (!reports) return;
      reports->flushed_sequence = std::max<std::uint64_t>(reports->flushed_sequence, sequence);
      reports->wake();
    });
  }

  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* status) override {
    loop_.post_from_thread([weak = reports_, error = error_from(*status, "the key-value store stopped")] {
      const std::shared_ptr<Reports> reports = weak.lock();
      if (!reports) return;
      if (!reports->failure) reports->failure = error;
      reports->wake();
    });
  }

  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status, bool* auto_recovery) override {
    // It would flush whenever it likes, also what the owner's log has not on disk.
    *auto_recovery = false;
  }

 private:
  Loop& loop_;
  std::weak_ptr<Reports> reports_;
};

class RocksKv final : public Kv {
 public:
  RocksKv(Loop& loop, std::shared_ptr<Reports> reports, std::unique_ptr<rocksdb::DB> db)
      : loop_(loop), reports_(std::move(reports)), db_(std::move(db)) {
    write_options_.disableWAL = true;
    applied_sequence_ = db_->GetLatestSequenceNumber();
    reports_->flushed_sequence = applied_sequence_;
  }

  Result<std::optional<std::string>> get(std::string_view key) override {
    MENDFS_TRY_VOID(check());
    std::string value;
    const rocksdb::Status status = db_->Get(read_options_, slice(key), &value);
    if (status.IsNotFound()) return std::optional<std::string>();
    MENDFS_TRY_VOID(checked(status, "reading the key-value store"));
    return std::optional<std::string>(std::move(value));
  }

  Result<std::optional<std::pair<std::string, std::string>>> floor(std::string_view key,
                                                                   std::string_view least) override {
    using Entry = std::optional<std::pair<std::string, std::string>>;
    MENDFS_TRY_VOID(check());
    rocksdb::ReadOptions options = read_options_;
    const rocksdb::Slice lower_bound = slice(least);
    options.iterate_lower_bound = &lower_bound;
    const std::unique_ptr<rocksdb::Iterator> iterator(db_->NewIterator(options));
    iterator->SeekForPrev(slice(key));
    MENDFS_TRY_VOID(checked(iterator->status(), "reading the key-value store"));
    if (!iterator->Valid()) return Entry();
    return Entry(std::in_place, iterator->key().ToString(), iterator->value().ToString());
  }

  Result<void> scan(std::string_view begin, std::string_view end,
                    const std::function<bool(std::string_view key, std::string_view value)>& visit) override {
    MENDFS_TRY_VOID(check());
    rocksdb::ReadOptions options = read_options_;
    const rocksdb::Slice upper_bound = slice(end);
    if (!end.empty()) options.iterate_upper_bound = &upper_bound;
    const std::unique_ptr<rocksdb::Iterator> iterator(db_->NewIterator(options));
    for (iterator->Seek(slice(begin)); iterator->Valid(); iterator->Next())
      if (!visit(view(iterator->key()), view(iterator->value()))) break;
    // At a damaged block an iterator just ends.
    return checked(iterator->status(), "reading the key-value store");
  }

  Result<void> apply(const KvBatch& batch) override {
    MENDFS_TRY_VOID(check());
    if (batch.empty()) return {};
    rocksdb::WriteBatch changes;
    for (const KvBatch::Operation& operation : batch.operations()) {
      unflushed_size_ += operation.key.size();
      if (operation.value) unflushed_size_ += operation.value->size();
      const rocksdb::Status status =
          operation.value ? changes.Put(operation.key, *operation.value) : changes.Delete(operation.key);
      MENDFS_TRY_VOID(checked(status, "writing the key-value store"));
    }
    MENDFS_TRY_VOID(checked(db_->Write(write_options_, &changes), "writing the key-value store"));
    applied_sequence_ = db_->GetLatestSequenceNumber();
    return {};
  }

  Task<Result<void>> checkpoint() override {
    const std::uint64_t sequence = applied_sequence_;
    if (!reports_->failure && reports_->flushed_sequence < sequence) {
      // Not waiting, Flush() ends what it covers here and now: batches applied from now on go to a new memtable.
      rocksdb::FlushOptions options;
      options.wait = false;
      options.allow_write_stall = true;
      unflushed_size_ = 0;
      (void)checked(db_->Flush(options), "flushing the key-value store");
    }
    return flushed(loop_, reports_, sequence);
  }

  std::size_t unflushed_size() const override { return unflushed_size_; }

 private:
  Result<void> check() const {
    if (reports_->failure) return *reports_->failure;
    return {};
  }
  /// Ends when changes up to `sequence` are on disk. The store may be closed meanwhile: then it never ends.
  static Task<Result<void>> flushed(Loop& loop, std::shared_ptr<Reports> reports, std::uint64_t sequence) {
    while (!reports->failure && reports->flushed_sequence < sequence) {
      auto wait = make_promise<Unit>(loop);
      reports->waiter = std::move(wait.first);
      (void)co_await wait.second;
    }
    if (reports->failure) co_return Error(*reports->failure);
    co_return Result<void>();
  }
  Result<void> checked(const rocksdb::Status& status, std::string_view what) {
    if (status.ok()) return {};
    reports_->failure = error_from(status, what);
    return *reports_->failure;
  }

  Loop& loop_;
  std::shared_ptr<Reports> reports_;
  rocksdb::ReadOptions read_options_;
  rocksdb::WriteOptions write_options_;
  std::uint64_t applied_sequence_ = 0;
  std::size_t unflushed_size_ = 0;
  std::unique_ptr<rocksdb::DB> db_;  // last: its threads end before what they report to
};

rocksdb::Options options_for(const RocksOptions& wanted) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(wanted.cache_bytes, 2);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  // Index and filters count against the cache, in parts: memory stays bounded however many entries there are.
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.pin_top_level_index_and_filter = true;
  table.partition_filters = true;
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;

  rocksdb::Options options;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.compression = rocksdb::kLZ4Compression;
  options.paranoid_checks = true;
  options.max_open_files = wanted.open_files_max;
  options.max_background_jobs = 2;
  options.bytes_per_sync = 1u << 20;
  options.level_compaction_dynamic_level_bytes = true;

  // Nothing is flushed but by checkpoint(): not when memory fills, not at the end, not after an error.
  options.write_buffer_size = kMemtableSizeMax;
  options.arena_block_size = 1u << 20;
  options.max_write_buffer_number = 4;
  options.avoid_flush_during_shutdown = true;
  options.avoid_flush_during_recovery = true;
  options.max_bgerror_resume_count = 0;
  // A write on the loop is never slowed down: checkpoints are far apart, and compaction catches up between them.
  options.level0_slowdown_writes_trigger = 1000;
  options.level0_stop_writes_trigger = 2000;
  options.soft_pending_compaction_bytes_limit = 0;
  options.hard_pending_compaction_bytes_limit = 0;

  options.info_log_level = rocksdb::WARN_LEVEL;
  options.max_log_file_size = 1u << 20;
  options.keep_log_file_num = 2;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  return options;
}

/// Makes an empty store under another name and renames it, so that a directory of the right name is always a whole
/// store: one that lost a file is damaged, never taken for new.
Result<void> make_store(const std::string& root, const std::string& path, const rocksdb::Options& made) {
  rocksdb::Env& env = *rocksdb::Env::Default();
  const std::string unfinished = path + ".new";
  rocksdb::Options options = made;
  options.create_if_missing = true;
  rocksdb::Status status = rocksdb::DestroyDB(unfinished, options);
  rocksdb::DB* db = nullptr;
  if (status.ok()) status = rocksdb::DB::Open(options, unfinished, &db);
  delete db;
  if (status.ok()) status = env.RenameFile(unfinished, path);
  std::unique_ptr<rocksdb::Directory> directory;
  if (status.ok()) status = env.NewDirectory(root, &directory);
  if (status.ok()) status = directory->Fsync();
  if (!status.ok()) return error_from(status, "making the key-value store " + path);
  return {};
}

Error open_error(const rocksdb::Status& status, const std::string& path) {
  Error error = error_from(status, "opening the key-value store " + path);
  const bool locked = status.IsIOError() && error.message.find("LOCK") != std::string::npos;
  if (locked) error = {ErrorCode::Busy, path + " is open in another process"};
  // A store always has all its files; RocksDB calls it an I/O error or a wrong argument when one is not there.
  const bool incomplete = status.IsPathNotFound() || status.IsInvalidArgument();
  if (incomplete && !locked) error.code = ErrorCode::Corruption;
  return error;
}

}  // namespace

RocksKvFactory::RocksKvFactory(std::string root, Loop& loop, RocksOptions options)
    : root_(std::move(root)), loop_(loop), options_(options) {}

Result<std::unique_ptr<Kv>> RocksKvFactory::open(const std::string& name) {
  const std::string path = root_ + "/" + name;
  rocksdb::Options options = options_for(options_);
  const rocksdb::Status exists = rocksdb::Env::Default()->FileExists(path);
  if (exists.IsNotFound()) {
    MENDFS_TRY_VOID(make_store(root_, path, options));
  } else if (!exists.ok()) {
    return error_from(exists, "looking for the key-value store " + path);
  }

  // Nobody reads its counters; keeping them is a tenth of a look-up.
  rocksdb::SetPerfLevel(rocksdb::PerfLevel::kDisable);
  auto reports = std::make_shared<Reports>();
  options.create_if_missing = false;
  options.listeners.push_back(std::make_shared<Listener>(loop_, reports));
  rocksdb::DB* opened = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(options, path, &opened);
  if (!status.ok()) return open_error(status, path);
  return std::unique_ptr<Kv>(
      std::make_unique<RocksKv>(loop_, std::move(reports), std::unique_ptr<rocksdb::DB>(opened)));
}

Result<void> RocksKvFactory::destroy(const std::string& name) {
  const std::string path = root_ + "/" + name;
  const rocksdb::Status status = rocksdb::DestroyDB(path, options_for(options_));
  if (!status.ok()) return error_from(status, "deleting the key-value store " + path);
  return {};
}

}  // namespace mendfs
