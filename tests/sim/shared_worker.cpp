#include "tests/sim/shared_worker.h"

#include <fmt/core.h>

#include "tests/sim/client_program.h"
#include "tests/sim/world/recording_logger.h"

namespace mendfs::sim {
namespace {

constexpr const char* kName = "shared";
/// All write at these moments, give or take less than a message needs.
constexpr Duration kTogetherEvery = 40ms;
constexpr std::uint64_t kApartMaxUs = 400;

std::string random_bytes(SimRandom& random, std::size_t size) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.next());
  return bytes;
}

}  // namespace

SharedProgram::SharedProgram(Env& env, client::Options mount, Journal& journal, Role role, SharedModel::Mount number,
                             std::uint32_t operation_count, bool disks_fill)
    : env_(env),
      mount_(std::move(mount)),
      journal_(journal),
      role_(role),
      number_(number),
      disks_fill_(disks_fill),
      random_(env.random.next()),
      operations_left_(operation_count) {
  scope_.spawn(live(this));
}

SharedProgram::~SharedProgram() {
  scope_.cancel_all();
  filesystem_.reset();
}

std::string SharedProgram::describe() const { return fmt::format("sharer {} is {}", number_, doing_); }

Task<void> SharedProgram::live(SharedProgram* self) {
  client::Options mount = self->mount_;
  self->filesystem_ = co_await mount_patiently(self->env_, std::move(mount));
  if (self->role_ == Role::Maker && self->journal_.shared.inode == 0) {
    const bool made = co_await self->make();
    if (!made) co_return;
  }
  self->doing_ = "waiting for the file";
  while (self->journal_.shared.inode == 0) co_await sleep_for(self->env_.loop, 50ms);
  self->working_ = 2;
  for (std::uint32_t i = self->working_; i > 0; --i) {
    Descriptor descriptor;
    const bool opened = co_await self->open(&descriptor);
    if (!opened) co_return;
    self->scope_.spawn(self->work(std::move(descriptor)));
  }
  while (self->working_ > 0) co_await sleep_for(self->env_.loop, 100ms);
  self->doing_ = "unmounting";
  co_await self->filesystem_->unmount(self->env_.loop.now() + 5s);
  self->doing_ = "done";
  self->finished_ = true;
}

/// With its first content, for good.
Task<bool> SharedProgram::make() {
  doing_ = "making the file";
  protocol::MakeRequest request;
  request.parent = kRootInode;
  request.name = kName;
  request.mode = 0100644;
  client::OpenFlags flags;
  flags.write = true;
  Descriptor first;
  const Result<client::Opened> opened = co_await filesystem_->create(std::move(request), flags);
  if (!opened.ok()) co_return failed(&first, "creation", opened.error());
  const std::string content = random_bytes(random_, Journal::Shared::kSize);
  client::PreparedWrite prepared = client::prepare_write(0, Buffer::copy_of(bytes_of(content)), kBlockSizeDefault);
  const Result<std::uint32_t> written = co_await filesystem_->write(opened->handle, std::move(prepared));
  if (!written.ok()) co_return failed(&first, "write", written.error());
  const Result<void> synced = co_await filesystem_->fsync(opened->handle, false);
  if (!synced.ok()) co_return failed(&first, "fsync", synced.error());
  const Result<void> named = co_await filesystem_->sync_directory(kRootInode);
  if (!named.ok()) co_return failed(&first, "fsync of its directory", named.error());
  filesystem_->release(opened->handle);
  journal_.shared.model.emplace(content, kBlockSizeDefault);
  journal_.shared.inode = opened->attributes.inode;
  co_return true;
}

Task<bool> SharedProgram::open(Descriptor* descriptor) {
  client::OpenFlags flags;
  flags.write = role_ != Role::Reader;
  const Result<client::Opened> opened = co_await filesystem_->open(journal_.shared.inode, flags);
  if (!opened.ok()) co_return failed(descriptor, "open", opened.error());
  descriptor->handle = opened->handle;
  co_return true;
}

Task<void> SharedProgram::work(Descriptor descriptor) {
  while (operations_left_ > 0 && journal_.failure.empty()) {
    --operations_left_;
    const bool good = co_await step(&descriptor);
    if (!good) co_return;
  }
  // What a full disk refused is reported once; after that the rest is there.
  while (!descriptor.unsettled.empty() && journal_.failure.empty()) {
    const bool good = co_await settle(&descriptor, false);
    if (!good) co_return;
  }
  filesystem_->release(descriptor.handle);
  --working_;
}

Task<bool> SharedProgram::step(Descriptor* descriptor) {
  if (role_ == Role::Reader) {
    co_await sleep_for(env_.loop, std::chrono::milliseconds(random_.between(30, 120)));
    co_return co_await read(descriptor);
  }
  const std::uint64_t what = random_.below(8);
  if (what == 0) co_return co_await settle(descriptor, random_.one_in(2));
  if (what == 1) co_return co_await read(descriptor);
  co_await until_together();
  const bool written = co_await write(descriptor);
  if (!written || !random_.one_in(3)) co_return written;
  co_return co_await settle(descriptor, random_.one_in(4));
}

Task<void> SharedProgram::until_together() {
  const Duration now = env_.loop.now();
  const Duration next = (now / kTogetherEvery + 1) * kTogetherEvery;
  co_await sleep_for(env_.loop, next - now + std::chrono::microseconds(random_.below(kApartMaxUs)));
}

Task<bool> SharedProgram::write(Descriptor* descriptor) {
  SharedModel& model = *journal_.shared.model;
  // Most within one block, many of them at the same places.
  const std::uint64_t most = random_.one_in(3) ? 3 * kBlockSizeDefault : 200;
  const std::uint64_t size = random_.between(8, most);
  std::uint64_t offset = random_.below(Journal::Shared::kSize - size);
  if (random_.one_in(3)) offset = offset / 128 * 128;
  std::string bytes = random_bytes(random_, size);
  doing_ = fmt::format("writing {}+{}", offset, size);
  Buffer data = Buffer::copy_of(bytes_of(bytes));
  client::PreparedWrite prepared = client::prepare_write(offset, std::move(data), kBlockSizeDefault);
  const SharedModel::Write write = model.begin(number_, offset, std::move(bytes));
  const Result<std::uint32_t> written = co_await filesystem_->write(descriptor->handle, std::move(prepared));
  if (!written.ok()) co_return failed(descriptor, "write", written.error());
  model.taken(write);
  descriptor->unsettled.push_back(write);
  ++journal_.shared.writes;
  co_return true;
}

Task<bool> SharedProgram::settle(Descriptor* descriptor, bool durable) {
  doing_ = durable ? "syncing" : "flushing";
  const std::vector<SharedModel::Write> before = descriptor->unsettled;
  std::vector<SharedModel::Write> undurable = descriptor->undurable;
  undurable.insert(undurable.end(), before.begin(), before.end());
  SharedModel& model = *journal_.shared.model;
  Result<void> done;
  if (durable)
    done = co_await filesystem_->fsync(descriptor->handle, random_.one_in(2));
  else
    done = co_await filesystem_->flush(descriptor->handle);
  if (!done.ok()) co_return failed(descriptor, durable ? "fsync" : "flush", done.error());
  for (const SharedModel::Write write : durable ? undurable : before)
    durable ? model.make_durable(write) : model.settle(write);
  descriptor->unsettled.clear();
  descriptor->undurable = durable ? std::vector<SharedModel::Write>() : std::move(undurable);
  co_return true;
}

Task<bool> SharedProgram::read(Descriptor* descriptor) {
  doing_ = "reading";
  SharedModel& model = *journal_.shared.model;
  // What was there at the open is to be seen; bytes may have been fetched with it.
  const SharedModel::Moment since = model.now();
  const Result<client::Opened> opened = co_await filesystem_->open(journal_.shared.inode, client::OpenFlags());
  if (!opened.ok()) co_return failed(descriptor, "open", opened.error());
  const Result<Buffer> bytes = co_await filesystem_->read(opened->handle, 0, Journal::Shared::kSize);
  filesystem_->release(opened->handle);
  if (!bytes.ok()) co_return failed(descriptor, "read", bytes.error());
  if (const auto wrong = model.check(text_of(*bytes), since, number_))
    journal_.fail(fmt::format("sharer {} read {}", number_, *wrong));
  ++journal_.shared.reads;
  co_return journal_.failure.empty();
}

Task<bool> check_shared_file(Env& env, client::Filesystem* filesystem, Journal& journal) {
  constexpr SharedModel::Mount kNobody = 0;
  for (int i = 0; i < 2; ++i) {
    const SharedModel::Moment since = journal.shared.model->now();
    const Result<client::Opened> opened = co_await filesystem->open(journal.shared.inode, client::OpenFlags());
    if (!opened.ok()) {
      journal.fail("the shared file cannot be opened: " + opened.error().message);
      co_return false;
    }
    const Result<Buffer> bytes = co_await filesystem->read(opened->handle, 0, Journal::Shared::kSize);
    filesystem->release(opened->handle);
    std::optional<std::string> wrong;
    if (bytes.ok())
      wrong = journal.shared.model->check(text_of(*bytes), since, kNobody);
    else
      wrong = bytes.error().message;
    if (wrong) journal.fail("the last audit of the shared file: " + *wrong);
    if (wrong) co_return false;
    co_await sleep_for(env.loop, 1s);
  }
  co_return true;
}

/// Answers whether to go on.
bool SharedProgram::failed(Descriptor* descriptor, const char* what, const Error& error) {
  const bool is_full = error.code == ErrorCode::NoSpace && disks_fill_;
  const bool is_lost = error.code == ErrorCode::Io && journal_.hold_a_block(journal_.shared.reset);
  // Given up by a session that was fenced, since another one gave bytes up meanwhile.
  const bool was_fenced = dynamic_cast<const RecordingLogger&>(env_.log).contains("session lapsed");
  if (is_full || is_lost || (error.code == ErrorCode::Io && disks_fill_ && was_fenced)) {
    descriptor->unsettled.clear();
    descriptor->undurable.clear();
    return true;
  }
  journal_.fail(fmt::format("sharer {}: {} failed: {} ({})", number_, what, to_string(error.code), error.message));
  return false;
}

}  // namespace mendfs::sim
