#include "tests/sim/users.h"

#include <fmt/core.h>

namespace mendfs::sim {
namespace {

constexpr std::uint32_t kWriters = 2;
constexpr Duration kReaderPauseMax = 300ms;
constexpr std::uint32_t kSharedOperations = 100;

}  // namespace

void Users::start(WorkerOptions options, bool with_names) {
  options_ = options;
  for (std::uint32_t i = 0; i < kWriters; ++i) {
    Writer& writer = writers_.emplace_back();
    writer.machine = &cluster_.client(i);
    writer.operations_left = options.operation_count;
    start_writer(i);
  }
  reader_machine_ = &cluster_.client(kWriters);
  start_reader();
  if (!with_names) return;
  names_machine_ = &cluster_.client(kWriters + 3);
  ledger_.dirsync = names_machine_->random().one_in(4);
  start_names();
}

void Users::start_sharers(bool disks_fill) {
  disks_fill_ = disks_fill;
  using Role = SharedProgram::Role;
  std::uint32_t machine = kWriters + 4;
  for (const Role role : {Role::Maker, Role::Writer, Role::Reader}) {
    const std::uint32_t count = role == Role::Reader ? UINT32_MAX : kSharedOperations;
    sharers_.push_back({&cluster_.client(machine++), role, {}, count});
    start_sharer(sharers_.back());
  }
}

void Users::start_sharer(Sharer& sharer) {
  client::Options mount = cluster_.mount_options(*sharer.machine);
  const SharedModel::Mount number = ++shared_lives_;
  mount.client_name += fmt::format(".{}", number);
  sharer.machine->start([&](Env& env) {
    auto program = std::make_shared<SharedProgram>(env, std::move(mount), journal_, sharer.role, number,
                                                   sharer.operations_left, disks_fill_);
    sharer.program = program;
    return program;
  });
}

/// Requires: its machine dies next.
void Users::end(Sharer& sharer) {
  if (const auto program = sharer.program.lock()) sharer.operations_left = program->operations_left();
}

void Users::kill_sharer(std::size_t which) {
  Sharer& sharer = sharers_[which];
  if (!sharer.machine->alive() || sharer.finished()) return;
  end(sharer);
  sharer.machine->kill();
}

void Users::start_writer(std::size_t which) {
  Writer& writer = writers_[which];
  WorkerOptions options = options_;
  options.operation_count = writer.operations_left;
  client::Options mount = cluster_.mount_options(*writer.machine);
  std::string name = fmt::format("writer{}", which);
  if (writer.lives > 0) {
    name += fmt::format(".{}", writer.lives);
    mount.client_name += fmt::format(".{}", writer.lives);
  }
  ++writer.lives;
  writer.machine->start([&](Env& env) {
    auto program = std::make_shared<WriterProgram>(env, std::move(mount), journal_, std::move(name), options,
                                                   std::move(writer.inheritance));
    writer.program = program;
    return program;
  });
}

void Users::start_reader() {
  client::Options mount = cluster_.mount_options(*reader_machine_);
  reader_machine_->start([&](Env& env) {
    auto program = std::make_shared<ReaderProgram>(env, std::move(mount), journal_, kReaderPauseMax);
    reader_ = program;
    return program;
  });
}

void Users::start_names() {
  client::Options mount = cluster_.mount_options(*names_machine_);
  mount.client_name += fmt::format(".{}", names_lives_++);
  mount.dirsync = ledger_.dirsync;
  names_machine_->start([&](Env& env) {
    auto program = std::make_shared<NameProgram>(env, std::move(mount), journal_, ledger_);
    names_ = program;
    return program;
  });
}

void Users::kill_names() {
  if (names_machine_ == nullptr) return;
  if (const auto program = names_.lock()) {
    if (program->finished()) return;
    program->die();
  }
  names_machine_->kill();
}

void Users::lose_meta_power(Time synced_at) {
  ++journal_.meta_losses;
  for (const auto& file : journal_.files) file->lose_meta_power(synced_at);
  if (ledger_.history) ledger_.history->lose_power(synced_at);
}

/// Requires: its machine dies next.
void Users::end(Writer& writer, bool may_have_delivered) {
  const auto program = writer.program.lock();
  if (!program || program->finished()) return;
  writer.operations_left = program->operations_left();
  writer.inheritance = program->die(may_have_delivered);
}

void Users::kill_writer(std::size_t which) {
  Writer& writer = writers_[which];
  const auto is_finished = [&writer] {
    const auto program = writer.program.lock();
    return program && program->finished();
  };
  if (!writer.machine->alive() || is_finished()) return;
  end(writer, true);
  writer.machine->kill();
}

void Users::lose_all_power(Time synced_at) {
  lose_meta_power(synced_at);
  for (Writer& writer : writers_) {
    if (!writer.machine->alive()) continue;
    end(writer, false);
    if (writer.program.lock() && writer.program.lock()->finished()) continue;
    writer.machine->power_cut();
  }
  if (const auto program = names_.lock()) {
    if (!program->finished()) program->die();
  }
  if (names_machine_ != nullptr && !names_done()) names_machine_->power_cut();
  reader_machine_->power_cut();
  for (Sharer& sharer : sharers_) {
    if (!sharer.machine->alive() || sharer.finished()) continue;
    end(sharer);
    sharer.machine->power_cut();
  }
}

void Users::kill_reader() { reader_machine_->kill(); }

void Users::restart_dead() {
  for (std::size_t i = 0; i < writers_.size(); ++i)
    if (!writers_[i].machine->alive()) start_writer(i);
  if (!reader_machine_->alive()) start_reader();
  if (names_machine_ != nullptr && !names_machine_->alive()) start_names();
  for (Sharer& sharer : sharers_)
    if (!sharer.machine->alive()) start_sharer(sharer);
}

bool Users::names_done() const {
  const auto program = names_.lock();
  return program && program->finished();
}

bool Users::done() const {
  for (const Writer& writer : writers_) {
    const auto program = writer.program.lock();
    if (!program || !program->finished()) return false;
  }
  for (const Sharer& sharer : sharers_)
    if (sharer.role != SharedProgram::Role::Reader && !sharer.finished()) return false;
  return names_machine_ == nullptr || names_done();
}

void Users::stop_reader() {
  if (const auto program = reader_.lock()) program->stop();
  for (const Sharer& sharer : sharers_) {
    const auto program = sharer.program.lock();
    if (program && sharer.role == SharedProgram::Role::Reader) program->stop();
  }
}

bool Users::reader_done() const {
  for (const Sharer& sharer : sharers_)
    if (!sharer.finished()) return false;
  const auto program = reader_.lock();
  return program && program->finished();
}

std::string Users::describe() const {
  std::string text;
  for (const Writer& writer : writers_) {
    const auto program = writer.program.lock();
    text += program ? program->describe() + "; " : writer.machine->name() + " is dead; ";
  }
  for (const Sharer& sharer : sharers_) {
    const auto program = sharer.program.lock();
    text += program ? program->describe() + "; " : sharer.machine->name() + " is dead; ";
  }
  if (const auto program = names_.lock()) text += program->describe() + "; ";
  if (const auto program = reader_.lock()) text += program->describe() + "; ";
  return text;
}

}  // namespace mendfs::sim
