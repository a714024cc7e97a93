#include "tests/sim/deletion_audit.h"

#include <fmt/core.h>

#include "env/future.h"
#include "rpc/client.h"

namespace mendfs::sim {
namespace {

/// Renewals, a lease and a fence, calls to every dataserver, and some luck with the network.
constexpr auto kDeletionTakes = 60s;
constexpr auto kLookEvery = 1s;

Task<Result<rpc::Value>> ask(Env& env, Address server, const char* method) {
  std::vector<rpc::Value> nothing;
  co_return co_await rpc::call(env.network, std::move(server), method, std::move(nothing), env.loop.now() + 2s);
}

std::uint64_t number_in(const rpc::Struct& members, const char* name) {
  const rpc::Value& member = members.at(name);
  if (const auto* text = member.get<std::string>()) return std::stoull(*text);
  return static_cast<std::uint64_t>(*member.get<std::int64_t>());
}

Task<std::string> look(Env& env, Cluster& cluster, const std::set<InodeNumber>& files,
                       const std::set<InodeNumber>& lost) {
  for (Slot slot = 0; slot < cluster.slot_count(); ++slot) {
    const Result<rpc::Value> listed = co_await ask(env, cluster.data_address(slot), "file.list");
    if (!listed.ok()) co_return fmt::format("data{}: {}", slot, listed.error().message);
    const auto* entries = listed->get<rpc::Array>();
    for (const rpc::Value& entry : *entries) {
      const InodeNumber inode = number_in(*entry.get<rpc::Struct>(), "inode");
      if (!files.contains(inode) && !lost.contains(inode))
        co_return fmt::format("data{} has blocks of the deleted file {}", slot, inode);
    }
  }
  const Result<rpc::Value> status = co_await ask(env, cluster.meta_address(), "ring.status");
  if (!status.ok()) co_return status.error().message;
  const std::uint64_t inodes = number_in(*status->get<rpc::Struct>(), "inodes");
  if (inodes != files.size() + 1) co_return fmt::format("{} inodes for the root and {} files", inodes, files.size());
  co_return std::string();
}

}  // namespace

Task<std::string> find_leftovers(Env& env, Cluster& cluster, std::set<InodeNumber> files, std::set<InodeNumber> lost) {
  const Time deadline = env.loop.now() + kDeletionTakes;
  for (;;) {
    std::string left = co_await look(env, cluster, files, lost);
    if (left.empty() || env.loop.now() >= deadline) co_return left;
    co_await sleep_for(env.loop, kLookEvery);
  }
}

}  // namespace mendfs::sim
