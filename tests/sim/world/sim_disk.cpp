#include "tests/sim/world/sim_disk.h"

#include <fmt/core.h>

#include <algorithm>

#include "block/checksum.h"
#include "env/future.h"

namespace mendfs::sim {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kSectorSize = 512;

std::string parent_of(const std::string& name) {
  const std::size_t slash = name.rfind('/');
  return slash == std::string::npos ? "" : name.substr(0, slash);
}

Error not_found(const std::string& name) { return Error{ErrorCode::NotFound, name + " does not exist"}; }

std::string random_boot_id(SimRandom& random) {
  const std::uint64_t a = random.next();
  const std::uint64_t b = random.next();
  return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", a >> 32, (a >> 16) & 0xffff, a & 0xffff, b >> 48,
                     b & 0xffff'ffff'ffff);
}

}  // namespace

/// An open file. The tasks it gives out hold the file itself, so that they may outlive it.
class SimFile : public File {
 public:
  SimFile(SimDisk& disk, std::string name, std::shared_ptr<FileNode> node)
      : disk_(disk), name_(std::move(name)), node_(std::move(node)) {}

  Result<void> write(std::uint64_t offset, std::span<const ByteView> pieces) override {
    if (auto error = disk_.fault(DiskOperation::Write, name_)) return *error;
    std::uint64_t end = offset;
    for (const ByteView piece : pieces) end += piece.size();
    disk_.note(fmt::format("write {} {}+{}", name_, offset, end - offset));
    if (Result<void> fits = check_space(end); !fits) return fits;
    for (const ByteView piece : pieces) {
      disk_.scheduler_.record(checksum64(piece));
      node_->current.write(offset, piece, node_->dirty);
      offset += piece.size();
    }
    for (const std::uint64_t page : node_->dirty) node_->doomed.erase(page);
    return {};
  }

  Task<Result<Buffer>> read(std::uint64_t offset, std::size_t size) override {
    return read_later(disk_, name_, node_, offset, size);
  }

  std::optional<Buffer> read_cached(std::uint64_t, std::size_t) override { return std::nullopt; }
  void will_need(std::uint64_t, std::size_t) override {}

  Result<Buffer> read_now(std::uint64_t offset, std::size_t size) override {
    if (auto error = disk_.fault(DiskOperation::Read, name_)) return *error;
    return node_->current.read(offset, size);
  }

  Task<Result<void>> sync() override { return sync_later(disk_, name_, node_); }

  Result<void> sync_now() override {
    disk_.note("sync " + name_);
    const Snapshot snapshot = take_snapshot(*node_);
    if (auto error = disk_.fault(DiskOperation::Sync, name_)) {
      doom(*node_, snapshot);
      return *error;
    }
    settle(*node_, snapshot);
    return {};
  }

  Result<std::uint64_t> size() override { return node_->current.size(); }

  Result<void> truncate(std::uint64_t size) override {
    if (auto error = disk_.fault(DiskOperation::Truncate, name_)) return *error;
    disk_.note(fmt::format("truncate {} {}", name_, size));
    node_->current.truncate(size, node_->dirty);
    node_->reserved = std::min(node_->reserved, size);
    return {};
  }

  Result<void> preallocate(std::uint64_t size) override {
    if (auto error = disk_.fault(DiskOperation::Preallocate, name_)) return *error;
    disk_.note(fmt::format("preallocate {} {}", name_, size));
    if (Result<void> fits = check_space(size); !fits) return fits;
    node_->reserved = std::max(node_->reserved, size);
    node_->current.set_size(std::max(node_->current.size(), size));
    return {};
  }

  void start_writeback() override {}

 private:
  /// What a sync writes: the file as it was when the sync began.
  struct Snapshot {
    std::vector<std::pair<std::uint64_t, Pages::PagePointer>> pages;
    std::uint64_t size = 0;
  };

  static Snapshot take_snapshot(const FileNode& node) {
    Snapshot snapshot{{}, node.current.size()};
    for (const std::uint64_t index : node.dirty) snapshot.pages.emplace_back(index, node.current.page(index));
    return snapshot;
  }
  static void settle(FileNode& node, const Snapshot& snapshot) {
    for (const auto& [index, page] : snapshot.pages) {
      node.durable.set_page(index, page);
      if (node.current.page(index) == page) node.dirty.erase(index);
    }
    node.durable.set_size(snapshot.size);
  }
  static void doom(FileNode& node, const Snapshot& snapshot) {
    for (const auto& [index, page] : snapshot.pages) {
      node.dirty.erase(index);
      node.doomed.insert(index);
    }
  }

  Result<void> check_space(std::uint64_t end) const {
    const std::uint64_t covered = std::max(node_->reserved, node_->current.size());
    if (end <= covered || disk_.used() + (end - covered) <= disk_.capacity_) return {};
    return Error{ErrorCode::NoSpace, name_ + ": no space left on device"};
  }

  static Task<Result<Buffer>> read_later(SimDisk& disk, std::string name, std::shared_ptr<FileNode> node,
                                         std::uint64_t offset, std::size_t size) {
    co_await sleep_for(disk.loop_, disk.draw_latency());
    if (auto error = disk.fault(DiskOperation::Read, name)) co_return *error;
    co_return node->current.read(offset, size);
  }

  static Task<Result<void>> sync_later(SimDisk& disk, std::string name, std::shared_ptr<FileNode> node) {
    disk.note("sync " + name);
    const Snapshot snapshot = take_snapshot(*node);
    co_await sleep_for(disk.loop_, disk.draw_latency());
    if (auto error = disk.fault(DiskOperation::Sync, name)) {
      doom(*node, snapshot);
      co_return *error;
    }
    settle(*node, snapshot);
    co_return Result<void>{};
  }

  SimDisk& disk_;
  std::string name_;
  std::shared_ptr<FileNode> node_;
};

SimDisk::SimDisk(SimLoop& loop, Scheduler& scheduler, std::uint64_t seed)
    : loop_(loop), scheduler_(scheduler), random_(seed), latency_min_(20us), latency_max_(2ms) {
  boot_id_ = random_boot_id(random_);
}

void SimDisk::set_latency(Duration least, Duration most) {
  latency_min_ = least;
  latency_max_ = most;
}

Duration SimDisk::draw_latency() {
  return Duration(random_.between(static_cast<std::uint64_t>(latency_min_.count()),
                                  static_cast<std::uint64_t>(latency_max_.count())));
}

std::optional<Error> SimDisk::fault(DiskOperation operation, const std::string& name) const {
  if (!fault_) return std::nullopt;
  return fault_(operation, name);
}

void SimDisk::note(const std::string& operation) {
  if (recording_) operations_.push_back(operation);
}

std::uint64_t SimDisk::used() const {
  std::uint64_t sum = 0;
  for (const auto& [name, node] : files_) sum += std::max(node->reserved, node->current.size());
  return sum;
}

Result<std::unique_ptr<File>> SimDisk::open(const std::string& name, OpenMode mode) {
  if (auto error = fault(DiskOperation::Open, name)) return *error;
  const auto found = files_.find(name);
  if (found != files_.end()) {
    if (mode == OpenMode::CreateNew) return Error{ErrorCode::Exists, name + " exists"};
    return std::unique_ptr<File>(new SimFile(*this, name, found->second));
  }
  if (mode == OpenMode::Existing) return not_found(name);
  if (const std::string parent = parent_of(name); !parent.empty() && !directories_.contains(parent))
    return not_found(parent);
  note("create " + name);
  const auto node = std::make_shared<FileNode>();
  files_.emplace(name, node);
  changes_.push_back({name, node, std::nullopt});
  return std::unique_ptr<File>(new SimFile(*this, name, node));
}

Result<void> SimDisk::remove(const std::string& name) {
  if (auto error = fault(DiskOperation::Remove, name)) return *error;
  if (files_.erase(name) == 0) return not_found(name);
  note("remove " + name);
  changes_.push_back({name, nullptr, std::nullopt});
  return {};
}

Result<void> SimDisk::rename(const std::string& from, const std::string& to) {
  if (auto error = fault(DiskOperation::Rename, from)) return *error;
  const auto found = files_.find(from);
  if (found == files_.end()) return not_found(from);
  note("rename " + from + " " + to);
  const NodePointer node = found->second;
  files_.erase(found);
  files_[to] = node;
  changes_.push_back({to, node, from});
  return {};
}

Result<std::vector<DirectoryEntry>> SimDisk::list(const std::string& directory) {
  if (!directory.empty() && !directories_.contains(directory)) return not_found(directory);
  const std::string prefix = directory.empty() ? "" : directory + "/";
  std::map<std::string, DirectoryEntry> entries;
  for (const auto& [name, node] : files_)
    if (parent_of(name) == directory)
      entries.emplace(name, DirectoryEntry{name.substr(prefix.size()), false, node->current.size()});
  for (const std::string& name : directories_)
    if (parent_of(name) == directory) entries.emplace(name, DirectoryEntry{name.substr(prefix.size()), true, 0});
  std::vector<DirectoryEntry> answer;
  for (auto& [name, entry] : entries) answer.push_back(std::move(entry));
  return answer;
}

Result<void> SimDisk::make_directory(const std::string& name) {
  if (!directories_.insert(name).second) return {};
  note("mkdir " + name);
  changes_.push_back({name, nullptr, std::nullopt, true});
  return {};
}

Task<Result<void>> SimDisk::sync_directory(const std::string& directory) {
  // A copy of its own: the frame may outlive the caller's string.
  const std::string synced = directory;
  const auto is_here = [&synced](const Change& change) { return parent_of(change.name) == synced; };
  note("sync_directory " + (synced.empty() ? "." : synced));
  const std::size_t count = changes_.size();
  co_await sleep_for(loop_, draw_latency());
  if (auto error = fault(DiskOperation::SyncDirectory, synced)) co_return *error;
  const std::size_t covered = std::min(count, changes_.size());
  for (std::size_t i = 0; i < covered; ++i)
    if (is_here(changes_[i])) apply(changes_[i]);
  const auto end = changes_.begin() + static_cast<std::ptrdiff_t>(covered);
  changes_.erase(std::remove_if(changes_.begin(), end, is_here), end);
  co_return Result<void>{};
}

void SimDisk::apply(const Change& change) {
  if (change.directory) {
    durable_directories_.insert(change.name);
    return;
  }
  if (change.from) durable_files_.erase(*change.from);
  if (change.node) {
    durable_files_[change.name] = change.node;
  } else {
    durable_files_.erase(change.name);
  }
}

Result<DiskSpace> SimDisk::space() {
  const std::uint64_t taken = used();
  return DiskSpace{capacity_, capacity_ > taken ? capacity_ - taken : 0};
}

void SimDisk::settle_after_power_cut(FileNode& node, SimRandom& random, std::uint64_t mode) {
  // Mode 0: nothing that was not synced is left; 1: all of it; otherwise sector by sector.
  const auto survives = [&] { return mode == 1 || (mode != 0 && random.one_in(2)); };
  node.dirty.insert(node.doomed.begin(), node.doomed.end());
  for (const std::uint64_t index : node.dirty) {
    const Pages::PagePointer before = node.durable.page(index);
    const Pages::PagePointer after = node.current.page(index);
    auto mixed = std::make_shared<Pages::Page>(before ? *before : Pages::Page{});
    for (std::size_t sector = 0; sector < Pages::kPageSize; sector += kSectorSize) {
      if (!survives()) continue;
      const Pages::Page zeros{};
      const Pages::Page& source = after ? *after : zeros;
      std::copy_n(source.begin() + sector, kSectorSize, mixed->begin() + sector);
    }
    node.durable.set_page(index, mixed);
  }
  const std::uint64_t old_size = node.durable.size();
  const std::uint64_t new_size = node.current.size();
  std::uint64_t size = survives() ? new_size : old_size;
  if (mode > 1 && new_size > old_size && random.one_in(2))
    size = std::min(new_size, old_size + random.below(new_size - old_size + 1) / kSectorSize * kSectorSize);
  std::set<std::uint64_t> touched;
  node.durable.truncate(size, touched);
  node.current = node.durable;
  node.reserved = std::min(node.reserved, size);
  node.dirty.clear();
  node.doomed.clear();
}

void SimDisk::power_cut() {
  const std::uint64_t mode = random_.below(4);
  for (const Change& change : changes_)
    if (mode == 1 || (mode != 0 && random_.one_in(2))) apply(change);
  changes_.clear();
  std::erase_if(durable_files_, [&](const auto& file) {
    const std::string parent = parent_of(file.first);
    return !parent.empty() && !durable_directories_.contains(parent);
  });
  files_ = durable_files_;
  directories_ = durable_directories_;
  std::set<const FileNode*> settled;  // asked for membership only
  for (const auto& [name, node] : files_)
    if (settled.insert(node.get()).second) settle_after_power_cut(*node, random_, mode);
  boot_id_ = random_boot_id(random_);
}

void SimDisk::wipe() {
  files_.clear();
  durable_files_.clear();
  directories_.clear();
  durable_directories_.clear();
  changes_.clear();
}

bool SimDisk::flip_bit(const std::string& name, std::uint64_t offset, unsigned bit) {
  const auto found = files_.find(name);
  if (found == files_.end() || offset >= found->second->current.size()) return false;
  const std::uint64_t index = offset / Pages::kPageSize;
  const std::size_t place = offset % Pages::kPageSize;
  for (Pages* pages : {&found->second->current, &found->second->durable}) {
    const Pages::PagePointer page = pages->page(index);
    auto flipped = std::make_shared<Pages::Page>(page ? *page : Pages::Page{});
    (*flipped)[place] ^= std::byte{1} << (bit % 8);
    pages->set_page(index, flipped);
  }
  return true;
}

std::vector<std::string> SimDisk::file_names() const {
  std::vector<std::string> names;
  for (const auto& [name, node] : files_) names.push_back(name);
  return names;
}

std::uint64_t SimDisk::written_size(const std::string& name) const {
  const auto found = files_.find(name);
  return found == files_.end() ? 0 : std::min(found->second->current.size(), found->second->current.written_size());
}

std::optional<std::string> SimDisk::content(const std::string& name) const {
  const auto found = files_.find(name);
  if (found == files_.end()) return std::nullopt;
  const Pages& pages = found->second->current;
  return std::string(text_of(pages.read(0, static_cast<std::size_t>(pages.size()))));
}

void SimDisk::put(const std::string& name, std::string_view content) {
  const auto node = std::make_shared<FileNode>();
  std::set<std::uint64_t> touched;
  node->current.write(0, bytes_of(content), touched);
  node->durable = node->current;
  files_[name] = node;
  durable_files_[name] = node;
  if (const std::string parent = parent_of(name); !parent.empty()) {
    directories_.insert(parent);
    durable_directories_.insert(parent);
  }
}

}  // namespace mendfs::sim
