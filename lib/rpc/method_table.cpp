#include "rpc/method_table.h"

#include <memory>
#include <utility>

#include "base/assert.h"
#include "rpc/arguments.h"
#include "rpc/xml.h"

namespace mendfs::rpc {
namespace {

std::string type_name(char letter) {
  switch (letter) {
    case 'i':
      return "int";
    case 'I':
      return "i8";
    case 'b':
      return "boolean";
    case 'd':
      return "double";
    case 's':
      return "string";
    case '6':
      return "base64";
    case 'S':
      return "struct";
    case 'A':
      return "array";
    default:
      return "nil";
  }
}

/// "s:i,s:" as system.methodSignature tells it: [["string", "int"], ["string"]].
Array describe_signature(const std::string& signature) {
  Array alternatives;
  Array types;
  for (const char letter : signature + ",") {
    if (letter == ',') {
      alternatives.emplace_back(std::exchange(types, {}));
    } else if (letter != ':') {
      types.emplace_back(type_name(letter));
    }
  }
  return alternatives;
}

Error no_such_method(const std::string& name) {
  return {ErrorCode::NotFound, "there is no method '" + name + "': system.listMethods lists those there are"};
}

using Methods = std::map<std::string, Method>;

Result<const Method*> find_method(const Methods& methods, const std::vector<Value>& parameters) {
  MENDFS_TRY(const std::string name, as_text(parameters, 0, "method"));
  const auto found = methods.find(name);
  if (found == methods.end()) return no_such_method(name);
  return &found->second;
}

Task<Result<Value>> list_methods(const Methods* methods) {
  Array names;
  for (const auto& [name, method] : *methods) names.emplace_back(name);
  co_return Value(std::move(names));
}

Task<Result<Value>> tell_signature(const Methods* methods, std::vector<Value> parameters) {
  MENDFS_CO_TRY(const Method* method, find_method(*methods, parameters));
  co_return Value(describe_signature(method->signature));
}

Task<Result<Value>> tell_help(const Methods* methods, std::vector<Value> parameters) {
  MENDFS_CO_TRY(const Method* method, find_method(*methods, parameters));
  co_return Value(method->help);
}

using PackedHandler = std::function<Task<std::string>(std::string)>;

Task<Result<Value>> answer_packed(const PackedHandler* handler, std::vector<Value> parameters) {
  Bytes* packed = parameters.size() == 1 ? std::get_if<Bytes>(&parameters[0].any()) : nullptr;
  if (packed == nullptr)
    co_return Error{ErrorCode::InvalidArgument, "this method takes one base64 parameter, a packed request"};
  std::string reply = co_await (*handler)(std::move(packed->bytes));
  co_return Value(Bytes{std::move(reply)});
}

}  // namespace

MethodTable::MethodTable() {
  add({"system.listMethods", "A:", "The names of all methods.",
       [this](std::vector<Value>) { return list_methods(&methods_); }});
  add({"system.methodSignature", "A:s", "The result and parameter types of a method, one list for each form it takes.",
       [this](std::vector<Value> parameters) { return tell_signature(&methods_, std::move(parameters)); }});
  add({"system.methodHelp", "s:s", "What a method does and takes, in words.",
       [this](std::vector<Value> parameters) { return tell_help(&methods_, std::move(parameters)); }});
}

void MethodTable::add(Method method) {
  const std::string name = method.name;
  const bool is_new = methods_.emplace(name, std::move(method)).second;
  MENDFS_ASSERT(is_new);
}

void MethodTable::add_packed(std::string name, std::string help, PackedHandler handler) {
  // Shared, as the coroutine needs it at an address that stays.
  auto kept = std::make_shared<PackedHandler>(std::move(handler));
  add({std::move(name), "6:6", std::move(help),
       [kept](std::vector<Value> parameters) { return answer_packed(kept.get(), std::move(parameters)); }});
}

Task<std::string> MethodTable::answer(std::string body) const {
  Result<Call> call = parse_call(body);
  if (!call.ok()) co_return write_fault(call.error());
  const auto found = methods_.find(call->method);
  if (found == methods_.end()) co_return write_fault(no_such_method(call->method));
  const Result<Value> reply = co_await found->second.handler(std::move(call->parameters));
  if (!reply.ok()) co_return write_fault(reply.error());
  co_return write_reply(*reply);
}

}  // namespace mendfs::rpc
