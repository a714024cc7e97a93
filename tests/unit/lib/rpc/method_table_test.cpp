#include "rpc/method_table.h"

#include <catch2/catch.hpp>

#include "rpc/arguments.h"
#include "rpc/client.h"
#include "rpc/xml.h"
#include "tests/sim/world/world.h"

namespace mendfs::rpc {
namespace {

using namespace std::chrono_literals;

Task<Result<Value>> add_one(std::vector<Value> parameters) {
  MENDFS_CO_TRY(const std::uint64_t number, as_integer(parameters, 0, "number"));
  co_return Value(number + 1);
}

Task<std::string> reversed(std::string packed) { co_return std::string(packed.rbegin(), packed.rend()); }

class Server final : public ConnectionHandler {
 public:
  explicit Server(Env& env) {
    table_.add({"add_one", "i:i,s:s", "One more.", add_one});
    table_.add_packed("reverse", "Backwards.", reversed);
    listener_ = std::move(*env.network.listen({"server", 1}, *this));
  }
  Task<HttpReply> on_request(HttpRequest request) override {
    HttpReply reply;
    reply.body = co_await table_.answer(std::move(request.body));
    co_return reply;
  }
  Task<void> on_stream(std::shared_ptr<FrameStream>) override { co_return; }

 private:
  MethodTable table_;
  std::unique_ptr<Listener> listener_;
};

struct TableFixture {
  sim::SimWorld world;
  Env& env = world.process("client").env();

  TableFixture() {
    world.process("server").start([](Env& server_env) { return std::make_shared<Server>(server_env); });
  }
  Result<Value> ask(const std::string& method, std::vector<Value> parameters = {}) {
    return sim::run(world, call(env.network, {"server", 1}, method, std::move(parameters), env.loop.now() + 5s));
  }
};

TEST_CASE_METHOD(TableFixture, "a method is called with its parameters and answers", "[rpc]") {
  CHECK(ask("add_one", {Value(41)}).value() == Value(42));
  CHECK(ask("add_one", {Value("5000000000")}).value() == Value("5000000001"));
}

TEST_CASE_METHOD(TableFixture, "errors of handlers and unknown methods arrive as what they are", "[rpc]") {
  CHECK(ask("add_one", {Value("many")}).code() == ErrorCode::InvalidArgument);
  const Result<Value> unknown = ask("no.such");
  REQUIRE(unknown.code() == ErrorCode::NotFound);
  CHECK(unknown.error().message.find("'no.such'") != std::string::npos);
}

TEST_CASE_METHOD(TableFixture, "the table tells its methods, signatures and help", "[rpc]") {
  CHECK(ask("system.listMethods").value() ==
        Value(Array{Value("add_one"), Value("reverse"), Value("system.listMethods"), Value("system.methodHelp"),
                    Value("system.methodSignature")}));
  CHECK(ask("system.methodSignature", {Value("add_one")}).value() ==
        Value(Array{Value(Array{Value("int"), Value("int")}), Value(Array{Value("string"), Value("string")})}));
  CHECK(ask("system.methodHelp", {Value("reverse")}).value() == Value("Backwards."));
  CHECK(ask("system.methodHelp", {Value("no.such")}).code() == ErrorCode::NotFound);
  CHECK(ask("system.methodHelp").code() == ErrorCode::InvalidArgument);
}

TEST_CASE_METHOD(TableFixture, "packed methods take and give bytes, and nothing else", "[rpc]") {
  const Result<std::string> reply = sim::run(
      world, call_packed(env.network, {"server", 1}, "reverse", std::string("\0ab\xff", 4), env.loop.now() + 5s));
  CHECK(reply.value() == std::string("\xff"
                                     "ba\0",
                                     4));
  CHECK(ask("reverse", {Value("text")}).code() == ErrorCode::InvalidArgument);
  CHECK(ask("reverse").code() == ErrorCode::InvalidArgument);
  CHECK(sim::run(world, call_packed(env.network, {"server", 1}, "add_one", "1", env.loop.now() + 5s)).code() ==
        ErrorCode::InvalidArgument);
}

TEST_CASE_METHOD(TableFixture, "a body that is not XML is answered with a fault", "[rpc]") {
  const Result<std::string> reply =
      sim::run(world, env.network.post({"server", 1}, kTarget, "not xml", env.loop.now() + 5s));
  CHECK(parse_reply(reply.value()).code() == ErrorCode::Malformed);
}

}  // namespace
}  // namespace mendfs::rpc
