#include "tests/sim/monitor.h"

#include <fmt/core.h>

#include "env/future.h"
#include "rpc/client.h"

namespace mendfs::sim {
namespace {

using namespace std::chrono_literals;

std::string text_in(const rpc::Struct& members, const char* name) {
  const auto member = members.find(name);
  if (member == members.end()) return {};
  if (const auto* text = member->second.get<std::string>()) return *text;
  if (const auto* number = member->second.get<std::int64_t>()) return std::to_string(*number);
  if (const auto* flag = member->second.get<bool>()) return *flag ? "yes" : "no";
  return {};
}

}  // namespace

Monitor::Monitor(Env& env, Address metaserver) : env_(env), metaserver_(std::move(metaserver)) {
  scope_.spawn(watch(this));
}

Task<void> Monitor::watch(Monitor* self) {
  for (;;) {
    std::vector<rpc::Value> nothing;
    const Time asked = self->env_.loop.now();
    const Time deadline = asked + 1s;
    const Result<rpc::Value> status =
        co_await rpc::call(self->env_.network, self->metaserver_, "ring.status", std::move(nothing), deadline);
    if (status.ok()) self->take(*status, asked);
    co_await sleep_for(self->env_.loop, 250ms);
  }
}

bool Monitor::is_recovered(const std::string& client, Time since) const {
  return reported_ > since && !sizes_pending_ && !clients_.contains(client);
}

void Monitor::take(const rpc::Value& status, Time asked) {
  const auto* members = status.get<rpc::Struct>();
  if (members == nullptr || !members->contains("slots")) return;
  if (const std::string id = text_in(*members, "cluster"); id.size() == 32)
    cluster_ = {std::stoull(id.substr(0, 16), nullptr, 16), std::stoull(id.substr(16), nullptr, 16)};
  reported_ = asked;
  sizes_pending_ = text_in(*members, "sizes_pending") != "0";
  clients_.clear();
  for (const rpc::Value& session : *members->at("sessions").get<rpc::Array>())
    clients_.insert(text_in(*session.get<rpc::Struct>(), "client"));
  const auto* slots = members->at("slots").get<rpc::Array>();
  if (slots == nullptr || slots->empty()) return;
  bool all_up = true;
  text_.clear();
  for (const rpc::Value& slot : *slots) {
    const rpc::Struct& described = *slot.get<rpc::Struct>();
    const std::string state = text_in(described, "state");
    const std::string writable = text_in(described, "writable");
    const std::string lost = text_in(described, "no_source");
    all_up = all_up && state == "up" && writable == "yes";
    text_ += fmt::format(" data{}: {}{}{} left={} {}", text_in(described, "slot"), state,
                         writable == "yes" ? "" : " not-writable", lost == "yes" ? " no-source" : "",
                         text_in(described, "blocks_left"), text_in(described, "trouble"));
  }
  if (all_up) all_up_at_ = env_.loop.now();
}

}  // namespace mendfs::sim
