// The ordered map of env/kv.h over RocksDB: without RocksDB's own log, one column family, and no flush but that of a
// checkpoint, so that what is on disk is always exactly what some checkpoint covered.
//
// Calls run on the loop thread; RocksDB's two background threads flush and compact, and report through the loop.
// Damage found by any of them, and a checkpoint that failed, is remembered: every later call fails with it.
// Never fork() after opening one.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "env/kv.h"
#include "env/loop.h"

namespace mendfs {

struct RocksOptions {
  std::size_t cache_bytes = 64u << 20;  // blocks, index and filters of the tables; memtables come on top
  int open_files_max = 256;             // tables kept open, each a file descriptor
};

class RocksKvFactory final : public KvFactory {
 public:
  /// Stores are directories below `root`, which exists. `loop` outlives the stores.
  RocksKvFactory(std::string root, Loop& loop, RocksOptions options = {});

  /// Busy when another process has it open.
  Result<std::unique_ptr<Kv>> open(const std::string& name) override;
  Result<void> destroy(const std::string& name) override;

 private:
  std::string root_;
  Loop& loop_;
  RocksOptions options_;
};

}  // namespace mendfs
