#include "src/testing/sim_files.h"

#include <algorithm>

#include "src/testing/sim_heirs.h"
#include "src/testing/sim_moves.h"
#include "src/testing/sim_oracle.h"
#include "src/testing/sim_transfers.h"

namespace freehold::testing::sim {

namespace {

// Its node may have deleted it, or another one, as a former primary's.
bool MayBeLoose(const State& state, const Object& object, int64_t node, uint32_t generation) {
  return WasMovedFrom(state, object, node) &&
         std::count(object.frees_sent.begin(), object.frees_sent.end(),
                    std::make_pair(node, generation)) > 0;
}

}  // namespace

std::string SharedUrl(const Node& node, const Store::Stored& stored) {
  return std::string(Store::kSharedPrefix) + std::to_string(-node.end) + "/" +
         std::to_string(stored.instance);
}

void FileWritten(State* state, const std::string& url, const Object& object, uint32_t generation,
                 const Node& node) {
  SimFile& file = state->files[url];
  file.object = object.number;
  file.generation = generation;
  file.node = -node.end;
}

void HearsOfFiles(State* state, const Process& process, const View& view) {
  if (process.counter == nullptr) return;
  for (auto& [url, file] : state->files) {
    const Object& object = *state->object(file.object);
    const Node& writer = *state->node(file.node);
    if (object.owner != process.end || object.generation != file.generation) continue;
    if (std::count(view.excluded.begin(), view.excluded.end(), writer.address) == 0) continue;
    const auto known = process.counter->GetLocations(object.id);
    if (!known.ok()) continue;
    file.known = std::any_of(
        known->locations.begin(), known->locations.end(),
        [&url = url](const Location& at) { return at.shared && at.spilled_url == url; });
    if (file.known) state->coverage.Count("a file outlives its node");
  }
}

void OnFileSent(Oracle* oracle, State* state, int64_t from, int64_t to,
                const core::FileItem& item) {
  static constexpr const char* kLines[] = {"E sends E FileCarry O G", "E sends E FileDelete O G",
                                           "E sends E FileGone O G"};
  static constexpr const char* kNames[] = {"item FileCarry", "item FileDelete", "item FileGone"};
  const auto kind = static_cast<size_t>(item.kind) - 1;
  state->coverage.Count(kNames[kind]);
  Object* object = state->Find(item.object);
  if (object == nullptr) return;  // a host's own
  state->trace.Add(kLines[kind], {from, to, object->number, item.generation});
  const std::string details =
      Format("O G from E to E, ", {object->number, item.generation, from, to}) + item.url;
  if (item.kind == core::FileItemKind::kGone) return;
  SeeOwner(oracle, state, object);
  if ((!EverOwned(*object, from) && !EndsAtHeir(*state, *object, from)) || to >= 0) {
    return oracle->Violate("S6: not the owner, or not a node", details);
  }
  const auto found = state->files.find(item.url);
  const int64_t writer = found == state->files.end() ? 0 : found->second.node;
  if (writer != 0) {
    oracle->Expect(state->process(from)->HeardOf(*state->node(writer)),
                   "a file is given to another node while its own lives", details);
    // Of one that is excluded nobody takes it any more.
    found->second.carried = found->second.carried || state->process(from)->live();
  }
  if (item.kind == core::FileItemKind::kCarry) return;
  const bool gone = oracle->ValueGone(*object, item.generation);
  const bool loose = writer != 0 && MayBeLoose(*state, *object, writer, item.generation);
  // One that is not there any more was deleted with its copy, by its node.
  if (!gone && !loose && writer != 0) {
    return oracle->Violate("S4: a file of a live value is to be deleted", details);
  }
  if (gone && !loose && item.generation == object->generation && !object->freed) {
    oracle->SeenEnded(object);
  }
  state->file_deletes.emplace(-to, item.url);
}

void OnFileDelete(Oracle* oracle, State* state, const Node& node, const CopyToDelete& file) {
  const Object* object = state->Find(file.object);
  if (object == nullptr) return;  // a host's own
  state->trace.Add("E deletes a file of O G", {node.end, object->number, file.generation});
  const bool there = state->files.count(file.spilled_url) > 0;
  state->coverage.Count(there ? "delete a file" : "delete a file repeated");
  const bool may = state->file_deletes.count({-node.end, file.spilled_url}) > 0 ||
                   PastOwner(*state, node, *object) ||
                   oracle->MayDelete(node, *object, file.generation);
  oracle->Expect(
      may, "S6: a file is deleted that its owner has not freed",
      Format("O G at E, ", {object->number, file.generation, node.end}) + file.spilled_url);
}

bool IsInFile(const State& state, const Object& object) {
  const auto known = state.OwnerOf(object).counter->GetLocations(object.id);
  return known.ok() &&
         std::any_of(known->locations.begin(), known->locations.end(),
                     [](const Location& at) { return at.node.IsNil() && at.spilled; });
}

void LookAtFilesAtRest(Oracle* oracle, const State& state) {
  for (const auto& [url, file] : state.files) {
    const Object& object = state.objects.find(file.object)->second;
    const Process& owner = state.OwnerOf(object);
    // What a live node wrote is part of its copy; of a dead owner's, whoever was told knows.
    if (!owner.live() || state.node(file.node)->live()) continue;
    const std::string details = Format("O G, ", {file.object, file.generation}) + url;
    if (oracle->ValueGone(object, file.generation)) {
      const bool nobody = owner.counter->GetStats().files_without_agent > 0;
      oracle->Expect(!file.carried || nobody, "L4: a file is left", details);
    } else if (file.known && !object.disagreed) {
      oracle->Expect(IsInFile(state, object), "a file is unknown to its owner", details);
    }
  }
}

void LookAtUnboundLocation(Oracle* oracle, const State& state, const Object& object,
                           const Location& location) {
  oracle->Expect(location.shared && location.spilled && !location.in_memory &&
                     !location.prospective && location.role == CopyRole::kSecondary,
                 "a copy at no node is no file", NameOf(object));
  const auto file = state.files.find(location.spilled_url);
  oracle->Expect(file != state.files.end() && file->second.object == object.number &&
                     file->second.generation == object.generation,
                 "a file is known that is not there", NameOf(object) + ", " + location.spilled_url);
}

}  // namespace freehold::testing::sim
