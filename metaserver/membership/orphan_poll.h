// Files without a name may still be open. Each session is asked at its renewals, and a "not open" counts for good: the
// session will never open that file again. What all open sessions have let go of may be deleted.
// In memory only: after a restart every session is asked anew. Pure; loop thread only.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "block/types.h"

namespace mendfs::metaserver {

class OrphanPoll {
 public:
  /// Those of `orphans` that the session has not let go of: to be asked at this renewal, and answered at the next.
  std::vector<InodeNumber> ask(const SessionId& session, const std::vector<InodeNumber>& orphans) {
    Answers& answers = sessions_[session];
    std::vector<InodeNumber> asked;
    for (const InodeNumber inode : orphans) {
      if (!answers.let_go.contains(inode)) asked.push_back(inode);
    }
    answers.asked.insert(asked.begin(), asked.end());
    return asked;
  }

  /// Answers to questions that were never asked are ignored: memory stays bounded by what is asked.
  void answer(const SessionId& session, const std::vector<InodeNumber>& not_open) {
    const auto found = sessions_.find(session);
    if (found == sessions_.end()) return;
    for (const InodeNumber inode : not_open) {
      if (found->second.asked.erase(inode) > 0) found->second.let_go.insert(inode);
    }
  }

  bool has_let_go(const SessionId& session, InodeNumber inode) const {
    const auto found = sessions_.find(session);
    return found != sessions_.end() && found->second.let_go.contains(inode);
  }
  bool all_let_go(const std::vector<SessionId>& sessions, InodeNumber inode) const {
    for (const SessionId& session : sessions) {
      if (!has_let_go(session, inode)) return false;
    }
    return true;
  }

  void forget_inode(InodeNumber inode) {
    for (auto& [session, answers] : sessions_) {
      answers.asked.erase(inode);
      answers.let_go.erase(inode);
    }
  }
  void end_session(const SessionId& session) { sessions_.erase(session); }

 private:
  struct Answers {
    std::set<InodeNumber> asked;
    std::set<InodeNumber> let_go;
  };
  std::map<SessionId, Answers> sessions_;
};

}  // namespace mendfs::metaserver
