// What a main() builds: the real loop, network, disk, random numbers and log, in the order they need one another; and,
// for who asks, other cores and the readiness of foreign descriptors.
#pragma once

#include <memory>
#include <string>

#include "env/env.h"
#include "env/posix/posix_loop.h"
#include "env/readiness.h"
#include "env/threads.h"

namespace mendfs {

struct WorldOptions {
  LogLevel log_level = LogLevel::Info;
  std::string log_file;  // empty: standard error
  Duration look_for = PosixLoop::kLookFor;
  std::string directory;  // where `disk` keeps its files, made if missing; empty: the program keeps nothing
};

class PosixWorld {
 public:
  /// Busy when another process uses the directory.
  static Result<std::unique_ptr<PosixWorld>> make(const WorldOptions& options);
  ~PosixWorld();

  PosixLoop& loop() { return *loop_; }
  Logger& log() { return *log_; }
  /// `kv` keeps its stores under the same directory and outlives the Env.
  Env env(KvFactory& kv);
  /// For programs that keep nothing.
  Env env();

  /// Made when first asked for.
  Threads& threads();
  Readiness& readiness() { return *readiness_; }

 private:
  PosixWorld() = default;

  // Destroyed from the last to the first: the disk's threads post to the loop until they have ended.
  std::unique_ptr<Logger> log_;
  std::unique_ptr<PosixLoop> loop_;
  std::unique_ptr<Random> random_;
  std::unique_ptr<Network> network_;
  std::unique_ptr<Disk> disk_;
  std::unique_ptr<KvFactory> no_kv_;
  std::unique_ptr<Readiness> readiness_;
  std::unique_ptr<Threads> threads_;
};

}  // namespace mendfs
