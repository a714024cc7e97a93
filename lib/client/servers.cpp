#include "client/servers.h"

#include <algorithm>

#include "protocol/timing.h"

namespace mendfs::client {

Servers::Servers(Loop& loop, Network& network, std::vector<Address> addresses, protocol::HelloRequest hello)
    : loop_(loop) {
  for (Slot slot = 0; slot < addresses.size(); ++slot) {
    hello.to_slot = slot;
    Server server;
    server.channel =
        std::make_unique<protocol::Channel>(loop, network, std::move(addresses[slot]), [hello] { return hello; });
    server.durable.slot = slot;
    servers_.push_back(std::move(server));
  }
}

void Servers::note_slow(Slot slot) { servers_[slot].slow_until = loop_.now() + timing::kPeerSilentMax; }

WaitLog::Blame Servers::blame(const std::vector<Slot>& slots, const std::string& last_answer) const {
  const auto down = std::find_if(slots.begin(), slots.end(), [&](Slot slot) { return !is_up(slot); });
  const Slot slot = down != slots.end() ? *down : slots.front();
  const protocol::Channel& channel = *servers_[slot].channel;
  std::string reason = last_answer;
  if (down != slots.end()) reason = channel.last_error() ? channel.last_error()->message : "not connected";
  return {slot, channel.address(), std::move(reason)};
}

void Servers::note_durable(const protocol::HolderPosition& position) {
  if (position.slot >= servers_.size()) return;
  protocol::HolderPosition& known = servers_[position.slot].durable;
  if (is_same_life(known, position))
    known.position = std::max(known.position, position.position);
  else
    known = position;
}

}  // namespace mendfs::client
