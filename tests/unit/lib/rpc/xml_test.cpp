#include "rpc/xml.h"

#include <catch2/catch.hpp>
#include <limits>

#include "env/network.h"

namespace mendfs::rpc {
namespace {

Value there_and_back(const Value& value) {
  const Result<Value> read = parse_reply(write_reply(value));
  REQUIRE(read.ok());
  return *read;
}

TEST_CASE("every kind of value comes back as it was written", "[rpc]") {
  for (const Value& value : {Value(0), Value(-1), Value(std::numeric_limits<std::int32_t>::max()),
                             Value(std::numeric_limits<std::int32_t>::min()), Value(true), Value(false), Value(2.5),
                             Value(""), Value("<&>\"' two\nlines\tand a tab"), Value("Gr\xc3\xbc\xc3\x9f"),
                             Value(Bytes{std::string("\0\1\xff bytes", 9)}), Value(Bytes{""}), Value(Array{}),
                             Value(Array{Value(1), Value("two"), Value(Array{Value(3)})}), Value(Struct{}),
                             Value(Struct{{"a", Value(1)}, {"b", Value(Struct{{"c", Value("d")}})}})}) {
    CHECK(there_and_back(value) == value);
  }
}

TEST_CASE("integers beyond 32 bits travel as decimal strings", "[rpc]") {
  CHECK(there_and_back(Value(std::int64_t{2147483648})) == Value("2147483648"));
  CHECK(there_and_back(Value(std::int64_t{-2147483649})) == Value("-2147483649"));
  CHECK(there_and_back(Value(std::numeric_limits<std::uint64_t>::max())) == Value("18446744073709551615"));
}

TEST_CASE("text that XML cannot carry travels as base64", "[rpc]") {
  for (const std::string& text : {std::string("a\0b", 3), std::string("\x80"), std::string("\r\n"),
                                  std::string("\xed\xa0\x80"), std::string("\xc0\xaf"), std::string("\xef\xbf\xbf"),
                                  std::string("\xf4\x90\x80\x80"), std::string("cut \xe2\x82")}) {
    CHECK_FALSE(is_clean_text(text));
    CHECK(there_and_back(Value(text)) == Value(Bytes{text}));
  }
  CHECK(is_clean_text("\xe2\x82\xac \xf0\x9f\x98\x80"));
}

TEST_CASE("values that XML-RPC cannot say are written as what comes nearest", "[rpc]") {
  CHECK(there_and_back(Value(std::numeric_limits<double>::infinity())) == Value("inf"));
  CHECK(there_and_back(Value(Struct{{"n\xff", Value(1)}})) == Value(Struct{{"n?", Value(1)}}));
}

TEST_CASE("large base64 comes back, up to what a body may hold", "[rpc]") {
  const Value value(Bytes{std::string(4 << 20, 'x')});
  const bool is_same = there_and_back(value) == value;
  CHECK(is_same);
}

TEST_CASE("a call has its method and parameters", "[rpc]") {
  const Call call{"node.status", {Value(1), Value("x")}};
  const Result<Call> read = parse_call(write_call(call));
  REQUIRE(read.ok());
  CHECK(read->method == "node.status");
  CHECK(read->parameters == call.parameters);
}

TEST_CASE("a call as Python's xmlrpc.client writes it is understood", "[rpc]") {
  const Result<Call> read = parse_call(
      "<?xml version='1.0'?>\n<methodCall>\n<methodName>block.get</methodName>\n<params>\n<param>\n<value><string>12"
      "</string></value>\n</param>\n<param>\n<value><i8>5000000000</i8></value>\n</param>\n<param><value>bare</value>"
      "</param>\n</params>\n</methodCall>\n");
  REQUIRE(read.ok());
  CHECK(read->parameters == std::vector<Value>{Value("12"), Value(std::int64_t{5'000'000'000}), Value("bare")});
}

TEST_CASE("a fault is its error again, and its sentence is clean text", "[rpc]") {
  const Result<Value> fault = parse_reply(write_fault({ErrorCode::NotFound, "no file <b> 'x\xff'"}));
  REQUIRE(fault.code() == ErrorCode::NotFound);
  CHECK(fault.error().message == "no file <b> 'x?'");
}

TEST_CASE("faults of other programs are Malformed", "[rpc]") {
  for (const std::string code : {"-32601", "0", "200", "99999"}) {
    const std::string xml = "<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>" + code +
                            "</int></value></member><member><name>faultString</name><value><string>x</string></value>"
                            "</member></struct></value></fault></methodResponse>";
    CHECK(parse_reply(xml).code() == ErrorCode::Malformed);
  }
}

std::string call_with(const std::string& value) {
  return "<methodCall><methodName>m</methodName><params><param><value>" + value +
         "</value></param></params></methodCall>";
}

TEST_CASE("whatever is not a call is Malformed", "[rpc]") {
  std::string deep;
  for (int i = 0; i < 100; ++i) deep = "<array><data><value>" + deep + "</value></data></array>";
  std::string wide;
  for (int i = 0; i < 20'000; ++i) wide += "<member><name>a</name><value/></member>";
  for (const std::string& xml : {std::string(""),
                                 std::string("x"),
                                 std::string("<methodCall/>"),
                                 std::string("<methodCall><methodName>m"),
                                 std::string("<a></b>"),
                                 std::string("\0\0\0", 3),
                                 call_with("<i4>12x</i4>"),
                                 call_with("<i4>99999999999</i4>"),
                                 call_with("<boolean>7</boolean>"),
                                 call_with("<nil/>"),
                                 call_with("<unknown>1</unknown>"),
                                 call_with("<struct><member></member></struct>"),
                                 call_with(deep),
                                 call_with("<struct>" + wide + "</struct>"),
                                 call_with("<dateTime.iso8601>20200101T00:00:00</dateTime.iso8601>"),
                                 call_with("<string>\xff\xfe</string>"),
                                 call_with("<double>1e</double>"),
                                 call_with(std::string("a\0b", 3)),
                                 "<!DOCTYPE m [<!ENTITY a \"aaaa\">]>" + call_with("&a;"),
                                 std::string(kHttpBodySizeMax + 1, ' '),
                                 write_reply(Value(1))}) {
    CAPTURE(xml.substr(0, 200));
    CHECK(parse_call(xml).code() == ErrorCode::Malformed);
  }
}

TEST_CASE("a call cut short anywhere is Malformed, never a crash", "[rpc]") {
  const std::string whole = write_call({"m", {Value(Struct{{"a", Value(Bytes{"bytes"})}, {"b", Value(1.5)}})}});
  const std::size_t end = whole.find("</methodCall>") + 13;
  for (std::size_t size = 0; size < end; ++size) {
    CAPTURE(size);
    CHECK(parse_call(whole.substr(0, size)).code() == ErrorCode::Malformed);
  }
}

}  // namespace
}  // namespace mendfs::rpc
