#include "src/testing/sim_action.h"

#include <array>
#include <vector>

namespace freehold::testing::sim {

namespace {

// In the order of the verbs.
constexpr std::array<const char*, kVerbs> kPatterns = {
    "P declare O",
    "P declare O on N",
    "P declare O with O",
    "P declare O for P",
    "P copy O",
    "P drop O",
    "P get O",
    "P lock O",
    "P add I of O",
    "P remove I of O",
    "P submit K of O",
    "P submit K of O O",
    "P end K",
    "P nest O in O",
    "P free O",
    "P recreate O",
    "P pins O for I",
    "P unpins O for I",
    "P makes O of O",
    "P remakes O as K",
    "P watch O out as C",
    "P watch O reclaimed as C",
    "P watch O erased as C",
    "P watch O failed as C",
    "P unwatch C",
    "P follow O as F",
    "P unfollow F",
    "P await O on N",
    "P told O on N G",
    "P told O not on N",
    "P forgets O on N",
    "P misuse O",
    "P query O",
    "P opens S",
    "P opens S in S",
    "P opens S for D",
    "P declare O in S",
    "P declare O on N in S",
    "P keeps O",
    "P moves O to S",
    "P shares S with P",
    "P joins S as S",
    "P ends S",
    "P forces S",
    "P uses O in S",
    "P streams O",
    "P yields O of O",
    "P yields O on N of O",
    "P takes of O",
    "P ends stream O",
    "P fails stream O",
    "P begins X",
    "P begins X unrestartable",
    "P calls X for O",
    "P calls X for O of O",
    "P checkpoints X I",
    "P forbids X",
    "P finishes X",
    "P export O to P as T",
    "P import T",
    "P cancel T",
    "P read O out of O",
    "P misread O out of O",
    "E asks O as Q",
    "E asks O for N as Q",
    "E asks O always as Q",
    "E unasks Q",
    "N store O G",
    "N store O G primary",
    "N fetch O G",
    "N fetched O G",
    "N abort O G",
    "N spill O G",
    "N spill O G keeping",
    "N spill O G shared",
    "N restore O G",
    "N evict O G",
    "N read O as R",
    "N close R",
    "N misuse O G",
    "N moves O G from N",
    "N breaks I",
    "N mends",
    "partition E E",
    "heal E E",
    "heal",
    "isolate E",
    "rejoin E",
    "crash E",
    "exclude E",
    "exclude E E",
    "suspect E",
    "E leaves",
    "start E",
    "restart P as P",
    "tick D pump M hear M run M",
    "advance D",
    "deliver",
    "pump E",
    "hear E",
    "run E",
    "settle",
    "rest",
    "calm",
    "finish",
    "expect O in scope",
    "expect O gone",
    "expect N has O",
    "expect N lacks O",
    "expect C ran",
    "expect C waits",
    "expect P holds O",
    "expect P lost O",
    "expect P awaits O",
    "expect O primary on N",
    "expect O lost",
    "expect O replays I from I",
    "expect O in a file",
    "expect no files",
};

}  // namespace

const char* PatternOf(Verb verb) { return kPatterns[static_cast<size_t>(verb)]; }

std::optional<Action> ParseAction(std::string_view line) {
  const std::vector<std::string_view> words = Words(line);
  Action action;
  for (size_t i = 0; i < kVerbs && !words.empty(); ++i) {
    if (!Match(kPatterns[i], words, &action.numbers)) continue;
    action.verb = static_cast<Verb>(i);
    return action;
  }
  return std::nullopt;
}

}  // namespace freehold::testing::sim
