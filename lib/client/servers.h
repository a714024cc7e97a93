// The dataservers of the ring as one mount sees them: a connection to each, which ones are worth asking now, and how
// far each has made its log durable. Loop thread only.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "block/types.h"
#include "client/wait_log.h"
#include "env/loop.h"
#include "env/network.h"
#include "protocol/channel.h"

namespace mendfs::client {

class Servers {
 public:
  /// `hello` without the slot. Requires: addresses of all slots, in order.
  Servers(Loop& loop, Network& network, std::vector<Address> addresses, protocol::HelloRequest hello);

  std::uint32_t count() const { return static_cast<std::uint32_t>(servers_.size()); }
  protocol::Channel& channel(Slot slot) { return *servers_[slot].channel; }

  bool is_up(Slot slot) const { return servers_[slot].channel->is_up(); }
  /// Up, and not just found to be slow: while the other copy will do, it is not asked.
  bool is_quick(Slot slot) const { return is_up(slot) && loop_.now() >= servers_[slot].slow_until; }
  void note_slow(Slot slot);

  /// Whom a request waits for that these servers must answer: the first that is down, else the first.
  WaitLog::Blame blame(const std::vector<Slot>& slots, const std::string& last_answer) const;

  /// What a server said is durable there; only the last life of its store counts.
  void note_durable(const protocol::HolderPosition& position);
  const protocol::HolderPosition& durable(Slot slot) const { return servers_[slot].durable; }

 private:
  struct Server {
    std::unique_ptr<protocol::Channel> channel;
    Time slow_until{};
    protocol::HolderPosition durable;
  };
  Loop& loop_;
  std::vector<Server> servers_;
};

/// Two positions count in the same log: the machine has not restarted and the store is the same.
inline bool is_same_life(const protocol::HolderPosition& a, const protocol::HolderPosition& b) {
  return a.boot == b.boot && a.generation == b.generation;
}

}  // namespace mendfs::client
