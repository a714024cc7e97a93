#include "dataserver/options.h"
#include "dataserver/service/data_server.h"
#include "program/server_program.h"

int main(int argc, char** argv) {
  using namespace mendfs;
  dataserver::Options options;
  if (const auto exit_code = dataserver::parse_options(argc, argv, options)) return *exit_code;
  ServerProgram program;
  program.name = "dataserver";
  program.world.log_level = options.log_level;
  program.world.log_file = options.log_file;
  program.world.directory = options.server.directory;
  program.listening = options.server.addresses[options.server.index];
  return run_server<dataserver::DataServer>(program, options.server);
}
