// The clients of a run: writers, each with files of its own, and a reader; killed and replaced by the fault plan.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/client_program.h"
#include "tests/sim/cluster.h"
#include "tests/sim/shared_worker.h"

namespace mendfs::sim {

class Users {
 public:
  Users(Cluster& cluster, Journal& journal) : cluster_(cluster), journal_(journal) {}
  Users(const Users&) = delete;
  Users& operator=(const Users&) = delete;

  /// `with_names`: one more that changes names only.
  void start(WorkerOptions options, bool with_names);
  /// Some more, who write and read one file together.
  void start_sharers(bool disks_fill);
  const NameLedger& names() const { return ledger_; }
  /// kill -9 of a mount; what it had in hand is in doubt.
  void kill_writer(std::size_t which);
  void kill_reader();
  void kill_names();
  /// Before the metaserver's machine does: its changes are synced up to then.
  void lose_meta_power(Time synced_at);
  /// Every machine loses power at once, these too: the servers are the caller's.
  void lose_all_power(Time synced_at);
  std::size_t writer_count() const { return writers_.size(); }
  void kill_sharer(std::size_t which);
  std::size_t sharer_count() const { return sharers_.size(); }
  /// Starts new mounts in the place of dead ones.
  void restart_dead();

  /// Every writer has done its work.
  bool done() const;
  void stop_reader();
  bool reader_done() const;
  std::string describe() const;

 private:
  struct Writer {
    SimProcess* machine = nullptr;
    std::weak_ptr<WriterProgram> program;
    std::uint32_t lives = 0;
    std::uint32_t operations_left = 0;
    Inheritance inheritance;
  };
  struct Sharer {
    SimProcess* machine = nullptr;
    SharedProgram::Role role = SharedProgram::Role::Writer;
    std::weak_ptr<SharedProgram> program;
    std::uint32_t operations_left = 0;
    bool finished() const {
      const auto running = program.lock();
      return running && running->finished();
    }
  };
  void start_sharer(Sharer& sharer);
  void end(Sharer& sharer);
  void start_writer(std::size_t which);
  void start_reader();
  void start_names();
  void end(Writer& writer, bool may_have_delivered);
  bool names_done() const;

  Cluster& cluster_;
  Journal& journal_;
  WorkerOptions options_;
  std::vector<Writer> writers_;
  SimProcess* reader_machine_ = nullptr;
  std::weak_ptr<ReaderProgram> reader_;
  SimProcess* names_machine_ = nullptr;  // none: nobody changes names
  std::weak_ptr<NameProgram> names_;
  NameLedger ledger_;
  std::uint32_t names_lives_ = 0;
  std::vector<Sharer> sharers_;
  SharedModel::Mount shared_lives_ = 0;
  bool disks_fill_ = false;
};

}  // namespace mendfs::sim
