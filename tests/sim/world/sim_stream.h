// The two ends of a kept connection in the simulated network. Inside tests/sim/world only.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <optional>

#include "tests/sim/world/sim_network.h"

namespace mendfs::sim {

/// What both ends share. Side 0 connected, side 1 was connected to.
struct Link {
  struct End {
    End(ProcessId p, SimLoop& loop) : process(p), changed(loop) {}
    ProcessId process;
    Signal changed;
    std::deque<Frame> inbox;
    bool ended = false;  // nothing more will come
    Time last_arrival{0};
    std::size_t unsent_size = 0;                 // bytes this end sent that have not arrived
    std::deque<std::optional<Frame>> held_back;  // sent from here into a partition; nothing: the end
  };
  Link(ProcessId client, SimLoop& client_loop, ProcessId server, SimLoop& server_loop)
      : ends{End(client, client_loop), End(server, server_loop)} {}
  std::array<End, 2> ends;
  bool broken = false;

  End& end(int side) { return ends[static_cast<std::size_t>(side)]; }
};

class SimStream : public FrameStream {
 public:
  SimStream(SimNetwork& network, std::shared_ptr<Link> link, int side)
      : network_(network), link_(std::move(link)), side_(side) {}
  SimStream(const SimStream&) = delete;
  SimStream& operator=(const SimStream&) = delete;
  ~SimStream() override { network_.close_side(link_, side_); }

  void send(Frame frame) override;
  std::size_t unsent_size() const override { return link_->end(side_).unsent_size; }
  Task<Result<Frame>> receive() override { return next_frame(link_, side_); }
  void close() override { network_.close_side(link_, side_); }
  bool closed() const override { return link_->broken || link_->end(side_).ended; }

 private:
  static Task<Result<Frame>> next_frame(std::shared_ptr<Link> link, int side);

  SimNetwork& network_;
  std::shared_ptr<Link> link_;
  int side_;
};

}  // namespace mendfs::sim
