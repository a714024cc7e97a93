#include <cstdio>
#include <utility>
#include <variant>

#include "cli/command_line.h"
#include "corrupt/injector.h"
#include "corrupt/options.h"
#include "corrupt/report.h"
#include "env/posix/posix_world.h"

namespace {

using namespace mendfs;

Task<Result<std::string>> inject(Env* env, corrupt::Options options) {
  corrupt::Injector injector(env->network, env->loop, options.dataserver);
  MENDFS_CO_TRY_VOID(co_await injector.introduce());
  MENDFS_CO_TRY(corrupt::LocatedFile file, co_await injector.locate(options.path));
  if (options.list) {
    co_return options.json ? corrupt::list_blocks_as_json(options.path, file)
                           : corrupt::list_blocks(options.path, file);
  }
  const std::uint64_t seed = options.seed.value_or(env->random.next());
  MENDFS_CO_TRY(corrupt::Damaged damaged, co_await injector.damage(std::move(file), options.wish, options.mode, seed));
  damaged.path = options.path;
  co_return options.json ? corrupt::describe_as_json(damaged) : corrupt::describe(damaged);
}

Task<void> run(Env* env, PosixLoop* loop, corrupt::Options options, int* exit_code) {
  auto text = co_await inject(env, std::move(options));
  if (text.ok()) {
    std::fputs(text->c_str(), stdout);
  } else {
    *exit_code = cli::report("corrupt", text.error());
  }
  loop->stop();
}

}  // namespace

int main(int argc, char** argv) {
  auto parsed = corrupt::parse_options(argc, argv);
  if (const int* exit_code = std::get_if<int>(&parsed)) return *exit_code;
  corrupt::Options& options = std::get<corrupt::Options>(parsed);
  WorldOptions world_options;
  world_options.log_level = options.log_level;
  auto world = PosixWorld::make(world_options);
  if (!world.ok()) return cli::report("corrupt", world.error());
  Env env = (*world)->env();
  int exit_code = cli::kExitOk;
  Scope scope;
  scope.spawn(run(&env, &(*world)->loop(), std::move(options), &exit_code));
  (*world)->loop().run();
  return exit_code;
}
