// The shell of one end (a process or a node agent): inbox, sessions, timers, the pump.
//
// ReferenceCounter and NodeAgent differ in what they do with items; everything that both need to
// exchange them lives here. An Endpoint owns the SessionTable and gives it to whoever holds the
// pump role. It holds no lock while it calls its Client, the transport, or the membership.
//
// A pump turn: (1) membership events, in order; (2) arrived envelopes, each through its session to
// Client::OnPayload; (3) Client::Work, then Flushed if it is owed and Client::IsFlushed says so;
// (4) for each peer marked ready or unblocked whose window has room: Client::Fill until the window
// is full or nothing is left; (5) acknowledgements and retransmissions; then what was produced is
// handed to Transport::Send. Membership events that came before an envelope are handled before it.
//
// Thread safety: thread-safe, except where "pump role" is said. The pump role is not a lock: one
// thread takes it, others that want it make the holder go round once more and return.
// Ownership: shared; the inbox and the membership hold it weakly, a thread that is inside it keeps
// its insides alive. The Client is borrowed until Stop() returns; the collaborators in the Config
// must outlive the last call into the endpoint and its inbox.
// Blocks: Stop, and Pump as long as the Client and the transport do. No timer is ever waited for to
// send what is ready.
// Errors: what the transport, the membership or on_wake throws is caught and logged.

#ifndef FREEHOLD_SRC_RUNTIME_ENDPOINT_H_
#define FREEHOLD_SRC_RUNTIME_ENDPOINT_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "freehold/clock.h"
#include "freehold/ids.h"
#include "freehold/log.h"
#include "freehold/membership.h"
#include "freehold/session_options.h"
#include "freehold/stats.h"
#include "freehold/transport.h"
#include "src/base/intern.h"
#include "src/core/codec.h"
#include "src/core/peer.h"

namespace freehold::runtime {

using core::PeerIndex;

class Endpoint {
 public:
  // What the layer above does. All are called by the pump role, with no lock held.
  class Client {
   public:
    virtual ~Client() = default;
    // Items from `from`, decodable, in order. Answers the number of items refused because `from`
    // may not send them.
    virtual uint64_t OnPayload(PeerIndex from, std::string_view payload, Time now) = 0;
    // Deferred work, in pieces. Answers when it wants to be called next: kInfinitePast for more
    // at once, kInfiniteFuture for not before something happens.
    virtual Time Work(Time now) = 0;
    // Moves what waits for `peer` into `writer` until it is full. Answers whether more waits. An
    // empty writer sends nothing, whatever the answer.
    virtual bool Fill(PeerIndex peer, core::PayloadWriter* writer) = 0;
    // These ids are excluded; their sessions have been ended. The ids come as interned indices,
    // known to this end before or not. From then on Flushed is owed for this view, and for no
    // earlier one: nobody can wait for those any more.
    virtual void OnView(uint64_t version, const std::vector<PeerIndex>& excluded) = 0;
    // Whether everything is done that the latest view, `version`, asks for; Flushed is then
    // reported. Asked in every turn that owes the report, after Work: cheap. Nothing polls it: what
    // makes it true is an arrival, Work, a view, or is followed by WakeWork.
    virtual bool IsFlushed(uint64_t version) = 0;
    // All views up to `version` are closed: by the membership, or by Config::orphan_grace.
    virtual void OnBarrier(uint64_t version) = 0;
    // This end itself was excluded. Nothing is sent or taken any more, membership events included;
    // Work goes on. Called after the OnView of the same view, for which Flushed is not reported.
    virtual void OnSelfExcluded() = 0;
    // Whether items may be taken from `from` now. False drops its envelopes before their session
    // sees them; they come again (the back-pressure on a peer that does not take our answers).
    // Bare acknowledgements are taken all the same, so that it can end.
    virtual bool CanTake(PeerIndex from) = 0;
  };

  struct Config {
    Address self;
    Transport* transport = nullptr;    // null: what is sent vanishes and is never retained
    Membership* membership = nullptr;  // null: nobody is excluded
    const Clock* clock = nullptr;      // not null
    Logger* logger = nullptr;          // not null
    SessionOptions session;
    bool start_pump_thread = false;
    // Zero: barriers come from the membership. Positive: its barriers are ignored, and the barrier
    // of a view comes this long after the turn that took the view, by the times given to Pump; the
    // view that came with joining included. Not negative.
    Duration orphan_grace = Duration::zero();
    // Called when NextDeadline() has become kInfinitePast, in the thread that made it so, unless
    // that is the one with the pump role; may be empty. It may call Pump. Stop waits for its calls.
    std::function<void()> on_wake;
    uint64_t seed = 0;  // 0: from the machine
  };

  // Joins the membership and takes a pump turn, in which the client hears the view that came with
  // joining. Sets `*endpoint` before the first call of on_wake or of the client. Errors:
  // InvalidArgument (options), those of
  // Membership::Join; ResourceExhausted when the pump thread could not be started.
  static absl::Status Create(const Config& config, Client* client,
                             std::shared_ptr<Endpoint>* endpoint);
  // Like Stop(false).
  ~Endpoint();
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  // --- Any thread ----------------------------------------------------------------------------

  // The index of an address, given at first sight. Lock-free when it is known. kNoPeer when the
  // index space is exhausted.
  PeerIndex Intern(const Address& address);
  // The same of a node's address, without a call for a node that was asked for recently.
  PeerIndex InternNode(const NodeId& node) {
    return std::min<uint32_t>(interner_.InternNode(node), core::kNoPeer);
  }
  // The same without the call: kNoPeer or more for any other node.
  PeerIndex RecentNode(const NodeId& node) const { return interner_.FindRecentNode(node); }
  // kNoPeer when it was never seen.
  PeerIndex Find(const Address& address) const;
  // How many were ever seen: their indices are below.
  PeerIndex peers() const { return interner_.size(); }
  // REQUIRES: the index was given by this endpoint.
  const Address& AddressOf(PeerIndex peer) const;
  bool IsExcluded(PeerIndex peer) const;
  bool self_excluded() const;

  // `peer` has something that Fill would move. Wakes the pump. Costs one load while the peer is
  // marked already. REQUIRES: what Fill would move was put there under a lock that Fill takes.
  void MarkReady(PeerIndex peer);
  // Client::Work has something to do. Costs one load while the pump is awake already. REQUIRES: as
  // for MarkReady, of what Work would find.
  void WakeWork();

  std::shared_ptr<Inbox> inbox() const;
  // Takes turns until nothing is left to do at `now`, or a bound is reached because something keeps
  // waking it: then NextDeadline() is kInfinitePast, and the caller should call again. The first
  // turn does what was marked before the call. Time does not go back: an earlier `now` is ignored.
  void Pump(Time now);
  // When Pump is needed next; kInfinitePast: now. To be asked after each Pump.
  Time NextDeadline() const;
  // Nothing is unacknowledged (or this end is excluded and nothing will be), nothing waits in the
  // inbox, nobody is marked ready.
  bool Idle() const;
  uint64_t unacked_envelopes() const;
  // Calls `visit(peer, envelopes)` for those that have not acknowledged so many, in order of index.
  void ForEachUnacked(absl::FunctionRef<void(PeerIndex, uint32_t)> visit) const;
  SessionStats GetStats() const;

  // Ends it: joins the pump thread if there is one, waits until no thread holds the pump role,
  // leaves the membership if told so; from then on Deliver drops and Pump does nothing. May be
  // called by the pump role itself (from a Client method, Transport::Send or on_wake); it then does
  // not wait for itself; the Client is not called again, but must stay until the call of it that
  // is under way has returned. A turn in progress is cut short. May be called again, also to leave
  // after all.
  void Stop(bool leave_membership);

 private:
  class Impl;
  explicit Endpoint(std::shared_ptr<Impl> impl);
  const std::shared_ptr<Impl> impl_;
  internal::AddressInterner& interner_;  // the inside's
};

}  // namespace freehold::runtime

#endif  // FREEHOLD_SRC_RUNTIME_ENDPOINT_H_
