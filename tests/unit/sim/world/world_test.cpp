#include "tests/sim/world/world.h"

#include <catch2/catch.hpp>

#include "env/future.h"

namespace mendfs::sim {
namespace {

class Echo : public ConnectionHandler {
 public:
  explicit Echo(Env& env) : env_(env) {
    auto listener = env.network.listen({"127.0.0.1", 2222}, *this);
    REQUIRE(listener.ok());
    listener_ = std::move(*listener);
  }
  Task<HttpReply> on_request(HttpRequest request) override {
    ++requests;
    co_await sleep_for(env_.loop, 1ms);
    HttpReply reply;
    reply.body = "echo " + request.body;
    co_return reply;
  }
  Task<void> on_stream(std::shared_ptr<FrameStream> stream) override {
    for (;;) {
      Result<Frame> frame = co_await stream->receive();
      if (!frame.ok()) co_return;
      stream->send(std::move(*frame));
    }
  }
  int requests = 0;

 private:
  Env& env_;
  std::unique_ptr<Listener> listener_;
};

const Address kServer{"127.0.0.1", 2222};

SimProcess::ProgramBuilder echo_server() {
  return [](Env& env) { return std::make_shared<Echo>(env); };
}

Task<Result<std::string>> ask(Env& env, std::string body) {
  return env.network.post(kServer, "/", std::move(body), env.loop.now() + 5s);
}

Task<std::string> echo_frames(Env& env, int count) {
  Result<std::shared_ptr<FrameStream>> stream = co_await env.network.connect(kServer, env.loop.now() + 1s);
  if (!stream.ok()) co_return "no stream";
  for (int i = 0; i < count; ++i) {
    Frame frame{std::to_string(i), {Buffer::copy_of(bytes_of("a")), Buffer::copy_of(bytes_of("b"))}};
    (*stream)->send(std::move(frame));
  }
  std::string all;
  for (int i = 0; i < count; ++i) {
    Result<Frame> frame = co_await (*stream)->receive();
    if (!frame.ok()) co_return all + "!" + std::string(to_string(frame.code()));
    all += frame->header + ":" + std::string(text_of(frame->data.at(0))) + " ";
  }
  co_return all;
}

}  // namespace

TEST_CASE("time jumps from event to event", "[world]") {
  SimWorld world;
  SimProcess& p = world.process("p");
  run(world, sleep_for(p.loop(), 3600s), 4000s);
  CHECK(world.now() == 3600s);
  world.run_for(5s);
  CHECK(world.now() == 3605s);
}

TEST_CASE("a request is answered, and one to nobody is Unavailable", "[world]") {
  SimWorld world;
  SimProcess& client = world.process("client");
  CHECK(run(world, ask(client.env(), "x")).code() == ErrorCode::Unavailable);
  world.process("server").start(echo_server());
  const Result<std::string> answer = run(world, ask(client.env(), "x"));
  REQUIRE(answer.ok());
  CHECK(*answer == "echo x");
}

TEST_CASE("frames keep their order and arrive as one piece", "[world]") {
  SimWorld world;
  world.process("server").start(echo_server());
  CHECK(run(world, echo_frames(world.process("client").env(), 4)) == "0:ab 1:ab 2:ab 3:ab ");
}

TEST_CASE("a killed server leaves the outcome of a request unknown and ends its streams", "[world]") {
  SimWorld world;
  SimProcess& server = world.process("server");
  server.start(echo_server());
  int deliveries = 0;
  world.network().set_delivery_hook([&](ProcessId, ProcessId) { deliveries++; });
  world.after(900us, [&] { server.kill(); });
  CHECK(run(world, ask(world.process("client").env(), "x")).code() == ErrorCode::OutcomeUnknown);
  CHECK(deliveries > 0);

  server.start(echo_server());
  world.after(800us, [&] { server.kill(); });
  CHECK(run(world, echo_frames(world.process("client").env(), 1000)).find("!Unavailable") != std::string::npos);
}

TEST_CASE("a killed process runs nothing any more, and a restarted one begins anew", "[world]") {
  SimWorld world;
  SimProcess& p = world.process("p");
  int ran = 0;
  p.loop().call_at(10ms, [&] { ran++; });
  p.kill();
  p.loop().post([&] { ran++; });
  world.run_for(1s);
  CHECK(ran == 0);
  p.start();
  p.loop().post([&] { ran++; });
  world.run_for(1s);
  CHECK(ran == 1);
}

TEST_CASE("a paused process answers when it goes on", "[world]") {
  SimWorld world;
  SimProcess& server = world.process("server");
  server.start(echo_server());
  server.loop().set_paused(true);
  world.after(3s, [&] { server.loop().set_paused(false); });
  CHECK(run(world, ask(world.process("client").env(), "x")).ok());
  CHECK(world.now() > 3s);
}

TEST_CASE("a partition holds back frames until it heals", "[world]") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SimWorld world(seed);
    SimProcess& server = world.process("server");
    SimProcess& client = world.process("client");
    server.start(echo_server());
    world.after(1ms, [&] { world.network().block(client.id(), server.id()); });
    world.after(2s, [&] { world.network().heal_all(); });
    const Result<std::string> answer = run(world, ask(client.env(), "x"));
    CHECK((answer.ok() || answer.code() == ErrorCode::OutcomeUnknown || answer.code() == ErrorCode::Unavailable));
    world.run_for(3s);
    CHECK(run(world, ask(client.env(), "y")).ok());
  }
}

TEST_CASE("one seed always gives one trace, another seed another", "[world]") {
  const auto trace_of = [](std::uint64_t seed) {
    SimWorld world(seed);
    world.network().faults().lost_per_million = 100'000;
    world.process("server").start(echo_server());
    for (int i = 0; i < 20; ++i) (void)run(world, ask(world.process("client").env(), std::to_string(i)));
    (void)run(world, echo_frames(world.process("client").env(), 10));
    return world.trace();
  };
  CHECK(trace_of(7) == trace_of(7));
  CHECK(trace_of(7) != trace_of(8));
}

}  // namespace mendfs::sim
