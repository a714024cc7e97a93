// Users of several mounts who write the same blocks of one file at the same moments, through two descriptors each, and
// those who only read it; all that is read is checked against the oracle.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "client/filesystem.h"
#include "env/env.h"
#include "env/future.h"
#include "tests/sim/journal.h"
#include "tests/sim/world/random.h"

namespace mendfs::sim {

/// One mount: makes the file if there is none yet, or waits for it.
class SharedProgram {
 public:
  enum class Role { Maker, Writer, Reader };

  SharedProgram(Env& env, client::Options mount, Journal& journal, Role role, SharedModel::Mount number,
                std::uint32_t operation_count, bool disks_fill);
  SharedProgram(const SharedProgram&) = delete;
  SharedProgram& operator=(const SharedProgram&) = delete;
  ~SharedProgram();

  std::uint32_t operations_left() const { return operations_left_; }
  /// A reader ends when it is told to.
  void stop() { operations_left_ = 0; }
  bool finished() const { return finished_; }
  std::string describe() const;

 private:
  /// What was written through one descriptor and is not known to be on all copies, or not to be durable.
  struct Descriptor {
    client::HandleId handle = 0;
    std::vector<SharedModel::Write> unsettled;
    std::vector<SharedModel::Write> undurable;
  };

  static Task<void> live(SharedProgram* self);
  Task<bool> make();
  Task<bool> open(Descriptor* descriptor);
  Task<void> work(Descriptor descriptor);
  Task<bool> step(Descriptor* descriptor);
  Task<bool> write(Descriptor* descriptor);
  Task<bool> settle(Descriptor* descriptor, bool durable);
  Task<bool> read(Descriptor* descriptor);
  Task<void> until_together();
  bool failed(Descriptor* descriptor, const char* what, const Error& error);

  Env& env_;
  client::Options mount_;
  Journal& journal_;
  Role role_;
  SharedModel::Mount number_;
  bool disks_fill_;
  SimRandom random_;
  std::unique_ptr<client::Filesystem> filesystem_;
  std::uint32_t operations_left_;
  std::uint32_t working_ = 0;
  std::string doing_ = "mounting";
  bool finished_ = false;
  Scope scope_;
};

/// Reads it as a mount that knows nothing, twice. False: it failed, and the journal says how.
Task<bool> check_shared_file(Env& env, client::Filesystem* filesystem, Journal& journal);

}  // namespace mendfs::sim
