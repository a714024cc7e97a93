// Each command's part of apply(): checks everything first, changes the state, returns the packed reply. A returned
// refusal has its changes discarded by the caller.
#pragma once

#include <string>

#include "metaserver/namespace/command.h"
#include "metaserver/namespace/context.h"

namespace mendfs::metaserver {

using Body = Result<std::string>;

// make.cpp
Body apply_body(Context& context, const protocol::MakeRequest& request);
// links.cpp
Body apply_body(Context& context, const protocol::LinkRequest& request);
Body apply_body(Context& context, const protocol::RemoveRequest& request);
// rename.cpp
Body apply_body(Context& context, const protocol::RenameRequest& request);
// set_attributes.cpp
Body apply_body(Context& context, const protocol::SetAttributesRequest& request);
// writers.cpp
Body apply_body(Context& context, const protocol::OpenRequest& request);
Body apply_body(Context& context, const protocol::SettleRequest& request);
Body apply_body(Context& context, const protocol::AbandonRequest& request);
Body apply_body(Context& context, const protocol::UnmarkRequest& request);
Body apply_body(Context& context, const RecoverSize& command);
// xattrs.cpp
Body apply_body(Context& context, const protocol::SetXattrRequest& request);
Body apply_body(Context& context, const protocol::RemoveXattrRequest& request);
// sessions.cpp
Body apply_body(Context& context, const OpenSession& command);
Body apply_body(Context& context, const CloseSession& command);
Body apply_body(Context& context, const LapseSession& command);
// deletion.cpp
Body apply_body(Context& context, const DeleteInode& command);
Body apply_body(Context& context, const ForgetInode& command);
// cuts.cpp
Body apply_body(Context& context, const AcknowledgeCuts& command);
// ring.cpp
Body apply_body(Context& context, const StartEpoch& command);
Body apply_body(Context& context, const CreateCluster& command);
Body apply_body(Context& context, const GrantTerm& command);
Body apply_body(Context& context, const ConfirmTerm& command);
Body apply_body(Context& context, const ConfirmGeneration& command);
Body apply_body(Context& context, const DeclareLost& command);

/// The reply of commands that answer nothing but that they were done.
inline Body done() { return std::string(); }

}  // namespace mendfs::metaserver
