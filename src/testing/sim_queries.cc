#include "src/testing/sim_queries.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "freehold/error_reason.h"
#include "src/core/item.h"
#include "src/testing/sim_oracle.h"
#include "src/testing/sim_transfers.h"

namespace freehold::testing::sim {

namespace {

// Whoever will fetch is known to the owner before it is answered, and so in the answer.
void ExpectAsked(Oracle* oracle, const State& state, Query* query, const LocationUpdate& update,
                 const std::string& details) {
  const int64_t number = std::exchange(query->fetch_to, 0);
  if (number == 0 || update.truncated || update.snapshot.state == ObjectState::kFreed) return;
  const Node& node = *state.node(number);
  const auto& named = update.snapshot.locations;
  // One that had the bytes already is not known if the owner's host has taken that back.
  if (node.excluded_by != 0 || state.objects.at(query->object).disagreed) return;
  oracle->Expect(std::any_of(named.begin(), named.end(),
                             [&](const Location& at) { return at.node == node.id; }),
                 "S4: who will fetch is not known to the owner that answers it", details);
}

void OnAnswer(Oracle* oracle, State* state, int64_t number, const ObjectId& id,
              const LocationUpdate& update) {
  Query& query = state->queries[number];
  SeeOwner(oracle, state, state->object(query.object));
  const Object& object = *state->object(query.object);
  const End& asker = *state->end(query.end);
  const std::string details = Format("Q of O by E", {number, query.object, query.end});
  state->trace.Add("Q is told I", {number, static_cast<int64_t>(update.kind)});
  oracle->Expect(id == object.id, "an answer is about another object", details);
  oracle->Expect(!query.done && !query.cancelled, "an answer comes after the last one", details);
  switch (update.kind) {
    case LocationUpdate::Kind::kSnapshot:
      state->coverage.Count("query answered");
      query.done = !query.always;
      query.state = update.snapshot.state;
      query.locations = update.snapshot.locations;
      ExpectAsked(oracle, *state, &query, update, details);
      return;
    case LocationUpdate::Kind::kGone:
      state->coverage.Count("query answered: gone");
      query.done = true;
      // One that is suspected, and does not know it, has no promise.
      return oracle->Expect(object.has_ended() || !oracle->Held(object) || !asker.live() ||
                                (WasGivenAway(object) && state->OwnerOf(object).excluded_by != 0),
                            "S4: who asks is told that an object that is held is gone", details);
    case LocationUpdate::Kind::kOwnerDied:
      state->coverage.Count("query answered: owner died");
      query.done = true;
      return oracle->Expect(
          SaysOwnerDied(*state, asker, object) || PastAnyOwner(*state, asker, object),
          "who asks is told too early that an owner died", details);
    case LocationUpdate::Kind::kExcluded:
      state->coverage.Count("query answered: excluded");
      query.done = true;
      return oracle->Expect(asker.knows(), "who asks is told that it is excluded, and is not",
                            details);
    case LocationUpdate::Kind::kRefused:
      // No world comes near the limit; who owns the object by now has subscriptions of its own.
      query.done = true;
      return oracle->Expect(
          object.heirs.count(query.end) > 0 ||  // it may have owned it unseen
              (WasGivenAway(object) && query.end > 0 &&
               (EverOwned(object, query.end) || Owns(*state->process(query.end), object))),
          "an answer is none", details);
    case LocationUpdate::Kind::kChanged:
    case LocationUpdate::Kind::kRemoved:
    case LocationUpdate::Kind::kState:
      return oracle->Violate("an answer is none", details);
  }
}

bool Ask(Oracle* oracle, State* state, const Action& action) {
  const Numbers& n = action.numbers;
  End* end = state->end(n[0]);
  Object* object = state->object(n[1]);
  const int64_t number = n[action.verb == Verb::kAskFor ? 3 : 2];
  if (end == nullptr || !end->usable() || object == nullptr || object->owner == end->end ||
      number <= 0 || state->queries.count(number) > 0) {
    return false;
  }
  // It is suspected, and has not heard that its heir has it.
  if (!object->heirs.empty() && end->end > 0 && Owns(*state->process(end->end), *object)) {
    return false;
  }
  LocationQuery ask;
  ask.object = object->id;
  ask.subscribe = action.verb == Verb::kAskAlways;
  if (action.verb == Verb::kAskFor) {
    const Node* node = state->node(n[2]);
    if (node == nullptr || (end->end < 0 && node->end != end->end)) return false;
    ask.fetch_to = node->id;
    object->touched |= PlaceOf(node->end);
  }
  // Of what it borrows, a process need not say whose it is.
  const auto mine = object->holdings.find(end->end);
  const bool knows = mine != object->holdings.end() && mine->second.held();
  if (!knows || number % 2 == 0) ask.owner = state->process(OwnerByHearsay(object, end->end))->id;
  Query& query = state->queries[number];
  query.object = object->number;
  query.end = end->end;
  query.always = ask.subscribe;
  // Of what another end asks for it, a node's own report may overtake the question; and one that
  // evicts what it had when it asked says so, and that is what counts.
  if (action.verb == Verb::kAskFor && end->end == state->node(n[2])->end &&
      state->node(n[2])->agent->Find(object->id).empty()) {
    query.fetch_to = n[2];
  }
  auto callback = [oracle, state, number](const ObjectId& id, const LocationUpdate& update) {
    OnAnswer(oracle, state, number, id, update);
  };
  const absl::StatusOr<uint64_t> answer =
      end->end > 0 ? state->process(end->end)->counter->QueryLocations(ask, callback)
                   : state->node(-end->end)->agent->QueryLocations(ask, callback);
  state->trace.Add("answer A", {static_cast<int64_t>(answer.status().code())});
  state->coverage.Count(std::string("answer ") + PatternOf(action.verb) + ": " +
                        absl::StatusCodeToString(answer.status().code()));
  const ErrorReason reason = ReasonOf(answer.status());
  const bool owner_died = reason == ErrorReason::kOwnerDied && PastAnyOwner(*state, *end, *object);
  const bool moving =
      reason == ErrorReason::kNotAcknowledged && WaitsForNextOwner(*state, *object, end->end);
  oracle->Expect(answer.ok() || owner_died || moving, "a question is refused",
                 NameOf(*object) + ", " + answer.status().ToString());
  if (answer.ok()) {
    query.answer = *answer;
  } else {
    query.done = true;
  }
  return true;
}

bool Unask(Oracle* oracle, State* state, const Numbers& n) {
  const End* end = state->end(n[0]);
  const auto found = state->queries.find(n[1]);
  if (end == nullptr || !end->usable() || found == state->queries.end() ||
      found->second.end != end->end || found->second.answer == 0) {
    return false;
  }
  Query& query = found->second;
  const bool ended = end->end > 0 ? state->process(end->end)->counter->CancelQuery(query.answer)
                                  : state->node(-end->end)->agent->CancelQuery(query.answer);
  state->coverage.Count(ended ? "answer unask: ended" : "answer unask: too late");
  oracle->Expect(!ended || (!query.done && !query.cancelled), "a question is ended twice",
                 Format("Q", {n[1]}));
  query.cancelled = query.cancelled || ended;
  return true;
}

// An answer that names this much may leave some out.
bool MayBeCut(const std::vector<Location>& locations) {
  size_t bytes = 0;
  for (const Location& location : locations) bytes += 64 + location.spilled_url.size();
  return bytes > core::kAnswerLocationBytesMax || locations.size() > core::kAnswerLocationsMax;
}

bool IsPart(const std::vector<Location>& part, const std::vector<Location>& all) {
  return std::all_of(part.begin(), part.end(), [&all](const Location& location) {
    return std::find(all.begin(), all.end(), location) != all.end();
  });
}

}  // namespace

bool ActQuery(Oracle* oracle, State* state, const Action& action) {
  return action.verb == Verb::kUnask ? Unask(oracle, state, action.numbers)
                                     : Ask(oracle, state, action);
}

void LookAtQueries(Oracle* oracle, const State& state) {
  for (const auto& [number, query] : state.queries) {
    const Object& object = state.objects.find(query.object)->second;
    const Process& owner = state.OwnerOf(object);
    const std::string details = Format("Q of O by E", {number, query.object, query.end});
    if (query.cancelled || !state.end(query.end)->live()) continue;
    const bool here = owner.live() && !object.ended && oracle->Held(object);
    if (!here || !query.always) {
      oracle->Expect(query.done, "L1: a question is never answered", details);
      continue;
    }
    if (query.done) continue;  // it was told that the object is gone, which was checked then
    const auto known = owner.counter->GetLocations(object.id);
    const bool agree = known.ok() && known->state == query.state &&
                       (known->locations == query.locations ||
                        (MayBeCut(known->locations) && IsPart(query.locations, known->locations)));
    oracle->Expect(agree, "who goes on asking knows otherwise than the owner", details);
  }
}

}  // namespace freehold::testing::sim
