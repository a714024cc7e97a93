#include "dataserver/replication/write_window.h"

#include <vector>

#include "protocol/fields.h"

namespace mendfs::replication {
namespace {

struct SavedWrite {
  WriteId id;
  Slot range = 0;
  Version version;
  template <class V>
  void fields(V& v) {
    v("id", id);
    v("range", range);
    v("version", version);
  }
};

}  // namespace

std::optional<Version> WriteWindow::find(const WriteId& id, Slot range) const {
  auto session = sessions_.find(id.session);
  if (session == sessions_.end()) return std::nullopt;
  auto write = session->second.writes.find(Key{id.sequence, range});
  if (write == session->second.writes.end()) return std::nullopt;
  return write->second;
}

void WriteWindow::remember(const WriteId& id, Slot range, Version version) {
  auto [session, is_new] = sessions_.try_emplace(id.session);
  if (!is_new) by_use_.erase(session->second.last_use);
  session->second.last_use = ++uses_;
  by_use_.emplace(uses_, id.session);
  std::map<Key, Version>& writes = session->second.writes;
  writes[Key{id.sequence, range}] = version;
  if (writes.size() > kWritesPerSessionMax) writes.erase(writes.begin());
  if (sessions_.size() > kSessionsMax) drop(sessions_.find(by_use_.begin()->second));
}

void WriteWindow::forget_below(const SessionId& session, std::uint64_t sequence) {
  auto found = sessions_.find(session);
  if (found == sessions_.end()) return;
  std::map<Key, Version>& writes = found->second.writes;
  writes.erase(writes.begin(), writes.lower_bound(Key{sequence, 0}));
}

void WriteWindow::forget(const SessionId& session) {
  auto found = sessions_.find(session);
  if (found != sessions_.end()) drop(found);
}

void WriteWindow::drop(std::map<SessionId, Session>::iterator session) {
  by_use_.erase(session->second.last_use);
  sessions_.erase(session);
}

std::string WriteWindow::save() const {
  std::vector<SavedWrite> saved;
  // In the order of use, so that loading keeps it.
  for (const auto& [use, id] : by_use_)
    for (const auto& [key, version] : sessions_.at(id).writes)
      saved.push_back({WriteId{id, key.sequence}, key.range, version});
  Packer packer;
  packer.put(saved);
  return packer.take();
}

void WriteWindow::load(const std::string& saved) {
  std::vector<SavedWrite> writes;
  Unpacker unpacker(saved);
  unpacker.get(writes);
  if (!unpacker.finished()) return;
  for (const SavedWrite& write : writes) remember(write.id, write.range, write.version);
}

std::size_t WriteWindow::write_count(const SessionId& session) const {
  auto found = sessions_.find(session);
  return found == sessions_.end() ? 0 : found->second.writes.size();
}

}  // namespace mendfs::replication
