#include "dataserver/service/data_server.h"

#include <catch2/catch.hpp>

#include "protocol/control_call.h"
#include "protocol/timing.h"
#include "rpc/client.h"
#include "tests/sim/hosted.h"
#include "tests/sim/world/world.h"

namespace mendfs::dataserver {
namespace {

using namespace std::chrono_literals;
using Host = sim::Hosted<DataServer>;

const ClusterId kCluster{1, 2};
constexpr Slot kSlots = 2;

/// Two dataservers, and the test in the metaserver's place.
class TwoServers {
 public:
  sim::SimWorld world{1};
  Env& env = world.process("meta").env();

  ~TwoServers() {
    for (Slot slot = 0; slot < kSlots; ++slot) process(slot).kill();
  }

  static Address address(Slot slot) { return {"data" + std::to_string(slot), 1}; }
  sim::SimProcess& process(Slot slot) { return world.process(address(slot).host); }
  Time soon() const { return env.loop.now() + 5s; }

  DataServerOptions options(Slot slot) const {
    DataServerOptions given;
    given.index = slot;
    given.addresses = {address(0), address(1)};
    return given;
  }
  std::shared_ptr<Host> start(DataServerOptions given) {
    std::shared_ptr<Host> host;
    process(given.index).start([&](Env& own) { return host = std::make_shared<Host>(own, given); });
    world.run_until([&] { return host->serving() || !host->ended().empty(); });
    return host;
  }
  void start_all() {
    for (Slot slot = 0; slot < kSlots; ++slot) REQUIRE(start(options(slot))->serving());
  }

  protocol::HeartbeatRequest heartbeat(Slot slot) const {
    protocol::HeartbeatRequest request;
    request.cluster = kCluster;
    request.ring = 1;
    request.slot = slot;
    for (Slot other = 0; other < kSlots; ++other) request.addresses.push_back(to_string(address(other)));
    request.metaserver = "meta:1";
    request.epoch = 1;
    return request;
  }
  Result<protocol::HeartbeatReply> beat(const protocol::HeartbeatRequest& request) {
    return sim::run(
        world, protocol::call_control<protocol::HeartbeatRequest>(env.network, address(request.slot), request, soon()));
  }
  /// Adopts the server and gives it a term and leave to write, as a metaserver does; answers the last reply.
  protocol::HeartbeatReply make_ready(Slot slot, std::uint64_t term = 1) {
    protocol::HeartbeatRequest request = heartbeat(slot);
    protocol::HeartbeatReply reply = beat(request).value();
    request.confirmed_generation = reply.identity.generation;
    request.complete_at_birth = true;
    request.term_for = reply.start_id;
    request.term_granted = term;
    reply = beat(request).value();
    CHECK(reply.term_synced == term);
    request.term_confirmed = true;
    request.confirmed_term = term;
    request.complete_at_birth = false;
    request.heard_start = reply.start_id;
    request.heard_clock = reply.clock;
    return beat(request).value();
  }
  void make_all_ready() {
    for (Slot slot = 0; slot < kSlots; ++slot) (void)make_ready(slot);
    world.run_for(1s);  // connections and handshakes
  }

  Result<rpc::Value> call(Slot slot, const std::string& method, std::vector<rpc::Value> parameters = {}) {
    return sim::run(world, rpc::call(env.network, address(slot), method, std::move(parameters), soon()));
  }
  rpc::Struct call_struct(Slot slot, const std::string& method, std::vector<rpc::Value> parameters = {}) {
    Result<rpc::Value> answer = call(slot, method, std::move(parameters));
    INFO(method << ": " << (answer.ok() ? "" : answer.error().message));
    REQUIRE(answer.ok());
    return std::get<rpc::Struct>(answer->any());
  }
  rpc::Array call_array(Slot slot, const std::string& method, std::vector<rpc::Value> parameters = {}) {
    Result<rpc::Value> answer = call(slot, method, std::move(parameters));
    REQUIRE(answer.ok());
    return std::get<rpc::Array>(answer->any());
  }
};

const std::string kContent(512, 'q');
const rpc::Value kData = rpc::Bytes{kContent};

TEST_CASE_METHOD(TwoServers, "a blank dataserver waits, says so, and takes no blocks", "[dataserver]") {
  start_all();
  CHECK(call_struct(0, "node.status").at("state") == rpc::Value("waiting"));
  CHECK(call_struct(0, "node.identity").at("adopted") == rpc::Value(false));
  CHECK(process(0).log().contains("waiting for a metaserver: mount once, or pass --metaserver"));
  CHECK(call(0, "block.put", {7, 0, kData, 0}).code() == ErrorCode::Unavailable);
  CHECK(call(0, "block.get", {7, 0}).code() == ErrorCode::NotFound);
  CHECK(call(0, "block.corrupt", {7, 0, "flip"}).code() == ErrorCode::NotFound);
}

TEST_CASE_METHOD(TwoServers, "it is adopted for ever, also over a restart", "[dataserver]") {
  start_all();
  const protocol::HeartbeatReply reply = beat(heartbeat(0)).value();
  CHECK_FALSE(reply.identity.blank);
  CHECK(reply.identity.cluster == kCluster);
  process(0).kill();
  REQUIRE(start(options(0))->serving());
  CHECK(call_struct(0, "node.identity").at("adopted") == rpc::Value(true));
  protocol::HeartbeatRequest other = heartbeat(0);
  other.cluster = {9, 9};
  CHECK(beat(other).code() == ErrorCode::Refused);
  const protocol::HeartbeatReply again = beat(heartbeat(0)).value();
  CHECK(again.identity.generation == reply.identity.generation);
  CHECK(again.start_id != reply.start_id);
}

TEST_CASE_METHOD(TwoServers, "a directory of another slot is refused with a sentence", "[dataserver]") {
  start_all();
  REQUIRE(beat(heartbeat(0)).ok());
  process(0).kill();
  DataServerOptions more = options(0);
  more.addresses.push_back({"data2", 1});
  const std::shared_ptr<Host> host = start(more);
  CHECK_FALSE(host->serving());
  CHECK(host->ended().find("is of dataserver 0 of 2, not of 0 of 3") != std::string::npos);
}

TEST_CASE_METHOD(TwoServers, "a block written by hand is on both servers, verified, damaged and mended",
                 "[dataserver]") {
  start_all();
  make_all_ready();
  REQUIRE(call_struct(0, "node.status").at("takes_writes") == rpc::Value(true));
  CHECK(call_struct(0, "node.status").at("state") == rpc::Value("serving"));

  const rpc::Struct written = call_struct(0, "block.put", {7, 4, kData, 0});
  for (Slot slot = 0; slot < kSlots; ++slot) {
    const rpc::Struct got = call_struct(slot, "block.get", {7, "4"});
    CHECK(got.at("data") == kData);
    CHECK(got.at("version") == written.at("version"));
    const rpc::Array blocks = call_array(slot, "block.list", {7});
    REQUIRE(blocks.size() == 1);
    CHECK(std::get<rpc::Struct>(blocks[0].any()).at("copy") == rpc::Value(slot));
    CHECK(call_array(slot, "file.list").size() == 1);
  }

  const rpc::Struct damage = call_struct(1, "block.corrupt", {7, 4, "flip", 5});
  CHECK(damage.at("old") != damage.at("new"));
  CHECK(call_struct(1, "block.verify", {7}).at("bad") == rpc::Value(rpc::Array{rpc::Value(4)}));
  CHECK(call_struct(1, "block.get", {7, 4}).at("state") == rpc::Value("bad"));
  CHECK(call(1, "block.repair", {7, 4}).code() == ErrorCode::NotFound);  // its only block cannot be read
  CHECK(call_struct(1, "block.repair", {7, 4, 0}).at("repaired") == rpc::Value(1));
  CHECK(call_struct(1, "block.verify", {7}).at("bad") == rpc::Value(rpc::Array{}));

  (void)call_struct(0, "block.remove", {7, 4});
  CHECK(call_struct(1, "block.get", {7, 4}).at("state") == rpc::Value("hole"));
}

TEST_CASE_METHOD(TwoServers, "a scrub finds and mends damage that nobody has read", "[dataserver][scrub]") {
  start_all();
  make_all_ready();
  constexpr int kBlocks = 40;
  for (int block = 0; block < kBlocks; block += 2) (void)call_struct(0, "block.put", {7, block, kData, 0});
  (void)call_struct(1, "block.corrupt", {7, 4, "flip", 5});
  (void)call_struct(1, "block.corrupt", {7, 8, "zero", 6});
  (void)call_struct(1, "block.corrupt", {7, 10, "stale", 7});

  CHECK(call_struct(1, "scrub.start").at("running") == rpc::Value(true));
  REQUIRE(world.run_until([&] { return call_struct(1, "scrub.status").at("running") == rpc::Value(false); }));
  const rpc::Struct first = call_struct(1, "scrub.status");
  CHECK(first.at("passes") == rpc::Value(1));
  // What it mended was stored anew, at the end, and may be read there as well.
  CHECK(std::get<std::int64_t>(first.at("blocks_checked").any()) >= kBlocks / 2);
  CHECK(std::get<std::int64_t>(first.at("blocks_checked").any()) <= kBlocks / 2 + 3);
  CHECK(first.at("blocks_bad") == rpc::Value(3));
  CHECK(first.at("blocks_mended") == rpc::Value(3));
  CHECK(call_struct(1, "block.verify", {7}).at("bad") == rpc::Value(rpc::Array{}));

  (void)call_struct(1, "scrub.start");
  REQUIRE(world.run_until([&] { return call_struct(1, "scrub.status").at("passes") == rpc::Value(2); }));
  CHECK(call_struct(1, "scrub.status").at("blocks_bad") == rpc::Value(0));
}

TEST_CASE_METHOD(TwoServers, "a scrub begins by itself", "[dataserver][scrub]") {
  start_all();
  make_all_ready();
  (void)call_struct(0, "block.put", {7, 4, kData, 0});
  (void)call_struct(1, "block.corrupt", {7, 4, "flip", 5});
  world.run_for(timing::kScrubFirst);
  REQUIRE(world.run_until([&] { return call_struct(1, "scrub.status").at("passes") == rpc::Value(1); }));
  CHECK(call_struct(1, "scrub.status").at("blocks_mended") == rpc::Value(1));
}

TEST_CASE_METHOD(TwoServers, "calls by hand that make no sense are refused with a sentence", "[dataserver]") {
  start_all();
  make_all_ready();
  (void)call_struct(0, "block.put", {7, 0, kData, 0});
  CHECK(call(1, "block.put", {7, 0, kData}).code() == ErrorCode::Refused);   // not the primary
  CHECK(call(0, "block.put", {8, 0, kData}).code() == ErrorCode::NotFound);  // where does the file start?
  CHECK(call(0, "block.put", {8, 0, kData, 99}).code() == ErrorCode::InvalidArgument);
  CHECK(call(0, "block.put", {7, 0, rpc::Bytes{std::string(513, 'x')}}).code() == ErrorCode::InvalidArgument);
  CHECK(call(0, "block.get", {7, -1}).code() == ErrorCode::InvalidArgument);
  CHECK(call(0, "block.get", {7, "18446744073709551615"}).code() == ErrorCode::InvalidArgument);
  CHECK(call(0, "block.get", {7}).code() == ErrorCode::InvalidArgument);
  CHECK(call(0, "block.get", {"seven", 0}).code() == ErrorCode::InvalidArgument);
  CHECK(call(0, "block.corrupt", {7, 0, "gently"}).code() == ErrorCode::InvalidArgument);
  CHECK(call(0, "node.heartbeat", {rpc::Bytes{"nonsense"}}).ok());  // a packed refusal
}

TEST_CASE_METHOD(TwoServers, "leave to write ends when the metaserver is silent", "[dataserver]") {
  start_all();
  make_all_ready();
  world.run_for(timing::kWriteGrant);
  CHECK(call_struct(0, "node.status").at("takes_writes") == rpc::Value(false));
  CHECK(call(0, "block.put", {7, 0, kData, 0}).code() == ErrorCode::Unavailable);
  CHECK(call_struct(0, "node.status").at("state") == rpc::Value("serving"));
  CHECK(process(0).log().contains("the metaserver does not call"));
}

TEST_CASE_METHOD(TwoServers, "every method has a signature and a help text", "[dataserver]") {
  start_all();
  for (const rpc::Value& name : call_array(0, "system.listMethods")) {
    CAPTURE(*name.get<std::string>());
    CHECK(call(0, "system.methodHelp", {name})->get<std::string>()->size() > 20);
    CHECK_FALSE(call_array(0, "system.methodSignature", {name}).empty());
  }
}

TEST_CASE_METHOD(TwoServers, "fences are synced before the reply that says so", "[dataserver]") {
  start_all();
  protocol::HeartbeatRequest request = heartbeat(0);
  request.fences = {{1, {5, 5}}};
  CHECK(beat(request).value().fence_synced == 1);
  process(0).power_cut();
  REQUIRE(start(options(0))->serving());
  CHECK(beat(heartbeat(0)).value().fence_synced == 1);
}

TEST_CASE_METHOD(TwoServers, "cuts and extents are for its own cluster", "[dataserver]") {
  start_all();
  protocol::ExtentsRequest request;
  request.cluster = kCluster;
  const auto ask = [&] {
    return sim::run(world, protocol::call_control<protocol::ExtentsRequest>(env.network, address(0), request, soon()));
  };
  CHECK(ask().code() == ErrorCode::Unavailable);
  make_all_ready();
  (void)call_struct(0, "block.put", {7, 4, kData, 0});
  protocol::FileRef file;
  file.inode = 7;
  file.layout.ring = 1;
  file.layout.slot_count = kSlots;
  request.files = {file};
  CHECK(ask().value().sizes == std::vector<std::uint64_t>{5 * 512});
  // A cut that the metaserver knows and has not told yet ends the data too, now and for whoever asks later.
  request.files[0].cuts.add({1, 2 * 512 + 100});
  CHECK(ask().value().sizes == std::vector<std::uint64_t>{0});
  request.files = {file};
  CHECK(ask().value().sizes == std::vector<std::uint64_t>{0});
  request.cluster.low++;
  CHECK(ask().code() == ErrorCode::Refused);
}

TEST_CASE_METHOD(TwoServers, "with a metaserver named it calls there first", "[dataserver]") {
  struct Metaserver final : ConnectionHandler {
    explicit Metaserver(Env& own) : listener(std::move(*own.network.listen({"meta", 1}, *this))) {}
    Task<HttpReply> on_request(HttpRequest request) override {
      bodies.push_back(std::move(request.body));
      HttpReply reply;
      reply.status = 503;
      co_return reply;
    }
    Task<void> on_stream(std::shared_ptr<FrameStream>) override { co_return; }
    std::vector<std::string> bodies;
    std::unique_ptr<Listener> listener;
  };
  Metaserver metaserver(env);
  DataServerOptions given = options(0);
  given.metaserver = Address{"meta", 1};
  REQUIRE(start(given)->serving());
  REQUIRE(world.run_until([&] { return metaserver.bodies.size() >= 2; }, 5s));
  CHECK(metaserver.bodies[0].find("ring.announce") != std::string::npos);
  CHECK(metaserver.bodies[0].find("data0:1") != std::string::npos);
}

}  // namespace
}  // namespace mendfs::dataserver
