// Readiness over Asio.
#pragma once

#include "env/posix/posix_loop.h"
#include "env/readiness.h"

namespace mendfs {

class PosixReadiness final : public Readiness {
 public:
  explicit PosixReadiness(PosixLoop& loop) : loop_(loop) {}
  std::unique_ptr<ReadWatch> watch(int descriptor, std::function<void()> on_readable) override;

 private:
  PosixLoop& loop_;
};

}  // namespace mendfs
