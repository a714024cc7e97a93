#include "protocol/channel.h"

#include <catch2/catch.hpp>

#include "block/checksum.h"
#include "protocol/serve.h"
#include "protocol/timing.h"
#include "tests/sim/world/world.h"

namespace mendfs::protocol {
namespace {

using namespace std::chrono_literals;

const Address kServer{"10.0.0.1", 2222};

/// Answers reads with the bytes it is asked for by block number, and what it was told to do otherwise.
class FakeService final : public BlockService {
 public:
  explicit FakeService(Env& env) : env_(env) {}

  Result<HelloReply> on_hello(const HelloRequest& request) override {
    if (request.ring != 1) return Error{ErrorCode::Refused, "another ring"};
    HelloReply reply;
    reply.term = 4;
    return reply;
  }
  ServedTask<ReadRequest> serve(ReadRequest request, Buffer, Caller) override {
    ++reads;
    const auto delay = std::chrono::milliseconds(request.parts.front().blocks.first);
    co_await sleep_for(env_.loop, delay);
    Served<ReadRequest> answer;
    ReadRun run;
    run.blocks = request.parts.front().blocks;
    answer.reply.runs.push_back(run);
    answer.data.push_back(Buffer::copy_of(bytes_of("first ")));
    answer.data.push_back(Buffer::copy_of(bytes_of(std::to_string(run.blocks.first))));
    co_return answer;
  }
  ServedTask<SyncRequest> serve(SyncRequest, Buffer, Caller caller) override {
    return refuse<SyncRequest>(ErrorCode::Unavailable, caller.role == Role::Client ? "not now, client" : "not now");
  }
  ServedTask<WriteRequest> serve(WriteRequest, Buffer, Caller) override { return refuse<WriteRequest>(); }
  ServedTask<AuditRequest> serve(AuditRequest, Buffer, Caller) override { return refuse<AuditRequest>(); }
  ServedTask<RepairRequest> serve(RepairRequest, Buffer, Caller) override { return refuse<RepairRequest>(); }
  ServedTask<ForwardRequest> serve(ForwardRequest, Buffer, Caller) override { return refuse<ForwardRequest>(); }
  ServedTask<FetchRequest> serve(FetchRequest, Buffer, Caller) override { return refuse<FetchRequest>(); }
  ServedTask<ListRequest> serve(ListRequest, Buffer, Caller) override { return refuse<ListRequest>(); }
  ServedTask<HandshakeRequest> serve(HandshakeRequest, Buffer, Caller) override { return refuse<HandshakeRequest>(); }
  ServedTask<AskWriteRequest> serve(AskWriteRequest, Buffer, Caller) override { return refuse<AskWriteRequest>(); }

  int reads = 0;

 private:
  template <class Request>
  static ServedTask<Request> refuse(ErrorCode code = ErrorCode::NotSupported, std::string why = "no") {
    co_return Error{code, std::move(why)};
  }
  Env& env_;
};

class FakeServer final : public ConnectionHandler {
 public:
  explicit FakeServer(Env& env) : service(env), env_(env), listener_(*env.network.listen(kServer, *this)) {}
  Task<HttpReply> on_request(HttpRequest) override { co_return HttpReply{}; }
  Task<void> on_stream(std::shared_ptr<FrameStream> stream) override {
    return serve_stream(env_.loop, env_.log, std::move(stream), service);
  }
  FakeService service;

 private:
  Env& env_;
  std::unique_ptr<Listener> listener_;
};

struct Pair {
  Pair() : server_process(world.process("server")), client(world.process("client")) { start(); }
  ~Pair() {
    channel.reset();
    server.reset();
  }
  void start() {
    server_process.start([this](Env& env) {
      server = std::make_shared<FakeServer>(env);
      return server;
    });
  }
  void kill() {
    server.reset();
    server_process.kill();
  }
  void connect(RingNumber ring = 1) {
    channel = std::make_unique<Channel>(client.loop(), client.env().network, kServer, [ring] {
      HelloRequest hello;
      hello.ring = ring;
      return hello;
    });
  }
  Task<Result<Answer<ReadRequest>>> read(BlockIndex block, Duration patience = 10s) {
    ReadRequest request;
    request.parts.push_back({ReadMode::Data, {block, 3, 1}});
    return channel->call(std::move(request), std::vector<Buffer>(), world.now() + patience);
  }
  bool until_up() {
    return world.run_until([&] { return channel->is_up(); }, 10s);
  }

  sim::SimWorld world;
  sim::SimProcess& server_process;
  sim::SimProcess& client;
  std::shared_ptr<FakeServer> server;
  std::unique_ptr<Channel> channel;
};

}  // namespace

TEST_CASE("many calls are in flight and answered in any order", "[channel]") {
  Pair pair;
  pair.connect();
  CHECK(sim::run(pair.world, pair.read(1)).code() == ErrorCode::Unavailable);
  REQUIRE(pair.until_up());
  CHECK(pair.channel->peer().term == 4);
  std::vector<std::optional<Result<Answer<ReadRequest>>>> answers(20);
  Scope scope;
  for (std::size_t i = 0; i < answers.size(); ++i)
    scope.spawn(sim::detail::keep_result(pair.read(100 - i), &answers[i]));
  REQUIRE(pair.world.run_until([&] { return answers.back().has_value(); }));
  CHECK_FALSE(answers.front().has_value());
  REQUIRE(pair.world.run_until([&] { return answers.front().has_value(); }));
  for (std::size_t i = 0; i < answers.size(); ++i) {
    REQUIRE(answers[i]->ok());
    CHECK(text_of((*answers[i])->data) == "first " + std::to_string(100 - i));
  }
}

TEST_CASE("a refusal comes with its code and sentence", "[channel]") {
  Pair pair;
  pair.connect();
  REQUIRE(pair.until_up());
  auto answer = sim::run(pair.world, pair.channel->call(SyncRequest(), std::vector<Buffer>(), pair.world.now() + 1s));
  CHECK(answer.code() == ErrorCode::Unavailable);
  CHECK(answer.error().message == "not now, client");
}

TEST_CASE("calls in flight end when the server dies, and the channel comes back with it", "[channel]") {
  Pair pair;
  pair.connect();
  REQUIRE(pair.until_up());
  std::optional<Result<Answer<ReadRequest>>> answer;
  Scope scope;
  scope.spawn(sim::detail::keep_result(pair.read(5000), &answer));
  pair.world.run_for(100ms);
  pair.kill();
  REQUIRE(pair.world.run_until([&] { return answer.has_value(); }, 1s));
  CHECK(answer->code() == ErrorCode::OutcomeUnknown);
  CHECK_FALSE(pair.channel->is_up());
  const Time down_since = pair.channel->since();
  pair.world.run_for(5s);
  CHECK(pair.channel->since() == down_since);
  CHECK(pair.channel->last_error().has_value());
  CHECK(sim::run(pair.world, pair.read(1)).code() == ErrorCode::Unavailable);
  pair.start();
  REQUIRE(pair.world.run_until([&] { return pair.channel->is_up(); }, timing::kRetryBackoffMax + 100ms));
  CHECK(sim::run(pair.world, pair.read(1)).ok());
}

TEST_CASE("a silent server is down after two seconds", "[channel]") {
  Pair pair;
  pair.connect();
  REQUIRE(pair.until_up());
  pair.world.network().block_both_ways(pair.server_process.id(), pair.client.id());
  pair.world.run_for(1s);
  CHECK(pair.channel->is_up());
  REQUIRE(pair.world.run_until([&] { return !pair.channel->is_up(); }, timing::kPeerSilentMax + timing::kPingEvery));
  pair.world.network().heal_all();
  REQUIRE(pair.until_up());
}

TEST_CASE("a call ends at its deadline, and its late answer harms nobody", "[channel]") {
  Pair pair;
  pair.connect();
  REQUIRE(pair.until_up());
  CHECK(sim::run(pair.world, pair.read(500, 100ms)).code() == ErrorCode::OutcomeUnknown);
  pair.world.run_for(1s);
  CHECK(pair.channel->is_up());
  CHECK(sim::run(pair.world, pair.read(2)).ok());
}

TEST_CASE("a stranger is refused with a sentence and goes on trying slowly", "[channel]") {
  Pair pair;
  pair.connect(9);
  REQUIRE(pair.world.run_until([&] { return pair.channel->is_refused(); }, 5s));
  CHECK(pair.channel->last_error()->message == "another ring");
  pair.world.run_for(3s);
  CHECK_FALSE(pair.channel->is_up());
  CHECK(pair.server->service.reads == 0);
}

TEST_CASE("whoever breaks the protocol is cut off, and others are served on", "[channel]") {
  MessageHeader read_header;
  read_header.type = MessageType::Read;
  MessageHeader reply_header;
  reply_header.reply = true;
  MessageHeader hello_header;
  hello_header.type = MessageType::Hello;
  const std::vector<std::string> bad = {
      "",
      "x",
      std::string(100, '\xff'),
      pack(reply_header),
      pack(read_header) + pack(ReadRequest()),  // before hello
      pack(hello_header) + "cut short",
  };
  for (const std::string& header : bad) {
    Pair pair;
    pair.connect();
    REQUIRE(pair.until_up());
    auto stream = sim::run(pair.world, pair.client.env().network.connect(kServer, pair.world.now() + 1s));
    REQUIRE(stream.ok());
    Frame frame;
    frame.header = header;
    (*stream)->send(std::move(frame));
    Result<Frame> answer = sim::run(pair.world, (*stream)->receive());
    CHECK_FALSE(answer.ok());
    CHECK(pair.server->service.reads == 0);
    CHECK(sim::run(pair.world, pair.read(1)).ok());
  }
}

TEST_CASE("a request whose bytes were damaged on their way is refused before it is served", "[channel]") {
  Pair pair;
  pair.connect();
  REQUIRE(pair.until_up());
  auto stream = sim::run(pair.world, pair.client.env().network.connect(kServer, pair.world.now() + 1s));
  REQUIRE(stream.ok());
  MessageHeader hello_header;
  hello_header.type = MessageType::Hello;
  HelloRequest hello_request;
  hello_request.ring = 1;
  Frame hello;
  hello.header = pack(hello_header) + pack(hello_request);
  (*stream)->send(std::move(hello));
  REQUIRE(sim::run(pair.world, (*stream)->receive()).ok());
  for (const std::string sent : {"bytes", "bytez"}) {
    ReadRequest request;
    request.parts.push_back({ReadMode::Data, {1, 3, 1}});
    MessageHeader header;
    header.type = MessageType::Read;
    header.data_checksum = checksum64(bytes_of("bytes"));
    Frame frame;
    frame.header = pack(header) + pack(request);
    frame.data.push_back(Buffer::copy_of(bytes_of(sent)));
    (*stream)->send(std::move(frame));
    Result<Frame> answer = sim::run(pair.world, (*stream)->receive());
    REQUIRE(answer.ok());
    MessageHeader reply;
    Unpacker unpacker(answer->header);
    unpacker.get(reply);
    CHECK((reply.code == ErrorCode::Corruption) == (sent != "bytes"));
    CHECK(pair.server->service.reads == 1);
  }
}

TEST_CASE("a connection that does not even ping is dropped", "[channel]") {
  Pair pair;
  auto stream = sim::run(pair.world, pair.client.env().network.connect(kServer, pair.world.now() + 1s));
  REQUIRE(stream.ok());
  const Time connected = pair.world.now();
  CHECK_FALSE(sim::run(pair.world, (*stream)->receive()).ok());
  CHECK(pair.world.now() - connected >= timing::kConnectionIdleMax);
}

}  // namespace mendfs::protocol
