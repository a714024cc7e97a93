// An ordered map of byte strings on disk, in five calls. RocksDB without its own log in lib/kv, a map with crashes
// in tests/sim/world.
//
// It is state up to some moment of a log that its owner keeps: after a kill or a power cut it comes back as exactly
// what it was after some batch (a prefix), at least the one of the last finished checkpoint(). So each batch carries
// the owner's position in that log under a key of its own, and the owner replays from there.
// The owner syncs its log up to now before it calls checkpoint(); nothing is flushed at any other time.
// Loop thread only; calls are quick (microseconds to a few ms).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "env/task.h"

namespace mendfs {

/// Puts and removals that happen together, in this order.
class KvBatch {
 public:
  struct Operation {
    std::string key;
    std::optional<std::string> value;  // nothing: remove
  };
  void put(std::string key, std::string value) { operations_.push_back({std::move(key), std::move(value)}); }
  void remove(std::string key) { operations_.push_back({std::move(key), std::nullopt}); }
  const std::vector<Operation>& operations() const { return operations_; }
  bool empty() const { return operations_.empty(); }
  void clear() { operations_.clear(); }

 private:
  std::vector<Operation> operations_;
};

/// Damage found in it (Corruption) makes every later call fail too: report it and stop, do not go on.
class Kv {
 public:
  virtual ~Kv() = default;
  virtual Result<std::optional<std::string>> get(std::string_view key) = 0;
  /// The entry with the greatest key <= `key` that is also >= `least`, if any.
  virtual Result<std::optional<std::pair<std::string, std::string>>> floor(std::string_view key,
                                                                           std::string_view least) = 0;
  /// Calls `visit` for each entry with begin <= key < end in order until it returns false. An empty `end` is no
  /// bound. `visit` does not call back into the store.
  virtual Result<void> scan(std::string_view begin, std::string_view end,
                            const std::function<bool(std::string_view key, std::string_view value)>& visit) = 0;
  virtual Result<void> apply(const KvBatch& batch) = 0;
  /// Everything applied before the call is on disk when it ends. One at a time.
  virtual Task<Result<void>> checkpoint() = 0;
  /// Bytes applied since the last checkpoint() began, roughly: says when the next is due (32 MiB is a good moment).
  virtual std::size_t unflushed_size() const = 0;
};

class KvFactory {
 public:
  virtual ~KvFactory() = default;
  /// Opens the store in `name`, making it if missing. Corruption when it is damaged.
  virtual Result<std::unique_ptr<Kv>> open(const std::string& name) = 0;
  /// Deletes a store that is not open.
  virtual Result<void> destroy(const std::string& name) = 0;
};

}  // namespace mendfs
