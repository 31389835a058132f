// What a simulated run leaves behind: random choices from one seed, a trace that can be read and
// compared, and counts of what happened.
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_TESTS_SIM_SIM_TRACE_H_
#define FREEHOLD_TESTS_SIM_SIM_TRACE_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/random.h"

namespace freehold::sim {

// All choices of a run come from one of these.
class Random {
 public:
  explicit Random(uint64_t seed) : numbers_(seed) {}
  uint64_t Next() { return numbers_.Next(); }
  // Evenly from [0, end). REQUIRES: end > 0.
  uint64_t Below(uint64_t end) { return Next() % end; }
  int IntBelow(size_t end) { return static_cast<int>(Below(end)); }
  bool Percent(uint64_t chance) { return Below(100) < chance; }

 private:
  internal::SplitMix64 numbers_;
};

// Lines of a run, kept as a pattern and its numbers; turned into text only when asked for. The hash
// covers every line and whatever else is mixed in.
class Trace {
 public:
  static constexpr int kNumbers = 4;

  void set_step(int64_t step) { step_ = step; }
  int64_t step() const { return step_; }
  // Each {} of `pattern`, a literal, stands for the next number.
  void Add(const char* pattern, int64_t a = 0, int64_t b = 0, int64_t c = 0, int64_t d = 0) {
    lines_.push_back({pattern, step_, {a, b, c, d}});
    Mix(pattern);
    for (const int64_t number : lines_.back().numbers) MixNumber(static_cast<uint64_t>(number));
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

  uint64_t hash() const { return hash_; }
  size_t size() const { return lines_.size(); }
  std::string Tail(size_t lines) const {
    std::string text;
    for (size_t i = lines_.size() - std::min(lines, lines_.size()); i < lines_.size(); ++i) {
      text += Text(i) + "\n";
    }
    return text;
  }
  std::string Text(size_t index) const {
    const Line& line = lines_[index];
    std::string text = "  step " + std::to_string(line.step) + ": ";
    int number = 0;
    for (const char* at = line.pattern; *at != '\0'; ++at) {
      if (at[0] == '{' && at[1] == '}' && number < kNumbers) {
        text += std::to_string(line.numbers[static_cast<size_t>(number++)]);
        ++at;
      } else {
        text += *at;
      }
    }
    return text;
  }

 private:
  struct Line {
    const char* pattern;
    int64_t step;
    std::array<int64_t, kNumbers> numbers;
  };

  void MixNumber(uint64_t number) {
    hash_ = (hash_ ^ number) * 0x100000001b3u;
    hash_ ^= hash_ >> 29;
  }

  int64_t step_ = 0;
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
  uint64_t Of(std::string_view what) const {
    const auto at = counts_.find(what);
    return at == counts_.end() ? 0 : at->second;
  }
  void Merge(const Coverage& other) {
    for (const auto& [what, times] : other.counts_) Count(what, times);
  }
  std::string ToString() const {
    std::string text;
    for (const auto& [what, times] : counts_) {
      text += (text.empty() ? "" : ", ") + what + " " + std::to_string(times);
    }
    return text;
  }

 private:
  std::map<std::string, uint64_t, std::less<>> counts_;
};

}  // namespace freehold::sim

#endif  // FREEHOLD_TESTS_SIM_SIM_TRACE_H_
