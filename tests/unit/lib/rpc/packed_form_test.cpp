#include "rpc/packed_form.h"

#include <catch2/catch.hpp>
#include <string>

#include "rpc/xml.h"

namespace mendfs::rpc {
namespace {

std::string bytes_of_size(std::size_t size) {
  std::string bytes;
  for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>(i * 37 + size);
  return bytes;
}

/// An element as xmlrpc-c writes it, in an array so that it is no packed message.
std::string base64_element(const std::string& bytes) {
  const std::string xml = write_reply(Value(Array{Value(Bytes{bytes})}));
  const std::size_t begin = xml.find("<base64>");
  const std::string end = "</base64>";
  return xml.substr(begin, xml.find(end) + end.size() - begin);
}

/// A message of xmlrpc-c's with another value.
std::string with_base64(std::string xml, const std::string& bytes) {
  const std::string number = "<i4>7</i4>";
  REQUIRE(xml.find(number) != std::string::npos);
  return xml.replace(xml.find(number), number.size(), base64_element(bytes));
}

std::string call_with(const std::string& packed) { return with_base64(write_call({"fs.lookup", {Value(7)}}), packed); }
std::string reply_with(const std::string& packed) { return with_base64(write_reply(Value(7)), packed); }

TEST_CASE("packed messages of all sizes are written and recognised as xmlrpc-c writes them", "[rpc]") {
  for (std::size_t size = 0; size < 300; ++size) {
    CAPTURE(size);
    const std::string packed = bytes_of_size(size);
    const auto call = recognise_packed_call(call_with(packed));
    REQUIRE(call);
    CHECK(call->method == "fs.lookup");
    CHECK(call->packed == packed);
    CHECK(recognise_packed_reply(reply_with(packed)) == packed);
    CHECK(write_call({"fs.lookup", {Value(Bytes{packed})}}) == call_with(packed));
    CHECK(write_reply(Value(Bytes{packed})) == reply_with(packed));
  }
}

TEST_CASE("other messages are not", "[rpc]") {
  CHECK_FALSE(recognise_packed_call(""));
  CHECK_FALSE(recognise_packed_call(write_call({"m", {}})));
  CHECK_FALSE(recognise_packed_call(write_call({"m", {Value("text")}})));
  CHECK_FALSE(recognise_packed_call(write_call({"m", {Value(Bytes{"a"}), Value(Bytes{"b"})}})));
  CHECK_FALSE(recognise_packed_call(write_call({"m", {Value(Array{Value(Bytes{"a"})})}})));
  CHECK_FALSE(recognise_packed_call(write_call({"", {Value(Bytes{"a"})}})));
  CHECK_FALSE(recognise_packed_call(write_call({"a<b", {Value(Bytes{"a"})}})));
  CHECK_FALSE(recognise_packed_reply(write_reply(Value(1))));
  CHECK_FALSE(recognise_packed_reply(write_fault({ErrorCode::Io, "no"})));
  CHECK_FALSE(recognise_packed_reply(call_with("a")));
  CHECK_FALSE(recognise_packed_call(call_with("abc") + " "));
}

TEST_CASE("whatever is recognised means the same to xmlrpc-c", "[rpc]") {
  for (const std::size_t size : {0, 1, 2, 3, 60}) {
    const std::string call = call_with(bytes_of_size(size));
    const std::string reply = reply_with(bytes_of_size(size));
    for (const char c : {'A', '=', '/', '*', '<', '&', '\n', ' ', '\0', '\xff'}) {
      for (std::size_t at = 0; at < call.size(); ++at) {
        std::string changed = call;
        changed[at] = c;
        const auto recognised = recognise_packed_call(changed);
        if (!recognised) continue;
        // A blank at the end is nothing to XML, and keeps it from being recognised.
        const Result<Call> parsed = parse_call(changed + " ");
        REQUIRE(parsed.ok());
        CHECK(parsed->method == recognised->method);
        CHECK(parsed->parameters == std::vector<Value>{Value(Bytes{recognised->packed})});
      }
      for (std::size_t at = 0; at < reply.size(); ++at) {
        std::string changed = reply;
        changed[at] = c;
        const auto recognised = recognise_packed_reply(changed);
        if (recognised) CHECK(parse_reply(changed + " ").value() == Value(Bytes{*recognised}));
      }
    }
  }
}

}  // namespace
}  // namespace mendfs::rpc
