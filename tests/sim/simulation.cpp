#include "tests/sim/simulation.h"

#include <fmt/core.h>

#include "tests/sim/client_program.h"
#include "tests/sim/copy_audit.h"

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
        faults_(cluster_, journal_, world_.random().next()) {}

  Outcome execute() {
    cluster_.start_all();
    start_clients();
    // The ring is made in peace: making it needs every server at once.
    if (!world_.run_until([&] { return journal_.files.size() >= writers_.size(); }, 60s))
      journal_.fail("the filesystem cannot be mounted: " + describe());
    faults_.begin();
    (void)world_.run_until([&] { return stuck_or_done(); }, kFaultsLast);
    faults_.stop();
    if (!world_.run_until([&] { return stuck_or_done(); }, kWorkEndsWithin))
      journal_.fail("the users are stuck although all is well: " + describe());
    reader_.lock()->stop();
    if (journal_.failure.empty()) converge();
    if (!journal_.failure.empty()) journal_.failure += "\nThe servers now: " + diagnose();
    return {journal_.failure, world_.trace(), summary()};
  }

 private:
  void start_clients() {
    WorkerOptions options;
    options.aligned = faults_.may_cut_power();
    for (std::uint32_t i = 0; i < 2; ++i) {
      SimProcess& machine = cluster_.client(i);
      machine.start([&](Env& env) {
        auto program = std::make_shared<WriterProgram>(env, cluster_.mount_options(machine), journal_,
                                                       fmt::format("writer{}", i), options);
        writers_.push_back(program);
        return program;
      });
    }
    SimProcess& machine = cluster_.client(2);
    machine.start([&](Env& env) {
      auto program = std::make_shared<ReaderProgram>(env, cluster_.mount_options(machine), journal_, 300ms);
      reader_ = program;
      return program;
    });
  }

  bool stuck_or_done() const {
    if (!journal_.failure.empty()) return true;
    for (const auto& writer : writers_)
      if (const auto program = writer.lock(); program && !program->finished()) return false;
    return true;
  }

  /// Everything is whole again, all copies agree, and a mount that knows
  /// nothing reads what was written.
  void converge() {
    if (!world_.run_until([&] { return reader_.lock()->finished() || !journal_.failure.empty(); }, 60s))
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
    for (std::size_t i = 0; i < self->journal_.files.size(); ++i) {
      Journal::File& file = *self->journal_.files[i];
      if (file.inode == 0) continue;
      const bool good = co_await check_file(*filesystem, self->journal_, file, "the last audit");
      if (!good) co_return;
    }
    // Reading has reported what was bad; the mending is to be over by now.
    co_await sleep_for(env.loop, 5s);
    const std::string difference = co_await compare_copies(env, self, filesystem.get());
    if (!difference.empty()) self->journal_.fail("the copies differ: " + difference);
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
    for (std::size_t i = 0; i < self->journal_.files.size(); ++i) {
      const Journal::File& file = *self->journal_.files[i];
      if (file.inode == 0) continue;
      Result<protocol::Attributes> attributes = co_await filesystem->get_attributes(file.inode);
      if (!attributes.ok()) co_return file.name + ": " + attributes.error().message;
      const std::string difference = co_await copies.compare(*attributes);
      if (!difference.empty()) co_return file.name + ": " + difference;
    }
    co_return std::string();
  }

  std::string describe() {
    std::string text;
    for (const auto& writer : writers_)
      if (const auto program = writer.lock()) text += program->describe() + "; ";
    if (const auto program = reader_.lock()) text += program->describe() + "; ";
    return text + cluster_.describe();
  }

  std::string summary() const {
    const double seconds = std::chrono::duration<double>(world_.now()).count();
    return fmt::format(
        "{} servers, {:.0f} s, {} messages; {} writes, {} "
        "reads, {} syncs, {} cuts; {}",
        cluster_.slot_count(), seconds, world_.network().delivered_count(), journal_.writes, journal_.reads,
        journal_.syncs, journal_.cuts, faults_.describe());
  }

  Journal journal_;
  mutable SimWorld world_;
  Cluster cluster_;
  FaultPlan faults_;
  std::vector<std::weak_ptr<WriterProgram>> writers_;
  std::weak_ptr<ReaderProgram> reader_;
};

}  // namespace

Outcome simulate(std::uint64_t seed) {
  Run run(seed);
  return run.execute();
}

}  // namespace mendfs::sim
