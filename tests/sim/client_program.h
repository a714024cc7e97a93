// What runs on a client's machine: a mount and its users.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "tests/sim/file_worker.h"
#include "tests/sim/name_worker.h"
#include "tests/sim/world/world.h"

namespace mendfs::sim {

/// Mounts, however long that takes, and lets one worker work.
class WriterProgram {
 public:
  WriterProgram(Env& env, client::Options mount, Journal& journal, std::string name, WorkerOptions options,
                Inheritance inheritance);
  WriterProgram(const WriterProgram&) = delete;
  WriterProgram& operator=(const WriterProgram&) = delete;
  ~WriterProgram();

  bool finished() const { return finished_; }
  std::string describe() const;
  std::uint32_t operations_left() const { return worker_ ? worker_->operations_left() : options_.operation_count; }
  /// Its machine dies now; what it leaves to the next one. `may_have_delivered`: what is on its way to nobody is on all
  /// copies; not when they lose power too.
  Inheritance die(bool may_have_delivered);

 private:
  static Task<void> live(WriterProgram* self);

  Env& env_;
  client::Options mount_;
  Journal& journal_;
  std::string name_;
  WorkerOptions options_;
  Inheritance inheritance_;
  std::unique_ptr<client::Filesystem> filesystem_;
  std::unique_ptr<FileWorker> worker_;
  bool finished_ = false;
  Scope scope_;
};

/// Mounts and reads the others' files, again and again, until told to stop.
class ReaderProgram {
 public:
  ReaderProgram(Env& env, client::Options mount, Journal& journal, Duration pause_max);
  ReaderProgram(const ReaderProgram&) = delete;
  ReaderProgram& operator=(const ReaderProgram&) = delete;
  ~ReaderProgram();

  /// Ends after the file it is at.
  void stop() { stopping_ = true; }
  bool finished() const { return finished_; }
  std::string describe() const;

 private:
  static Task<void> live(ReaderProgram* self);

  Env& env_;
  client::Options mount_;
  Journal& journal_;
  Duration pause_max_;
  std::unique_ptr<client::Filesystem> filesystem_;
  std::string doing_ = "mounting";
  bool stopping_ = false;
  bool finished_ = false;
  Scope scope_;
};

/// Mounts and lets one worker change names.
class NameProgram {
 public:
  NameProgram(Env& env, client::Options mount, Journal& journal, NameLedger& ledger);
  NameProgram(const NameProgram&) = delete;
  NameProgram& operator=(const NameProgram&) = delete;
  ~NameProgram();

  bool finished() const { return finished_; }
  std::string describe() const;
  /// Its machine dies now.
  void die();

 private:
  static Task<void> live(NameProgram* self);

  Env& env_;
  client::Options mount_;
  Journal& journal_;
  NameLedger& ledger_;
  std::unique_ptr<client::Filesystem> filesystem_;
  std::unique_ptr<NameWorker> worker_;
  bool finished_ = false;
  Scope scope_;
};

/// Mounts, trying again until it succeeds.
Task<std::unique_ptr<client::Filesystem>> mount_patiently(Env& env, client::Options options);

}  // namespace mendfs::sim
