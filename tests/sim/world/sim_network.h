// The wire between the processes of a world: delays, losses, partitions and broken connections, all from the seed.
//
// What a real network does to us is what happens here, and nothing else: a kept connection delivers in order or breaks;
// requests on different connections overtake each other; a request or its reply may be lost with its connection; a
// request may arrive after its sender has given up; a killed process resets its connections, a machine without power
// leaves them hanging. Everything passes as bytes.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "env/future.h"
#include "env/network.h"
#include "tests/sim/world/random.h"
#include "tests/sim/world/scheduler.h"

namespace mendfs::sim {

using ProcessId = std::uint32_t;

struct NetworkFaults {
  Duration latency_min = std::chrono::microseconds(30);
  Duration latency_max = std::chrono::microseconds(400);
  /// Messages in a million: the connection breaks instead of delivering.
  std::uint32_t lost_per_million = 0;
  /// Messages in a million: delivered up to `late_max` later than the rest.
  std::uint32_t late_per_million = 0;
  Duration late_max = std::chrono::milliseconds(500);
};

struct Link;

class SimNetwork {
 public:
  SimNetwork(Scheduler& scheduler, std::uint64_t seed) : scheduler_(scheduler), random_(seed) {}

  void add_process(SimLoop& loop) { nodes_.push_back(Node{&loop}); }

  NetworkFaults& faults() { return faults_; }
  /// Nothing passes from `from` to `to` until healed; what is on its way in a kept connection waits.
  void block(ProcessId from, ProcessId to) { blocked_.insert({from, to}); }
  void block_both_ways(ProcessId a, ProcessId b);
  void unblock(ProcessId from, ProcessId to);
  void heal_all();
  /// Adds to every message's delay; zero ends it.
  void clog(ProcessId from, ProcessId to, Duration delay) { clogs_[{from, to}] = delay; }
  /// Breaks the kept connections between two processes.
  void break_connections(ProcessId a, ProcessId b);

  /// Called before each delivery, with no program on the stack: it may kill and partition.
  using DeliveryHook = std::function<void(ProcessId from, ProcessId to)>;
  void set_delivery_hook(DeliveryHook hook) { hook_ = std::move(hook); }
  std::uint64_t delivered_count() const { return delivered_; }

  // For the world: a process has died. `silent`: with its machine, so nobody is told until it is back.
  void process_died(ProcessId process, bool silent);
  void process_started(ProcessId process);

 private:
  friend class SimEndpoint;
  friend class SimStream;
  friend class SimListener;

  struct Node {
    SimLoop* loop;
    bool dark = false;  // without power: packets to it vanish
  };
  struct Service {  // a listening address
    ProcessId process;
    ConnectionHandler* handler;
    std::shared_ptr<Scope> scope;  // of what it is answering
  };
  struct Exchange {  // an HTTP request whose sender waits
    ProcessId client;
    ProcessId server;
    bool arrived;
    Promise<Result<std::string>> answer;
  };
  using StreamResult = Result<std::shared_ptr<FrameStream>>;
  struct Connecting {
    ProcessId client;
    Address server;
    Promise<StreamResult> answer;
  };

  Result<std::unique_ptr<Listener>> listen(ProcessId process, Address address, ConnectionHandler& handler);
  void stop_listening(const Address& address);

  Task<Result<std::string>> post(ProcessId client, Address server, HttpRequest request, Time deadline);
  void request_sent(std::uint64_t id, const Address& server, HttpRequest request);
  void request_arrived(std::uint64_t id, ProcessId client, const Address& server, HttpRequest request);
  static Task<void> serve(SimNetwork* network, ConnectionHandler* handler, std::uint64_t id, ProcessId client,
                          ProcessId server, HttpRequest request);
  void reply_sent(std::uint64_t id, ProcessId client, ProcessId server, HttpReply reply);
  /// Ends an exchange after `delay`, if it is still waited for.
  void answer_later(std::uint64_t id, Result<std::string> result, Duration delay);

  Task<StreamResult> connect(ProcessId client, Address server, Time deadline);
  void connect_arrived(const Connecting& connecting);
  static Task<void> serve_stream(ConnectionHandler* handler, std::shared_ptr<FrameStream> stream);

  void send_frame(const std::shared_ptr<Link>& link, int side, Frame frame);
  void transmit(const std::shared_ptr<Link>& link, int side, std::optional<Frame> frame);
  void frame_arrived(const std::shared_ptr<Link>& link, int side, std::optional<Frame> frame);
  void close_side(const std::shared_ptr<Link>& link, int side);
  void break_link(const std::shared_ptr<Link>& link);
  std::vector<std::shared_ptr<Link>> links_of(ProcessId process);

  bool is_blocked(ProcessId from, ProcessId to) const { return from != to && blocked_.contains({from, to}); }
  bool reachable(ProcessId from, ProcessId to) const { return !is_blocked(from, to) && !nodes_[to].dark; }
  Duration delay(ProcessId from, ProcessId to);
  const Service* service_at(const Address& server) const;
  /// Who was last seen there, dead or alive.
  std::optional<ProcessId> owner_of(const Address& server) const;
  void before_delivery(ProcessId from, ProcessId to);

  Scheduler& scheduler_;
  SimRandom random_;
  NetworkFaults faults_;
  std::vector<Node> nodes_;
  std::set<std::pair<ProcessId, ProcessId>> blocked_;
  std::map<std::pair<ProcessId, ProcessId>, Duration> clogs_;
  std::map<Address, Service> services_;
  std::map<Address, ProcessId> owners_;
  std::map<std::uint64_t, Exchange> exchanges_;
  std::vector<std::weak_ptr<Link>> links_;
  std::uint64_t next_exchange_ = 1;
  std::uint16_t next_port_ = 20000;
  std::uint64_t delivered_ = 0;
  DeliveryHook hook_;
};

/// One process's door to the wire.
class SimEndpoint : public Network {
 public:
  SimEndpoint(SimNetwork& network, ProcessId process) : network_(network), process_(process) {}
  Result<std::unique_ptr<Listener>> listen(const Address& address, ConnectionHandler& handler) override {
    return network_.listen(process_, address, handler);
  }
  Task<Result<std::string>> post(Address server, std::string target, std::string body, Time deadline) override;
  Task<Result<std::shared_ptr<FrameStream>>> connect(Address server, Time deadline) override {
    return network_.connect(process_, std::move(server), deadline);
  }

 private:
  SimNetwork& network_;
  ProcessId process_;
};

}  // namespace mendfs::sim
