// The decoding of log commands: whatever the bytes, an error or a command whose encoding is those bytes again, and
// which can be applied.
#include <memory>

#include "metaserver/namespace/command.h"
#include "metaserver/namespace/namespace.h"
#include "tests/fuzz/fuzz.h"
#include "tests/sim/world/sim_kv.h"

namespace mendfs::metaserver {
namespace {

/// A namespace with a cluster and a session, made anew for each input: what a command changes is gone after it.
void apply_to_fresh_namespace(const Command& command) {
  sim::Scheduler scheduler;
  sim::SimLoop loop(scheduler, 1);
  sim::SimKvFactory factory(loop, 1);
  const std::unique_ptr<Kv> kv = std::move(*factory.open("state"));
  Namespace names(*kv);
  MENDFS_ASSERT(names.load().ok());
  CreateCluster cluster;
  cluster.cluster = {1, 1};
  cluster.slots.resize(3);
  std::uint64_t index = 0;
  const SessionId session = call_of(command) != nullptr ? call_of(command)->session : SessionId{1, 1};
  for (const Command& before :
       {Command{0, 1, StartEpoch{}}, Command{0, 1, cluster}, Command{0, 1, OpenSession{session, ""}}})
    MENDFS_ASSERT(names.apply(++index, before).ok());
  MENDFS_ASSERT(names.apply(++index, command).ok());
  MENDFS_ASSERT(names.commit().ok());
}

}  // namespace
}  // namespace mendfs::metaserver

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mendfs::metaserver;
  const std::string_view bytes = mendfs::fuzz::text_from(data, size);
  mendfs::Result<Command> command = decode_command(bytes);
  if (!command.ok()) return 0;
  MENDFS_ASSERT(encode(*command) == bytes);
  // As if this start of the metaserver had logged it.
  command->epoch = 1;
  apply_to_fresh_namespace(*command);
  return 0;
}
