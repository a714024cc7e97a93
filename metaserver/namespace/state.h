// The store under the namespace with two layers of changes over it: those of the command being applied, which accept()
// keeps and discard() drops, and those of all commands since the last commit. Reads see the newest. Commits may be far
// apart: of a record that is changed again and again the store then sees the last value only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "env/kv.h"
#include "protocol/fields.h"

namespace mendfs::metaserver {

class State {
 public:
  explicit State(Kv& kv) : kv_(kv) {}

  Result<std::optional<std::string>> get(const std::string& key);
  /// A record by its key; Corruption when the bytes are none.
  template <class T>
  Result<std::optional<T>> get_record(const std::string& key) {
    MENDFS_TRY(std::optional<std::string> bytes, get(key));
    if (!bytes) return std::optional<T>();
    Result<T> record = unpack<T>(*bytes);
    if (!record.ok()) return Error{ErrorCode::Corruption, "the metadata store holds a record that cannot be read"};
    return std::optional<T>(std::move(*record));
  }
  void put(std::string key, std::string value) { command_.insert_or_assign(std::move(key), std::move(value)); }
  template <class T>
  void put_record(std::string key, const T& record) {
    put(std::move(key), pack(record));
  }
  void remove(std::string key) { command_.insert_or_assign(std::move(key), std::nullopt); }

  using ScanVisit = std::function<bool(std::string_view key, std::string_view value)>;
  /// Entries begin <= key < end in order, until `visit` returns false. `visit` does not call back into the state.
  Result<void> scan(const std::string& begin, const std::string& end, const ScanVisit& visit);

  /// What the command has changed so far: by key, nothing for what it removed.
  using Changes = std::map<std::string, std::optional<std::string>, std::less<>>;
  const Changes& command_changes() const { return command_; }

  /// The command's changes stay.
  void accept();
  /// The command's changes never were.
  void discard() { command_.clear(); }
  /// Hands the changes of all accepted commands to the store as one batch. Requires: none of an unaccepted one.
  Result<void> commit();
  /// So much has been accepted since the last commit that memory and reads of ranges would suffer from more.
  bool is_commit_due() const;

 private:
  Kv& kv_;
  Changes command_;
  Changes group_;
  std::size_t group_bytes_ = 0;  // of what was accepted, replaced or not
  Changes kept_;                 // what the store holds, of the few records that every command looks at
};

}  // namespace mendfs::metaserver
