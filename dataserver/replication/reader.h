// Reader: answers what others want to see of this server's copies. It waits for the local disk only. Loop thread only.
#pragma once

#include "dataserver/replication/node.h"
#include "protocol/data.h"
#include "protocol/ring_data.h"
#include "protocol/serve.h"

namespace mendfs::replication {

class Reader {
 public:
  explicit Reader(Node& node) : node_(node) {}

  protocol::ServedTask<protocol::ReadRequest> read(protocol::ReadRequest request);
  protocol::ServedTask<protocol::AuditRequest> audit(protocol::AuditRequest request);
  protocol::ServedTask<protocol::FetchRequest> fetch(protocol::FetchRequest request);
  protocol::ServedTask<protocol::ListRequest> list(protocol::ListRequest request);

 private:
  /// Appends what was found of the part with this index.
  void add_part(const protocol::FileRef& file, std::uint32_t index, const protocol::ReadPart& part,
                std::vector<store::ReadPiece> pieces, protocol::Served<protocol::ReadRequest>* answer) const;

  Node& node_;
};

}  // namespace mendfs::replication
