// Lease, renewal, suspicion, back-off and queue bounds: all of them, here (docs/fault-model.md, "Times").
#pragma once

#include <chrono>
#include <cstddef>

namespace mendfs::timing {

using namespace std::chrono_literals;

// Client and metaserver.
constexpr auto kSessionLease = 10s;
constexpr auto kSessionRenew = 3s;
constexpr auto kMetaCallTimeout = 10s;  // one attempt; the call is retried with the same sequence
constexpr auto kMountTimeout = 10s;     // no metaserver, or a ring that is not complete
constexpr auto kMetaLogSyncMax = 50ms;  // an entry is on the device after this
constexpr auto kSizeReportEvery = 1s;   // while a file is being written
constexpr auto kTimesTick = 4ms;        // an fsync leaves the time of the last write untold that differs by less
constexpr auto kTimesReport = 50ms;     // but it is told this much later
constexpr auto kChangesWaitMax = 3s;    // a client's question for others' changes is answered after this at the latest
constexpr auto kChangesGather = 2ms;    // changes that come this soon after another one are told together
constexpr auto kForgetAgainAfter = 50ms;  // the kernel is told a second time: it may just have taken in an old answer
constexpr auto kChangesTimeout = 5s;      // unanswered for this long: the client trusts its cache no more

// Metaserver and dataservers.
constexpr auto kHeartbeatEvery = 1s;
constexpr auto kHeartbeatTimeout = 2s;
constexpr auto kControlTimeout = 10s;      // calls that wait for a dataserver's disk: cuts, extents
constexpr auto kWriteGrant = 10s;          // a dataserver takes writes this long after the metaserver's last call
constexpr auto kFenceWait = 11s;           // after the last grant sent, when a dataserver cannot be reached
constexpr auto kLostRangeWait = 5s;        // a range without a source for this long may be declared lost by itself
constexpr auto kRingCreationMax = 9s;      // within kMountTimeout, so that the sentence still arrives
constexpr auto kMetaserverSilentMax = 5s;  // a dataserver not called for this long says so in its log
constexpr auto kToldSaveEvery = 10s;       // how far the metadata has come, when nothing else is to be saved
constexpr auto kReserveTimeout = 30s;      // a blank dataserver keeps itself for one metaserver

// Block protocol.
constexpr auto kPingEvery = 500ms;
constexpr auto kPeerSilentMax = 2s;  // no answer to a ping for this long: down
constexpr auto kConnectTimeout = 2s;
constexpr auto kRetryBackoffMin = 20ms;
constexpr auto kRetryBackoffMax = 1s;
constexpr auto kConnectionIdleMax = 10s;            // a server drops a peer that has not even pinged for this long
constexpr std::size_t kRequestsInFlightMax = 4096;  // per connection
constexpr std::size_t kRequestBytesInFlightMax = 256u << 20;  // per connection, answers not yet sent included
constexpr auto kReadHedgeAfter = 1s;                          // a reader turns to the other copy

// Dataserver.
constexpr auto kDataSyncEvery = 5s;         // un-fsynced data is on the device after this
constexpr auto kSyncGather = 1ms;           // a part of a synced write waits this long for those that are to come
constexpr auto kPeerCallTimeout = 5s;       // one fetch, list or handshake of another dataserver
constexpr auto kForwardTimeout = 30s;       // one forward, which may wait for a slow disk; then it is sent again
constexpr auto kForwardAgainAfter = 100ms;  // a forward or handshake that a connected holder refused
constexpr auto kReadyWait = 1s;             // a write waits this long for a handshake or a grant before it is refused
constexpr auto kBlockedAfter = 1s;          // a write waiting longer for another holder counts as blocked
constexpr auto kScrubFirst = 1h;            // a first scrub this long after the start
constexpr auto kScrubEvery = 168h;          // and each next one after the end of the last
constexpr std::uint64_t kScrubBytesPerSecond = 32u << 20;  // of a scrub that nobody asked for
constexpr std::size_t kForwardBytesMax = 256u << 20;       // parked for one holder; beyond it writes are refused

// Client.
constexpr auto kBlockedLogAfter = 1s;
constexpr auto kBlockedLogEvery = 10s;
constexpr auto kInterruptAfter = 1s;
constexpr auto kUnmarkAfter = 50ms;  // marks of closed files of which there is nothing to tell go this much later
constexpr auto kReportWait = 5ms;    // a chmod waits this long for the file's bytes, to be told with the size
constexpr auto kUnmountDrain = 5s;
constexpr auto kAuditTimeout = 5s;     // the sums of the copies that a read did not give out
constexpr auto kAuditQuiet = 5ms;      // they are asked for when no read has ended for so long,
constexpr auto kAuditWaitMax = 500ms;  // and after this at the latest
constexpr auto kRepairTimeout = 10s;
constexpr auto kReadAheadKeep = 1s;  // what was fetched before it was asked for counts for so long
constexpr std::size_t kReadAheadPerHandleMax = 4u << 20;
constexpr std::size_t kReadAheadBytesMax = 64u << 20;  // of a mount
constexpr auto kWriteResendAfter = 30s;                // a write unanswered on a live connection is sent again
constexpr std::size_t kQueuedBytesPerFileMax = 16u << 20;
constexpr std::size_t kQueuedBytesMax = 128u << 20;
constexpr std::size_t kWriteMessageSizeMax = 1u << 20;
constexpr auto kWriteGather = 1ms;                   // small writes wait this long for the next of their file,
constexpr std::size_t kWriteGatherSize = 64u << 10;  // or until so much has come together

}  // namespace mendfs::timing
