// Calling a dataserver's control methods (protocol/control.h) and serving them: the packed ControlReply on both sides.
#pragma once

#include <string>
#include <utility>

#include "env/network.h"
#include "protocol/control.h"
#include "rpc/client.h"

namespace mendfs::protocol {

/// One attempt. Errors: those of Network::post, the server's refusals, Malformed for an answer that makes no sense.
template <class Request>
Task<Result<typename Request::Reply>> call_control(Network& network, Address server, Request request, Time deadline) {
  std::string packed = pack(request);
  Result<std::string> answer =
      co_await rpc::call_packed(network, std::move(server), Request::kMethod, std::move(packed), deadline);
  if (!answer.ok()) co_return answer.error();
  Result<ControlReply> reply = unpack<ControlReply>(*answer);
  if (!reply.ok()) co_return reply.error();
  if (reply->code != ErrorCode::Ok) co_return Error{reply->code, std::move(reply->message)};
  co_return unpack<typename Request::Reply>(reply->body);
}

/// The packed ControlReply of a result.
template <class Reply>
std::string pack_control_reply(const Result<Reply>& result) {
  if (!result.ok()) return pack(ControlReply{.code = result.code(), .message = result.error().message, .body = {}});
  return pack(ControlReply{.code = ErrorCode::Ok, .message = {}, .body = pack(*result)});
}

}  // namespace mendfs::protocol
