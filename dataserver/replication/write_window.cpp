#include "dataserver/replication/write_window.h"

#include <algorithm>
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

std::optional<WriteWindow::Known> WriteWindow::find(const WriteId& id, Slot range) const {
  auto session = sessions_.find(id.session);
  if (session == sessions_.end()) return std::nullopt;
  auto write = session->second.writes.find(Key{id.sequence, range});
  if (write == session->second.writes.end()) return std::nullopt;
  return write->second;
}

WriteWindow::Session& WriteWindow::used(const SessionId& id) {
  Session& session = sessions_[id];
  if (session.last_use != 0) by_use_.erase(session.last_use);
  session.last_use = ++uses_;
  by_use_.emplace(uses_, id);
  if (sessions_.size() > kSessionsMax) drop(sessions_.find(by_use_.begin()->second));
  return session;
}

void WriteWindow::put(const WriteId& id, Slot range, Known known) {
  Session& session = used(id.session);
  if (id.sequence < session.answered_below) return;
  session.writes[Key{id.sequence, range}] = known;
  if (session.writes.size() > kWritesPerSessionMax) session.writes.erase(session.writes.begin());
}

void WriteWindow::remember_whole(const WriteId& id, Slot range, Version version) { put(id, range, {version, true}); }

void WriteWindow::remember_seen(const WriteId& id, Slot range, Version version) {
  const std::optional<Known> known = find(id, range);
  if (known && (known->is_whole || known->version > version)) return;
  put(id, range, {version, false});
}

void WriteWindow::forget_below(const SessionId& session, std::uint64_t sequence) {
  if (sequence == 0) return;
  Session& known = used(session);
  known.answered_below = std::max(known.answered_below, sequence);
  known.writes.erase(known.writes.begin(), known.writes.lower_bound(Key{known.answered_below, 0}));
}

bool WriteWindow::is_answered(const WriteId& id) const {
  auto session = sessions_.find(id.session);
  return session != sessions_.end() && id.sequence < session->second.answered_below;
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
    for (const auto& [key, known] : sessions_.at(id).writes)
      saved.push_back({WriteId{id, key.sequence}, key.range, known.version});
  Packer packer;
  packer.put(saved);
  return packer.take();
}

void WriteWindow::load(const std::string& saved) {
  std::vector<SavedWrite> writes;
  Unpacker unpacker(saved);
  unpacker.get(writes);
  if (!unpacker.finished()) return;
  for (const SavedWrite& write : writes) remember_seen(write.id, write.range, write.version);
}

std::size_t WriteWindow::write_count(const SessionId& session) const {
  auto found = sessions_.find(session);
  return found == sessions_.end() ? 0 : found->second.writes.size();
}

}  // namespace mendfs::replication
