#include "env/posix/posix_world.h"

#include "env/posix/posix_disk.h"
#include "env/posix/posix_network.h"
#include "env/posix/posix_random.h"
#include "env/posix/posix_readiness.h"
#include "env/posix/posix_threads.h"
#include "env/posix/refusing.h"
#include "env/posix/spdlog_logger.h"

namespace mendfs {

Result<std::unique_ptr<PosixWorld>> PosixWorld::make(const WorldOptions& options) {
  std::unique_ptr<PosixWorld> world(new PosixWorld());
  MENDFS_TRY(world->log_, SpdlogLogger::make(options.log_level, options.log_file));
  world->loop_ = std::make_unique<PosixLoop>(options.look_for);
  world->random_ = std::make_unique<PosixRandom>();
  world->network_ = std::make_unique<PosixNetwork>(*world->loop_, *world->log_);
  world->no_kv_ = std::make_unique<RefusingKvFactory>();
  world->readiness_ = std::make_unique<PosixReadiness>(*world->loop_);
  if (options.directory.empty()) {
    world->disk_ = std::make_unique<RefusingDisk>();
  } else {
    MENDFS_TRY(world->disk_, PosixDisk::open(*world->loop_, options.directory));
  }
  return world;
}

PosixWorld::~PosixWorld() = default;

Env PosixWorld::env(KvFactory& kv) { return Env{*loop_, *network_, *disk_, kv, *random_, *log_}; }
Env PosixWorld::env() { return env(*no_kv_); }

Threads& PosixWorld::threads() {
  if (!threads_) threads_ = std::make_unique<PosixThreads>(*loop_);
  return *threads_;
}

}  // namespace mendfs
