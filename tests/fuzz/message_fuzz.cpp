#include "block/run.h"
#include "protocol/control.h"
#include "protocol/data.h"
#include "protocol/fields.h"
#include "protocol/meta.h"
#include "protocol/ring_data.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace mendfs;

template <class Message>
void check(std::string_view bytes) {
  const Result<Message> message = unpack<Message>(bytes);
  if (message.ok()) MENDFS_ASSERT(pack(*message) == bytes);
}

void check_runs(std::string_view bytes) {
  const Result<protocol::ForwardRequest> forward = unpack<protocol::ForwardRequest>(bytes);
  if (!forward.ok()) return;
  for (const RunSummary& run : forward->runs) {
    if (!check_run(run.header, run.digests.size()).ok()) continue;
    MENDFS_ASSERT(run.header.blocks.last() <= kFileSizeMax / run.header.layout.block_size);
    MENDFS_ASSERT(run.header.data_size() <= std::uint64_t{run.header.blocks.count} * run.header.layout.block_size);
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mendfs::protocol;
  if (size == 0) return 0;
  const std::string_view bytes = fuzz::text_from(data + 1, size - 1);
  switch (data[0] % 13) {
    case 0:
      check<MessageHeader>(bytes);
      break;
    case 1:
      check<WriteRequest>(bytes);
      break;
    case 2:
      check<ReadRequest>(bytes);
      break;
    case 3:
      check<ReadReply>(bytes);
      break;
    case 4:
      check_runs(bytes);
      break;
    case 5:
      check<FetchReply>(bytes);
      break;
    case 6:
      check<ListReply>(bytes);
      break;
    case 7:
      check<HeartbeatRequest>(bytes);
      break;
    case 12:
      check<AuditRequest>(bytes);
      break;
    case 8:
      check<HeartbeatReply>(bytes);
      break;
    case 9:
      check<MetaReply>(bytes);
      break;
    case 10:
      check<ReadDirectoryReply>(bytes);
      break;
    case 11:
      check<SetAttributesRequest>(bytes);
      break;
  }
  return 0;
}
