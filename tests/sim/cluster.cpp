#include "tests/sim/cluster.h"

#include <fmt/core.h>

namespace mendfs::sim {

namespace {

// Old news in a report: the last heartbeat's reply, and the time to notice that
// there is none any more.
constexpr auto kReportAgeMax = 4s;

}  // namespace

Cluster::Cluster(SimWorld& world, std::uint32_t slot_count)
    : world_(world),
      slot_count_(slot_count),
      meta_(&world.process("meta")),
      data_hosts_(slot_count),
      monitor_(world.process("monitor").env(), meta_address()) {
  for (Slot slot = 0; slot < slot_count; ++slot) data_.push_back(&world.process(fmt::format("data{}", slot)));
}

void Cluster::start_all() {
  if (const MetaHost* host = meta_host(); host == nullptr || !host->ended().empty()) start(*meta_);
  for (Slot slot = 0; slot < slot_count_; ++slot)
    if (const DataHost* host = data_host(slot); host == nullptr || !host->ended().empty()) start(*data_[slot]);
}

void Cluster::start(SimProcess& process) {
  process.kill();
  started_at_ = world_.now();
  if (&process == meta_) {
    process.start([this](Env& env) {
      auto host = std::make_shared<MetaHost>(env, meta_options());
      meta_host_ = host;
      return host;
    });
    return;
  }
  for (Slot slot = 0; slot < slot_count_; ++slot) {
    if (&process != data_[slot]) continue;
    process.start([this, slot](Env& env) {
      auto host = std::make_shared<DataHost>(env, data_options(slot));
      data_hosts_[slot] = host;
      return host;
    });
  }
}

metaserver::MetaServerOptions Cluster::meta_options() const {
  metaserver::MetaServerOptions options;
  options.address = meta_address();
  options.log_segment_size = 64 << 10;
  options.checkpoint_bytes = 16 << 10;
  return options;
}

dataserver::DataServerOptions Cluster::data_options(Slot slot) const {
  dataserver::DataServerOptions options;
  options.index = slot;
  for (Slot other = 0; other < slot_count_; ++other) options.addresses.push_back(data_address(other));
  // Small, so that a short run fills, closes, flushes and compacts many.
  options.store.segment_size = 256 << 10;
  options.store.reserve_size = 256 << 10;
  options.store.index_flush_size = 32 << 10;
  options.store.replay_size_max = 1 << 20;
  options.store.cached_runs_max = 100;
  return options;
}

bool Cluster::healthy() {
  const MetaHost* meta = meta_host();
  if (meta == nullptr || !meta->serving() || meta_->loop().paused()) return false;
  for (Slot slot = 0; slot < slot_count_; ++slot) {
    const DataHost* host = data_host(slot);
    if (host == nullptr || !host->serving() || data_[slot]->loop().paused()) return false;
  }
  const std::optional<Time> all_up = monitor_.all_up_at();
  return all_up && *all_up > started_at_ + kReportAgeMax && *all_up + 2s > world_.now();
}

std::string Cluster::describe() {
  std::string text;
  const auto describe_host = [&](SimProcess& process, const auto* host) {
    if (host == nullptr) {
      text += process.name() + " is dead, ";
    } else if (!host->ended().empty()) {
      text += fmt::format("{} ended ({}), ", process.name(), host->ended());
    } else if (!host->serving()) {
      text += process.name() + " is starting, ";
    }
  };
  describe_host(*meta_, meta_host());
  for (Slot slot = 0; slot < slot_count_; ++slot) describe_host(*data_[slot], data_host(slot));
  return text + "ring.status:" + monitor_.text();
}

SimProcess& Cluster::client(std::uint32_t index) { return world_.process(fmt::format("client{}", index)); }

client::Options Cluster::mount_options(const SimProcess& client) const {
  client::Options options;
  options.metaserver = meta_address();
  for (Slot slot = 0; slot < slot_count_; ++slot) options.dataservers.push_back(data_address(slot));
  options.client_name = client.name();
  return options;
}

}  // namespace mendfs::sim
