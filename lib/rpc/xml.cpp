#include "rpc/xml.h"

#include <xmlrpc-c/base.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <memory>
#include <utility>

#include "base/assert.h"
#include "env/network.h"
#include "rpc/packed_form.h"

namespace mendfs::rpc {
namespace {

constexpr std::size_t kNestingMax = 32;
/// The library looks a struct's members up one by one, so that many of them take quadratic time.
constexpr std::size_t kMemberCountMax = 16'384;

class XmlEnv {
 public:
  XmlEnv() { xmlrpc_env_init(&env_); }
  ~XmlEnv() { xmlrpc_env_clean(&env_); }
  XmlEnv(const XmlEnv&) = delete;
  XmlEnv& operator=(const XmlEnv&) = delete;

  operator xmlrpc_env*() { return &env_; }
  bool failed() const { return env_.fault_occurred != 0; }
  /// Requires: failed().
  Error malformed() const { return {ErrorCode::Malformed, std::string("not XML-RPC: ") + env_.fault_string}; }

 private:
  xmlrpc_env env_;
};

struct Unreference {
  void operator()(xmlrpc_value* value) const { xmlrpc_DECREF(value); }
};
using XmlValue = std::unique_ptr<xmlrpc_value, Unreference>;

struct Free {
  template <class T>
  void operator()(T* memory) const {
    std::free(const_cast<std::remove_const_t<T>*>(memory));
  }
};
using CString = std::unique_ptr<const char, Free>;

/// Text that the library writes, growing.
class XmlText {
 public:
  XmlText() : block_(xmlrpc_mem_block_new(env_, 0)) { MENDFS_ASSERT(!env_.failed()); }
  ~XmlText() { xmlrpc_mem_block_free(block_); }
  XmlText(const XmlText&) = delete;
  XmlText& operator=(const XmlText&) = delete;

  xmlrpc_mem_block* block() { return block_; }
  std::string text() const {
    return {static_cast<const char*>(xmlrpc_mem_block_contents(block_)), xmlrpc_mem_block_size(block_)};
  }

 private:
  XmlEnv env_;
  xmlrpc_mem_block* block_;
};

void set_limits_once() {
  static const bool is_set = [] {
    xmlrpc_limit_set(XMLRPC_XML_SIZE_LIMIT_ID, kHttpBodySizeMax);
    xmlrpc_limit_set(XMLRPC_NESTING_LIMIT_ID, kNestingMax);
    return true;
  }();
  (void)is_set;
}

std::size_t count_of(std::string_view text, std::string_view part, std::size_t enough) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos && count < enough; at = text.find(part, at + 1))
    ++count;
  return count;
}

/// What the library's parser must not be given, though it is well-formed.
Result<void> check_text(std::string_view xml) {
  set_limits_once();
  // Declarations can define entities that grow without bound when they are expanded; XML-RPC needs none.
  if (xml.find("<!D") != std::string_view::npos || xml.find("<!E") != std::string_view::npos)
    return Error{ErrorCode::Malformed, "not XML-RPC: document type declarations are not taken"};
  if (count_of(xml, "<member", kMemberCountMax) >= kMemberCountMax)
    return Error{ErrorCode::Malformed, "not XML-RPC: too many struct members"};
  if (xml.size() > kHttpBodySizeMax) return Error{ErrorCode::Malformed, "not XML-RPC: too large"};
  return {};
}

/// For places that have no room for base64: a fault's sentence, which may quote a name of any bytes, and member names.
std::string made_clean(std::string text) {
  if (is_clean_text(text)) return text;
  for (char& c : text)
    if (static_cast<unsigned char>(c) >= 0x7f || static_cast<unsigned char>(c) < 0x20) c = '?';
  return text;
}

XmlValue write_value(const Value& value);

/// The library fails only when memory is short or it is given nonsense.
XmlValue made(const XmlEnv& env, xmlrpc_value* value) {
  MENDFS_ASSERT(!env.failed());
  return XmlValue(value);
}

XmlValue write_text(const std::string& text) {
  XmlEnv env;
  return made(env, xmlrpc_string_new_lp(env, text.size(), text.data()));
}

XmlValue write_bytes(const std::string& bytes) {
  XmlEnv env;
  return made(env, xmlrpc_base64_new(env, bytes.size(), reinterpret_cast<const unsigned char*>(bytes.data())));
}

XmlValue write_array(const Array& values) {
  XmlEnv env;
  XmlValue array = made(env, xmlrpc_array_new(env));
  for (const Value& value : values) {
    const XmlValue item = write_value(value);
    xmlrpc_array_append_item(env, array.get(), item.get());
    MENDFS_ASSERT(!env.failed());
  }
  return array;
}

struct WriteValue {
  XmlValue operator()(std::int64_t number) const {
    const bool fits =
        number >= std::numeric_limits<std::int32_t>::min() && number <= std::numeric_limits<std::int32_t>::max();
    if (!fits) return write_text(std::to_string(number));
    XmlEnv env;
    return made(env, xmlrpc_int_new(env, static_cast<xmlrpc_int32>(number)));
  }
  XmlValue operator()(bool flag) const {
    XmlEnv env;
    return made(env, xmlrpc_bool_new(env, flag ? 1 : 0));
  }
  XmlValue operator()(double number) const {
    if (!std::isfinite(number)) return write_text(std::to_string(number));
    XmlEnv env;
    return made(env, xmlrpc_double_new(env, number));
  }
  XmlValue operator()(const std::string& text) const {
    return is_clean_text(text) ? write_text(text) : write_bytes(text);
  }
  XmlValue operator()(const Bytes& bytes) const { return write_bytes(bytes.bytes); }
  XmlValue operator()(const Array& values) const { return write_array(values); }
  XmlValue operator()(const Struct& members) const {
    XmlEnv env;
    XmlValue written = made(env, xmlrpc_struct_new(env));
    for (const auto& [key, value] : members) {
      const std::string name = made_clean(key);
      const XmlValue member = write_value(value);
      xmlrpc_struct_set_value_n(env, written.get(), name.data(), name.size(), member.get());
      MENDFS_ASSERT(!env.failed());
    }
    return written;
  }
};

XmlValue write_value(const Value& value) { return std::visit(WriteValue{}, value.any()); }

Result<Value> read_value(xmlrpc_value* value);

Result<Value> read_text(xmlrpc_value* value) {
  XmlEnv env;
  std::size_t size = 0;
  const char* text = nullptr;
  xmlrpc_read_string_lp(env, value, &size, &text);
  if (env.failed()) return env.malformed();
  const CString owner(text);
  return Value(std::string(text, size));
}

Result<Value> read_bytes(xmlrpc_value* value) {
  XmlEnv env;
  std::size_t size = 0;
  const unsigned char* bytes = nullptr;
  xmlrpc_read_base64(env, value, &size, &bytes);
  if (env.failed()) return env.malformed();
  const std::unique_ptr<const unsigned char, Free> owner(bytes);
  return Value(Bytes{std::string(reinterpret_cast<const char*>(bytes), size)});
}

Result<Array> read_array(xmlrpc_value* value) {
  XmlEnv env;
  Array values;
  const int count = xmlrpc_array_size(env, value);
  for (int i = 0; i < count && !env.failed(); ++i) {
    xmlrpc_value* item = nullptr;
    xmlrpc_array_read_item(env, value, static_cast<unsigned>(i), &item);
    if (env.failed()) break;
    const XmlValue owner(item);
    MENDFS_TRY(Value read, read_value(item));
    values.push_back(std::move(read));
  }
  if (env.failed()) return env.malformed();
  return values;
}

Result<Value> read_struct(xmlrpc_value* value) {
  XmlEnv env;
  Struct members;
  const int count = xmlrpc_struct_size(env, value);
  for (int i = 0; i < count && !env.failed(); ++i) {
    xmlrpc_value* name = nullptr;
    xmlrpc_value* member = nullptr;
    xmlrpc_struct_read_member(env, value, static_cast<unsigned>(i), &name, &member);
    if (env.failed()) break;
    const XmlValue name_owner(name);
    const XmlValue member_owner(member);
    MENDFS_TRY(Value name_read, read_text(name));
    MENDFS_TRY(Value member_read, read_value(member));
    members.insert_or_assign(std::get<std::string>(std::move(name_read.any())), std::move(member_read));
  }
  if (env.failed()) return env.malformed();
  return Value(std::move(members));
}

Result<Value> read_number(xmlrpc_value* value, xmlrpc_type type) {
  XmlEnv env;
  Value read;
  if (type == XMLRPC_TYPE_INT) {
    xmlrpc_int32 number = 0;
    xmlrpc_read_int(env, value, &number);
    read = Value(std::int64_t{number});
  } else if (type == XMLRPC_TYPE_I8) {
    xmlrpc_int64 number = 0;
    xmlrpc_read_i8(env, value, &number);
    read = Value(static_cast<std::int64_t>(number));
  } else if (type == XMLRPC_TYPE_BOOL) {
    xmlrpc_bool flag = 0;
    xmlrpc_read_bool(env, value, &flag);
    read = Value(flag != 0);
  } else {
    double number = 0;
    xmlrpc_read_double(env, value, &number);
    read = Value(number);
  }
  if (env.failed()) return env.malformed();
  return read;
}

Result<Value> read_value(xmlrpc_value* value) {
  const xmlrpc_type type = xmlrpc_value_type(value);
  switch (type) {
    case XMLRPC_TYPE_INT:
    case XMLRPC_TYPE_I8:
    case XMLRPC_TYPE_BOOL:
    case XMLRPC_TYPE_DOUBLE:
      return read_number(value, type);
    case XMLRPC_TYPE_STRING:
      return read_text(value);
    case XMLRPC_TYPE_BASE64:
      return read_bytes(value);
    case XMLRPC_TYPE_ARRAY: {
      MENDFS_TRY(Array values, read_array(value));
      return Value(std::move(values));
    }
    case XMLRPC_TYPE_STRUCT:
      return read_struct(value);
    default:
      return Error{ErrorCode::Malformed, "not XML-RPC as spoken here: dates and nil are not taken"};
  }
}

}  // namespace

std::string write_call(const Call& call) {
  const Bytes* packed = call.parameters.size() == 1 ? call.parameters[0].get<Bytes>() : nullptr;
  if (packed != nullptr)
    if (auto xml = write_packed_call(call.method, packed->bytes)) return std::move(*xml);
  XmlEnv env;
  XmlText text;
  const XmlValue parameters = write_array(call.parameters);
  xmlrpc_serialize_call(env, text.block(), call.method.c_str(), parameters.get());
  MENDFS_ASSERT(!env.failed());
  return text.text();
}

Result<Call> parse_call(std::string_view xml) {
  if (auto packed = recognise_packed_call(xml)) {
    Call call{std::move(packed->method), {}};
    call.parameters.emplace_back(Bytes{std::move(packed->packed)});
    return call;
  }
  MENDFS_TRY_VOID(check_text(xml));
  XmlEnv env;
  const char* method = nullptr;
  xmlrpc_value* parameters = nullptr;
  xmlrpc_parse_call(env, xml.data(), xml.size(), &method, &parameters);
  if (env.failed()) return env.malformed();
  const CString method_owner(method);
  const XmlValue parameters_owner(parameters);
  Call call;
  call.method = method;
  MENDFS_TRY(call.parameters, read_array(parameters));
  return call;
}

std::string write_reply(const Value& value) {
  if (const Bytes* packed = value.get<Bytes>()) return write_packed_reply(packed->bytes);
  XmlEnv env;
  XmlText text;
  const XmlValue written = write_value(value);
  xmlrpc_serialize_response(env, text.block(), written.get());
  MENDFS_ASSERT(!env.failed());
  return text.text();
}

std::string write_fault(const Error& error) {
  XmlEnv env;
  XmlEnv fault;
  XmlText text;
  const std::string message = made_clean(error.message);
  xmlrpc_env_set_fault(fault, static_cast<int>(error.code), message.c_str());
  xmlrpc_serialize_fault(env, text.block(), fault);
  MENDFS_ASSERT(!env.failed());
  return text.text();
}

Result<Value> parse_reply(std::string_view xml) {
  if (auto packed = recognise_packed_reply(xml)) return Value(Bytes{std::move(*packed)});
  MENDFS_TRY_VOID(check_text(xml));
  XmlEnv env;
  xmlrpc_value* result = nullptr;
  int fault_code = 0;
  const char* fault_text = nullptr;
  xmlrpc_parse_response2(env, xml.data(), xml.size(), &result, &fault_code, &fault_text);
  if (env.failed()) return env.malformed();
  if (fault_text == nullptr) return read_value(XmlValue(result).get());

  const CString owner(fault_text);
  const auto code = static_cast<ErrorCode>(fault_code);
  const bool is_ours =
      fault_code > 0 && fault_code <= std::numeric_limits<std::uint8_t>::max() && to_string(code) != "Unknown";
  if (!is_ours) return Error{ErrorCode::Malformed, std::string("a fault that is not of mendfs: ") + fault_text};
  return Error{code, fault_text};
}

}  // namespace mendfs::rpc
