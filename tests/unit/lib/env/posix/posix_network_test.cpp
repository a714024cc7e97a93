#include "env/posix/posix_network.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <functional>
#include <thread>

#include "env/frame_format.h"
#include "env/posix/file_descriptor.h"
#include "tests/unit/lib/env/posix/real_world.h"

namespace mendfs {
namespace {

using namespace std::chrono_literals;

/// Answers requests with their own body, and frames with themselves.
class EchoServer final : public ConnectionHandler {
 public:
  explicit EchoServer(Loop& loop) : ended(loop), loop_(loop) {}

  Task<HttpReply> on_request(HttpRequest request) override {
    ++request_count;
    if (request.target == "/never") co_await sleep_for(loop_, 1h);
    HttpReply reply;
    if (request.target == "/busy") reply.status = 503;
    if (request.target == "/missing") reply.status = 404;
    reply.body = std::move(request.body);
    co_return reply;
  }

  Task<void> on_stream(std::shared_ptr<FrameStream> stream) override {
    ++stream_count;
    while (true) {
      Result<Frame> frame = co_await stream->receive();
      if (!frame.ok()) {
        last_error = frame.error();
        break;
      }
      const bool is_last = frame->header == "last";
      stream->send(std::move(*frame));
      if (is_last) break;  // the stream closes, but what was sent arrives
    }
    --stream_count;
    ended.notify_all();
  }

  int request_count = 0;
  int stream_count = 0;
  Error last_error;
  Signal ended;  // a stream has

 private:
  Loop& loop_;
};

std::unique_ptr<Listener> must_listen(Network& network, ConnectionHandler& handler, std::uint16_t port = 0) {
  Result<std::unique_ptr<Listener>> listener = network.listen({"127.0.0.1", port}, handler);
  REQUIRE(listener.ok());
  return std::move(*listener);
}

struct NetworkFixture {
  PosixLoop loop;
  std::unique_ptr<Logger> log = quiet_log();
  PosixNetwork network{loop, *log};
  EchoServer server{loop};
  std::unique_ptr<Listener> listener = must_listen(network, server);

  Address address() const { return listener->address(); }
  Time soon() const { return loop.now() + 5s; }

  Result<std::string> post(const std::string& target, std::string body, Duration patience = 5s) {
    return run_to_end(loop, network.post(address(), target, std::move(body), loop.now() + patience));
  }
  std::shared_ptr<FrameStream> connect() {
    Result<std::shared_ptr<FrameStream>> stream = run_to_end(loop, network.connect(address(), soon()));
    REQUIRE(stream.ok());
    return std::move(*stream);
  }
  Result<Frame> receive(FrameStream& stream) { return run_to_end(loop, stream.receive()); }
};

Frame make_frame(std::string header, std::size_t data_size, std::size_t piece_count = 1) {
  Frame frame;
  frame.header = std::move(header);
  Buffer data = Buffer::allocate(data_size);
  for (std::size_t i = 0; i < data_size; ++i) data.writable()[i] = static_cast<std::byte>(i * 7 + i / 251);
  const std::size_t piece_size = data_size / piece_count;
  for (std::size_t i = 0; i + 1 < piece_count; ++i) frame.data.push_back(data.slice(i * piece_size, piece_size));
  const std::size_t last = (piece_count - 1) * piece_size;
  frame.data.push_back(data.slice(last, data_size - last));
  return frame;
}

std::string text_of_data(const Frame& frame) {
  std::string text;
  for (const Buffer& piece : frame.data) text += text_of(piece);
  return text;
}

/// A peer of bare bytes, on a thread of its own: sends `bytes`, then reads until the other side closes.
Task<std::string> talk_raw(Loop* loop, std::uint16_t port, std::string bytes, bool half_close) {
  auto pair = make_promise<std::string>(*loop);
  std::thread peer([loop, port, half_close, bytes, promise = pair.first] {
    const FileDescriptor socket(::socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    std::string received;
    if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
      (void)::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (half_close) ::shutdown(socket.get(), SHUT_WR);
      char chunk[4096];
      ssize_t size = 0;
      while ((size = ::recv(socket.get(), chunk, sizeof chunk, 0)) > 0) received.append(chunk, size);
    }
    loop->post_from_thread([promise, received] { promise.set(received); });
  });
  peer.detach();
  co_return co_await pair.second;
}

Task<Unit> wait_for(Future<Unit> future) { co_return co_await future; }

const std::string kUpgrade =
    "GET /frames HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: mendfs\r\n\r\n";

TEST_CASE_METHOD(NetworkFixture, "a posted body comes back, over one kept connection", "[posix]") {
  CHECK(post("/RPC2", "hello").value() == "hello");
  CHECK(post("/RPC2", "").value().empty());
  CHECK(post("/RPC2", std::string(3 << 20, 'x')).value().size() == 3 << 20);
  CHECK(server.request_count == 3);
}

TEST_CASE_METHOD(NetworkFixture, "many requests are in flight at once", "[posix]") {
  std::vector<Task<Result<std::string>>> posts;
  for (int i = 0; i < 100; ++i) posts.push_back(network.post(address(), "/", std::to_string(i), soon()));
  const auto answers = run_to_end(loop, all_of(loop, std::move(posts)));
  for (int i = 0; i < 100; ++i) CHECK(answers[i].value() == std::to_string(i));
}

TEST_CASE_METHOD(NetworkFixture, "more requests at once than connections that a server takes are all answered",
                 "[posix]") {
  std::vector<Task<Result<std::string>>> posts;
  for (int i = 0; i < 3000; ++i) posts.push_back(network.post(address(), "/", std::to_string(i), loop.now() + 60s));
  const auto answers = run_to_end(loop, all_of(loop, std::move(posts)));
  for (int i = 0; i < 3000; ++i) REQUIRE(answers[i].value() == std::to_string(i));
}

TEST_CASE_METHOD(NetworkFixture, "a request that finds no place by its deadline was not sent", "[posix]") {
  std::vector<Task<Result<std::string>>> posts;
  // All places are taken until long after the deadline of the last ones.
  for (int i = 0; i < 300; ++i)
    posts.push_back(network.post(address(), "/never", "", loop.now() + (i < 290 ? 500ms : 50ms)));
  const auto answers = run_to_end(loop, all_of(loop, std::move(posts)));
  CHECK(answers.front().code() == ErrorCode::OutcomeUnknown);
  CHECK(answers.back().code() == ErrorCode::Unavailable);
  CHECK(post("/", "there is room again").ok());
}

TEST_CASE_METHOD(NetworkFixture, "a body beyond the limit is refused, and the server goes on", "[posix]") {
  const std::string head = "POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: 8388609\r\n\r\n";
  const std::string reply = run_to_end(loop, talk_raw(&loop, address().port, head, false));
  CHECK(reply.substr(0, 12) == "HTTP/1.1 413");
  CHECK(server.request_count == 0);
  CHECK(post("/RPC2", std::string(kHttpBodySizeMax, 'x')).value().size() == kHttpBodySizeMax);
}

TEST_CASE_METHOD(NetworkFixture, "what is not HTTP is answered or closed, and harms nobody", "[posix]") {
  for (const std::string& bytes :
       {std::string("\0\1\2\3garbage\r\n\r\n", 15), std::string("POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n"),
        "GET / HTTP/1.1\r\nX: " + std::string(20'000, 'y') + "\r\n\r\n",
        std::string("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nshort")}) {
    const std::string reply = run_to_end(loop, talk_raw(&loop, address().port, bytes, true));
    CHECK((reply.empty() || reply.substr(0, 10) == "HTTP/1.1 4"));
  }
  CHECK(server.request_count == 0);
  CHECK(post("/", "still here").value() == "still here");
}

TEST_CASE_METHOD(NetworkFixture, "a peer that closes its sending half still gets its reply", "[posix]") {
  const std::string request = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi";
  const std::string reply = run_to_end(loop, talk_raw(&loop, address().port, request, true));
  CHECK(reply.substr(0, 15) == "HTTP/1.1 200 OK");
  CHECK(reply.substr(reply.size() - 2) == "hi");
}

TEST_CASE_METHOD(NetworkFixture, "HEAD is answered without a body", "[posix]") {
  const std::string request = "HEAD / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi";
  const std::string reply = run_to_end(loop, talk_raw(&loop, address().port, request, true));
  CHECK(reply.find("Content-Length: 2\r\n") != std::string::npos);
  CHECK(reply.substr(reply.size() - 4) == "\r\n\r\n");
}

TEST_CASE_METHOD(NetworkFixture, "statuses other than 200 are errors that say what to do", "[posix]") {
  CHECK(post("/busy", "not ready").code() == ErrorCode::Unavailable);
  CHECK(post("/missing", "").code() == ErrorCode::Malformed);
}

TEST_CASE_METHOD(NetworkFixture, "a request without an answer by its deadline has an unknown outcome", "[posix]") {
  CHECK(post("/never", "x", 20ms).code() == ErrorCode::OutcomeUnknown);
}

TEST_CASE_METHOD(NetworkFixture, "where nobody listens is Unavailable, and a restarted server is found", "[posix]") {
  CHECK(post("/", "1").ok());  // leaves a kept connection
  const std::uint16_t port = address().port;
  const Address gone = address();
  const std::shared_ptr<FrameStream> stream = connect();
  listener.reset();
  // The kept connection ended before this one, so the loop knows of both.
  CHECK(receive(*stream).code() == ErrorCode::Unavailable);
  CHECK(run_to_end(loop, network.post(gone, "/", "2", soon())).code() == ErrorCode::Unavailable);
  CHECK(run_to_end(loop, network.connect(gone, soon())).code() == ErrorCode::Unavailable);
  listener = must_listen(network, server, port);
  CHECK(post("/", "3").value() == "3");
  CHECK(server.request_count == 2);
}

TEST_CASE_METHOD(NetworkFixture, "host names are resolved, and unknown ones are Unavailable", "[posix]") {
  addrinfo* known = nullptr;
  if (::getaddrinfo("localhost", nullptr, nullptr, &known) == 0) {
    ::freeaddrinfo(known);
    const Address by_name{"localhost", address().port};
    const Result<std::string> answer = run_to_end(loop, network.post(by_name, "/", "x", soon()));
    CHECK((answer.ok() && *answer == "x"));
  } else {
    WARN("this machine does not know localhost: see /etc/hosts");
  }
  const Address unknown{"no-such-host.invalid", 1};
  CHECK(run_to_end(loop, network.post(unknown, "/", "x", soon())).code() == ErrorCode::Unavailable);
}

TEST_CASE_METHOD(NetworkFixture, "a taken port is Busy, with a sentence", "[posix]") {
  const auto second = network.listen(address(), server);
  REQUIRE(second.code() == ErrorCode::Busy);
  CHECK(second.error().message ==
        "port " + std::to_string(address().port) + " is in use: stop what listens there or choose another port");
}

TEST_CASE_METHOD(NetworkFixture, "frames of all sizes come back whole and in order", "[posix]") {
  const std::shared_ptr<FrameStream> stream = connect();
  struct Case {
    std::size_t header_size;
    std::size_t data_size;
    std::size_t piece_count;
  };
  const std::vector<Case> cases{{0, 0, 1},        {1, 0, 1},           {10, 512, 1},     {100'000, 1 << 20, 2048},
                                {20, 40'000, 99}, {3, 16'384 - 27, 1}, {3 << 20, 1, 1},  {7, kFrameDataSizeMax, 3},
                                {16'000, 0, 1},   {5, 5, 5},           {65'536, 100, 10}};
  for (const Case& c : cases) stream->send(make_frame(std::string(c.header_size, 'h'), c.data_size, c.piece_count));
  CHECK(stream->unsent_size() > kFrameDataSizeMax);
  for (const Case& c : cases) {
    CAPTURE(c.header_size, c.data_size);
    const Result<Frame> frame = receive(*stream);
    REQUIRE(frame.ok());
    CHECK(frame->header.size() == c.header_size);
    REQUIRE(frame->data.size() == (c.data_size > 0 ? 1 : 0));
    const bool is_same = text_of_data(*frame) == text_of_data(make_frame("", c.data_size));
    CHECK(is_same);
  }
  CHECK(stream->unsent_size() == 0);
}

TEST_CASE_METHOD(NetworkFixture, "thousands of small frames travel together", "[posix]") {
  const std::shared_ptr<FrameStream> stream = connect();
  for (int i = 0; i < 5000; ++i) stream->send(make_frame(std::to_string(i), 10));
  for (int i = 0; i < 5000; ++i) {
    const Result<Frame> frame = receive(*stream);
    REQUIRE(frame.ok());
    REQUIRE(frame->header == std::to_string(i));
  }
}

TEST_CASE_METHOD(NetworkFixture, "closing a stream ends it on both sides, and the last word arrives", "[posix]") {
  SECTION("by the client") {
    std::shared_ptr<FrameStream> stream = connect();
    stream->close();
    CHECK(stream->closed());
    CHECK(receive(*stream).code() == ErrorCode::Unavailable);
    run_to_end(loop, wait_for(server.ended.next()));
    CHECK(server.last_error.code == ErrorCode::Unavailable);
  }
  SECTION("by the server") {
    const std::shared_ptr<FrameStream> stream = connect();
    stream->send(make_frame("last", 5 << 20));
    CHECK(receive(*stream).value().data_size() == 5 << 20);
    CHECK(receive(*stream).code() == ErrorCode::Unavailable);
    CHECK(server.stream_count == 0);
  }
  SECTION("by destroying the listener") {
    const std::shared_ptr<FrameStream> stream = connect();
    listener.reset();
    CHECK(receive(*stream).code() == ErrorCode::Unavailable);
  }
}

TEST_CASE_METHOD(NetworkFixture, "bytes behind an upgrade that are no frame close the connection", "[posix]") {
  const std::string header = "header";
  std::string damaged(text_of(encode_frame_prefix(bytes_of(header), 0)));
  damaged += "hEader";
  std::string huge(text_of(encode_frame_prefix(bytes_of(header), 0)));
  huge[7] = '\x7f';  // a header of 2 GiB
  for (const std::string& bytes : {std::string(100, 'g'), damaged, huge}) {
    const std::string reply = run_to_end(loop, talk_raw(&loop, address().port, kUpgrade + bytes, false));
    CHECK(reply.substr(0, 12) == "HTTP/1.1 101");
    CHECK(reply.substr(reply.size() - 4) == "\r\n\r\n");  // and nothing after it
    CHECK(server.last_error.code == ErrorCode::Malformed);
    server.last_error = {};
  }
}

TEST_CASE_METHOD(NetworkFixture, "frames that come together with the upgrade are not lost", "[posix]") {
  const std::string header = "last";
  const std::string frame(text_of(encode_frame_prefix(bytes_of(header), 0)));
  const std::string reply = run_to_end(loop, talk_raw(&loop, address().port, kUpgrade + frame + header, false));
  CHECK(reply.substr(reply.size() - frame.size() - header.size()) == frame + header);
}

TEST_CASE_METHOD(NetworkFixture, "a frame cut short by the end of the connection is Unavailable", "[posix]") {
  const std::string header = "0123456789";
  const std::string frame(text_of(encode_frame_prefix(bytes_of(header), 1000)));
  (void)run_to_end(loop, talk_raw(&loop, address().port, kUpgrade + frame + header + "data", true));
  CHECK(server.last_error.code == ErrorCode::Unavailable);
}

TEST_CASE("a server that takes the connection and says nothing is Unavailable at the deadline", "[posix]") {
  PosixLoop loop;
  const std::unique_ptr<Logger> log = quiet_log();
  PosixNetwork network(loop, *log);
  const FileDescriptor socket(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  REQUIRE(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(::listen(socket.get(), 5) == 0);
  REQUIRE(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  const Address server{"127.0.0.1", ntohs(address.sin_port)};
  CHECK(run_to_end(loop, network.connect(server, loop.now() + 20ms)).code() == ErrorCode::Unavailable);
}

}  // namespace
}  // namespace mendfs
