#include "env/posix/http_connection.h"

#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <string>
#include <thread>

#include "tests/unit/lib/env/posix/real_world.h"

namespace mendfs {
namespace {

using namespace std::chrono_literals;
namespace http = boost::beast::http;
using Parser = HttpRequestParser;

const std::string kRequest = "POST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello";

/// Our end of a connection, and the bare socket of the other end.
struct ConnectionFixture {
  ConnectionFixture() {
    Acceptor acceptor(loop.context().get_executor(), Tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
    peer.connect(acceptor.local_endpoint());
    connection = std::make_shared<HttpConnection>(loop, acceptor.accept());
    connection->start();
  }
  ~ConnectionFixture() { connection->close(); }

  void say(const std::string& text) {
    REQUIRE(::write(peer.native_handle(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  /// What has come so far, or "" at the end.
  std::string hear() {
    std::string text(1 << 20, '\0');
    const ssize_t size = ::read(peer.native_handle(), text.data(), text.size());
    text.resize(size < 0 ? 0 : size);
    return text;
  }
  HttpConnection::error_code receive(Parser& parser, std::optional<Time> deadline = std::nullopt) {
    return run_to_end(loop, connection->receive(&parser, deadline));
  }

  PosixLoop loop;
  Socket peer{loop.context().get_executor()};
  std::shared_ptr<HttpConnection> connection;
};

TEST_CASE_METHOD(ConnectionFixture, "messages are found in whatever pieces they come", "[posix]") {
  say(kRequest.substr(0, 10));
  Parser first;
  CHECK(receive(first, loop.now() + 1ms) == boost::asio::error::timed_out);
  say(kRequest.substr(10) + kRequest + kRequest.substr(0, 40));
  CHECK_FALSE(receive(first));
  CHECK(first.get().body() == "hello");
  CHECK_FALSE(connection->is_quiet());
  Parser second;
  CHECK_FALSE(receive(second));
  Parser third;
  say(kRequest.substr(40));
  CHECK_FALSE(receive(third));
  CHECK(third.get().body() == "hello");
  CHECK(connection->is_quiet());
}

TEST_CASE_METHOD(ConnectionFixture, "the end of the connection is told apart from an end amid a message", "[posix]") {
  SECTION("between messages") {
    ::shutdown(peer.native_handle(), SHUT_WR);
    Parser parser;
    CHECK(receive(parser) == http::error::end_of_stream);
    CHECK_FALSE(connection->is_quiet());
  }
  SECTION("amid one") {
    say(kRequest.substr(0, kRequest.size() - 1));
    ::shutdown(peer.native_handle(), SHUT_WR);
    Parser parser;
    CHECK(receive(parser) == http::error::partial_message);
  }
}

TEST_CASE_METHOD(ConnectionFixture, "what the kernel does not take at once is sent later", "[posix]") {
  struct Sender {
    static Task<HttpConnection::Sent> run(HttpConnection* connection, std::string text) {
      co_return co_await connection->send(text, std::nullopt);
    }
  };
  const std::string text(32 << 20, 'x');
  std::optional<HttpConnection::Sent> sent;
  std::size_t heard = 0;
  std::thread reader([&] {
    while (heard < text.size()) heard += hear().size();
  });
  sent = run_to_end(loop, Sender::run(connection.get(), text));
  reader.join();
  CHECK_FALSE(sent->error);
  CHECK(sent->size == text.size());
}

TEST_CASE_METHOD(ConnectionFixture, "a wait beyond the limit closes the connection, time between waits does not count",
                 "[posix]") {
  struct Pause {
    static Task<Unit> run(Loop* loop) {
      co_await sleep_for(*loop, 60ms);
      co_return Unit{};
    }
  };
  connection->limit_waits(20ms);
  (void)run_to_end(loop, Pause::run(&loop));
  say(kRequest);
  Parser parser;
  CHECK_FALSE(receive(parser));
  const Time begin = loop.now();
  Parser never;
  CHECK(receive(never) == boost::asio::error::operation_aborted);
  CHECK(loop.now() - begin >= 20ms);
  CHECK(hear().empty());
}

TEST_CASE_METHOD(ConnectionFixture, "another protocol gets the socket and what came after the last message",
                 "[posix]") {
  say(kRequest + "rest");
  Parser parser;
  CHECK_FALSE(receive(parser));
  HttpConnection::Released released = run_to_end(loop, connection->release());
  CHECK(released.received == "rest");
  say("more");
  std::string more(4, '\0');
  CHECK(released.socket.read_some(boost::asio::buffer(more)) == 4);
  CHECK(more == "more");
}

TEST_CASE_METHOD(ConnectionFixture, "another protocol hears of an end that was seen before", "[posix]") {
  struct Reader {
    static Task<HttpConnection::error_code> run(PosixLoop* loop, Socket* socket) {
      auto pair = make_promise<HttpConnection::error_code>(*loop);
      char byte = 0;
      socket->async_read_some(boost::asio::buffer(&byte, 1),
                              [promise = pair.first](const auto& error, std::size_t) { promise.set(error); });
      co_return co_await pair.second;
    }
  };
  say(kRequest);
  ::shutdown(peer.native_handle(), SHUT_WR);
  Parser parser;
  CHECK_FALSE(receive(parser));
  Parser end;
  CHECK(receive(end) == http::error::end_of_stream);
  HttpConnection::Released released = run_to_end(loop, connection->release());
  CHECK(run_to_end(loop, Reader::run(&loop, &released.socket)) == boost::asio::error::eof);
}

}  // namespace
}  // namespace mendfs
