// The outside world as one program sees it. main() or the simulation makes it; every part takes what it uses from it.
#pragma once

#include "base/logger.h"
#include "env/disk.h"
#include "env/kv.h"
#include "env/loop.h"
#include "env/network.h"
#include "env/random.h"

namespace mendfs {

struct Env {
  Loop& loop;
  Network& network;
  Disk& disk;     // a program that keeps nothing is given one that refuses
  KvFactory& kv;  // stores live under the same directory as `disk`
  Random& random;
  Logger& log;
};

}  // namespace mendfs
