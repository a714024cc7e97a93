#include "metaserver/options.h"
#include "metaserver/service/meta_server.h"
#include "program/server_program.h"

int main(int argc, char** argv) {
  using namespace mendfs;
  metaserver::Options options;
  if (const auto exit_code = metaserver::parse_options(argc, argv, options)) return *exit_code;
  ServerProgram program;
  program.name = "metaserver";
  program.world.log_level = options.log_level;
  program.world.log_file = options.log_file;
  program.world.directory = options.directory;
  program.listening = options.address;
  metaserver::MetaServerOptions server_options;
  server_options.address = options.address;
  return run_server<metaserver::MetaServer>(program, server_options);
}
