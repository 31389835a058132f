// What befalls the network, the ends and the membership; how time passes; what is expected.

#include <algorithm>
#include <string>
#include <utility>

#include "freehold/lineage.h"
#include "src/testing/sim_actor.h"
#include "src/testing/sim_coverage.h"
#include "src/testing/sim_creation.h"
#include "src/testing/sim_drain.h"
#include "src/testing/sim_evict_first.h"
#include "src/testing/sim_files.h"
#include "src/testing/sim_moves.h"
#include "src/testing/sim_persist.h"
#include "src/testing/sim_queries.h"
#include "src/testing/sim_replay.h"
#include "src/testing/sim_sharing.h"
#include "src/testing/sim_transfers.h"

namespace freehold::testing::sim {

Actor::Actor(State* state, Oracle* oracle) : s_(*state), oracle_(*oracle) {
  s_.network.on_send = [this](const Envelope& envelope) { oracle_.OnSent(envelope); };
  s_.on_copy_freed = [this](const Process& process, const ObjectId& id, const NodeId& node,
                            FreeOutcome outcome) {
    oracle_.OnCopyFreed(process, id, node, outcome);
  };
  s_.on_to_recover = [this](const std::vector<ObjectId>& ids) {
    s_.coverage.Count("objects to recover", ids.size());
    for (const ObjectId& id : ids) {
      const Object* object = s_.Find(id);
      if (object == nullptr) continue;
      s_.trace.Add("O is to be recovered", {object->number});
      oracle_.OnToRecover(*object);
    }
  };
  s_.on_persist = [this](Process* process, const ObjectId& id, uint32_t generation) {
    AnswerPersist(&oracle_, &s_, process, id, generation);
  };
  for (const auto& node : s_.nodes) Watched(node.get());
}

void Actor::Watched(End* end) {
  if (end->end > 0) return;
  Node* node = s_.node(-end->end);
  node->store.on_delete = [this, node](const CopyToDelete& copy, const Store::Stored* stored) {
    return AnswerDelete(node, copy, stored);
  };
  node->store.on_evict_first = [this, node](const CopyToEvict& copy) {
    IsToldToEvict(&oracle_, &s_, *node, copy);
  };
  node->store.before_answer = [this, node](absl::Span<const CopyToDelete> copies) {
    ReturnDuringDelete(node, copies);
  };
}

bool Actor::Act(const Action& action) {
  SeeOwners(&oracle_, &s_);
  if (IsTooEarly(&oracle_, &s_, action) || IsGivenAway(&oracle_, &s_, action)) return false;
  oracle_.SeeEvicted();
  const TraceLines::Mark before = s_.trace.Here();
  s_.trace.Add(PatternOf(action.verb), action.numbers, s_.nested == 0);
  const bool done = action.verb < Verb::kExport          ? ActProcess(action)
                    : action.verb < Verb::kAsk           ? ActSharing(&oracle_, &s_, action)
                    : action.verb < Verb::kStore         ? ActQuery(&oracle_, &s_, action)
                    : action.verb < Verb::kPartition     ? ActNode(action)
                    : action.verb < Verb::kTick          ? ActWorld(action)
                    : action.verb < Verb::kExpectInScope ? ActTime(action)
                                                         : Expected(action);
  if (!done) s_.trace.GoBack(before);
  return done;
}

void Actor::Note(Verb verb, const absl::Status& status) {
  s_.trace.Add("answer A", {static_cast<int64_t>(status.code())});
  s_.coverage.Count(std::string("answer ") + PatternOf(verb) + ": " +
                    absl::StatusCodeToString(status.code()));
}

// --- The network, the ends -----------------------------------------------------------------------

bool Actor::ActWorld(const Action& action) {
  const Numbers& n = action.numbers;
  if (action.verb == Verb::kHealAll) {
    s_.network.HealAll();
    return true;
  }
  if (action.verb == Verb::kRetire) return ActRetire(&oracle_, &s_, n);
  if (action.verb == Verb::kStart) return Start(n[0]);
  if (action.verb == Verb::kRestart) {
    const Process* old = s_.process(n[0]);
    return old != nullptr && !old->usable() && Start(EndOfProcess(n[1]));
  }
  End* end = s_.end(n[0]);
  if (end == nullptr) return false;
  End* other = nullptr;
  if (action.verb == Verb::kPartition || action.verb == Verb::kHeal ||
      action.verb == Verb::kExcludeTwo) {
    other = s_.end(n[1]);
    if (other == nullptr) return false;
  }
  switch (action.verb) {
    case Verb::kPartition:
      ++s_.partitions;
      s_.network.Partition(end->address, other->address);
      return true;
    case Verb::kHeal:
      s_.network.Heal(end->address, other->address);
      return true;
    case Verb::kIsolate:
      ++s_.partitions;
      s_.network.Isolate(end->address);
      return true;
    case Verb::kRejoin:
      s_.network.Rejoin(end->address);
      return true;
    case Verb::kCrash:
      return Crash(end);
    case Verb::kExclude:
    case Verb::kSuspect:
      return Exclude({end});
    case Verb::kExcludeTwo:
      return Exclude({end, other});
    case Verb::kLeave:
      return Leave(end);
    default:
      return false;
  }
}

bool Actor::Start(int64_t end) {
  if (end == 0 || s_.end(end) != nullptr || s_.nested > 0) return false;
  if (end > 0) {
    s_.AddProcess(end);
  } else {
    s_.AddNode(-end);
  }
  Watched(s_.end(end));
  s_.coverage.Count(end > 0 ? "start process" : "start node");
  return true;
}

// What is under way at an end that goes: for coverage.
void Actor::CoverCrash(const End& end, const char* how) {
  const std::string name = std::string(how) + (end.end > 0 ? " process" : " node");
  s_.coverage.Count(name);
  const auto during = [&](const char* what, uint64_t count) {
    if (count > 0) s_.coverage.Count(name + ", " + what);
  };
  during("a notice not heard", end.membership.has_notice() ? 1 : 0);
  during("a barrier open", s_.membership.GetStatus().waiting_for.size());
  if (end.end > 0) {
    const Process& process = *s_.process(end.end);
    const ReferenceCounterStats stats = process.counter->GetStats();
    during("step 1: pending objects", process.counter->CountObjects().pending);
    during("step 2: objects in scope", stats.objects_in_scope);
    during("step 8: frees waiting", stats.frees_waiting);
    during("step 8: frees in flight", stats.frees_in_flight);
    during("step 2: drops deferred", stats.drops_deferred);
    during("step 11: not everybody knows the next owner", stats.transfers_pending);
    during("step 11: somebody is to answer", stats.transfers_untold);
    during("step 11: objects that it has given away", stats.formerly_owned);
    during("step 13: callbacks registered", stats.callbacks_registered);
    during("step 17: yielded objects", stats.yielded);
    during("step 13: callbacks queued", process.queue == nullptr ? 0 : process.queue->size());
    during("sessions: bytes in its window", stats.sessions.unacked_bytes);
    CoverSharingCrash(&s_, process, name);
    return;
  }
  const NodeAgentStats stats = s_.node(-end.end)->agent->GetStats();
  during("copies", stats.copies);
  during("step 8: doomed copies", stats.doomed);
  during("step 8: deletions pending", stats.deletes_pending);
  during("readers", stats.readers);
  during("reports waiting", stats.reports_waiting);
  during("step 9: moves", stats.moves);
  during("step 19: files carried", stats.files_carried);
  during("sessions: bytes in its window", stats.sessions.unacked_bytes);
}

// From one moment to the next, and its host with it. Its exclusion is another action.
bool Actor::Crash(End* end) {
  if (end->crashed || s_.nested > 0) return false;
  SeeOwners(&oracle_, &s_);
  CoverCrash(*end, "crash");
  CoverVerdicts(&s_, *end);
  if (end->excluded_by == 0) ++s_.crashes;
  end->crashed = true;
  if (end->end > 0) EndDrain(&s_, s_.process(end->end));
  end->membership.set_silent();
  s_.network.Disconnect(end->address);
  if (end->end > 0) {
    Process& process = *s_.process(end->end);
    process.counter.reset();
    if (end->queue != nullptr) end->queue->DropAll();
    return true;
  }
  s_.node(-end->end)->Stop();
  if (end->queue != nullptr) end->queue->DropAll();
  s_.fetches.erase(std::remove_if(s_.fetches.begin(), s_.fetches.end(),
                                  [end](const auto& fetch) { return fetch[0] == -end->end; }),
                   s_.fetches.end());
  return true;
}

bool Actor::Exclude(const std::vector<End*>& ends) {
  std::vector<Address> addresses;
  for (End* end : ends) {
    if (end->excluded_by != 0) continue;
    addresses.push_back(end->address);
    if (!end->crashed) {
      ++s_.crashes;
      CoverCrash(*end, "suspect");
    }
  }
  if (addresses.empty()) return false;
  const uint64_t view = s_.membership.Exclude(addresses);
  for (End* end : ends) {
    if (end->excluded_by == 0) end->excluded_by = view;
  }
  return true;
}

bool Actor::Leave(End* end) {
  if (!end->usable() || end->excluded_by != 0 || s_.nested > 0) return false;
  CoverCrash(*end, "leave");
  ++s_.crashes;
  if (end->end > 0) {
    Process& process = *s_.process(end->end);
    const ShutdownReport report =
        process.counter->Shutdown(ShutdownMode::kImmediate, Duration::zero());
    for (const ShutdownReport::UndeliveredFree& left : report.undelivered) {
      oracle_.Expect(left.outcome == FreeOutcome::kShutDown, "a free is left for another reason",
                     NameOf(*end));
    }
    CheckLeaves(&oracle_, process, report);
    oracle_.Expect(absl::IsFailedPrecondition(
                       process.counter->Declare(SimWorld::object_id(1'000'000)).status()),
                   "a process that was shut down takes calls", NameOf(*end));
  } else {
    Node& node = *s_.node(-end->end);
    for (const NodeAgent::Undeleted& left : node.agent->Shutdown(Duration::zero()).undeleted) {
      oracle_.Expect(left.outcome == FreeOutcome::kShutDown ||
                         (left.outcome == FreeOutcome::kStoreFailed && node.has_failed),
                     "a copy is left for no such reason", NameOf(*end));
    }
  }
  end->excluded_by = s_.membership.GetStatus().latest_view;
  return Crash(end);
}

// A failure detector finds everybody who crashed, sooner or later.
void Actor::ExcludeCrashed() {
  const auto exclude = [this](End* end) {
    if (end->crashed && end->excluded_by == 0) (void)Exclude({end});
  };
  for (const auto& node : s_.nodes) exclude(node.get());
  for (const auto& process : s_.processes) exclude(process.get());
}

// --- What is expected ----------------------------------------------------------------------------

bool Actor::Expected(const Action& action) {
  const Numbers& n = action.numbers;
  const auto expect = [&](bool truth) {
    oracle_.Expect(truth, "not as expected", ActionText(action));
    return true;
  };
  if (action.verb == Verb::kExpectRan || action.verb == Verb::kExpectWaits) {
    const auto found = s_.registrations.find(n[0]);
    if (found == s_.registrations.end()) return false;
    return expect(found->second.state == (action.verb == Verb::kExpectRan
                                              ? Registration::State::kRan
                                              : Registration::State::kWaiting));
  }
  if (action.verb == Verb::kExpectHas || action.verb == Verb::kExpectLacks) {
    const Node* node = s_.node(n[0]);
    const Object* object = s_.object(n[1]);
    if (node == nullptr || object == nullptr) return false;
    const bool has = node->store.Newest(object->id) != nullptr;
    return expect(has == (action.verb == Verb::kExpectHas));
  }
  if (action.verb == Verb::kExpectDrained) {
    const Node* node = s_.node(n[0]);
    return node != nullptr && expect(node->drain.state == NodeDrainState::kDrained);
  }
  if (action.verb >= Verb::kExpectLeft && action.verb <= Verb::kExpectWaitsFor) {
    const std::optional<bool> is_so = IsAsExpected(s_, action);
    return is_so.has_value() && expect(*is_so);
  }
  if (action.verb >= Verb::kExpectGood && action.verb <= Verb::kExpectAwaits) {
    return ActSharing(&oracle_, &s_, action);
  }
  if (action.verb >= Verb::kExpectOwned) return ExpectOwner(&oracle_, &s_, action);
  if (action.verb == Verb::kExpectNoFiles) return expect(s_.files.empty());
  const Object* object = s_.object(n[0]);
  if (object == nullptr || s_.OwnerOf(*object).crashed) return false;
  if (action.verb == Verb::kExpectReplay) {
    return expect(
        IsReplayed(s_, *object, static_cast<uint64_t>(n[1]), static_cast<uint64_t>(n[2])));
  }
  if (action.verb == Verb::kExpectFile) return expect(IsInFile(s_, *object));
  if (action.verb == Verb::kExpectPersisted) {
    return expect(Lineage(*s_.OwnerOf(*object).counter).CanRecover(object->id) ==
                  Recovery::kPersisted);
  }
  if (action.verb == Verb::kExpectPrimary) return expect(IsPrimaryOn(s_, *object, n[1]));
  if (action.verb == Verb::kExpectValueLost) {
    const auto known = s_.OwnerOf(*object).counter->GetLocations(object->id);
    return expect(known.ok() && known->state == ObjectState::kLost);
  }
  return expect(s_.OwnerOf(*object).counter->InScope(object->id) ==
                (action.verb == Verb::kExpectInScope));
}

}  // namespace freehold::testing::sim
