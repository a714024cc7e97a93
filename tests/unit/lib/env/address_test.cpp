#include <catch2/catch.hpp>

#include "env/network.h"

namespace mendfs {

TEST_CASE("addresses are a port, host:port or [v6]:port", "[address]") {
  struct Case {
    const char* text;
    const char* host;
    std::uint16_t port;
  };
  for (const Case& c : {Case{"2222", "127.0.0.1", 2222}, Case{"127.0.0.1:1", "127.0.0.1", 1},
                        Case{"node-3.local:65535", "node-3.local", 65535}, Case{"[::1]:80", "::1", 80}}) {
    INFO(c.text);
    const Result<Address> address = parse_address(c.text);
    REQUIRE(address.ok());
    CHECK(address->host == c.host);
    CHECK(address->port == c.port);
    CHECK(*parse_address(to_string(*address)) == *address);
  }
}

TEST_CASE("what is no address is refused with a sentence", "[address]") {
  for (const char* text : {"", "0", "65536", "-1", "x", "host:", ":80", "host:80x", " 80", "host:0x10"}) {
    INFO(text);
    const Result<Address> address = parse_address(text);
    CHECK(address.code() == ErrorCode::InvalidArgument);
  }
}

}  // namespace mendfs
