#include "protocol/fields.h"

#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <type_traits>

#include "protocol/control.h"
#include "protocol/data.h"
#include "protocol/meta.h"
#include "protocol/ring_data.h"
#include "protocol/session.h"
#include "protocol/xattr.h"

namespace mendfs {
namespace {

using Random = std::mt19937_64;

/// Fills any struct that lists its fields with random values within the limits of its enums.
class Filler {
 public:
  explicit Filler(std::uint64_t seed) : random_(seed) {}

  template <class T>
  void operator()(const char*, T& value) {
    fill(value);
  }

  template <class T>
  void fill(T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      value = random_() % 2 == 0;
    } else if constexpr (std::is_same_v<T, ErrorCode>) {
      value = random_() % 2 == 0 ? ErrorCode::Ok : ErrorCode::Stale;
    } else if constexpr (std::is_enum_v<T>) {
      value = static_cast<T>(random_() % (static_cast<std::uint64_t>(T::kMax) + 1));
    } else if constexpr (std::is_integral_v<T>) {
      value = static_cast<T>(random_() >> (random_() % 64));
    } else {
      value.fields(*this);
    }
  }
  void fill(std::string& value) {
    value.resize(random_() % 9);
    for (char& c : value) c = static_cast<char>(random_());
  }
  void fill(Digest& value) {
    for (std::byte& b : value) b = static_cast<std::byte>(random_());
  }
  template <class T>
  void fill(std::vector<T>& values) {
    values.resize(random_() % 4);
    for (T& value : values) fill(value);
  }
  template <class T>
  void fill(std::optional<T>& value) {
    value.reset();
    if (random_() % 2 == 0) fill(value.emplace());
  }

 private:
  Random random_;
};

template <class T>
T filled(std::uint64_t seed) {
  T value{};
  Filler filler(seed);
  filler.fill(value);
  return value;
}

struct Everything {
  std::uint8_t small = 0;
  std::int64_t negative = 0;
  bool flag = false;
  std::string text;
  std::optional<std::uint32_t> maybe;
  std::vector<std::string> texts;
  std::vector<Digest> digests;
  Digest digest{};
  RunKind kind = RunKind::Data;
  template <class V>
  void fields(V& v) {
    v("small", small);
    v("negative", negative);
    v("flag", flag);
    v("text", text);
    v("maybe", maybe);
    v("texts", texts);
    v("digests", digests);
    v("digest", digest);
    v("kind", kind);
  }
};

}  // namespace

TEST_CASE("packed values are little-endian, without names or padding", "[fields]") {
  const protocol::Fence fence{0x0102030405060708, {.high = 1, .low = 2}};
  const std::string expected(
      "\x08\x07\x06\x05\x04\x03\x02\x01"
      "\1\0\0\0\0\0\0\0"
      "\2\0\0\0\0\0\0\0",
      24);
  CHECK(pack(fence) == expected);

  protocol::SetXattrRequest request;
  request.call.sequence = 5;
  request.inode = 9;
  request.name = "ab";
  request.value = "";
  request.create = true;
  const std::string packed = pack(request);
  CHECK(packed.size() == 16 + 8 + 8 + 8 + (4 + 2) + 4 + 1 + 1);
  CHECK(packed.substr(40) == std::string("\2\0\0\0ab\0\0\0\0\1\0", 12));

  CHECK(pack(std::optional<std::uint32_t>{}) == std::string("\0", 1));
  CHECK(pack(std::optional<std::uint32_t>{3}) == std::string("\1\3\0\0\0", 5));
  CHECK(pack(std::vector<std::string>{"x"}) == std::string("\1\0\0\0\1\0\0\0x", 9));
}

TEST_CASE("what no sender means is Malformed", "[fields]") {
  CHECK(unpack<bool>(std::string("\2", 1)).code() == ErrorCode::Malformed);
  CHECK(unpack<RunKind>(std::string("\2", 1)).ok());
  CHECK(unpack<RunKind>(std::string("\3", 1)).code() == ErrorCode::Malformed);
  CHECK(unpack<std::optional<bool>>(std::string("\2\1", 2)).code() == ErrorCode::Malformed);
  CHECK(unpack<std::uint32_t>(std::string("\0\0\0\0\0", 5)).code() == ErrorCode::Malformed);
}

TEST_CASE("a count that lies takes no memory", "[fields]") {
  const std::string lie(
      "\xff\xff\xff\xff"
      "abc",
      7);
  CHECK(unpack<std::string>(lie).code() == ErrorCode::Malformed);
  CHECK(unpack<std::vector<std::string>>(lie).code() == ErrorCode::Malformed);
  CHECK(unpack<std::vector<Digest>>(lie).code() == ErrorCode::Malformed);
  CHECK(unpack<std::vector<std::uint64_t>>(lie).code() == ErrorCode::Malformed);
  CHECK(unpack<protocol::FetchReply>(lie).code() == ErrorCode::Malformed);
}

using namespace protocol;  // NOLINT: the list below is long enough

TEMPLATE_TEST_CASE("every message survives the trip, and no part of one passes for it", "[fields]", Everything,
                   MetaReply, Attributes, LookupRequest, GetAttributesRequest, SetAttributesRequest, MakeRequest,
                   RemoveRequest, LinkRequest, RenameRequest, ReadLinkReply, ReadLinkRequest, Dentry,
                   ReadDirectoryReply, ReadDirectoryRequest, OpenRequest, SettleRequest, AbandonRequest, UnmarkRequest,
                   SetXattrRequest, RemoveXattrRequest, XattrReply, GetXattrRequest, ListXattrReply, ListXattrRequest,
                   StatFsReply, StatFsRequest, SyncMetaRequest, RingInfo, OpenSessionRequest,
                   OpenSessionRequest::Answer, RenewRequest, RenewRequest::Answer, CloseSessionRequest, ControlReply,
                   NodeIdentity, ReserveRequest, HeartbeatReply, HeartbeatRequest, CutsReply, CutsRequest, ExtentsReply,
                   ExtentsRequest, MessageHeader, HelloReply, HelloRequest, FileRef, HolderPosition, WriteReply,
                   WriteRequest, ReadReply, ReadRequest, AuditReply, AuditRequest, RepairReply, RepairRequest,
                   SyncReply, SyncRequest, ForwardRequest, FetchReply, FetchRequest, ListReply, ListRequest,
                   HandshakeReply, HandshakeRequest, AskWriteReply, AskWriteRequest, RunSummary) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    const auto value = filled<TestType>(seed);
    const std::string packed = pack(value);
    const Result<TestType> again = unpack<TestType>(packed);
    REQUIRE(again.ok());
    REQUIRE(pack(*again) == packed);
    for (std::size_t size = 0; size < packed.size(); ++size)
      REQUIRE(unpack<TestType>(std::string_view(packed).substr(0, size)).code() == ErrorCode::Malformed);
    REQUIRE(unpack<TestType>(packed + "x").code() == ErrorCode::Malformed);
  }
}

TEMPLATE_TEST_CASE("random and flipped bytes never harm", "[fields]", Everything, MetaReply, ReadDirectoryReply,
                   OpenSessionRequest, HeartbeatRequest, HeartbeatReply, CutsRequest, MessageHeader, WriteRequest,
                   ReadReply, AuditRequest, ForwardRequest, FetchReply, ListReply) {
  Random random(7);
  for (int round = 0; round < 500; ++round) {
    std::string bytes(random() % 200, '\0');
    // Small numbers make counts that fit, so that the unpacking gets further.
    for (char& c : bytes) c = static_cast<char>(random() % 3 == 0 ? random() : random() % 3);
    const Result<TestType> value = unpack<TestType>(bytes);
    if (value.ok()) REQUIRE(pack(*value) == bytes);

    std::string damaged = pack(filled<TestType>(random()));
    if (damaged.empty()) continue;
    damaged[random() % damaged.size()] ^= static_cast<char>(1u << (random() % 8));
    const Result<TestType> other = unpack<TestType>(damaged);
    if (other.ok()) REQUIRE(pack(*other) == damaged);
  }
}

}  // namespace mendfs
