#include "metaserver/membership/ring_creation.h"

#include <catch2/catch.hpp>

namespace mendfs::metaserver {
namespace {

Candidate candidate(const std::string& address, Slot index, std::uint32_t slot_count) {
  protocol::NodeIdentity identity;
  identity.index = index;
  identity.slot_count = slot_count;
  identity.blank = true;
  return {.address = address, .identity = identity, .refusal = std::nullopt};
}

std::vector<Candidate> fitting() {
  return {candidate("127.0.0.1:2222", 0, 3), candidate("127.0.0.1:3333", 1, 3), candidate("host:4444", 2, 3)};
}

bool says(const Result<void>& result, const std::string& part) {
  return !result.ok() && result.error().message.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("addresses are normalised: a port is a port of this machine", "[ring]") {
  const auto normal = normalise_addresses({"2222", "127.0.0.1:3333", "box:4444"});
  REQUIRE(normal.ok());
  CHECK(*normal == std::vector<std::string>{"127.0.0.1:2222", "127.0.0.1:3333", "box:4444"});
}

TEST_CASE("wrong lists of addresses are refused with a sentence", "[ring]") {
  CHECK(normalise_addresses({}).code() == ErrorCode::InvalidArgument);
  CHECK(normalise_addresses({"2222"}).error().message.find("at least two") != std::string::npos);
  CHECK(normalise_addresses({"2222", "x"}).code() == ErrorCode::InvalidArgument);
  CHECK(normalise_addresses({"2222", "127.0.0.1:2222"}).error().message.find("named twice") != std::string::npos);
  std::vector<std::string> many;
  for (int i = 0; i < 257; ++i) many.push_back(std::to_string(2000 + i));
  CHECK(normalise_addresses(many).code() == ErrorCode::InvalidArgument);
}

TEST_CASE("a ring is made of blank servers that say what the mount says", "[ring]") {
  CHECK(check_candidates(fitting()).ok());
}

TEST_CASE("servers that do not answer are all named", "[ring]") {
  std::vector<Candidate> candidates = fitting();
  candidates[0].identity.reset();
  candidates[2].identity.reset();
  const Result<void> result = check_candidates(candidates);
  CHECK(result.code() == ErrorCode::Unavailable);
  CHECK(says(result, "127.0.0.1:2222, host:4444"));
}

TEST_CASE("a server of another filesystem is named at once, whoever is missing", "[ring]") {
  std::vector<Candidate> candidates = fitting();
  candidates[0].identity.reset();
  candidates[1].identity->blank = false;
  candidates[1].identity->cluster = {0xab, 0xcd};
  const Result<void> result = check_candidates(candidates);
  CHECK(result.code() == ErrorCode::Refused);
  CHECK(says(result, "127.0.0.1:3333 belongs to another filesystem (cluster 00000000000000ab00000000000000cd)"));
}

TEST_CASE("a server's own refusal is passed on", "[ring]") {
  std::vector<Candidate> candidates = fitting();
  candidates[2].identity.reset();
  candidates[2].refusal = Error{ErrorCode::Refused, "kept for another"};
  CHECK(says(check_candidates(candidates), "kept for another"));
}

TEST_CASE("another number of servers is named with the right line", "[ring]") {
  std::vector<Candidate> candidates = fitting();
  candidates[1].identity->slot_count = 4;
  const Result<void> result = check_candidates(candidates);
  CHECK(says(result, "127.0.0.1:3333 was started as one of 4, but the mount names 3"));
  CHECK(says(result, "fuseclient <mountpoint> <metaserver> 2222 3333 host:4444"));
}

TEST_CASE("servers in another order are named with the order that is theirs", "[ring]") {
  std::vector<Candidate> candidates = fitting();
  std::swap(candidates[0], candidates[1]);
  const Result<void> result = check_candidates(candidates);
  CHECK(says(result, "127.0.0.1:3333 was started with index 1, but the mount names it in place 0"));
  CHECK(says(result, "mount with: fuseclient <mountpoint> <metaserver> 2222 3333 host:4444"));
}

TEST_CASE("a server with an index that another has is told its own line", "[ring]") {
  std::vector<Candidate> candidates = fitting();
  candidates[2].identity->index = 0;
  CHECK(says(check_candidates(candidates), "start it with: dataserver 2 2222 3333 host:4444"));
}

TEST_CASE("later mounts are compared with the ring", "[ring]") {
  const std::vector<std::string> ring{"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"};
  CHECK(compare_addresses(ring, ring).ok());
  CHECK(
      says(compare_addresses(ring, {"127.0.0.1:1", "127.0.0.1:3", "127.0.0.1:2"}), "is 127.0.0.1:2, not 127.0.0.1:3"));
  CHECK(says(compare_addresses(ring, {"127.0.0.1:1", "127.0.0.1:2"}), "dataserver 2 of this filesystem, 127.0.0.1:3"));
  CHECK(
      says(compare_addresses(ring, {"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3", "127.0.0.1:4"}), "has 3 dataservers"));
  CHECK(says(compare_addresses(ring, {"h:1", "h:2"}), "mount with: fuseclient <mountpoint> <metaserver> 1 2 3"));
}

}  // namespace mendfs::metaserver
