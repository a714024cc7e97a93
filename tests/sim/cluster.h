// A whole cluster in one simulated world: a metaserver, N dataservers and some
// clients, each on a machine of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "client/filesystem.h"
#include "dataserver/service/data_server.h"
#include "metaserver/service/meta_server.h"
#include "tests/sim/hosted.h"
#include "tests/sim/monitor.h"
#include "tests/sim/world/world.h"

namespace mendfs::sim {

class Cluster {
 public:
  using MetaHost = Hosted<metaserver::MetaServer>;
  using DataHost = Hosted<dataserver::DataServer>;

  Cluster(SimWorld& world, std::uint32_t slot_count);

  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  SimWorld& world() { return world_; }
  std::uint32_t slot_count() const { return slot_count_; }
  SimProcess& meta() { return *meta_; }
  SimProcess& data(Slot slot) { return *data_[slot]; }
  /// The program in it, if it is alive.
  MetaHost* meta_host() { return meta_->alive() ? meta_host_.lock().get() : nullptr; }
  DataHost* data_host(Slot slot) { return data_[slot]->alive() ? data_hosts_[slot].lock().get() : nullptr; }

  /// Starts whatever is dead, and whatever has ended by itself anew.
  void start_all();
  /// Starts one server; what still runs in it is killed.
  void start(SimProcess& process);
  /// A machine for a client; each mount is another one's.
  SimProcess& client(std::uint32_t index);
  client::Options mount_options(const SimProcess& client) const;

  Address meta_address() const { return {"127.0.0.1", 1111}; }
  Address data_address(Slot slot) const { return {"127.0.0.1", static_cast<std::uint16_t>(2000 + slot)}; }

  /// As the metaserver made it; zero before the first mount.
  ClusterId cluster_id() const { return monitor_.cluster(); }
  /// Every server runs, and the metaserver has heard since the last one started
  /// that all dataservers are complete and take writes.
  bool healthy();
  /// See Monitor.
  bool is_recovered(const std::string& client, Time since) const { return monitor_.is_recovered(client, since); }
  /// What is not, for messages.
  std::string describe();

 private:
  metaserver::MetaServerOptions meta_options() const;
  dataserver::DataServerOptions data_options(Slot slot) const;

  SimWorld& world_;
  std::uint32_t slot_count_;
  SimProcess* meta_;
  std::vector<SimProcess*> data_;
  std::weak_ptr<MetaHost> meta_host_;
  std::vector<std::weak_ptr<DataHost>> data_hosts_;
  Time started_at_{0};  // the last server that was
  Monitor monitor_;
};

}  // namespace mendfs::sim
