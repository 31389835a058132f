// What a simulated run leaves behind: a trace that can be read and compared, and counts of what
// happened.
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_SRC_TESTING_SIM_TRACE_H_
#define FREEHOLD_SRC_TESTING_SIM_TRACE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "src/testing/sim_text.h"

namespace freehold::testing::sim {

// Lines are kept as a pattern and its numbers, and turned into text only when asked for. The hash
// covers every line and whatever else is mixed in.
class TraceLines {
 public:
  // `pattern` is a literal, as in sim_text.h. An action stands at the margin, what came of it is
  // indented.
  void Add(const char* pattern, const Numbers& numbers, bool is_action = false) {
    lines_.push_back({pattern, numbers, is_action});
    Mix(pattern);
    for (const int64_t number : numbers) MixNumber(static_cast<uint64_t>(number));
  }
  void Mix(std::string_view bytes) {
    while (bytes.size() >= 8) {
      uint64_t word;
      std::memcpy(&word, bytes.data(), 8);
      MixNumber(word);
      bytes.remove_prefix(8);
    }
    for (const char c : bytes) MixNumber(static_cast<uint8_t>(c));
  }

  // Where the trace stands, to go back to: what was skipped leaves no trace.
  struct Mark {
    size_t lines;
    uint64_t hash;
  };
  Mark Here() const { return {lines_.size(), hash_}; }
  void GoBack(const Mark& mark) {
    lines_.resize(mark.lines);
    hash_ = mark.hash;
  }

  uint64_t hash() const { return hash_; }
  std::string Tail(size_t lines) const {
    std::string text;
    for (size_t i = lines_.size() - std::min(lines, lines_.size()); i < lines_.size(); ++i) {
      text += (lines_[i].is_action ? "" : "    ") + Format(lines_[i].pattern, lines_[i].numbers);
      text += '\n';
    }
    return text;
  }

 private:
  struct Line {
    const char* pattern = nullptr;
    Numbers numbers{};
    bool is_action = false;
  };

  void MixNumber(uint64_t number) {
    hash_ = (hash_ ^ number) * 0x100000001b3u;
    hash_ ^= hash_ >> 29;
  }

  uint64_t hash_ = 0xcbf29ce484222325u;
  std::vector<Line> lines_;
};

// How often each thing happened, by name.
class Coverage {
 public:
  void Count(std::string_view what, uint64_t times = 1) {
    const auto at = counts_.find(what);
    if (at != counts_.end()) {
      at->second += times;
    } else {
      counts_.emplace(what, times);
    }
  }
  const std::map<std::string, uint64_t, std::less<>>& counts() const { return counts_; }

 private:
  std::map<std::string, uint64_t, std::less<>> counts_;
};

}  // namespace freehold::testing::sim

#endif  // FREEHOLD_SRC_TESTING_SIM_TRACE_H_
