// How tests read payloads: whole, in both ways that there are.
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_TESTS_CORE_CODEC_TESTING_H_
#define FREEHOLD_TESTS_CORE_CODEC_TESTING_H_

#include <string>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"
#include "src/core/codec.h"

namespace freehold::core {

// What a sink with `lines` notes of a payload that can be read.
template <typename Lines>
std::vector<std::string> LinesRead(std::string_view payload) {
  EXPECT_EQ(CheckPayload(payload), CodecError::kOk);
  Lines lines;
  EXPECT_EQ(ReadPayload(payload, &lines), CodecError::kOk);
  return lines.lines;
}

// Both ways of reading answer the same, and nothing of a bad item gets through.
template <typename Lines>
CodecError RefusalRead(std::string_view payload) {
  Lines lines;
  const CodecError error = ReadPayload(payload, &lines);
  EXPECT_EQ(CheckPayload(payload), error);
  EXPECT_TRUE(error == CodecError::kOk || lines.lines.empty());
  return error;
}

}  // namespace freehold::core

#endif  // FREEHOLD_TESTS_CORE_CODEC_TESTING_H_
