#include "src/testing/sim_generator.h"

#include <algorithm>

namespace freehold::testing::sim {

namespace {

constexpr std::pair<Verb, uint64_t> kWeights[] = {
    {Verb::kDeclare, 9},      {Verb::kDeclareOn, 8},
    {Verb::kDeclareWith, 3},  {Verb::kDeclareFor, 4},
    {Verb::kCopy, 3},         {Verb::kDrop, 14},
    {Verb::kGet, 3},          {Verb::kLock, 2},
    {Verb::kAdd, 3},          {Verb::kRemove, 4},
    {Verb::kSubmit, 2},       {Verb::kSubmitTwo, 2},
    {Verb::kEnd, 4},          {Verb::kNest, 3},
    {Verb::kFree, 4},         {Verb::kRecreate, 5},
    {Verb::kPin, 3},          {Verb::kUnpin, 5},
    {Verb::kMake, 5},         {Verb::kRemake, 6},
    {Verb::kWatchOut, 4},     {Verb::kWatchReclaimed, 4},
    {Verb::kWatchErased, 4},  {Verb::kUnwatch, 2},
    {Verb::kFollow, 2},       {Verb::kUnfollow, 1},
    {Verb::kScope, 3},        {Verb::kScopeIn, 2},
    {Verb::kScopeFor, 1},     {Verb::kDeclareIn, 4},
    {Verb::kDeclareOnIn, 6},  {Verb::kKeep, 3},
    {Verb::kMoveTo, 3},       {Verb::kScopeEnd, 4},
    {Verb::kScopeForce, 1},   {Verb::kScopeShare, 4},
    {Verb::kScopeJoin, 6},    {Verb::kStream, 2},
    {Verb::kYield, 2},        {Verb::kYieldOn, 4},
    {Verb::kTake, 4},         {Verb::kStreamEnd, 1},
    {Verb::kStreamFail, 1},   {Verb::kExport, 10},
    {Verb::kImport, 12},      {Verb::kCancel, 2},
    {Verb::kReadNested, 4},   {Verb::kMisread, 2},
    {Verb::kAsk, 2},          {Verb::kAskFor, 3},
    {Verb::kAskAlways, 3},    {Verb::kUnask, 1},
    {Verb::kWatchFailed, 2},  {Verb::kAwait, 4},
    {Verb::kTold, 2},         {Verb::kToldNot, 1},
    {Verb::kForget, 2},       {Verb::kMisuse, 1},
    {Verb::kQuery, 1},        {Verb::kStore, 9},
    {Verb::kStorePrimary, 5}, {Verb::kFetch, 5},
    {Verb::kFetched, 5},      {Verb::kAbort, 2},
    {Verb::kSpill, 3},        {Verb::kSpillKeeping, 3},
    {Verb::kRestore, 4},      {Verb::kEvict, 3},
    {Verb::kRead, 5},         {Verb::kClose, 6},
    {Verb::kMisuseCopy, 1},   {Verb::kMove, 5},
    {Verb::kBreak, 2},        {Verb::kMend, 2},
    {Verb::kPartition, 2},    {Verb::kHeal, 1},
    {Verb::kHealAll, 1},      {Verb::kIsolate, 1},
    {Verb::kRejoin, 2},       {Verb::kCrash, 2},
    {Verb::kExclude, 3},      {Verb::kStart, 2},
    {Verb::kSpillShared, 4},  {Verb::kOpenStateful, 1},
    {Verb::kOpenFragile, 1},  {Verb::kCall, 3},
    {Verb::kCallOf, 5},       {Verb::kCheckpoint, 2},
    {Verb::kForbid, 1},       {Verb::kEndStateful, 1},
    {Verb::kAskReplay, 4},    {Verb::kAskLatest, 2},
    {Verb::kEvictFirst, 4},
};

bool IsCrash(Verb verb) { return verb == Verb::kCrash || verb == Verb::kExclude; }

bool IsNeeded(Verb verb) {
  return verb == Verb::kDeclare || verb == Verb::kDeclareOn || verb == Verb::kDrop ||
         verb == Verb::kStore || verb == Verb::kCrash || verb == Verb::kExclude;
}

}  // namespace

Generator::Generator(const State* state, uint64_t seed) : s_(*state), random_(seed) {
  crashes_ = random_.Percent(75);
  for (const auto& [verb, weight] : kWeights) {
    if (IsCrash(verb) && !crashes_) continue;
    if (!IsNeeded(verb) && random_.Percent(15)) continue;
    Weigh(verb, weight);
  }
  WeighScopes();
  // Of these alone, so that other seeds have the worlds that they had.
  transfers_ = internal::SplitMix64(seed ^ 0x7472616e73666572u).Next() % 100 < 40;
  if (transfers_) Weigh(Verb::kTransfer, 8);
  heirs_ = internal::SplitMix64(seed ^ 0x6865697273u).Next() % 100 < 30;
  if (heirs_) Weigh(Verb::kNameHeir, 4);
  if (heirs_) Weigh(Verb::kNameTwoHeirs, 4);
  if (heirs_) Weigh(Verb::kNameThreeHeirs, 3);
  if (heirs_) Weigh(Verb::kDismissHeir, 3);
  drains_ = internal::SplitMix64(seed ^ 0x647261696e73u).Next() % 100 < 30;
  if (drains_) Weigh(Verb::kDrain, 2);
  if (drains_) Weigh(Verb::kDrainTo, 3);
  if (drains_) Weigh(Verb::kGoOn, 1);
  if (drains_) Weigh(Verb::kRetire, 1);
  hearsay_ = internal::SplitMix64(seed ^ 0x68656172736179u).Next() % 100 < 20;
}

void Generator::Weigh(Verb verb, uint64_t weight) {
  weights_.emplace_back(verb, weight);
  weight_sum_ += weight;
}

Action Generator::Next() {
  if (plan_.empty() && random_.Percent(6)) Plan();
  if (!plan_.empty() && random_.Percent(65)) {
    const Action action = plan_.front();
    plan_.pop_front();
    return action;
  }
  if (drains_ && random_.Percent(20)) {
    const Action action = LetGo();
    if (action.numbers[0] != 0) return action;
  }
  uint64_t at = random_.Below(weight_sum_);
  for (const auto& [verb, weight] : weights_) {
    if (at < weight) return Draw(verb);
    at -= weight;
  }
  return Draw(Verb::kDeclare);
}

Action Generator::Draw(Verb verb) {
  Action action = verb < Verb::kExport      ? DrawProcess(verb)
                  : verb < Verb::kStore     ? DrawSharing(verb)
                  : verb < Verb::kPartition ? DrawNode(verb)
                                            : DrawWorld(verb);
  // What is read back from text has nothing else.
  for (size_t i = PlacesIn(PatternOf(action.verb)); i < kNumbers; ++i) action.numbers[i] = 0;
  return action;
}

// --- Choosing ------------------------------------------------------------------------------------

int64_t Generator::AnyProcess() {
  for (int attempt = 0; attempt < 6; ++attempt) {
    const Process& process = *s_.processes[random_.Below(s_.processes.size())];
    if (process.usable()) return process.end;
  }
  return 0;
}

int64_t Generator::AnyNode() {
  for (int attempt = 0; attempt < 6; ++attempt) {
    const Node& node = *s_.nodes[random_.Below(s_.nodes.size())];
    if (node.usable()) return -node.end;
  }
  return 0;
}

int64_t Generator::AnyEnd() {
  const uint64_t at = random_.Below(s_.processes.size() + s_.nodes.size());
  return at < s_.processes.size() ? s_.processes[at]->end : s_.nodes[at - s_.processes.size()]->end;
}

// Among the latest ones that have not ended, mostly, so that things happen to the same object.
const Object* Generator::AnyObject() {
  if (s_.objects.empty()) return nullptr;
  if (s_.alive.empty() || random_.Percent(6)) {
    const auto latest = static_cast<uint64_t>(s_.objects.rbegin()->first);
    const auto back = static_cast<int64_t>(random_.Below(std::min<uint64_t>(latest, 20)));
    const auto found = s_.objects.find(s_.objects.rbegin()->first - back);
    return found == s_.objects.end() ? nullptr : &found->second;
  }
  const uint64_t count = s_.alive.size();
  const uint64_t back = random_.Below(random_.Percent(80) ? std::min<uint64_t>(count, 8) : count);
  return &s_.objects.find(s_.alive[count - 1 - back])->second;
}

const Object* Generator::AnyObjectOf(int64_t process) {
  for (int attempt = 0; attempt < 6; ++attempt) {
    const Object* object = AnyObject();
    if (object != nullptr && (process == 0 || object->owner == process)) return object;
  }
  return nullptr;
}

int64_t Generator::AnyHolder(const Object& object) {
  if (object.holdings.empty() || random_.Percent(10)) return object.owner;
  auto at = object.holdings.begin();
  std::advance(at, static_cast<ptrdiff_t>(random_.Below(object.holdings.size())));
  return at->first;
}

int64_t Generator::AnyGeneration(const Object& object) {
  return object.generation == 0 || random_.Percent(80)
             ? object.generation
             : static_cast<int64_t>(random_.Below(object.generation));
}

Numbers Generator::AnyStored() {
  const int64_t number = AnyNode();
  const Node* node = s_.node(number);
  if (node == nullptr || node->store.copies().empty()) return {};
  auto at = node->store.copies().begin();
  std::advance(at, static_cast<ptrdiff_t>(random_.Below(node->store.copies().size())));
  const Object* object = const_cast<State&>(s_).Find(at->first.first);
  return object == nullptr ? Numbers{} : Numbers{number, object->number, at->first.second};
}

// --- Drawing -------------------------------------------------------------------------------------

Action Generator::DrawProcess(Verb verb) {
  if (verb >= Verb::kScope && verb <= Verb::kMemberRemove) return DrawScope(verb);
  if (verb >= Verb::kStream && verb <= Verb::kStreamFail) return DrawStream(verb);
  if (verb >= Verb::kOpenStateful && verb <= Verb::kAskLatest) return DrawStateful(verb);
  if (verb >= Verb::kDrain && verb <= Verb::kGoOn) return DrawDrain(verb);
  const auto next = NextNumber(s_.objects);
  switch (verb) {
    case Verb::kDeclare:
      return {verb, {AnyProcess(), next}};
    case Verb::kDeclareOn: {
      const bool any = random_.Percent(10);
      const int64_t process = AnyProcess();
      return {verb,
              {process, next, any ? -s_.nodes[random_.Below(s_.nodes.size())]->end : AnyNode()}};
    }
    case Verb::kDeclareFor:
      return {verb, {AnyProcess(), next, s_.processes[random_.Below(s_.processes.size())]->end}};
    case Verb::kDeclareWith: {
      const Object* inner = AnyObject();
      return {verb,
              {inner == nullptr ? 0 : inner->owner, next, inner == nullptr ? 0 : inner->number}};
    }
    case Verb::kEnd: {
      const int64_t task = AnyNumber(s_.tasks);
      return {verb, {task == 0 ? 0 : s_.tasks.find(task)->second.process, task}};
    }
    case Verb::kUnfollow: {
      const int64_t number = AnyNumber(s_.subscriptions);
      const auto found = s_.subscriptions.find(number);
      return {verb, {number == 0 ? 0 : found->second.process, number}};
    }
    case Verb::kUnwatch: {
      const int64_t number = AnyNumber(s_.registrations);
      const auto found = s_.registrations.find(number);
      return {verb, {number == 0 ? 0 : found->second.process, number}};
    }
    default:
      break;
  }
  const Object* object = AnyObject();
  return object == nullptr ? Action{verb, {}} : DrawOnObject(verb, object);
}

Action Generator::DrawOnObject(Verb verb, const Object* object) {
  const int64_t holder = AnyHolder(*object);
  const auto count = static_cast<int64_t>(1 + random_.Below(3));
  switch (verb) {
    case Verb::kAdd:
    case Verb::kRemove:
      return {verb, {holder, count, object->number}};
    case Verb::kSubmit:
      return {verb, {holder, NextNumber(s_.tasks), object->number}};
    case Verb::kSubmitTwo: {
      const Object* other = AnyObjectOf(object->owner);
      return {verb,
              {holder, NextNumber(s_.tasks), object->number, other == nullptr ? 0 : other->number}};
    }
    case Verb::kNest: {
      const Object* other = random_.Percent(60) ? AnyObjectOf(object->owner) : AnyObject();
      if (other == nullptr) return {verb, {}};
      const bool later = object->number > other->number;
      const Object& outer = later ? *object : *other;
      return {verb, {outer.owner, later ? other->number : object->number, outer.number}};
    }
    case Verb::kWatchOut:
    case Verb::kWatchReclaimed:
    case Verb::kWatchErased:
      return {verb,
              {random_.Percent(50) ? object->owner : AnyProcess(), object->number,
               NextNumber(s_.registrations)}};
    case Verb::kWatchFailed:
      return {verb, {holder, object->number, NextNumber(s_.registrations)}};
    case Verb::kFollow:
      return {verb, {object->owner, object->number, NextNumber(s_.subscriptions)}};
    case Verb::kAwait:
    case Verb::kToldNot:
      return {verb, {object->owner, object->number, AnyNode()}};
    case Verb::kTold:
    case Verb::kForget: {
      const Numbers stored = AnyStored();
      const Object* told = stored[0] == 0 ? nullptr : &s_.objects.find(stored[1])->second;
      return {verb, {told == nullptr ? 0 : told->owner, stored[1], stored[0], stored[2]}};
    }
    case Verb::kPin:
      return {verb, {object->owner, object->number, static_cast<int64_t>(1 + random_.Below(2))}};
    case Verb::kUnpin: {
      for (int attempt = 0; attempt < 6 && object->pins.empty(); ++attempt) {
        if (const Object* other = AnyObject(); other != nullptr) object = other;
      }
      const int64_t by = object->pins.empty() ? 0 : object->pins.begin()->first;
      return {verb, {object->owner, object->number, by}};
    }
    case Verb::kMake: {
      const Object* other = AnyObjectOf(object->owner);
      if (other == nullptr) return {verb, {}};
      const bool later = object->number > other->number;
      return {verb,
              {object->owner, (later ? object : other)->number, (later ? other : object)->number}};
    }
    case Verb::kRemake: {
      for (int attempt = 0; attempt < 6 && !object->recorded; ++attempt) {
        if (const Object* other = AnyObject(); other != nullptr) object = other;
      }
      return {verb, {object->owner, object->number, NextNumber(s_.tasks)}};
    }
    case Verb::kTransfer:
      return DrawTransfer(object);
    case Verb::kNameHeir:
    case Verb::kNameTwoHeirs:
    case Verb::kNameThreeHeirs:
    case Verb::kDismissHeir:
      return DrawHeir(verb, object);
    case Verb::kFree:
    case Verb::kEvictFirst:
    case Verb::kRecreate:
    case Verb::kQuery:
      return {verb, {object->owner, object->number}};
    default:
      return {verb, {holder, object->number}};
  }
}

Action Generator::DrawNode(Verb verb) {
  switch (verb) {
    case Verb::kStore:
    case Verb::kStorePrimary:
    case Verb::kFetch: {
      const Object* object = AnyObject();
      if (object == nullptr) return {verb, {}};
      const int64_t node = AnyNode();
      return {verb, {node, object->number, AnyGeneration(*object)}};
    }
    case Verb::kMisuseCopy:
      if (s_.fetches.empty() || random_.Percent(50)) return {verb, AnyStored()};
      [[fallthrough]];
    case Verb::kFetched:
    case Verb::kAbort: {
      if (s_.fetches.empty()) return {verb, {}};
      const auto& fetch = s_.fetches[random_.Below(s_.fetches.size())];
      return {verb, {fetch[0], fetch[1], fetch[2]}};
    }
    case Verb::kRead: {
      const Numbers stored = AnyStored();
      return {verb, {stored[0], stored[1], NextNumber(s_.readers)}};
    }
    case Verb::kClose: {
      const int64_t reader = AnyNumber(s_.readers);
      return {verb, {reader == 0 ? 0 : s_.readers.find(reader)->second.node, reader}};
    }
    case Verb::kMove: {
      const Numbers stored = AnyStored();
      return {verb, {stored[0], stored[1], stored[2], AnyNode()}};
    }
    case Verb::kBreak:
    case Verb::kMend: {
      const int64_t node = -s_.nodes[random_.Below(s_.nodes.size())]->end;
      return {verb, {node, verb == Verb::kMend ? 0 : static_cast<int64_t>(1 + random_.Below(5))}};
    }
    default:
      return {verb, AnyStored()};
  }
}

Action Generator::DrawWorld(Verb verb) {
  const int64_t one = AnyEnd();
  const int64_t other = AnyEnd();
  if (verb == Verb::kCrash) return Crash();
  if (verb == Verb::kRetire) return DrawRetirement();
  if (verb == Verb::kExclude) return Detect();
  if (verb == Verb::kStart) {
    const bool process = random_.Percent(50);
    const size_t count = process ? s_.processes.size() : s_.nodes.size();
    const auto most =
        static_cast<size_t>(process ? s_.options.processes + 3 : s_.options.nodes + 3);
    if (count >= most) return {verb, {}};
    const auto next = static_cast<int64_t>(count) + 1;
    // A process that is gone comes back under a new id.
    for (const auto& gone : s_.processes) {
      if (process && !gone->usable()) return {Verb::kRestart, {gone->end, next}};
    }
    return {verb, {process ? EndOfProcess(next) : EndOfNode(next)}};
  }
  return {verb, {one, other}};
}

// A failure detector finds one that has crashed.
Action Generator::Detect() {
  for (const auto& process : s_.processes) {
    if (process->crashed && process->excluded_by == 0) return {Verb::kExclude, {process->end}};
  }
  for (const auto& node : s_.nodes) {
    if (node->crashed && node->excluded_by == 0) return {Verb::kExclude, {node->end}};
  }
  return {Verb::kExclude, {}};
}

// Somebody stays: there would be nothing to watch.
Action Generator::Crash() {
  size_t live_processes = 0;
  size_t live_nodes = 0;
  for (const auto& process : s_.processes) live_processes += process->live() ? 1 : 0;
  for (const auto& node : s_.nodes) live_nodes += node->live() ? 1 : 0;
  const int64_t end = AnyEnd();
  const bool live = s_.end(end)->live();
  const bool may = (end > 0 ? live_processes : live_nodes) > 1 || !live;
  if (!may) return {Verb::kCrash, {}};
  const uint64_t draw = random_.Below(10);
  if (!live) return {Verb::kExclude, {end}};
  if (draw < 4) return {Verb::kCrash, {end}};
  if (draw < 5) return {Verb::kLeave, {end}};
  // Half of those that are suspected go on for long as if nothing were.
  if (random_.Percent(50)) PaceOf(end) = {90, 2, 40};
  const int64_t other = AnyEnd();
  const bool both = draw < 6 && (end > 0) != (other > 0) && s_.end(other)->live() &&
                    (other > 0 ? live_processes : live_nodes) > 1;
  if (both) return {Verb::kExcludeTwo, {end, other}};
  return {Verb::kSuspect, {end}};
}

Action Generator::Tick() {
  if (!plan_.empty() && random_.Percent(rush_)) return {Verb::kTick, {}};
  static constexpr uint64_t kPumps[] = {2, 15, 60, 95};
  static constexpr uint64_t kHears[] = {1, 10, 40, 90};
  static constexpr uint64_t kRuns[] = {1, 10, 40, 90};
  if (random_.Percent(3)) {
    Pace& pace = PaceOf(AnyEnd());
    pace.pumps = kPumps[random_.Below(4)];
    pace.hears = kHears[random_.Below(4)];
    pace.runs = kRuns[random_.Below(4)];
  }
  uint64_t microseconds = 0;
  if (random_.Percent(60)) microseconds = random_.Below(6000);
  if (random_.Percent(1)) microseconds = 50'000 + random_.Below(1'500'000);
  uint64_t pump = 0;
  uint64_t hear = 0;
  uint64_t run = 0;
  const auto draw = [&](const End& end) {
    if (end.crashed) return;
    const Pace& pace = PaceOf(end.end);
    const bool waits = end.queue != nullptr && end.queue->size() > 0;
    if (waits && random_.Percent(pace.runs)) run |= PlaceOf(end.end);
    if (random_.Percent(pace.pumps)) pump |= PlaceOf(end.end);
    if (end.membership.has_notice() && random_.Percent(pace.hears)) hear |= PlaceOf(end.end);
  };
  for (const auto& process : s_.processes) draw(*process);
  for (const auto& node : s_.nodes) draw(*node);
  return {Verb::kTick,
          {static_cast<int64_t>(microseconds) * 1000, static_cast<int64_t>(pump),
           static_cast<int64_t>(hear), static_cast<int64_t>(run)}};
}

}  // namespace freehold::testing::sim
