#include "src/core/state_chains.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "src/base/check.h"
#include "src/base/little_endian.h"
#include "src/base/mutant.h"

namespace freehold::core {

using internal::IsMutant;
using internal::Mutant;

namespace {

constexpr char kMark[] = "freehold sta";
constexpr size_t kMarkSize = sizeof(kMark) - 1;
static_assert(kMarkSize + 16 == ObjectId::kSize);

}  // namespace

ObjectId StateId(const StateName& name) {
  ObjectId id;
  std::memcpy(id.mutable_data(), kMark, kMarkSize);
  internal::StoreLittle(name.chain, id.mutable_data() + kMarkSize);
  internal::StoreLittle(name.number, id.mutable_data() + kMarkSize + 8);
  return id;
}

std::optional<StateName> StateOf(const ObjectId& id) {
  if (std::memcmp(id.data(), kMark, kMarkSize) != 0) return std::nullopt;
  return StateName{internal::LoadLittle<uint64_t>(id.data() + kMarkSize),
                   internal::LoadLittle<uint64_t>(id.data() + kMarkSize + 8)};
}

StateChains::Chain* StateChains::Find(const TaskId& stateful, uint64_t* number) {
  const auto found = by_id_.find(stateful);
  if (found == by_id_.end()) return nullptr;
  if (number != nullptr) *number = found->second;
  return &chains_.find(found->second)->second;
}

const StateChains::Chain* StateChains::Find(const TaskId& stateful, uint64_t* number) const {
  const auto found = by_id_.find(stateful);
  if (found == by_id_.end()) return nullptr;
  if (number != nullptr) *number = found->second;
  return &chains_.find(found->second)->second;
}

// --- Calls ---------------------------------------------------------------------------------------

LineageVerdict StateChains::Step(const event::OpenStateful& e) {
  if (!by_id_.emplace(e.stateful, last_chain_ + 1).second) return LineageVerdict::kAlreadyExists;
  Chain& chain = chains_[++last_chain_];
  chain.id = e.stateful;
  chain.restartable = e.restartable;
  return LineageVerdict::kOk;
}

LineageVerdict StateChains::Step(const event::BeginCall& e) {
  uint64_t number = 0;
  Chain* chain = Find(e.stateful, &number);
  if (chain == nullptr) return LineageVerdict::kNotFound;
  if (chain->stage == Stage::kEnded) return LineageVerdict::kEnded;
  if (chain->stage == Stage::kRecording) return LineageVerdict::kBusy;
  LineageVerdict verdict =
      chain->restartable ? table_.Step(event::BeginTask{e.call, e.bytes, e.retries})
                         : table_.Step(event::BeginTask{e.call, 0, 0, /*not_restartable=*/true});
  if (verdict != LineageVerdict::kOk) return verdict;
  if (chain->restartable) {
    const ObjectId made = StateId({number, chain->latest + 1});
    const ObjectId before = StateId({number, chain->latest});
    // The state comes first: by it a call is known.
    verdict = table_.Step(event::AddReturns{e.call, absl::MakeConstSpan(&made, 1)});
    if (verdict == LineageVerdict::kOk && chain->latest > 0 && !IsMutant(Mutant::kStateNotNeeded)) {
      verdict = table_.Step(event::AddStateArgument{e.call, before});
    }
    if (verdict != LineageVerdict::kOk) {
      (void)table_.Step(event::AbandonTask{e.call});
      return verdict;
    }
  }
  chain->stage = Stage::kRecording;
  return LineageVerdict::kOk;
}

uint64_t StateChains::Step(const event::EndCall& e, LineageEffects* effects) {
  uint64_t number = 0;
  Chain* chain = Find(e.stateful, &number);
  FREEHOLD_CHECK(chain != nullptr && chain->stage == Stage::kRecording);
  chain->stage = Stage::kRunning;
  if (!e.ok) {
    FREEHOLD_CHECK(table_.Step(event::AbandonTask{e.call}) == LineageVerdict::kOk);
    return chain->latest;
  }
  FREEHOLD_CHECK(table_.Step(event::EndTask{e.call}, effects) == LineageVerdict::kOk);
  // Only now is the one before needed for what comes after it, and for nothing else.
  if (chain->restartable) {
    EndLatest(*chain, number, effects);
    states_ += chain->states.insert(chain->latest + 1).second ? 1 : 0;
  }
  return ++chain->latest;
}

void StateChains::EndLatest(const Chain& chain, uint64_t number, LineageEffects* effects) {
  if (chain.latest == 0) return;
  const ObjectId state = StateId({number, chain.latest});
  (void)table_.Step(event::ReturnEnded{state, 0}, effects);
}

// --- Letting go ----------------------------------------------------------------------------------

LineageVerdict StateChains::Step(const event::Checkpointed& e, LineageEffects* effects) {
  uint64_t number = 0;
  Chain* chain = Find(e.stateful, &number);
  if (chain == nullptr) return LineageVerdict::kNotFound;
  if (!chain->restartable) return LineageVerdict::kNotRestartable;
  const ObjectId state = StateId({number, e.state});
  if (chain->states.count(e.state) == 0 || !table_.IsUsed(state)) return LineageVerdict::kNotFound;
  if (IsMutant(Mutant::kCheckpointIgnored)) return LineageVerdict::kOk;
  if (!chain->checkpoints.insert(e.state).second) return LineageVerdict::kUnchanged;
  const LineageVerdict verdict = table_.Step(event::Checkpoint{state}, effects);
  FREEHOLD_CHECK(verdict == LineageVerdict::kOk);
  return verdict;
}

LineageVerdict StateChains::Step(const event::SetNotRestartable& e, LineageEffects* effects) {
  uint64_t number = 0;
  Chain* chain = Find(e.stateful, &number);
  if (chain == nullptr) return LineageVerdict::kNotFound;
  if (chain->stage == Stage::kRecording) return LineageVerdict::kBusy;
  if (!chain->restartable) return LineageVerdict::kUnchanged;
  chain->restartable = false;
  to_release_.push_back({number, 0});
  if (chain->stage == Stage::kRunning) EndLatest(*chain, number, effects);
  return LineageVerdict::kOk;
}

LineageVerdict StateChains::Step(const event::EndStateful& e, LineageEffects* effects) {
  uint64_t number = 0;
  Chain* chain = Find(e.stateful, &number);
  if (chain == nullptr) return LineageVerdict::kNotFound;
  if (chain->stage == Stage::kEnded) return LineageVerdict::kEnded;
  if (chain->stage == Stage::kRecording) return LineageVerdict::kBusy;
  chain->stage = Stage::kEnded;
  if (chain->restartable) EndLatest(*chain, number, effects);
  EraseIfOver(number);
  return LineageVerdict::kOk;
}

void StateChains::EraseIfOver(uint64_t number) {
  const auto found = chains_.find(number);
  if (found->second.stage != Stage::kEnded || !found->second.states.empty()) return;
  by_id_.erase(found->second.id);
  chains_.erase(found);
}

void StateChains::TakeStates(LineageEffects* effects) {
  const auto is_state = [this](const ObjectId& id) {
    const std::optional<StateName> name = StateOf(id);
    if (!name.has_value()) return false;
    const auto found = chains_.find(name->chain);
    if (found == chains_.end()) return true;
    Chain& chain = found->second;
    states_ -= chain.states.erase(name->number);
    chain.checkpoints.erase(name->number);
    EraseIfOver(name->chain);
    return true;
  };
  std::vector<ObjectId>& ids = effects->to_forget;
  ids.erase(std::remove_if(ids.begin(), ids.end(), is_state), ids.end());
}

bool StateChains::ReleaseNext(StateName* next, LineageEffects* effects) {
  const auto chain = chains_.find(next->chain);
  if (chain == chains_.end()) return false;
  const auto at = chain->second.states.lower_bound(next->number);
  if (at == chain->second.states.end()) return false;
  next->number = *at + 1;
  const std::optional<TaskId> call = table_.TaskOf(StateId({next->chain, *at}));
  if (call.has_value()) (void)table_.Step(event::ReleaseTask{*call}, effects);
  return true;
}

bool StateChains::Work(uint64_t* budget, LineageEffects* effects) {
  while (!to_release_.empty() && *budget > 0) {
    --*budget;
    if (!ReleaseNext(&to_release_.front(), effects)) to_release_.pop_front();
  }
  const bool more = table_.Work(budget, effects);
  TakeStates(effects);
  return more || !to_release_.empty();
}

// --- Queries -------------------------------------------------------------------------------------

bool StateChains::Go(Walk* walk, size_t max) const {
  const auto chain = chains_.find(walk->at.chain);
  for (; walk->at.number > 0; --walk->at.number, --max) {
    if (max == 0) return true;
    if (chain == chains_.end() || chain->second.states.count(walk->at.number) == 0) {
      walk->recovery = Recovery::kDeleted;
      return false;
    }
    if (chain->second.checkpoints.count(walk->at.number) > 0) return false;
    if (walk->at.number == 1 && IsMutant(Mutant::kReplayTooLate)) return false;
    const ObjectId state = StateId(walk->at);
    walk->recovery = table_.CanRecover(state);
    if (walk->recovery != Recovery::kPossible) return false;
    walk->calls.push_back(*table_.TaskOf(state));
  }
  return false;
}

std::optional<StateChains::Walk> StateChains::WalkTo(const ObjectId& object) const {
  const std::optional<TaskId> call = table_.TaskOf(object);
  if (!call.has_value()) return std::nullopt;
  const std::vector<ObjectId> first = table_.Returns(*call, 0, 1);
  const std::optional<StateName> made = first.empty() ? std::nullopt : StateOf(first.front());
  if (!made.has_value()) return std::nullopt;
  Walk walk;
  walk.at = {made->chain, made->number - 1};
  walk.calls.push_back(*call);
  return walk;
}

std::optional<StateChains::Walk> StateChains::WalkToLatest(const TaskId& stateful) const {
  uint64_t number = 0;
  const Chain* chain = Find(stateful, &number);
  if (chain == nullptr || chain->stage == Stage::kEnded || !chain->restartable) {
    return std::nullopt;
  }
  Walk walk;
  walk.at = {number, chain->latest};
  return walk;
}

std::optional<uint64_t> StateChains::LatestOf(const TaskId& stateful) const {
  const Chain* chain = Find(stateful);
  if (chain == nullptr) return std::nullopt;
  return chain->latest;
}

bool StateChains::HasEnded(const TaskId& stateful) const {
  const Chain* chain = Find(stateful);
  return chain == nullptr || chain->stage == Stage::kEnded;
}

bool StateChains::IsRestartable(const TaskId& stateful) const {
  const Chain* chain = Find(stateful);
  return chain != nullptr && chain->restartable;
}

size_t StateChains::CountStates(const TaskId& stateful) const {
  const Chain* chain = Find(stateful);
  return chain == nullptr ? 0 : chain->states.size();
}

std::vector<uint64_t> StateChains::Checkpoints(const TaskId& stateful, uint64_t from,
                                               size_t max) const {
  std::vector<uint64_t> answer;
  uint64_t number = 0;
  const Chain* chain = Find(stateful, &number);
  if (chain == nullptr) return answer;
  for (auto at = chain->checkpoints.lower_bound(from);
       at != chain->checkpoints.end() && answer.size() < max; ++at) {
    if (table_.IsUsed(StateId({number, *at}))) answer.push_back(*at);
  }
  return answer;
}

void StateChains::CheckInvariants() const {
  table_.CheckInvariants();
  FREEHOLD_CHECK(by_id_.size() == chains_.size());
  size_t states = 0;
  for (const auto& [number, chain] : chains_) {
    FREEHOLD_CHECK(by_id_.at(chain.id) == number);
    states += chain.states.size();
    const bool has_latest = chain.stage != Stage::kEnded && chain.restartable && chain.latest > 0;
    FREEHOLD_CHECK(!has_latest || chain.states.count(chain.latest) > 0);
    FREEHOLD_CHECK(chain.stage != Stage::kEnded || !chain.states.empty());
    FREEHOLD_CHECK(chain.states.empty() || *chain.states.rbegin() <= chain.latest);
    for (const uint64_t checkpoint : chain.checkpoints) {
      FREEHOLD_CHECK(chain.states.count(checkpoint) > 0);
    }
  }
  FREEHOLD_CHECK(states == states_);
}

}  // namespace freehold::core
