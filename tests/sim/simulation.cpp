#include "tests/sim/simulation.h"

#include <fmt/core.h>

#include "tests/sim/client_program.h"
#include "tests/sim/copy_audit.h"
#include "tests/sim/deletion_audit.h"
#include "tests/sim/users.h"

namespace mendfs::sim {
namespace {

constexpr auto kFaultsLast = 25s;
/// After the last fault everything must be done and whole within these: leases,
/// back-off and a rebuild fit in.
constexpr auto kWorkEndsWithin = 120s;
constexpr auto kWholeWithin = 120s;

class Run {
 public:
  explicit Run(std::uint64_t seed)
      : world_(seed),
        cluster_(world_, static_cast<std::uint32_t>(2 + seed % 4)),
        users_(cluster_, journal_),
        faults_(cluster_, users_, journal_, world_.random().next(), seed / 4 % 2 == 0),
        has_sharers_(seed % 3 == 0) {
    journal_.slot_count = cluster_.slot_count();
    journal_.is_recovered = [this](const std::string& client, Time died) {
      return cluster_.is_recovered(client, died);
    };
  }

  Outcome execute() {
    cluster_.start_all();
    start_users();
    // The ring is made in peace: making it needs every server at once.
    if (!world_.run_until([&] { return is_all_made(); }, 60s))
      journal_.fail("the filesystem cannot be mounted: " + describe());
    faults_.begin();
    (void)world_.run_until([&] { return stuck_or_done(); }, kFaultsLast);
    faults_.stop();
    if (!world_.run_until([&] { return stuck_or_done(); }, kWorkEndsWithin))
      journal_.fail("the users are stuck although all is well: " + describe());
    users_.stop_reader();
    if (journal_.failure.empty()) converge();
    if (!journal_.failure.empty()) journal_.failure += "\nThe servers now: " + diagnose();
    return {journal_.failure, world_.trace(), summary()};
  }

 private:
  void start_users() {
    WorkerOptions options;
    options.aligned = faults_.leaves_doubt();
    options.disks_fill = faults_.fills_disks();
    options.unlinks = faults_.has_all();
    users_.start(options, faults_.has_all());
    if (has_sharers_) users_.start_sharers(faults_.fills_disks());
  }

  bool is_all_made() const {
    return journal_.files.size() >= users_.writer_count() && (!has_sharers_ || journal_.shared.inode != 0);
  }

  bool stuck_or_done() const { return !journal_.failure.empty() || users_.done(); }

  /// Everything is whole again, all copies agree, and a mount that knows
  /// nothing reads what was written.
  void converge() {
    if (!world_.run_until([&] { return users_.reader_done() || !journal_.failure.empty(); }, 60s))
      journal_.fail("the reader is stuck: " + describe());
    if (!world_.run_until([&] { return cluster_.healthy(); }, kWholeWithin))
      journal_.fail("the cluster does not become whole: " + cluster_.describe());
    if (!journal_.failure.empty()) return;
    SimProcess& machine = cluster_.client(3);
    machine.start();
    Scope scope;
    bool done = false;
    scope.spawn(detail::keep_end(audit(machine.env(), this), &done));
    if (!world_.run_until([&] { return done || !journal_.failure.empty(); }, 120s))
      journal_.fail("the last audit is stuck: " + describe());
  }

  static Task<void> audit(Env& env, Run* self) {
    client::Options options = self->cluster_.mount_options(self->cluster_.client(3));
    std::unique_ptr<client::Filesystem> filesystem = co_await mount_patiently(env, std::move(options));
    // A read checks no copy of a server that the mount has not reached yet.
    co_await sleep_for(env.loop, 2s);
    for (std::size_t i = 0; i < self->journal_.files.size(); ++i) {
      Journal::File& file = *self->journal_.files[i];
      if (file.inode == 0 || file.unlinked) continue;
      const bool good = co_await check_file(*filesystem, self->journal_, file, "the last audit");
      if (!good) co_return;
    }
    if (self->has_sharers_) {
      const bool good = co_await check_shared_file(env, filesystem.get(), self->journal_);
      if (!good) co_return;
    }
    // Reading has reported what was bad; the mending is to be over by now.
    co_await sleep_for(env.loop, 5s);
    const std::string difference = co_await compare_copies(env, self, filesystem.get());
    if (!difference.empty()) self->journal_.fail("the copies differ: " + difference);
    std::set<InodeNumber> files = self->users_.names().nodes();
    std::set<InodeNumber> lost;  // with their creation
    for (std::size_t i = 0; i < self->journal_.files.size(); ++i) {
      const Journal::File& file = *self->journal_.files[i];
      bool is_there = !file.unlinked;
      if (file.may_be_back || file.may_be_gone) {
        const Result<protocol::Attributes> found = co_await filesystem->get_attributes(file.inode);
        is_there = found.ok() && found->link_count > 0;
      }
      if (is_there) files.insert(file.inode);
      if (!is_there && file.may_be_gone) lost.insert(file.inode);
    }
    if (self->has_sharers_) files.insert(self->journal_.shared.inode);
    const std::string leftovers = co_await find_leftovers(env, self->cluster_, std::move(files), std::move(lost));
    if (!leftovers.empty()) self->journal_.fail(leftovers);
    co_await filesystem->unmount(env.loop.now() + 5s);
  }

  /// For the report of a failure: what the servers have now.
  std::string diagnose() {
    SimProcess& machine = cluster_.client(4);
    std::string difference = "unknown";
    {
      Scope scope;
      bool done = false;
      scope.spawn(detail::keep_end(look(machine.env(), this, &difference), &done));
      (void)world_.run_until([&] { return done; }, 60s);
    }
    return difference.empty() ? "all copies are the same" : difference;
  }

  static Task<void> look(Env& env, Run* self, std::string* difference) {
    client::Options options = self->cluster_.mount_options(self->cluster_.client(4));
    std::unique_ptr<client::Filesystem> filesystem = co_await mount_patiently(env, std::move(options));
    *difference = co_await compare_copies(env, self, filesystem.get());
  }

  /// The first difference between two copies of a block of any file; empty: none.
  static Task<std::string> compare_copies(Env& env, Run* self, client::Filesystem* filesystem) {
    CopyAudit copies(env, self->cluster_);
    std::vector<std::pair<std::string, InodeNumber>> files;
    for (const auto& file : self->journal_.files)
      if (file->inode != 0 && !file->unlinked) files.emplace_back(file->name, file->inode);
    if (self->journal_.shared.inode != 0) files.emplace_back("the shared file", self->journal_.shared.inode);
    for (std::size_t i = 0; i < files.size(); ++i) {
      Result<protocol::Attributes> attributes = co_await filesystem->get_attributes(files[i].second);
      if (!attributes.ok()) co_return files[i].first + ": " + attributes.error().message;
      const std::string difference = co_await copies.compare(*attributes);
      if (!difference.empty()) co_return files[i].first + ": " + difference;
    }
    co_return std::string();
  }

  std::string describe() { return users_.describe() + cluster_.describe(); }

  std::string summary() const {
    const double seconds = std::chrono::duration<double>(world_.now()).count();
    return fmt::format(
        "{} servers, {:.0f} s, {} messages; {} writes, {} "
        "reads, {} syncs, {} cuts, {} unlinks, {} full disks, {} names, {} and {} shared; {}",
        cluster_.slot_count(), seconds, world_.network().delivered_count(), journal_.writes, journal_.reads,
        journal_.syncs, journal_.cuts, journal_.unlinks, journal_.full_disks, users_.names().changes,
        journal_.shared.writes, journal_.shared.reads, faults_.describe());
  }

  Journal journal_;
  mutable SimWorld world_;
  Cluster cluster_;
  Users users_;
  FaultPlan faults_;
  bool has_sharers_;  // mounts that write the same blocks
};

}  // namespace

Outcome simulate(std::uint64_t seed) {
  Run run(seed);
  return run.execute();
}

}  // namespace mendfs::sim
