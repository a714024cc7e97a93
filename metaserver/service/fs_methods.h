// The "fs.*" methods, which mounts call: decode, ask the namespace or submit a command, answer (protocol/meta.h).
#pragma once

#include <string>

#include "metaserver/service/core.h"
#include "metaserver/service/cut_teller.h"
#include "metaserver/service/ring_keeper.h"
#include "metaserver/service/session_keeper.h"
#include "protocol/meta.h"
#include "protocol/session.h"
#include "protocol/xattr.h"
#include "rpc/method_table.h"

namespace mendfs::metaserver {

class FsMethods {
 public:
  FsMethods(Core& core, RingKeeper& ring, SessionKeeper& sessions, CutTeller& cuts)
      : core_(core), ring_(ring), sessions_(sessions), cuts_(cuts) {}

  void add_to(rpc::MethodTable& methods);

 private:
  template <class Request>
  void add(rpc::MethodTable& methods, std::string help);
  template <class Request>
  Task<std::string> serve(std::string packed);
  template <class Request>
  Task<Result<Outcome>> answer(Request request);

  template <class Request>
  Task<Result<Outcome>> change(Request request);
  Task<Result<void>> until_shrink_is_safe(protocol::SetAttributesRequest request, protocol::Attributes attributes);
  Task<Result<Outcome>> mount(protocol::OpenSessionRequest request);

  // Reads.
  Result<protocol::Attributes> read(const protocol::LookupRequest& request);
  Result<protocol::Attributes> read(const protocol::GetAttributesRequest& request);
  Result<protocol::Attributes> read(const protocol::OpenRequest& request);
  Result<protocol::ReadLinkReply> read(const protocol::ReadLinkRequest& request);
  Result<protocol::ReadDirectoryReply> read(const protocol::ReadDirectoryRequest& request);
  Result<protocol::XattrReply> read(const protocol::GetXattrRequest& request);
  Result<protocol::ListXattrReply> read(const protocol::ListXattrRequest& request);
  Result<protocol::StatFsReply> read(const protocol::StatFsRequest& request);
  Result<protocol::RenewRequest::Answer> read(const protocol::RenewRequest& request);

  Core& core_;
  RingKeeper& ring_;
  SessionKeeper& sessions_;
  CutTeller& cuts_;
};

}  // namespace mendfs::metaserver
