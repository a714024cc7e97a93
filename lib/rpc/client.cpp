#include "rpc/client.h"

#include <utility>

#include "rpc/xml.h"

namespace mendfs::rpc {

Task<Result<Value>> call(Network& network, Address server, std::string method, std::vector<Value> parameters,
                         Time deadline) {
  const Call called{std::move(method), std::move(parameters)};
  MENDFS_CO_TRY(const std::string reply,
                co_await network.post(std::move(server), kTarget, write_call(called), deadline));
  co_return parse_reply(reply);
}

Task<Result<std::string>> call_packed(Network& network, Address server, std::string method, std::string packed,
                                      Time deadline) {
  std::vector<Value> parameters;
  parameters.emplace_back(Bytes{std::move(packed)});
  MENDFS_CO_TRY(Value reply,
                co_await call(network, std::move(server), std::move(method), std::move(parameters), deadline));
  auto* bytes = std::get_if<Bytes>(&reply.any());
  if (bytes == nullptr) co_return Error{ErrorCode::Malformed, "a packed reply that is not base64"};
  co_return std::move(bytes->bytes);
}

}  // namespace mendfs::rpc
