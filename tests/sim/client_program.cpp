#include "tests/sim/client_program.h"

#include <fmt/core.h>

#include "env/future.h"

namespace mendfs::sim {
namespace {

std::string waits_of(const client::Filesystem* filesystem) {
  std::string text;
  if (filesystem == nullptr) return text;
  for (const client::Blocked& blocked : filesystem->blocked())
    text += fmt::format(" [{} waits for {}: {}]", blocked.what, to_string(blocked.server), blocked.reason);
  return text;
}

}  // namespace

Task<std::unique_ptr<client::Filesystem>> mount_patiently(Env& env, client::Options options) {
  for (;;) {
    auto filesystem = std::make_unique<client::Filesystem>(env.loop, env.network, env.random, env.log, options);
    const Result<void> mounted = co_await filesystem->mount();
    if (mounted.ok()) co_return filesystem;
    env.log.info("mount failed: {}", mounted.error().message);
    co_await sleep_for(env.loop, 100ms);
  }
}

WriterProgram::WriterProgram(Env& env, client::Options mount, Journal& journal, std::string name, WorkerOptions options,
                             Inheritance inheritance)
    : env_(env),
      mount_(std::move(mount)),
      journal_(journal),
      name_(std::move(name)),
      options_(options),
      inheritance_(std::move(inheritance)) {
  scope_.spawn(live(this));
}

WriterProgram::~WriterProgram() {
  scope_.cancel_all();
  worker_.reset();
  filesystem_.reset();
}

std::string WriterProgram::describe() const {
  const std::string doing = worker_ ? worker_->doing() : "mounting";
  return name_ + " is " + doing + waits_of(filesystem_.get());
}

Inheritance WriterProgram::die(bool may_have_delivered) {
  if (!worker_) return std::move(inheritance_);
  return {mount_.client_name, env_.loop.now(),
          worker_->die(may_have_delivered && filesystem_->counters().bytes_queued == 0)};
}

Task<void> WriterProgram::live(WriterProgram* self) {
  client::Options mount = self->mount_;
  self->filesystem_ = co_await mount_patiently(self->env_, std::move(mount));
  self->worker_ = std::make_unique<FileWorker>(self->env_, *self->filesystem_, self->journal_, self->name_,
                                               self->env_.random.next(), self->options_);
  Inheritance inheritance = std::move(self->inheritance_);
  co_await self->worker_->run(std::move(inheritance));
  if (!self->worker_->finished()) co_return;  // the journal says why
  co_await self->filesystem_->unmount(self->env_.loop.now() + 5s);
  self->finished_ = true;
}

ReaderProgram::ReaderProgram(Env& env, client::Options mount, Journal& journal, Duration pause_max)
    : env_(env), mount_(std::move(mount)), journal_(journal), pause_max_(pause_max) {
  scope_.spawn(live(this));
}

ReaderProgram::~ReaderProgram() {
  scope_.cancel_all();
  filesystem_.reset();
}

std::string ReaderProgram::describe() const { return "the reader is " + doing_ + waits_of(filesystem_.get()); }

Task<void> ReaderProgram::live(ReaderProgram* self) {
  client::Options mount = self->mount_;
  self->filesystem_ = co_await mount_patiently(self->env_, std::move(mount));
  while (!self->stopping_ && self->journal_.failure.empty()) {
    self->doing_ = "waiting";
    co_await sleep_for(self->env_.loop,
                       Duration(self->env_.random.below(static_cast<std::uint64_t>(self->pause_max_.count()) + 1)));
    if (self->journal_.files.empty()) continue;
    Journal::File& file = *self->journal_.files[self->env_.random.below(self->journal_.files.size())];
    if (file.inode == 0 || file.deleted) continue;
    self->doing_ = "reading " + file.name;
    (void)co_await check_file(*self->filesystem_, self->journal_, file, "the reader");
  }
  self->doing_ = "done";
  self->finished_ = true;
}

NameProgram::NameProgram(Env& env, client::Options mount, Journal& journal, NameLedger& ledger)
    : env_(env), mount_(std::move(mount)), journal_(journal), ledger_(ledger) {
  scope_.spawn(live(this));
}

NameProgram::~NameProgram() {
  scope_.cancel_all();
  worker_.reset();
  filesystem_.reset();
}

void NameProgram::die() {
  if (!worker_) return;
  ledger_.dead_client = mount_.client_name;
  ledger_.died = env_.loop.now();
}

std::string NameProgram::describe() const {
  return "the user of names is " + (worker_ ? worker_->doing() : "mounting") + waits_of(filesystem_.get());
}

Task<void> NameProgram::live(NameProgram* self) {
  client::Options mount = self->mount_;
  self->filesystem_ = co_await mount_patiently(self->env_, std::move(mount));
  self->worker_ = std::make_unique<NameWorker>(self->env_, *self->filesystem_, self->journal_, self->ledger_,
                                               self->env_.random.next());
  co_await self->worker_->run();
  if (!self->journal_.failure.empty()) co_return;
  co_await self->filesystem_->unmount(self->env_.loop.now() + 5s);
  self->finished_ = true;
}

}  // namespace mendfs::sim
