#include "fuseclient/mount.h"

#include <utility>

#include "fuseclient/mount_watch.h"
#include "fuseclient/read_ahead.h"
#include "protocol/timing.h"

namespace mendfs::fuse {

Mount::Mount(Env env, Readiness& readiness, Threads& threads, MountPlan plan, MountEvents events)
    : env_(env),
      readiness_(readiness),
      threads_(threads),
      plan_(std::move(plan)),
      events_(std::move(events)),
      filesystem_(env.loop, env.network, env.random, env.log, plan_.client, core_hooks()),
      requests_(env.loop, env.log, filesystem_),
      gone_(env.loop) {}

client::Hooks Mount::core_hooks() {
  client::Hooks hooks;
  hooks.invalidate = [this](InodeNumber inode) {
    if (session_) session_->invalidator().forget_pages(inode);
  };
  hooks.forget_attributes = [this](InodeNumber inode) {
    if (session_) session_->invalidator().forget_attributes(inode);
  };
  hooks.forget_attributes_now = [this](InodeNumber inode) {
    if (session_) session_->invalidator().forget_attributes_now(inode);
  };
  hooks.forget_name = [this](InodeNumber parent, const std::string& name) {
    if (session_) session_->invalidator().forget_name(parent, name);
  };
  return hooks;
}

Result<void> Mount::begin_session() {
  auto on_gone = [this] {
    is_gone_ = true;
    gone_.notify_all();
  };
  auto on_ready = [this] {
    env_.loop.post([this] {
      env_.log.info("mounted mountpoint={}", plan_.mountpoint);
      events_.on_ready();
    });
  };
  SessionParts parts{.readiness = readiness_, .threads = threads_, .requests = requests_};
  SessionEvents session_events{.on_ready = on_ready, .on_ended = on_gone};
  MENDFS_TRY(session_, Session::mount(plan_.mountpoint, plan_.options, parts, std::move(session_events)));
  if (auto raised = raise_read_ahead(plan_.mountpoint); !raised.ok())
    env_.log.debug("the kernel reads ahead in small pieces reason=\"{}\"", raised.error().message);
  // A thread of its own watches the table of mounts.
  return watch_mount(plan_.mountpoint, [this, on_gone] { env_.loop.post_from_thread(on_gone); });
}

Task<void> Mount::live(Mount* self) {
  auto found = co_await self->filesystem_.mount();
  if (!found.ok()) {
    self->events_.on_failed(found.error().message);
    co_return;
  }
  if (auto begun = self->begin_session(); !begun.ok()) {
    co_await self->filesystem_.unmount(self->env_.loop.now());
    self->events_.on_failed(begun.error().message);
    co_return;
  }
  while (!self->is_gone_) {
    auto gone = self->gone_.next();
    (void)co_await gone;
  }
  self->env_.log.info("unmounted mountpoint={}", self->plan_.mountpoint);
  self->requests_.close();
  co_await self->filesystem_.unmount(self->env_.loop.now() + timing::kUnmountDrain);
  self->events_.on_ended();
}

void Mount::end() {
  if (auto detached = detach_mount(plan_.mountpoint); !detached.ok()) {
    env_.log.error("cannot unmount mountpoint={} reason=\"{}\"", plan_.mountpoint, detached.error().message);
  }
}

}  // namespace mendfs::fuse
