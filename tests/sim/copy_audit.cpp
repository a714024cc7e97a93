#include "tests/sim/copy_audit.h"

#include <fmt/core.h>

#include "block/placement.h"
#include "protocol/control.h"
#include "rpc/client.h"

namespace mendfs::sim {
namespace {

constexpr auto kPatience = 10s;
constexpr int kDifferencesNamed = 5;

}  // namespace

Task<std::string> CopyAudit::compare(protocol::Attributes attributes) {
  const Layout layout = attributes.layout;
  std::string differences;
  int count = 0;
  if (channels_.empty()) {
    std::string failure = co_await connect(cluster_.cluster_id(), layout.ring);
    if (!failure.empty()) co_return failure;
  }
  for (Slot range = 0; range < layout.slot_count; ++range) {
    std::optional<Copies> first;
    for (std::uint32_t copy = 0; copy < layout.copy_count; ++copy) {
      const Slot slot = (range + copy) % layout.slot_count;
      Copies copies;
      protocol::FileRef file{attributes.inode, layout, attributes.cuts};
      std::string failure = co_await read(std::move(file), range, slot, &copies);
      if (!failure.empty()) co_return failure;
      if (!first) {
        first = std::move(copies);
        continue;
      }
      for (const auto& [block, one] : *first) {
        const Copy& other = copies.at(block);
        if (one == other || ++count > kDifferencesNamed) continue;
        differences += fmt::format("block {}: {} on data{}, {} on data{}{}; ", block, describe(one), range,
                                   describe(other), slot, one.version == other.version ? ", digests differ" : "");
      }
    }
  }
  if (count > 0) differences += fmt::format("{} in all", count);
  co_return differences;
}

std::string CopyAudit::describe(const Copy& copy) {
  constexpr const char* kStates[] = {"data", "absent", "a hole", "unknown", "lost", "bad"};
  return fmt::format("{} of version {}.{}", kStates[static_cast<std::size_t>(copy.state)], copy.version.term,
                     copy.version.count);
}

Task<std::string> CopyAudit::connect(ClusterId cluster, RingNumber ring) {
  for (Slot slot = 0; slot < cluster_.slot_count(); ++slot) {
    const auto make_hello = [cluster, ring, slot] {
      protocol::HelloRequest hello;
      hello.role = protocol::Role::Tool;
      hello.cluster = cluster;
      hello.ring = ring;
      hello.to_slot = slot;
      return hello;
    };
    channels_.push_back(
        std::make_unique<protocol::Channel>(env_.loop, env_.network, cluster_.data_address(slot), make_hello));
    const bool up = co_await channels_.back()->until_up(env_.loop.now() + kPatience);
    if (!up) co_return fmt::format("data{} does not answer", slot);
  }
  co_return std::string();
}

Task<std::string> CopyAudit::read(protocol::FileRef file, Slot range, Slot slot, Copies* copies) {
  constexpr std::uint64_t kBlocksLooked = 128;
  protocol::ReadPart part;
  part.mode = protocol::ReadMode::Digest;
  part.blocks = share_of(0, kBlocksLooked, range, file.layout);
  protocol::ReadRequest request;
  request.file = std::move(file);
  request.parts.push_back(part);
  std::vector<Buffer> no_data;
  Result<protocol::Answer<protocol::ReadRequest>> answer =
      co_await channels_[slot]->call(std::move(request), std::move(no_data), env_.loop.now() + kPatience);
  if (!answer.ok()) co_return fmt::format("data{}: {}", slot, answer.error().message);
  for (const protocol::ReadRun& run : answer->reply.runs)
    for (std::uint32_t i = 0; i < run.blocks.count; ++i) {
      Copy copy{run.state, run.version, std::nullopt};
      if (run.state == protocol::BlockState::Data) copy.digest = run.digests.at(i);
      copies->insert_or_assign(run.blocks.at(i), copy);
    }
  for (std::uint32_t i = 0; i < part.blocks.count; ++i)
    if (!copies->contains(part.blocks.at(i)))
      co_return fmt::format("data{} says nothing of block {}", slot, part.blocks.at(i));
  co_return std::string();
}

}  // namespace mendfs::sim
