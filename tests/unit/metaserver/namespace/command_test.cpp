#include "metaserver/namespace/command.h"

#include "tests/unit/metaserver/namespace/namespace_fixture.h"

namespace mendfs::metaserver {
namespace {

/// One of each alternative, with something in every field that has room for it.
std::vector<Command> one_of_each() {
  std::vector<Command::Body> bodies = {StartEpoch{},
                                       NamespaceFixture::cluster_of(3),
                                       GrantTerm{1, {2, 3}},
                                       ConfirmTerm{1, 9},
                                       ConfirmGeneration{1, {4, 5}},
                                       DeclareLost{{0, 2}},
                                       OpenSession{{1, 2}, "client"},
                                       CloseSession{{1, 2}},
                                       LapseSession{{1, 2}},
                                       AcknowledgeCuts{5, 6},
                                       DeleteInode{5},
                                       ForgetInode{5},
                                       RecoverSize{5, 1, 2, 3},
                                       NamespaceFixture::make_request(1, "name", S_IFREG),
                                       NamespaceFixture::remove_request(1, "name", true),
                                       NamespaceFixture::link_request(5, 1, "name"),
                                       NamespaceFixture::rename_request(1, "a", 2, "b"),
                                       NamespaceFixture::set_size(5, 100),
                                       NamespaceFixture::open_for_write(5),
                                       NamespaceFixture::settle_size(5, 1, 100),
                                       protocol::SetXattrRequest{{}, 5, "user.a", "value", true, false},
                                       protocol::RemoveXattrRequest{{}, 5, "user.a"},
                                       protocol::AbandonRequest{{}, 5, 100},
                                       protocol::UnmarkRequest{{}, {5, 6}}};
  REQUIRE(bodies.size() == std::variant_size_v<Command::Body>);
  std::vector<Command> commands;
  for (Command::Body& body : bodies) {
    REQUIRE(body.index() == commands.size());
    commands.push_back({-5, 7, std::move(body)});
  }
  return commands;
}

TEST_CASE("commands come back from their encoding as they were", "[namespace]") {
  for (const Command& command : one_of_each()) {
    const Result<Command> decoded = decode_command(encode(command));
    REQUIRE(decoded.ok());
    CHECK(decoded->body.index() == command.body.index());
    CHECK(decoded->time == -5);
    CHECK(decoded->epoch == 7);
    CHECK(encode(*decoded) == encode(command));
  }
}

TEST_CASE("the encoding of a command is what the disk format says", "[namespace]") {
  Command command;
  command.time = 0x0102;
  command.epoch = 3;
  command.body = ForgetInode{0x0405};
  const char expected[] =
      "\x01\x0b"
      "\x02\x01\0\0\0\0\0\0"
      "\x03\0\0\0\0\0\0\0"
      "\x05\x04\0\0\0\0\0\0";
  CHECK(encode(command) == std::string(expected, sizeof expected - 1));
}

TEST_CASE("what is cut short, too long, or of another version is malformed", "[namespace]") {
  for (const Command& command : one_of_each()) {
    const std::string bytes = encode(command);
    for (std::size_t size = 0; size < bytes.size(); ++size)
      CHECK(decode_command(bytes.substr(0, size)).code() == ErrorCode::Malformed);
    CHECK(decode_command(bytes + '\0').code() == ErrorCode::Malformed);
    std::string other = bytes;
    other[0] = 2;
    CHECK(decode_command(other).code() == ErrorCode::Malformed);
    other = bytes;
    other[1] = static_cast<char>(std::variant_size_v<Command::Body>);
    CHECK(decode_command(other).code() == ErrorCode::Malformed);
  }
}

TEST_CASE("only what clients ask has a call", "[namespace]") {
  for (const Command& command : one_of_each()) CHECK((call_of(command) != nullptr) == (command.body.index() >= 13));
}

}  // namespace
}  // namespace mendfs::metaserver
