// Lines of a simulated world: a pattern, a literal, and the numbers that stand in it.
//
// Words of a pattern that are one capital letter are places for a number; the letter says how it
// reads: P process "p1", N node "n1", E either of them, O object "o1", T token "t1", K task "k1",
// C callback "c1", S scope "s1", X stateful task "x1", F subscription "f1", Q query "q1", R reader
// "r1", G generation "g0", I a plain number, D a duration "1500us", M a set of ends "p1,n2" ("-":
// none, "all"), A a status code "ok". Other words stand for themselves. So one table of patterns is
// the grammar of scenarios, for reading and for writing.
//
// Thread safety: pure functions. Errors: Match answers false.

#ifndef FREEHOLD_SRC_TESTING_SIM_TEXT_H_
#define FREEHOLD_SRC_TESTING_SIM_TEXT_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace freehold::testing::sim {

inline constexpr size_t kNumbers = 5;
using Numbers = std::array<int64_t, kNumbers>;

// Either end as one number: processes positive, nodes negative. Numbers start at 1.
inline int64_t EndOfProcess(int64_t process) { return process; }
inline int64_t EndOfNode(int64_t node) { return -node; }

// A set of ends has 64 places, 32 for processes and 32 for nodes; in larger worlds ends share them.
inline constexpr int64_t kPlaces = 32;
inline uint64_t PlaceOf(int64_t end) {
  const int64_t number = end > 0 ? end : -end;
  return uint64_t{1} << ((number - 1) % kPlaces + (end > 0 ? 0 : kPlaces));
}

std::vector<std::string_view> Words(std::string_view line);
// The word of a pattern is a place for a number.
bool IsPlace(std::string_view word);
// How many numbers stand in it.
size_t PlacesIn(std::string_view pattern);
std::string Format(std::string_view pattern, const Numbers& numbers);
bool Match(std::string_view pattern, const std::vector<std::string_view>& words, Numbers* numbers);

}  // namespace freehold::testing::sim

#endif  // FREEHOLD_SRC_TESTING_SIM_TEXT_H_
