#include "src/testing/sim_oracle.h"

#include <algorithm>
#include <vector>

#include "src/testing/sim_evict_first.h"
#include "src/testing/sim_files.h"
#include "src/testing/sim_heirs.h"
#include "src/testing/sim_moves.h"
#include "src/testing/sim_pins.h"
#include "src/testing/sim_scopes.h"
#include "src/testing/sim_streams.h"
#include "src/testing/sim_transfers.h"

namespace freehold::testing::sim {

namespace {

template <typename T>
bool Contains(const std::vector<T>& all, const T& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

}  // namespace

std::string NameOf(const Object& object) { return "o" + std::to_string(object.number); }

std::string NameOf(const struct End& end) { return Format("E", {end.end}); }

void Oracle::Violate(std::string_view kind, const std::string& details) {
  s_.trace.Add("VIOLATION", {});
  if (!s_.violation.empty()) return;
  s_.violation = std::string(kind) + ": " + details;
}

// --- What may be ---------------------------------------------------------------------------------

bool Oracle::Held(const Object& object) const {
  return IsPinned(s_, object) || HeldBesidesPins(object);
}

bool Oracle::HeldBesidesPins(const Object& object) const {
  for (const auto& [number, holding] : object.holdings) {
    const Process& holder = *s_.process(number);
    // An owner that is suspected counts on as long as it runs.
    const bool counts = number == object.owner ? !holder.crashed : holder.live();
    if (counts && holding.held() && !MayLose(s_, holder, object)) return true;
  }
  if (IsHeldByScope(s_, object) || IsUsed(object)) return true;
  if (const Object* stream = StreamAround(s_, object);
      stream != nullptr && !s_.OwnerOf(object).crashed && Held(*stream)) {
    return true;
  }
  if (object.tokens > 0) {
    for (const auto& [number, token] : s_.tokens) {
      if (token.object != object.number || !s_.IsUnderWay(token)) continue;
      const Process& to = *s_.process(token.to);
      const Process& from = *s_.process(token.from);
      // Whoever crashes has sent what it has sent; what is known to be excluded is refused.
      if (!to.live() || to.HeardOf(from)) continue;
      if (!WasGivenAway(object) || !PastOwner(s_, to, object)) return true;
      // It may name an owner that has died; its sender's pin counts.
      if (from.live() && !MayLose(s_, from, object)) return true;
    }
  }
  for (const int64_t outer : object.outers) {
    const Object& around = *s_.object(outer);
    const Process& holder = s_.OwnerOf(around);
    const bool counts = around.owner == object.owner ? !holder.crashed : holder.live();
    if (counts && !around.ended && Held(around) && !MayLack(s_, around, object)) return true;
  }
  return false;
}

bool Oracle::HeldAt(const Process& process, const Object& object) const {
  const auto mine = object.holdings.find(process.end);
  if (mine != object.holdings.end() && mine->second.held()) {
    return !HasLost(s_, object, mine->second);
  }
  if (object.owner == process.end &&
      (IsHeldByScope(s_, object) || IsPinned(s_, object) || IsUsed(object))) {
    return true;
  }
  if (const Object* stream = StreamAround(s_, object);
      stream != nullptr && stream->owner == process.end && Held(*stream)) {
    return true;
  }
  for (const int64_t outer : object.outers) {
    const Object& around = *s_.object(outer);
    if (around.owner != process.end || around.ended || MayLack(s_, around, object)) continue;
    if (Held(around)) return true;
  }
  return false;
}

bool Oracle::IsExact(const Object& object) const {
  return !object.inexact && s_.nested == 0 &&
         s_.OwnerOf(object).counter->GetStats().drops_deferred == 0;
}

void Oracle::MakeInexact(Object* object) {
  if (object->inexact) return;
  object->inexact = true;
  for (const int64_t inner : object->inners) MakeInexact(s_.object(inner));
  for (const int64_t yielded : UntakenOf(s_, *object)) MakeInexact(s_.object(yielded));
}

bool Oracle::MayDelete(const Node& node, const Object& object, uint32_t generation) const {
  if (WasGivenAway(object)) {
    if (PastOwner(s_, node, object) || PastSuspectedOwner(s_, node, object)) return true;
    if (HeardOfOwner(s_, node, object) &&
        Contains(node.doomed_before_view, {object.id, generation})) {
      return true;
    }
    return Contains(object.frees_sent, {-node.end, generation});
  }
  const Process& owner = s_.OwnerOf(object);
  if (node.HeardOf(owner)) {
    return node.PastBarrier(owner) || Contains(node.doomed_before_view, {object.id, generation});
  }
  return Contains(object.frees_sent, {-node.end, generation});
}

// --- What hosts did ------------------------------------------------------------------------------

void Oracle::Dropped(Object* first) {
  std::vector<Object*> dropped = {first};
  while (!dropped.empty()) {
    Object* object = dropped.back();
    dropped.pop_back();
    // What a crashed owner held stays as it was.
    SeeEvicted(object);
    if (object->ended || object->inexact || s_.OwnerOf(*object).crashed || Held(*object)) continue;
    const std::vector<int64_t> untaken = UntakenOf(s_, *object);
    End(object, EndReason::kOutOfScope);
    for (const int64_t inner : object->inners) dropped.push_back(s_.object(inner));
    for (const int64_t yielded : untaken) dropped.push_back(s_.object(yielded));
  }
}

void Oracle::Freed(Object* object) {
  if (object->ended || object->freed) return;
  if (!object->pins.empty()) {
    object->free_waits = true;
    object->free_first = false;
    return;
  }
  End(object, EndReason::kFreed);
  object->freed = true;
  object->persisted = false;
  ++object->frees;
}

void Oracle::SeenEnded(Object* object) {
  if (object->ended) return;
  if (Held(*object)) SeeInherited(this, &s_, object);
  if (Held(*object)) {
    return Violate("S4: an object that is held is let go of", NameOf(*object));
  }
  End(object, EndReason::kOutOfScope);
}

void Oracle::End(Object* object, EndReason reason) {
  s_.trace.Add(reason == EndReason::kFreed ? "O ends: freed" : "O ends: out of scope",
               {object->number});
  ++object->ends;
  // It may have gone first, unseen.
  if (reason == EndReason::kOutOfScope && IsEvictable(*object)) {
    ++object->frees;
    s_.coverage.Count("evict-first: out of scope");
  }
  if (reason == EndReason::kOutOfScope) {
    object->ended = true;
    EndStream(&s_, *object);
  }
  const Process& owner = s_.OwnerOf(*object);
  if (owner.counter == nullptr || object->inexact) return;
  const auto known = owner.counter->GetLocations(object->id);
  if (!known.ok()) return;
  for (const Location& location : known->locations) {
    const Store::Key key(object->id, object->generation);
    if (location.node.IsNil()) {
      object->owed.push_back({0, key, 0, object->ends, location.spilled_url});
      continue;
    }
    const int64_t node = -s_.EndOf(location.node);
    const Store::Stored* stored = s_.node(node)->store.Find(key);
    // Of a later copy the report may be on its way still, behind the removal of the one that the
    // owner knows.
    if (stored == nullptr || !stored->first) continue;
    object->owed.push_back({node, key, stored->instance, object->ends});
  }
}

void Oracle::Hears(struct End* end, const LateMembership::Notice& notice) {
  const auto version = static_cast<int64_t>(notice.view.version);
  s_.trace.Add(notice.is_barrier ? "E hears barrier I" : "E hears view I", {end->end, version});
  s_.coverage.Count(notice.is_barrier ? "hears barrier" : "hears view");
  if (notice.is_barrier) {
    if (!end->times_barriers) end->barrier = notice.view.version;
    const auto check = [&](const struct End& other) {
      Expect(other.excluded_by != 0 || other.joined_at >= notice.view.version ||
                 other.heard >= notice.view.version,
             "a barrier comes before its view", NameOf(other));
    };
    for (const auto& process : s_.processes) check(*process);
    for (const auto& node : s_.nodes) check(*node);
    return;
  }
  end->heard = notice.view.version;
  if (end->end > 0) return HearsOfFiles(&s_, *s_.process(end->end), notice.view);
  Node& node = *s_.node(-end->end);
  if (node.agent == nullptr) return;
  for (const Address& address : notice.view.excluded) {
    if (!address.is_process()) continue;
    // From here on nothing that this owner sends is applied; what it freed before goes on.
    for (const NodeCopyStatus& copy : node.agent->CopiesOwnedBy(address.process())) {
      if (copy.doomed) node.doomed_before_view.emplace_back(copy.copy.object, copy.copy.generation);
    }
  }
}

// --- What the library did ------------------------------------------------------------------------

void Oracle::OnFreeSent(int64_t from, int64_t to, const ObjectId& id, uint32_t generation) {
  s_.coverage.Count("item Free");
  Object* object = s_.Find(id);
  if (object == nullptr) return;  // a host's own
  s_.trace.Add("E sends E Free O G", {from, to, object->number, generation});
  const std::string details = Format("E frees O G on E", {from, object->number, generation, to});
  SeeOwner(this, &s_, object);
  const std::pair<int64_t, uint32_t> free(-to, generation);
  const Process* sender = s_.process(from);
  const bool by_suspected = sender != nullptr && sender->excluded_by != 0 && Owns(*sender, *object);
  if (from != object->owner && to < 0 && by_suspected) return object->frees_sent.push_back(free);
  if (from != object->owner && to < 0 && EndsAtHeir(s_, *object, from)) {
    s_.coverage.Count("what ended unheard ends at its heir");
    return object->frees_sent.push_back(free);
  }
  if (from != object->owner && to < 0 && EverOwned(*object, from)) {
    // Asked by a late report; the node may have it by a later owner meanwhile.
    if (object->has_ended()) ++s_.node(-to)->frees_by_forgetful;
    if (Contains(object->frees_sent, free)) return;  // it comes again
    if (MaySendLate(s_, *object, from) || !Held(*object) || generation < object->generation) {
      s_.coverage.Count("a suspected former owner frees a copy");
      object->frees_sent.push_back(free);
      return;
    }
  }
  if (from != object->owner || to >= 0) return Violate("S6: not the owner, or not a node", details);
  SeeEvicted(object);
  const bool let_go = IsLetGo(s_, *object, -to, generation);
  if (!ValueGone(*object, generation) && !let_go) {
    return Violate("S4: a live value is freed", details);
  }
  if (generation == object->generation && !object->freed && !let_go) SeenEnded(object);
  Expect((object->touched & PlaceOf(to)) != 0, "a node that never had a copy is asked to free one",
         details);
  if (!Contains(object->frees_sent, free)) object->frees_sent.push_back(free);
}

void Oracle::OnDelete(Node* node, const CopyToDelete& copy, const Store::Stored* stored) {
  Object* object = s_.Find(copy.object);
  if (object == nullptr) return;  // a host's own
  SeeOwner(this, &s_, object);
  if (stored == nullptr && Store::IsShared(copy.spilled_url)) {
    return OnFileDelete(this, &s_, *node, copy);
  }
  s_.trace.Add("E deletes O G", {node->end, object->number, copy.generation});
  s_.coverage.Count(stored != nullptr ? "delete" : "delete repeated");
  const std::string details = Format("E deletes O G", {node->end, object->number, copy.generation});
  if (!MayDelete(*node, *object, copy.generation)) {
    return Violate(node->HeardOf(s_.OwnerOf(*object))
                       ? "S6, S7: a copy of an excluded owner goes before the barrier"
                       : "S6: a copy is deleted that its owner has not freed",
                   details);
  }
  if (stored != nullptr && WasGivenAway(*object)) {
    OnDeleteOfGivenAway(this, &s_, *node, *object, copy.generation);
  }
  const bool unsure = node->store.IsUnsure({copy.object, copy.generation});
  if (stored == nullptr) return Expect(unsure, "a copy is deleted that is not there", details);
  Expect(stored->readers == 0, "a copy is deleted under its readers", details);
  Expect(stored->url == copy.spilled_url || (unsure && stored->url.empty()),
         "the wrong file is deleted, or none", details);
  Expect(stored->in_memory == copy.in_memory || (unsure && copy.in_memory),
         "a deletion is wrong about the bytes in memory", details);
  Expect(stored->size == copy.size, "a deletion is wrong about the size", details);
}

void Oracle::CheckOwed(const Object& object, uint64_t end_max) {
  if (EndsAtSomeHeir(s_, object)) return;
  for (const Object::Owed& owed : object.owed) {
    if (owed.end > end_max) continue;
    if (owed.node == 0) {
      Expect(s_.files.count(owed.url) == 0, "S8: reclaimed is told while a file is left",
             NameOf(object) + ", " + owed.url);
      continue;
    }
    Node& node = *s_.node(owed.node);
    const Store::Stored* stored = node.store.Find(owed.key);
    // A node that is excluded takes its copies with it.
    const bool gone =
        stored == nullptr || stored->instance != owed.instance || s_.OwnerOf(object).HeardOf(node);
    Expect(gone, "S8: reclaimed is told while a copy is left",
           NameOf(object) + " on " + NameOf(node));
  }
}

void Oracle::CheckOrder(int64_t number, const Registration& registration) {
  for (const auto& [other_number, other] : s_.registrations) {
    if (other_number >= number) break;
    if (other.state == Registration::State::kWaiting && other.object == registration.object &&
        other.process == registration.process && other.moment == registration.moment &&
        other.order < registration.order && other.ends_before <= registration.ends_before) {
      Violate("callbacks run out of order", Format("C before C", {number, other_number}));
    }
  }
}

void Oracle::OnCallback(int64_t number, const ObjectId& id, EndReason reason) {
  Registration& registration = s_.registrations[number];
  Object& object = *s_.object(registration.object);
  SeeOwner(this, &s_, &object);
  SeeEvicted(&object);
  // Out of scope since, or its owner has gone: nobody can be asked any more.
  const Process& owner = s_.OwnerOf(object);
  const bool asks = owner.usable() && owner.counter->InScope(object.id);
  if (reason == EndReason::kFreed && IsEvictable(object) && !asks) Freed(&object);
  const std::string details =
      Format("C of O at P", {number, registration.object, registration.process});
  s_.trace.Add("C runs: I", {number, static_cast<int64_t>(reason)});
  s_.coverage.Count(std::string("callback ") + MomentName(registration.moment) + ", " +
                    EndReasonName(reason));
  Expect(id == object.id, "a callback gets another object's id", details);
  Expect(registration.state == Registration::State::kWaiting,
         "S8: a callback runs twice, or after it was cancelled", details);
  registration.state = Registration::State::kRan;
  // Those that waited for a failure went when the reference did, which leaves no order to check.
  if (registration.moment == Moment::kFailed) return OnFailed(registration, reason);
  // Those that were asked of owners before, and of who owns it now, go different ways.
  if (!WasGivenAway(object)) CheckOrder(number, registration);
  // Nobody can ask an owner that is excluded, or has given it away, whether its last copy is gone.
  const bool unseen = WasGivenAway(object) || !s_.OwnerOf(object).usable();
  if (reason == EndReason::kFreed && unseen && IsEvictable(object)) EndEvicted(&object);
  const bool from_afar = registration.from_afar || WasGivenAway(object);
  if (from_afar && OnToldFromAfar(registration, reason)) return;
  if (reason == EndReason::kOutOfScope) {
    // Of an object that came back it may be an earlier end, unless it was asked for after that.
    const bool is_new = object.revivals == 0 || registration.ends_before == object.ends;
    if (object.inexact && is_new) SeenEnded(&object);
    Expect(object.has_ended(), "S8: an object in scope is said to be out of scope", details);
  } else {
    Expect(object.frees > 0, "S8: an object is said to be freed", details);
  }
  const uint64_t told_of = registration.ends_before + 1;
  switch (registration.moment) {
    case Moment::kOutOfScope:
      Expect(object.ends >= told_of, "S8: out of scope is told too early", details);
      return;
    case Moment::kReclaimed:
      Expect(object.ends >= told_of, "S8: reclaimed is told before the object ended", details);
      return CheckOwed(object, told_of);
    case Moment::kErased:
      if (object.inexact) SeenEnded(&object);
      Expect(object.ended, "S8: erased is told of an object in scope", details);
      return CheckOwed(object, UINT64_MAX);
    case Moment::kFailed:
      break;
  }
}

}  // namespace freehold::testing::sim
