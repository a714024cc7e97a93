// The life of a mount: find the servers, mount, serve, and after the unmount bring home what is still queued. Loop
// thread only.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "client/filesystem.h"
#include "env/env.h"
#include "env/future.h"
#include "env/readiness.h"
#include "env/task.h"
#include "env/threads.h"
#include "fuseclient/mount_options.h"
#include "fuseclient/requests.h"
#include "fuseclient/session.h"

namespace mendfs::fuse {

struct MountPlan {
  std::string mountpoint;  // absolute
  MountOptions options;
  client::Options client;
};

struct MountEvents {
  std::function<void()> on_ready;                              // the mount answers
  std::function<void(const std::string& sentence)> on_failed;  // before it was ready; nothing is mounted
  std::function<void()> on_ended;                              // after it was ready, and all is brought home or dropped
};

class Mount {
 public:
  Mount(Env env, Readiness& readiness, Threads& threads, MountPlan plan, MountEvents events);
  /// Begins. Once.
  void start() { scope_.spawn(live(this)); }
  /// Somebody wants the program to end: unmounts, and the rest follows as after any unmount.
  void end();

 private:
  static Task<void> live(Mount* self);
  client::Hooks core_hooks();
  Result<void> begin_session();

  Env env_;
  Readiness& readiness_;
  Threads& threads_;
  MountPlan plan_;
  MountEvents events_;
  std::unique_ptr<Session> session_;
  client::Filesystem filesystem_;
  Requests requests_;
  Signal gone_;
  bool is_gone_ = false;
  Scope scope_;
};

}  // namespace mendfs::fuse
