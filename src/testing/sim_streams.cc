#include "src/testing/sim_streams.h"

#include <string>

#include "freehold/generator.h"
#include "src/testing/sim_oracle.h"

namespace freehold::testing::sim {

bool IsStream(const State& state, const Object& object) {
  return state.streams.count(object.number) > 0;
}

const Object* StreamAround(const State& state, const Object& object) {
  if (object.stream == 0 || !state.streams.at(object.stream).open) return nullptr;
  return &state.objects.at(object.stream);
}

std::vector<int64_t> UntakenOf(const State& state, const Object& object) {
  const auto found = state.streams.find(object.number);
  if (found == state.streams.end() || !found->second.open) return {};
  return {found->second.untaken.begin(), found->second.untaken.end()};
}

void EndStream(State* state, const Object& object) {
  const auto found = state->streams.find(object.number);
  if (found == state->streams.end() || !found->second.open) return;
  found->second.open = false;
  if (!found->second.untaken.empty()) {
    state->coverage.Count("a generator ends with untaken objects");
  }
}

void LookAtStreamsAtRest(Oracle* oracle, const State& state) {
  for (const auto& process : state.processes) {
    if (!process->live()) continue;
    const Generators generators(*process->counter);
    uint64_t open = 0;
    uint64_t yielded = 0;
    for (const auto& [number, stream] : state.streams) {
      const Object& object = state.objects.at(number);
      if (object.owner != process->end || !stream.open || !oracle->Held(object)) continue;
      ++open;
      yielded += stream.untaken.size();
      oracle->Expect(generators.CountYielded(object.id) == stream.untaken.size(),
                     "a generator has more to be taken, or less", NameOf(object));
    }
    const ReferenceCounterStats stats = process->counter->GetStats();
    oracle->Expect(stats.generators == open, "other generators are kept than must be",
                   NameOf(*process) + ": " + std::to_string(stats.generators) + ", not " +
                       std::to_string(open));
    oracle->Expect(stats.yielded == yielded, "other yielded objects are kept than must be",
                   NameOf(*process) + ": " + std::to_string(stats.yielded) + ", not " +
                       std::to_string(yielded));
  }
}

void CheckStreamsEmpty(Oracle* oracle, const Process& process) {
  const ReferenceCounterStats stats = process.counter->GetStats();
  oracle->Expect(stats.generators == 0 && stats.yielded == 0, "L6: generators are left",
                 NameOf(process));
}

}  // namespace freehold::testing::sim
