// A user who makes, links, renames and removes files and directories below a directory of its own, and knows what each
// change has to answer and what the tree may look like after a power cut of the metaserver.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "client/filesystem.h"
#include "env/env.h"
#include "tests/sim/journal.h"
#include "tests/sim/name_history.h"
#include "tests/sim/world/random.h"

namespace mendfs::sim {

/// What is known of the names, whichever worker works on them.
struct NameLedger {
  std::optional<NameHistory> history;  // none: the directory is not made yet
  std::optional<NameChange> under_way;
  std::set<InodeNumber> numbers;  // ever given
  std::uint32_t operations_left = 150;
  bool dirsync = false;
  /// Of the worker before, if it died.
  std::string dead_client;
  Time died{};
  std::uint64_t changes = 0;

  /// Everything that should be there.
  std::set<InodeNumber> nodes() const;
};

class NameWorker {
 public:
  NameWorker(Env& env, client::Filesystem& filesystem, Journal& journal, NameLedger& ledger, std::uint64_t seed);
  NameWorker(const NameWorker&) = delete;
  NameWorker& operator=(const NameWorker&) = delete;

  Task<void> run();
  const std::string& doing() const { return doing_; }

 private:
  Task<bool> make_root();
  Task<bool> step();
  Task<bool> change(NameChange change);
  Task<bool> sync();
  Task<bool> look();
  Task<bool> look_until_quiet(std::optional<NameHistory::UnderWay> under_way);
  Task<Result<NameModel>> read_tree(InodeNumber root);
  struct Made {
    ErrorCode code;
    std::string message;
    InodeNumber inode;
  };
  Task<Made> ask(NameChange change);
  Task<Made> ask_to_make(NameChange change);
  NameChange draw_change();
  InodeNumber draw_node(bool directory);
  void begin(std::string what);

  Loop& loop_;
  Logger& log_;
  client::Filesystem& filesystem_;
  Journal& journal_;
  NameLedger& ledger_;
  SimRandom random_;
  // Of the history's: told by a sync of all directories, and by one of the root, which says nothing of the others.
  std::uint64_t losses_reported_ = 0;
  std::uint64_t losses_reported_of_root_ = 0;
  std::string doing_ = "nothing yet";
};

}  // namespace mendfs::sim
