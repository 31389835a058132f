// The groups of references that cross processes, as a writer writes them; what no writer would
// write is in codec_sharing_bounds_test.cc.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "freehold/session_options.h"
#include "gtest/gtest.h"
#include "src/base/little_endian.h"
#include "src/core/codec.h"
#include "tests/core/codec_testing.h"

namespace freehold::core {
namespace {

// Group kinds, as they are on the wire.
constexpr int kRegisters = 5;
constexpr int kRegisterAcks = 6;
constexpr int kReleases = 7;
constexpr int kHandoffAcks = 8;
constexpr int kHandoffCancels = 9;
constexpr int kQueries = 10;
constexpr int kAnswers = 11;
constexpr int kWatches = 21;
constexpr int kUnwatches = 22;
constexpr int kWatchesFired = 23;

constexpr size_t kHeadBytes = 14;

// What a payload says, one line per item, in order.
class Lines : public PayloadSink {
 public:
  void OnFrees(uint32_t, uint32_t, std::string_view) override { lines.emplace_back("frees"); }
  void OnFreeResults(uint32_t, uint32_t, FreeResult, std::string_view) override {
    lines.emplace_back("results");
  }
  void OnFreeFailed(const FreeResultItem&) override { lines.emplace_back("failed"); }
  void OnLocation(const LocationItem&) override { lines.emplace_back("location"); }
  void OnSharing(const SharingItem& item) override {
    static const char* const kNames[] = {
        "",      "register", "registered",  "release", "handoff ack", "handoff cancel",
        "watch", "unwatch",  "watch fired", "declare", "declare ack"};
    lines.push_back(kNames[static_cast<int>(item.kind)] + (" " + Name(item.object)) + " n" +
                    std::to_string(item.number) + " t" + std::to_string(item.term) + " " +
                    std::to_string(item.answer));
  }
  void OnLocationQuery(const LocationQueryItem& item) override {
    lines.push_back("query " + Name(item.object) + " n" + std::to_string(item.number) +
                    (item.subscribe ? " subscribe" : "") + (item.cancel ? " cancel" : "") +
                    (item.fetch_to.IsNil() ? "" : " to " + Name(item.fetch_to)));
  }
  void OnLocationAnswer(const LocationAnswerItem& item) override {
    std::string line = "answer " + Name(item.object) + " n" + std::to_string(item.number) + " g" +
                       std::to_string(item.generation) + " " + std::to_string(item.size) +
                       " state " + std::to_string(static_cast<int>(item.state)) +
                       (item.final ? " final" : "") + (item.truncated ? " truncated" : "");
    for (const Location& location : item.locations) {
      line += "; " + Name(location.node) +
              (location.role == CopyRole::kPrimary ? " primary" : " secondary") +
              (location.in_memory ? " memory" : "") + (location.spilled ? " spilled " : "") +
              location.spilled_url + (location.prospective ? " prospective" : "");
    }
    lines.push_back(line);
    answers.push_back(item);
  }

  std::vector<std::string> lines;
  std::vector<LocationAnswerItem> answers;

 private:
  template <typename Id>
  static std::string Name(const Id& id) {
    return std::to_string(internal::LoadLittle<uint64_t>(id.data() + 20));
  }
};

std::vector<std::string> LinesOf(std::string_view payload) { return LinesRead<Lines>(payload); }

ObjectId Object(uint64_t number) { return ObjectId::FromNumber(number); }
std::string IdBytes(uint64_t number) { return std::string(Object(number).bytes()); }

SharingItem Sharing(SharingKind kind, uint64_t object, uint64_t number, int answer = 0,
                    uint32_t term = kFirstTerm) {
  return {Object(object), number, term, kind, static_cast<uint8_t>(answer)};
}

LocationQueryItem Query(uint64_t object, uint64_t number) {
  LocationQueryItem item;
  item.object = Object(object);
  item.number = number;
  return item;
}

Location InMemory(uint64_t node, CopyRole role = CopyRole::kSecondary) {
  Location location;
  location.node = NodeId::FromNumber(node);
  location.role = role;
  location.in_memory = true;
  return location;
}

Location Spilled(uint64_t node, std::string url) {
  Location location;
  location.node = NodeId::FromNumber(node);
  location.spilled = true;
  location.spilled_url = std::move(url);
  return location;
}

Location Prospective(uint64_t node) {
  Location location;
  location.node = NodeId::FromNumber(node);
  location.prospective = true;
  return location;
}

LocationAnswerItem Answer(uint64_t object, std::vector<Location> locations = {}) {
  LocationAnswerItem item;
  item.object = Object(object);
  item.number = 3;
  item.generation = 2;
  item.size = 77;
  item.state = LocationAnswerState::kAvailable;
  item.locations = std::move(locations);
  return item;
}

// A group head, for payloads that no writer would write.
std::string Head(int kind, int detail, uint32_t count, uint32_t generation = 0,
                 uint32_t term = kFirstTerm) {
  std::string bytes{static_cast<char>(kind), static_cast<char>(detail)};
  internal::AppendLittle(generation, &bytes);
  internal::AppendLittle(term, &bytes);
  internal::AppendLittle(count, &bytes);
  return bytes;
}

// One group of each kind.
std::string MixedPayload(std::vector<size_t>* group_ends = nullptr) {
  PayloadWriter writer(8192);
  LocationQueryItem fetch = Query(6, 7);
  fetch.fetch_to = NodeId::FromNumber(8);
  const auto end = [&](bool added) {
    EXPECT_TRUE(added);
    if (group_ends != nullptr) group_ends->push_back(writer.size());
  };
  end(writer.Add(Sharing(SharingKind::kRegister, 1, 2)));
  end(writer.Add(Sharing(SharingKind::kRegisterAck, 1, 2, 1)));
  end(writer.Add(Sharing(SharingKind::kRelease, 3, 0)));
  end(writer.Add(Sharing(SharingKind::kHandoffAck, 4, 5, 2)));
  end(writer.Add(Sharing(SharingKind::kHandoffCancel, 4, 5)));
  end(writer.Add(Sharing(SharingKind::kWatch, 4, 5, 2)));
  end(writer.Add(Sharing(SharingKind::kUnwatch, 4, 5, 2)));
  end(writer.Add(Sharing(SharingKind::kWatchFired, 4, 5, 4)));
  end(writer.Add(Query(6, 7)));
  end(writer.Add(fetch));
  EXPECT_TRUE(writer.Add(Answer(9)));
  end(writer.Add(Answer(9, {InMemory(1, CopyRole::kPrimary), Spilled(2, "u:v"), Prospective(3)})));
  return writer.Take();
}

TEST(SharingPayload, EveryKindAndAnswerComesBackInOrder) {
  PayloadWriter writer(8192);
  EXPECT_TRUE(writer.Add(Sharing(SharingKind::kRegister, 1, 2)));
  EXPECT_TRUE(writer.Add(Sharing(SharingKind::kRegisterAck, 1, 2, 0)));
  EXPECT_TRUE(writer.Add(Sharing(SharingKind::kRegisterAck, 1, ~uint64_t{0}, 1, 7)));
  EXPECT_TRUE(writer.Add(Sharing(SharingKind::kRelease, 3, 0)));
  for (int answer = 0; answer <= kHandoffAnswerMax; ++answer) {
    EXPECT_TRUE(writer.Add(Sharing(SharingKind::kHandoffAck, 4, 5, answer)));
  }
  EXPECT_TRUE(writer.Add(Sharing(SharingKind::kHandoffCancel, 4, 5, 0, kTermMax)));
  EXPECT_TRUE(writer.Add(Sharing(SharingKind::kWatch, 4, 5, 0)));
  EXPECT_TRUE(writer.Add(Sharing(SharingKind::kWatch, 4, 6, 2, 3)));
  EXPECT_TRUE(writer.Add(Sharing(SharingKind::kUnwatch, 4, 5, 1)));
  for (int answer = 0; answer <= kWatchAnswerMax; ++answer) {
    EXPECT_TRUE(writer.Add(Sharing(SharingKind::kWatchFired, 4, 5, answer)));
  }
  EXPECT_EQ(writer.items(), 17u);
  EXPECT_EQ(LinesOf(writer.Take()), (std::vector<std::string>{
                                        "register 1 n2 t1 0",
                                        "registered 1 n2 t1 0",
                                        "registered 1 n18446744073709551615 t7 1",
                                        "release 3 n0 t1 0",
                                        "handoff ack 4 n5 t1 0",
                                        "handoff ack 4 n5 t1 1",
                                        "handoff ack 4 n5 t1 2",
                                        "handoff ack 4 n5 t1 3",
                                        "handoff cancel 4 n5 t1073741824 0",
                                        "watch 4 n5 t1 0",
                                        "watch 4 n6 t3 2",
                                        "unwatch 4 n5 t1 1",
                                        "watch fired 4 n5 t1 0",
                                        "watch fired 4 n5 t1 1",
                                        "watch fired 4 n5 t1 2",
                                        "watch fired 4 n5 t1 3",
                                        "watch fired 4 n5 t1 4",
                                    }));
}

TEST(SharingPayload, WhatAKindDoesNotHaveIsNotWritten) {
  PayloadWriter writer(8192);
  EXPECT_TRUE(writer.Add(Sharing(SharingKind::kRelease, 3, 99, 99)));
  EXPECT_TRUE(writer.Add(Sharing(SharingKind::kRegister, 3, 99, 99)));
  EXPECT_TRUE(writer.Add(Sharing(SharingKind::kHandoffCancel, 3, 99, 99)));
  EXPECT_EQ(LinesOf(writer.Take()),
            (std::vector<std::string>{"release 3 n0 t1 0", "register 3 n99 t1 0",
                                      "handoff cancel 3 n99 t1 0"}));
}

TEST(SharingPayload, InARunAReleaseCosts28BytesAndAllElse36) {
  const struct {
    SharingKind kind;
    size_t bytes;
  } kCosts[] = {{SharingKind::kRegister, 36},      {SharingKind::kRegisterAck, 36},
                {SharingKind::kRelease, 28},       {SharingKind::kHandoffAck, 36},
                {SharingKind::kHandoffCancel, 36}, {SharingKind::kWatch, 36},
                {SharingKind::kUnwatch, 36},       {SharingKind::kWatchFired, 36}};
  for (const auto& cost : kCosts) {
    PayloadWriter writer(65536);
    for (uint64_t i = 1; i <= 1000; ++i) ASSERT_TRUE(writer.Add(Sharing(cost.kind, i, 2 * i)));
    EXPECT_EQ(writer.size(), kHeadBytes + 1000 * cost.bytes);
    EXPECT_EQ(LinesOf(writer.Take()).size(), 1000u);
  }
}

TEST(SharingPayload, EveryPartOfTheKeySplitsARun) {
  PayloadWriter writer(8192);
  ASSERT_TRUE(writer.Add(Sharing(SharingKind::kHandoffAck, 1, 1, 0, 1)));
  ASSERT_TRUE(writer.Add(Sharing(SharingKind::kHandoffAck, 1, 1, 1, 1)));
  ASSERT_TRUE(writer.Add(Sharing(SharingKind::kHandoffAck, 1, 1, 1, 2)));
  ASSERT_TRUE(writer.Add(Sharing(SharingKind::kHandoffCancel, 1, 1, 0, 2)));
  EXPECT_EQ(writer.size(), 4 * (kHeadBytes + 36));
}

TEST(SharingPayload, QueriesComeBackWithTheirFlags) {
  PayloadWriter writer(8192);
  std::vector<std::string> expected;
  for (int flags = 0; flags < 8; ++flags) {
    LocationQueryItem item = Query(1, 2);
    item.subscribe = (flags & 1) != 0;
    item.cancel = (flags & 2) != 0;
    if ((flags & 4) != 0) item.fetch_to = NodeId::FromNumber(5);
    EXPECT_TRUE(writer.Add(item));
    expected.push_back(std::string("query 1 n2") + (item.subscribe ? " subscribe" : "") +
                       (item.cancel ? " cancel" : "") + ((flags & 4) != 0 ? " to 5" : ""));
  }
  EXPECT_EQ(LinesOf(writer.Take()), expected);
}

TEST(SharingPayload, QueriesOfOneSortShareAGroup) {
  PayloadWriter writer(8192);
  for (uint64_t i = 0; i < 10; ++i) ASSERT_TRUE(writer.Add(Query(i, i)));
  EXPECT_EQ(writer.size(), kHeadBytes + size_t{10} * 36);
}

TEST(SharingPayload, AnswersComeBackInEveryStateWithAllTheirLocations) {
  PayloadWriter writer(8192);
  for (int state = 0; state <= kLocationAnswerStateMax; ++state) {
    LocationAnswerItem item;
    item.object = Object(1);
    item.number = ~uint64_t{0};
    item.generation = ~0u;
    item.size = ~uint64_t{0};
    item.state = static_cast<LocationAnswerState>(state);
    item.final = state % 2 == 0;
    item.truncated = state == 2;
    EXPECT_TRUE(writer.Add(item));
  }
  Location both = Spilled(4, "file:///x");
  both.in_memory = both.prospective = true;
  EXPECT_TRUE(
      writer.Add(Answer(5, {InMemory(1, CopyRole::kPrimary), InMemory(2), Prospective(3), both})));
  const std::string several =
      "answer 5 n3 g2 77 state 1; 1 primary memory; 2 secondary memory; 3 secondary prospective; "
      "4 secondary memory spilled file:///x prospective";
  const std::string start = "answer 1 n18446744073709551615 g4294967295 18446744073709551615";
  EXPECT_EQ(LinesOf(writer.Take()), (std::vector<std::string>{
                                        start + " state 0 final",
                                        start + " state 1",
                                        start + " state 2 final truncated",
                                        start + " state 3",
                                        start + " state 4 final",
                                        several,
                                    }));
}

LocationAnswerItem AnswerRead(const LocationAnswerItem& item) {
  PayloadWriter writer(kEnvelopeBytesLeast - kFrameBytes);
  EXPECT_TRUE(writer.Add(item)) << "any answer fits the smallest envelope";
  const std::string payload = writer.Take();
  EXPECT_EQ(CheckPayload(payload), CodecError::kOk);
  Lines lines;
  EXPECT_EQ(ReadPayload(payload, &lines), CodecError::kOk);
  if (lines.answers.size() != 1) {
    ADD_FAILURE() << lines.answers.size() << " answers";
    return {};
  }
  return lines.answers[0];
}

TEST(SharingPayload, AnAnswerTakesTheFirst64LocationsAndSaysThatThereAreMore) {
  LocationAnswerItem item = Answer(1);
  for (uint64_t node = 0; node < kAnswerLocationsMax; ++node) {
    item.locations.push_back(InMemory(node));
  }
  LocationAnswerItem read = AnswerRead(item);
  EXPECT_EQ(read.locations, item.locations);
  EXPECT_FALSE(read.truncated);
  std::vector<Location> first = item.locations;
  item.locations.push_back(InMemory(99));
  read = AnswerRead(item);
  EXPECT_EQ(read.locations, first);
  EXPECT_TRUE(read.truncated);
}

TEST(SharingPayload, AnAnswerWithLongUrlsIsCutToFitAnyEnvelope) {
  LocationAnswerItem item = Answer(1, {Spilled(1, std::string(kSpilledUrlBytesMax, 'u'))});
  LocationAnswerItem read = AnswerRead(item);
  EXPECT_EQ(read.locations, item.locations);
  EXPECT_FALSE(read.truncated);

  // The second fills what is left to the last byte.
  const size_t left = kAnswerLocationBytesMax - (31 + kSpilledUrlBytesMax);
  item.locations.push_back(Spilled(2, std::string(left - 31, 'v')));
  read = AnswerRead(item);
  EXPECT_EQ(read.locations, item.locations);
  EXPECT_FALSE(read.truncated);

  item.locations[1].spilled_url += 'v';
  item.locations.push_back(InMemory(3));
  read = AnswerRead(item);
  EXPECT_EQ(read.locations, std::vector<Location>{item.locations[0]})
      << "the first ones are kept, not those that are short";
  EXPECT_TRUE(read.truncated);
}

TEST(SharingPayload, AUrlTravelsOnlyWithASpilledLocation) {
  Location stale = Spilled(1, "file:///x");
  stale.spilled = false;
  stale.in_memory = true;
  const LocationAnswerItem read = AnswerRead(Answer(1, {stale}));
  EXPECT_EQ(read.locations, std::vector<Location>{InMemory(1)});
}

TEST(SharingPayload, AFullWriterRefusesAndStaysAsItWas) {
  PayloadWriter writer(kHeadBytes + size_t{3} * 36 + 27);
  for (uint64_t i = 0; i < 3; ++i) EXPECT_TRUE(writer.Add(Sharing(SharingKind::kRegister, i, i)));
  const size_t size = writer.size();
  EXPECT_FALSE(writer.Add(Sharing(SharingKind::kRegister, 3, 3)));
  EXPECT_FALSE(writer.Add(Sharing(SharingKind::kRelease, 3, 0)));
  EXPECT_FALSE(writer.Add(Query(3, 3)));
  EXPECT_FALSE(writer.Add(Answer(3)));
  EXPECT_EQ(writer.size(), size);
  EXPECT_EQ(writer.items(), 3u);
  EXPECT_EQ(LinesOf(writer.Take()).size(), 3u);
}

TEST(SharingPayload, BytesNeverChangeWithinAVersion) {
  PayloadWriter writer(8192);
  const std::string number("\x08\x07\x06\x05\x04\x03\x02\x01", 8);
  const uint64_t n = 0x0102030405060708;
  ASSERT_TRUE(writer.Add(Sharing(SharingKind::kRegister, 9, n, 0, 0x21222324)));
  EXPECT_EQ(writer.Take(), Head(kRegisters, 0, 1, 0, 0x21222324) + IdBytes(9) + number);
  ASSERT_TRUE(writer.Add(Sharing(SharingKind::kRegisterAck, 9, n, 1)));
  EXPECT_EQ(writer.Take(), Head(kRegisterAcks, 1, 1) + IdBytes(9) + number);
  ASSERT_TRUE(writer.Add(Sharing(SharingKind::kRelease, 9, 0)));
  EXPECT_EQ(writer.Take(), Head(kReleases, 0, 1) + IdBytes(9));
  ASSERT_TRUE(writer.Add(Sharing(SharingKind::kHandoffAck, 9, n, 3)));
  EXPECT_EQ(writer.Take(), Head(kHandoffAcks, 3, 1) + IdBytes(9) + number);
  ASSERT_TRUE(writer.Add(Sharing(SharingKind::kHandoffCancel, 9, n)));
  EXPECT_EQ(writer.Take(), Head(kHandoffCancels, 0, 1) + IdBytes(9) + number);
  ASSERT_TRUE(writer.Add(Sharing(SharingKind::kWatch, 9, n, 2)));
  EXPECT_EQ(writer.Take(), Head(kWatches, 2, 1) + IdBytes(9) + number);
  ASSERT_TRUE(writer.Add(Sharing(SharingKind::kUnwatch, 9, n, 1)));
  EXPECT_EQ(writer.Take(), Head(kUnwatches, 1, 1) + IdBytes(9) + number);
  ASSERT_TRUE(writer.Add(Sharing(SharingKind::kWatchFired, 9, n, 4)));
  EXPECT_EQ(writer.Take(), Head(kWatchesFired, 4, 1) + IdBytes(9) + number);

  LocationQueryItem query = Query(9, n);
  query.subscribe = query.cancel = true;
  query.fetch_to = NodeId::FromNumber(7);
  ASSERT_TRUE(writer.Add(query));
  EXPECT_EQ(writer.Take(), Head(kQueries, 7, 1) + IdBytes(9) + number + IdBytes(7));
  LocationAnswerItem answer = Answer(9, {InMemory(7), Spilled(8, "ab")});
  answer.number = n;
  answer.final = true;
  ASSERT_TRUE(writer.Add(answer));
  EXPECT_EQ(writer.Take(), Head(kAnswers, 1, 1, 2) + IdBytes(9) + number +
                               std::string("\x4d\0\0\0\0\0\0\0\x01\x02", 10) + IdBytes(7) +
                               std::string("\x03\0\0", 3) + IdBytes(8) +
                               std::string("\x05\x02\0ab", 5));
}

TEST(SharingPayload, EveryTruncationInsideAGroupIsRejected) {
  std::vector<size_t> ends;
  const std::string payload = MixedPayload(&ends);
  ASSERT_EQ(ends.back(), payload.size());
  // Where one group ends and the next begins, a shorter payload is a payload.
  std::vector<size_t> whole;
  for (size_t size = 1; size <= payload.size(); ++size) {
    const CodecError error = CheckPayload(std::string_view(payload).substr(0, size));
    if (error == CodecError::kOk) {
      whole.push_back(size);
    } else {
      EXPECT_EQ(error, CodecError::kTruncated) << size;
    }
  }
  EXPECT_EQ(whole, ends);
}

TEST(SharingPayload, CheckingAndReadingAgreeOnEveryAlteredByte) {
  const std::string payload = MixedPayload();
  for (size_t at = 0; at < payload.size(); ++at) {
    for (int value = 0; value < 256; ++value) {
      std::string altered = payload;
      altered[at] = static_cast<char>(value);
      Lines lines;
      EXPECT_EQ(CheckPayload(altered), ReadPayload(altered, &lines));
    }
  }
}

}  // namespace
}  // namespace freehold::core
