// The methods of one server: names, signatures, help and handlers; answers XML with XML. system.listMethods,
// system.methodSignature and system.methodHelp come with it. Loop thread only.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "env/task.h"
#include "rpc/value.h"

namespace mendfs::rpc {

struct Method {
  std::string name;
  /// xmlrpc-c's notation: result, colon, parameters: "s:i" string of int, "6:6" base64 of base64, "S:s" struct of
  /// string, "A:" array of nothing; alternatives after commas.
  std::string signature;
  /// A sentence or more for people, with an example where one helps.
  std::string help;
  std::function<Task<Result<Value>>(std::vector<Value> parameters)> handler;
};

class MethodTable {
 public:
  MethodTable();
  MethodTable(const MethodTable&) = delete;
  MethodTable& operator=(const MethodTable&) = delete;

  /// Requires: the name is new.
  void add(Method method);
  /// A method whose one parameter and result are base64 of packed values.
  void add_packed(std::string name, std::string help, std::function<Task<std::string>(std::string packed)> handler);
  /// The reply to a request's body, a fault included. Never fails otherwise.
  Task<std::string> answer(std::string body) const;

 private:
  std::map<std::string, Method> methods_;
};

}  // namespace mendfs::rpc
