// How time passes in a simulated world, and how a run comes to rest and to its end.

#include <algorithm>
#include <iterator>
#include <utility>

#include "src/testing/sim_actor.h"
#include "src/testing/sim_coverage.h"
#include "src/testing/sim_drain.h"
#include "src/testing/sim_heirs.h"
#include "src/testing/sim_pins.h"
#include "src/testing/sim_scopes.h"
#include "src/testing/sim_sharing.h"
#include "src/testing/sim_stateful.h"
#include "src/testing/sim_transfers.h"

namespace freehold::testing::sim {

namespace {

// Within these, whatever is left to happen must have happened.
constexpr Duration kRestBound = std::chrono::seconds(120);
constexpr Duration kSettleBound = std::chrono::seconds(10);
// No timer but a digest's is longer: deletions are tried again and envelopes sent again by then.
constexpr Duration kTimersMost = std::chrono::milliseconds(1500);
// A drain says not when it is to be stepped again.
constexpr Duration kDrainStep = std::chrono::milliseconds(20);

}  // namespace

bool Actor::ActTime(const Action& action) {
  const Numbers& n = action.numbers;
  switch (action.verb) {
    case Verb::kTick:
      Tick(action);
      return true;
    case Verb::kAdvance:
      s_.clock.Advance(Duration(n[0]));
      return true;
    case Verb::kDeliver:
      s_.network.DeliverDue();
      return true;
    case Verb::kPump:
    case Verb::kHear: {
      End* end = s_.end(n[0]);
      if (end == nullptr || end->crashed) return false;
      if (action.verb == Verb::kPump) {
        PumpHost(end);
      } else {
        Hear(end);
      }
      return true;
    }
    case Verb::kRun: {
      const End* end = s_.end(n[0]);
      return end != nullptr && end->queue != nullptr && end->queue->RunOne();
    }
    case Verb::kSettle:
      if (Settle(kSettleBound)) LookAtInheritedLists(&oracle_, &s_);
      LookAtPassedOn(&oracle_, &s_);
      return true;
    case Verb::kRest:
      if (s_.nested == 0) Rest();
      return s_.nested == 0;
    case Verb::kCalm:
      s_.network.StopFaults();
      return true;
    case Verb::kFinish:
      if (s_.nested == 0) Finish();
      return s_.nested == 0;
    default:
      return false;
  }
}

void Actor::Hear(End* end) {
  if (!end->membership.has_notice()) return;
  oracle_.Hears(end, end->membership.next());
  end->membership.Deliver();
}

void Actor::Pump(End* end) {
  const Time now = s_.clock.Now();
  if (end->crashed) return;
  if (end->times_barriers) PassGraces(end, now);
  if (end->end > 0) {
    s_.process(end->end)->counter->Pump(now);
  } else {
    s_.node(-end->end)->agent->Pump(now);
  }
}

void Actor::PumpHost(End* end) {
  Pump(end);
  if (end->crashed) return;
  if (end->end < 0) return StepDrain(s_.node(-end->end));
  if (!StepProcessDrain(&oracle_, &s_, s_.process(end->end))) return;
  (void)Leave(end);
  s_.last_activity = s_.clock.Now();  // others are to hear of it
}

// Forced frees are not told one by one: what the host says next is to meet all of them.
bool Actor::ActOnScope(const Action& action) {
  if (!ActScope(&oracle_, &s_, action)) return false;
  if (action.verb != Verb::kScopeForce) return true;
  Process* process = s_.process(action.numbers[0]);
  for (int turn = 0; turn < 100 && process->counter->NextDeadline() == kInfinitePast; ++turn) {
    Pump(process);
  }
  return true;
}

// As the turn that follows will: it takes the views that were heard, and a grace that has ended is
// the barrier of its view.
void Actor::PassGraces(End* end, Time now) {
  const uint64_t taken = end->graces.empty() ? end->barrier : end->graces.back().first;
  if (end->heard > taken) {
    end->graces.emplace_back(end->heard, SaturatingAdd(now, s_.options.orphan_grace));
  }
  while (!end->graces.empty() && end->graces.front().second <= now) {
    s_.coverage.Count("a grace ends");
    s_.trace.Add("E takes the barrier of I as come",
                 {end->end, static_cast<int64_t>(end->graces.front().first)});
    end->barrier = end->graces.front().first;
    end->graces.pop_front();
  }
}

// Some time passes; what is due arrives; some ends hear a notice, some are pumped, some run two
// callbacks.
void Actor::Tick(const Action& action) {
  s_.clock.Advance(Duration(action.numbers[0]));
  s_.network.DeliverDue();
  for (const auto& process : s_.processes) AskAgain(&process->drain);
  const auto pump = static_cast<uint64_t>(action.numbers[1]);
  const auto hear = static_cast<uint64_t>(action.numbers[2]);
  const auto run = static_cast<uint64_t>(action.numbers[3]);
  for (const auto& process : s_.processes) {
    const uint64_t place = PlaceOf(process->end);
    if ((hear & place) != 0) Hear(process.get());
    if ((pump & place) != 0) PumpHost(process.get());
  }
  for (const auto& node : s_.nodes) {
    const uint64_t place = PlaceOf(node->end);
    if ((hear & place) != 0) Hear(node.get());
    if ((pump & place) != 0) PumpHost(node.get());
  }
  const auto run_two = [run](const End& end) {
    if ((run & PlaceOf(end.end)) == 0 || end.queue == nullptr) return;
    for (int jobs = 0; jobs < 2; ++jobs) (void)end.queue->RunOne();
  };
  for (const auto& process : s_.processes) run_two(*process);
  for (const auto& node : s_.nodes) run_two(*node);
}

// Everybody does what is to be done now.
void Actor::Turn() {
  const Time now = s_.clock.Now();
  s_.network.DeliverDue();
  for (const auto& process : s_.processes) {
    while (process->membership.has_notice()) Hear(process.get());
  }
  for (const auto& node : s_.nodes) {
    while (node->membership.has_notice()) Hear(node.get());
  }
  for (const auto& process : s_.processes) {
    if (process->crashed) continue;
    const bool asks = process->drain.asks > 0 && process->drain.again <= now;
    if ((process->drain.on && asks) || process->counter->NextDeadline() <= now)
      PumpHost(process.get());
  }
  for (const auto& node : s_.nodes) {
    if (!node->crashed && (node->agent->NextDeadline() <= now || node->is_draining())) {
      PumpHost(node.get());
    }
  }
  for (const auto& process : s_.processes) {
    if (process->queue != nullptr) process->queue->RunAll();
  }
  for (const auto& node : s_.nodes) {
    if (node->queue != nullptr) node->queue->RunAll();
  }
}

Time Actor::NextEvent() const {
  Time next = s_.network.NextDelivery();
  for (const auto& process : s_.processes) {
    if (process->membership.has_notice()) return kInfinitePast;
    if (process->queue != nullptr && process->queue->size() > 0) return kInfinitePast;
    if (!process->crashed) next = std::min(next, process->counter->NextDeadline());
    const SimDrain& drain = process->drain;
    if (drain.on && drain.asks > 0) next = std::min(next, drain.again);
  }
  for (const auto& node : s_.nodes) {
    if (node->membership.has_notice()) return kInfinitePast;
    if (node->queue != nullptr && node->queue->size() > 0) return kInfinitePast;
    if (!node->crashed) next = std::min(next, node->agent->NextDeadline());
    if (node->is_draining()) next = std::min(next, SaturatingAdd(s_.clock.Now(), kDrainStep));
  }
  return next;
}

// Digests never end while there are copies. When each pair has compared and nothing followed, there
// is nothing left but the next ones; unless a token or an excluded end is still to be given up.
bool Actor::Settle(Duration bound) {
  const Time end = SaturatingAdd(s_.clock.Now(), bound);
  const Duration quiet = 2 * s_.options.digest_interval + kTimersMost + s_.options.orphan_grace +
                         s_.options.token_life;
  const bool digests = s_.options.digest_interval > Duration::zero() && !s_.finishing;
  s_.last_activity = s_.clock.Now();
  for (const auto& process : s_.processes) AskAgain(&process->drain);
  while (s_.violation.empty()) {
    Turn();
    const Time next = NextEvent();
    if (next == kInfiniteFuture) return true;
    if (digests && next > SaturatingAdd(s_.last_activity, quiet)) return true;
    if (next > end) return false;
    s_.clock.Set(next);
  }
  return true;
}

// Nothing is cut off and every store works, but readers, fetches and tokens stay.
void Actor::Rest() {
  s_.network.HealAll();
  for (const auto& node : s_.nodes) node->fault = Store::Answer::kDelete;
  ExcludeCrashed();
  oracle_.Expect(Settle(kRestBound), "L1 to L6: the world does not come to rest",
                 "within 120 s of virtual time");
  if (s_.violation.empty()) oracle_.LookAtRest();
}

void Actor::Finish() {
  s_.finishing = true;
  s_.network.StopFaults();
  LetGo();
  s_.network.HealAll();
  for (const auto& node : s_.nodes) node->fault = Store::Answer::kDelete;
  ExcludeCrashed();
  if (s_.violation.empty() && (AnyPinned(s_) || AnyHeldByRoot(s_))) {
    s_.finishing = false;  // digests go on about what is pinned
    oracle_.Expect(Settle(kRestBound), "L1 to L6: the world does not come to rest",
                   "within 120 s of virtual time, with what holds objects by itself");
    s_.finishing = true;
    EndScopes(&oracle_, &s_);
    EndPins(&oracle_, &s_, /*at_rest=*/true);
  }
  if (s_.violation.empty()) {
    oracle_.Expect(Settle(kRestBound), "L1 to L6: the world does not come to rest",
                   "within 120 s of virtual time");
  }
  if (s_.violation.empty() && NameAgents()) {
    oracle_.Expect(Settle(kRestBound), "L4: files are not deleted",
                   "although their owners have heard of an agent");
  }
  if (s_.violation.empty()) oracle_.LookAtEnd();
  CoverWorld(&s_);
  for (const auto& process : s_.processes) {
    if (!process->crashed) CoverVerdicts(&s_, *process);
  }
  for (const auto& node : s_.nodes) {
    if (!node->crashed) CoverVerdicts(&s_, *node);
  }
}

// Owners whose files wait for an agent because they know none hear of one. True: there are such.
bool Actor::NameAgents() {
  bool named = false;
  for (const auto& process : s_.processes) {
    if (!process->live() || process->counter->GetStats().files_without_agent == 0) continue;
    const auto is_live = [](const auto& node) { return node->live(); };
    auto node = std::find_if(s_.nodes.begin(), s_.nodes.end(), is_live);
    if (node == s_.nodes.end()) {
      (void)Start(EndOfNode(s_.node_by_number.rbegin()->first + 1));
      node = std::prev(s_.nodes.end());
    }
    s_.coverage.Count("files wait for an agent");
    DeclareOptions options;
    options.primary = (*node)->id;
    (void)process->counter->Declare(SimWorld::object_id(2'000'000 + static_cast<int>(process->end)),
                                    options);
    named = true;
  }
  return named;
}

// Everybody lets go of everything.
void Actor::LetGo() {
  while (!s_.fetches.empty() && s_.violation.empty()) {
    const std::array<int64_t, 3> fetch = s_.fetches.front();
    const auto generation = static_cast<uint32_t>(fetch[2]);
    (void)EndFetch(s_.node(fetch[0]), s_.object(fetch[1]), generation, fetch[1] % 2 == 0);
  }
  LoseTokens(&oracle_, &s_);
  EndScopes(&oracle_, &s_);
  EndPins(&oracle_, &s_, /*at_rest=*/false);
  EndStatefuls(&oracle_, &s_);
  while (!s_.tasks.empty() && s_.violation.empty()) {
    (void)EndTask(s_.process(s_.tasks.begin()->second.process), s_.tasks.begin()->first);
  }
  for (auto& [number, object] : s_.objects) {
    for (auto& [holder, holding] : object.holdings) {
      Process* process = s_.process(holder);
      while (!holding.handles.empty() && s_.violation.empty()) (void)Drop(process, &object);
      if (holding.by_id == 0) continue;
      if (process->usable()) {
        (void)RemoveById(process, &object, holding.by_id);
      } else {
        holding.by_id = 0;
      }
    }
  }
  while (!s_.readers.empty() && s_.violation.empty()) {
    (void)Close(s_.node(s_.readers.begin()->second.node), s_.readers.begin()->first);
  }
}

}  // namespace freehold::testing::sim
