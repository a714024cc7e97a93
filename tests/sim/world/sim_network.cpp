#include "tests/sim/world/sim_network.h"

#include "block/checksum.h"
#include "tests/sim/world/sim_stream.h"

namespace mendfs::sim {
namespace {

Error refused(const Address& server) {
  return Error{ErrorCode::Unavailable, to_string(server) + " refuses connections"};
}
Error broken(const Address& server) {
  return Error{ErrorCode::OutcomeUnknown, "the connection to " + to_string(server) + " broke before its answer"};
}

}  // namespace

/// Keeps an address taken.
class SimListener : public Listener {
 public:
  SimListener(SimNetwork& network, Address address, std::weak_ptr<Scope> scope)
      : network_(network), address_(std::move(address)), scope_(std::move(scope)) {}
  SimListener(const SimListener&) = delete;
  SimListener& operator=(const SimListener&) = delete;
  ~SimListener() override {
    // A dead process's address may be another's by now.
    if (!scope_.expired()) network_.stop_listening(address_);
  }
  Address address() const override { return address_; }

 private:
  SimNetwork& network_;
  Address address_;
  std::weak_ptr<Scope> scope_;
};

Task<Result<std::string>> SimEndpoint::post(Address server, std::string target, std::string body, Time deadline) {
  HttpRequest request{"POST", std::move(target), std::move(body)};
  return network_.post(process_, std::move(server), std::move(request), deadline);
}

Result<std::unique_ptr<Listener>> SimNetwork::listen(ProcessId process, Address address, ConnectionHandler& handler) {
  if (address.port == 0) address.port = next_port_++;
  if (services_.contains(address)) return Error{ErrorCode::Busy, to_string(address) + " is taken"};
  const auto scope = std::make_shared<Scope>();
  services_.emplace(address, Service{process, &handler, scope});
  owners_[address] = process;
  return std::unique_ptr<Listener>(new SimListener(*this, address, scope));
}

void SimNetwork::stop_listening(const Address& address) {
  const auto service = services_.find(address);
  if (service == services_.end()) return;
  const auto scope = service->second.scope;
  services_.erase(service);
  scope->cancel_all();
}

const SimNetwork::Service* SimNetwork::service_at(const Address& server) const {
  const auto found = services_.find(server);
  return found == services_.end() ? nullptr : &found->second;
}

std::optional<ProcessId> SimNetwork::owner_of(const Address& server) const {
  const auto found = owners_.find(server);
  if (found == owners_.end()) return std::nullopt;
  return found->second;
}

Duration SimNetwork::delay(ProcessId from, ProcessId to) {
  Duration delay(random_.between(static_cast<std::uint64_t>(faults_.latency_min.count()),
                                 static_cast<std::uint64_t>(faults_.latency_max.count())));
  if (const auto clog = clogs_.find({from, to}); clog != clogs_.end()) delay += clog->second;
  if (random_.per_million(faults_.late_per_million))
    delay += Duration(random_.below(static_cast<std::uint64_t>(faults_.late_max.count()) + 1));
  return delay;
}

void SimNetwork::before_delivery(ProcessId from, ProcessId to) {
  ++delivered_;
  if (hook_) hook_(from, to);
}

Task<Result<std::string>> SimNetwork::post(ProcessId client, Address server, HttpRequest request, Time deadline) {
  if (request.body.size() > kHttpBodySizeMax) co_return Error{ErrorCode::Malformed, "a request larger than allowed"};
  auto [answer, future] = make_promise<Result<std::string>>(*nodes_[client].loop);
  const std::optional<ProcessId> owner = owner_of(server);
  const std::uint64_t id = next_exchange_++;
  exchanges_.emplace(id, Exchange{client, owner.value_or(client), false, answer});
  request_sent(id, server, std::move(request));
  std::optional<Result<std::string>> result = co_await future.until(deadline);
  exchanges_.erase(id);
  if (!result) co_return Error{ErrorCode::OutcomeUnknown, to_string(server) + " did not answer in time"};
  co_return std::move(*result);
}

void SimNetwork::request_sent(std::uint64_t id, const Address& server, HttpRequest request) {
  const ProcessId client = exchanges_.at(id).client;
  const std::optional<ProcessId> owner = owner_of(server);
  if (!owner) {
    answer_later(id, refused(server), delay(client, client));
    return;
  }
  // Into a partition or the dark: over a connection kept from before, whose fate nobody knows, or over none.
  if (!reachable(client, *owner)) {
    if (random_.one_in(2)) answer_later(id, refused(server), std::chrono::seconds(1));
    return;
  }
  if (random_.per_million(faults_.lost_per_million)) {
    answer_later(id, broken(server), delay(*owner, client));
    return;
  }
  scheduler_.add(
      scheduler_.now() + delay(client, *owner), nullptr,
      [this, id, client, server, request = std::move(request)] { request_arrived(id, client, server, request); });
}

void SimNetwork::request_arrived(std::uint64_t id, ProcessId client, const Address& server, HttpRequest request) {
  const ProcessId owner = owners_.at(server);
  before_delivery(client, owner);
  if (!reachable(client, owner)) return;
  const Service* service = service_at(server);
  if (service == nullptr) {
    answer_later(id, refused(server), delay(owner, client));
    return;
  }
  if (const auto exchange = exchanges_.find(id); exchange != exchanges_.end()) exchange->second.arrived = true;
  scheduler_.record(checksum64(bytes_of(request.body)));
  nodes_[owner].loop->post([this, id, client, owner, server, request = std::move(request)] {
    // The listener may have gone since.
    const Service* now = service_at(server);
    if (now != nullptr) now->scope->spawn(serve(this, now->handler, id, client, owner, request));
  });
}

Task<void> SimNetwork::serve(SimNetwork* network, ConnectionHandler* handler, std::uint64_t id, ProcessId client,
                             ProcessId server, HttpRequest request) {
  HttpReply reply = co_await handler->on_request(std::move(request));
  network->reply_sent(id, client, server, std::move(reply));
}

void SimNetwork::reply_sent(std::uint64_t id, ProcessId client, ProcessId server, HttpReply reply) {
  const Address nobody{"the server", 0};
  if (!reachable(server, client)) return;
  if (random_.per_million(faults_.lost_per_million)) {
    answer_later(id, broken(nobody), delay(server, client));
    return;
  }
  Result<std::string> result = Error{ErrorCode::Malformed, "not an answer of ours"};
  if (reply.status == 200 && reply.body.size() <= kHttpBodySizeMax) result = std::move(reply.body);
  if (reply.status == 503) result = Error{ErrorCode::Unavailable, reply.body};
  scheduler_.add(scheduler_.now() + delay(server, client), nullptr, [this, id, client, server, result] {
    before_delivery(server, client);
    if (!reachable(server, client)) return;
    if (result.ok()) scheduler_.record(checksum64(bytes_of(*result)));
    answer_later(id, result, Duration(0));
  });
}

void SimNetwork::answer_later(std::uint64_t id, Result<std::string> result, Duration delay) {
  const auto exchange = exchanges_.find(id);
  if (exchange == exchanges_.end()) return;
  const Promise<Result<std::string>> answer = exchange->second.answer;
  nodes_[exchange->second.client].loop->call_at(scheduler_.now() + delay,
                                                [answer, result = std::move(result)] { answer.set(result); });
}

void SimNetwork::block_both_ways(ProcessId a, ProcessId b) {
  block(a, b);
  block(b, a);
}

void SimNetwork::heal_all() {
  clogs_.clear();
  const auto blocked = blocked_;
  for (const auto& [from, to] : blocked) unblock(from, to);
}

void SimNetwork::process_died(ProcessId process, bool silent) {
  nodes_[process].dark = silent;
  for (auto service = services_.begin(); service != services_.end();) {
    const auto next = std::next(service);
    if (service->second.process == process) {
      const auto scope = service->second.scope;
      services_.erase(service);
      scope->cancel_all();
    }
    service = next;
  }
  std::erase_if(exchanges_, [&](const auto& exchange) { return exchange.second.client == process; });
  if (silent) return;
  for (const auto& [id, exchange] : exchanges_)
    if (exchange.server == process && exchange.arrived)
      answer_later(id, broken({"the server", 0}), delay(process, exchange.client));
  for (const std::shared_ptr<Link>& link : links_of(process)) break_link(link);
}

void SimNetwork::process_started(ProcessId process) {
  nodes_[process].dark = false;
  // The new kernel answers packets of old connections with resets.
  for (const std::shared_ptr<Link>& link : links_of(process)) break_link(link);
}

}  // namespace mendfs::sim
