#include "src/testing/sim_text.h"

#include <limits>

#include "absl/status/status.h"

namespace freehold::testing::sim {

namespace {

// The letter in front of a number, for places that have one.
char PrefixOf(char place) {
  switch (place) {
    case 'P':
    case 'N':
    case 'O':
    case 'T':
    case 'K':
    case 'C':
    case 'R':
    case 'F':
    case 'Q':
    case 'S':
    case 'X':
    case 'G':
      return static_cast<char>(place - 'A' + 'a');
    default:
      return '\0';
  }
}

bool ReadNumber(std::string_view text, int64_t* number) {
  if (text.empty() || text.size() > 18) return false;
  *number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    *number = *number * 10 + (c - '0');
  }
  return true;
}

bool ReadEnd(std::string_view word, int64_t* end) {
  if (word.size() < 2 || (word[0] != 'p' && word[0] != 'n')) return false;
  if (!ReadNumber(word.substr(1), end) || *end == 0) return false;
  if (word[0] == 'n') *end = -*end;
  return true;
}

std::string EndText(int64_t end) {
  return end > 0 ? "p" + std::to_string(end) : "n" + std::to_string(-end);
}

std::string SetText(uint64_t set) {
  if (set == UINT64_MAX) return "all";
  std::string text;
  for (int64_t number = 1; number <= kPlaces; ++number) {
    if ((set & PlaceOf(number)) != 0) text += (text.empty() ? "" : ",") + EndText(number);
  }
  for (int64_t number = 1; number <= kPlaces; ++number) {
    if ((set & PlaceOf(-number)) != 0) text += (text.empty() ? "" : ",") + EndText(-number);
  }
  return text.empty() ? "-" : text;
}

bool ReadSet(std::string_view word, int64_t* set) {
  uint64_t bits = word == "all" ? UINT64_MAX : 0;
  while (word != "all" && word != "-" && !word.empty()) {
    const size_t comma = word.find(',');
    int64_t end = 0;
    if (!ReadEnd(word.substr(0, comma), &end)) return false;
    bits |= PlaceOf(end);
    word = comma == std::string_view::npos ? std::string_view() : word.substr(comma + 1);
  }
  *set = static_cast<int64_t>(bits);
  return true;
}

// In the unit that has no remainder.
std::string DurationText(int64_t nanoseconds) {
  if (nanoseconds % 1'000'000'000 == 0) return std::to_string(nanoseconds / 1'000'000'000) + "s";
  if (nanoseconds % 1'000'000 == 0) return std::to_string(nanoseconds / 1'000'000) + "ms";
  if (nanoseconds % 1'000 == 0) return std::to_string(nanoseconds / 1'000) + "us";
  return std::to_string(nanoseconds) + "ns";
}

bool ReadDuration(std::string_view word, int64_t* nanoseconds) {
  const size_t unit_at = word.find_first_not_of("0123456789");
  if (unit_at == std::string_view::npos || !ReadNumber(word.substr(0, unit_at), nanoseconds))
    return false;
  const std::string_view unit = word.substr(unit_at);
  int64_t factor = 0;
  if (unit == "ns") factor = 1;
  if (unit == "us") factor = 1'000;
  if (unit == "ms") factor = 1'000'000;
  if (unit == "s") factor = 1'000'000'000;
  if (factor == 0 || *nanoseconds > std::numeric_limits<int64_t>::max() / factor) return false;
  *nanoseconds *= factor;
  return true;
}

std::string PlaceText(char place, int64_t number) {
  switch (place) {
    case 'E':
      return EndText(number);
    case 'D':
      return DurationText(number);
    case 'M':
      return SetText(static_cast<uint64_t>(number));
    case 'A':
      return absl::StatusCodeToString(static_cast<absl::StatusCode>(number));
    case 'I':
      return std::to_string(number);
    default:
      return PrefixOf(place) + std::to_string(number);
  }
}

bool ReadPlace(char place, std::string_view word, int64_t* number) {
  switch (place) {
    case 'E':
      return ReadEnd(word, number);
    case 'D':
      return ReadDuration(word, number);
    case 'M':
      return ReadSet(word, number);
    case 'A':
      return false;
    case 'I':
      return ReadNumber(word, number);
    default:
      return !word.empty() && word[0] == PrefixOf(place) && ReadNumber(word.substr(1), number);
  }
}

// The next word of `*text`, which is cut off; empty at the end.
std::string_view NextWord(std::string_view* text) {
  const size_t begin = text->find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  text->remove_prefix(begin);
  const std::string_view word = text->substr(0, text->find_first_of(" \t\r"));
  text->remove_prefix(word.size());
  return word;
}

}  // namespace

std::vector<std::string_view> Words(std::string_view line) {
  line = line.substr(0, line.find('#'));
  std::vector<std::string_view> words;
  for (std::string_view word = NextWord(&line); !word.empty(); word = NextWord(&line)) {
    words.push_back(word);
  }
  return words;
}

bool IsPlace(std::string_view word) {
  return word.size() == 1 &&
         std::string_view("PNEOTKCRFQSXGIDMA").find(word[0]) != std::string_view::npos;
}

size_t PlacesIn(std::string_view pattern) {
  size_t places = 0;
  for (std::string_view word = NextWord(&pattern); !word.empty(); word = NextWord(&pattern)) {
    places += IsPlace(word) ? 1 : 0;
  }
  return places;
}

std::string Format(std::string_view pattern, const Numbers& numbers) {
  std::string text;
  size_t number = 0;
  for (std::string_view word = NextWord(&pattern); !word.empty(); word = NextWord(&pattern)) {
    if (!text.empty()) text += ' ';
    if (IsPlace(word) && number < kNumbers) {
      text += PlaceText(word[0], numbers[number++]);
    } else {
      text += word;
    }
  }
  return text;
}

bool Match(std::string_view pattern, const std::vector<std::string_view>& words, Numbers* numbers) {
  size_t at = 0;
  size_t number = 0;
  *numbers = {};
  for (std::string_view word = NextWord(&pattern); !word.empty(); word = NextWord(&pattern), ++at) {
    if (at == words.size()) return false;
    if (!IsPlace(word)) {
      if (word != words[at]) return false;
    } else if (!ReadPlace(word[0], words[at], &(*numbers)[number++])) {
      return false;
    }
  }
  return at == words.size();
}

}  // namespace freehold::testing::sim
