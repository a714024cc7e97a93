#include "fuseclient/process.h"

#include <unistd.h>

#include <catch2/catch.hpp>

using namespace mendfs::fuse;

TEST_CASE("a process is alive, leaving or gone, whatever its name", "[fuse]") {
  CHECK(parse_process_state("7 (cat) S 1 7 7 0 -1 4194304 100 0") == ProcessState::Alive);
  CHECK(parse_process_state("7 (a) Z 1) S 1 7 7 0 -1 4194304 100 0") == ProcessState::Alive);
  CHECK(parse_process_state("7 (cat) Z 1 7 7 0 -1 4194308 0 0") == ProcessState::Gone);
  CHECK(parse_process_state("7 (cat) D 1 7 7 0 -1 4194308 0 0") == ProcessState::Leaving);
  CHECK(parse_process_state("7 (cat) D 1 7 7 0 -1 4195332 0 0") == ProcessState::Gone);
  CHECK(parse_process_state("") == ProcessState::Gone);
  CHECK(parse_process_state("7 (cat) ") == ProcessState::Gone);
}

TEST_CASE("this process is alive", "[fuse]") { CHECK(process_state(::getpid()) == ProcessState::Alive); }
