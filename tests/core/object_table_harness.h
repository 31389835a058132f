// What a runtime does around an ObjectTable, for tests: numbers as names, handles with their cells,
// effects of one step at a time, and every invariant checked after each of them.
//
// Thread safety: thread-compatible. Free of GoogleTest, so that the fuzzer can use it.

#ifndef FREEHOLD_TESTS_CORE_OBJECT_TABLE_HARNESS_H_
#define FREEHOLD_TESTS_CORE_OBJECT_TABLE_HARNESS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "src/base/check.h"
#include "src/core/codec.h"
#include "src/core/object_table.h"
#include "tests/core/owner_payload.h"

namespace freehold::core {

// Objects and nodes of tests to which it does not matter which.
inline constexpr uint64_t kA = 1;
inline constexpr uint64_t kB = 2;
inline constexpr uint64_t kC = 3;
inline constexpr PeerIndex kN0 = 0;
inline constexpr PeerIndex kN1 = 1;
inline constexpr PeerIndex kN2 = 2;

// Object and generation, as a free names them.
using FreedCopy = std::pair<uint64_t, uint32_t>;

// What a node can say of its part; the table's answer depends on nothing else.
struct Report {
  CopyRole role = CopyRole::kSecondary;
  bool in_memory = true;
  bool spilled = false;
  bool prospective = false;
  std::string url = {};
  bool merge = true;
  uint64_t size = 0;
  bool shared = false;
};

// The Effects of one step, laid open.
struct Asked {
  std::vector<FiredCallback> fired;
  std::vector<PeerIndex> ready;
  std::vector<LocationNotice> notices;
  std::vector<InnerRef> inners;
  std::vector<ObjectId> lost;
  std::vector<SettledFree> settled;
  std::vector<UnboundFile> files;
};

inline Asked LayOpen(Effects effects) {
  Asked asked;
  asked.fired.assign(effects.fired.begin(), effects.fired.end());
  asked.ready.assign(effects.ready.begin(), effects.ready.end());
  if (effects.rare != nullptr) {
    asked.notices = std::move(effects.rare->notices);
    asked.inners = effects.TakeInners();
    asked.lost = std::move(effects.rare->lost);
    asked.settled = std::move(effects.rare->settled);
    asked.files = std::move(effects.rare->files);
  }
  return asked;
}

class ObjectTableHarness {
 public:
  explicit ObjectTableHarness(const ObjectTable::Config& config = {}) : table(config) {}

  // --- Steps. Each leaves in `effects` what it asked for, and nothing older. ---------------------

  Verdict Declare(uint64_t object, PeerIndex primary = kNoPeer, uint64_t size = 0) {
    ObjectRecord* record = nullptr;
    const ObjectId id = ObjectId::FromNumber(object);
    const Verdict verdict = Checked([&] {
      return table.Step(event::Declare{{id, id.Hash()}, size, primary}, &*raw_, &record);
    });
    if (verdict == Verdict::kOk) handles_[object] = record;
    return verdict;
  }
  Verdict Recreate(uint64_t object) {
    const ObjectId id = ObjectId::FromNumber(object);
    return Checked([&] { return table.Step(event::Recreate{{id, id.Hash()}}, &*raw_); });
  }
  Verdict FreeExplicitly(uint64_t object, FreeMode mode = FreeMode::kNow) {
    const ObjectId id = ObjectId::FromNumber(object);
    return Checked([&] {
      return table.Step(event::FreeExplicitly{{id, id.Hash()}, mode}, &*raw_);
    });
  }
  Verdict AddHandle(uint64_t object) {
    const ObjectId id = ObjectId::FromNumber(object);
    return Checked([&] {
      ObjectRecord* record = nullptr;
      const Verdict verdict = table.Step(event::AddHandle{{id, id.Hash()}}, &record);
      if (verdict == Verdict::kOk) {
        FREEHOLD_CHECK(record->cell.Add());
        handles_[object] = record;
      }
      return verdict;
    });
  }
  // REQUIRES: the object has a handle.
  void DropHandle(uint64_t object) {
    const Verdict verdict = Checked([&] {
      ObjectRecord* record = handles_.at(object);
      if (!record->cell.DropUnderLock()) return Verdict::kOk;
      handles_.erase(object);
      return table.Step(event::DropLastHandle{record}, &*raw_);
    });
    FREEHOLD_CHECK(verdict == Verdict::kOk);
  }
  Verdict AddById(uint64_t object, uint32_t count = 1) {
    const ObjectId id = ObjectId::FromNumber(object);
    return Checked([&] { return table.Step(event::AddById{{id, id.Hash()}, count}); });
  }
  Verdict RemoveById(uint64_t object, uint32_t count = 1) {
    const ObjectId id = ObjectId::FromNumber(object);
    return Checked([&] { return table.Step(event::RemoveById{{id, id.Hash()}, count}, &*raw_); });
  }
  Verdict AddTask(uint64_t object) {
    const ObjectId id = ObjectId::FromNumber(object);
    return Checked([&] {
      ObjectRecord* record = nullptr;
      const Verdict verdict = table.Step(event::AddTask{{id, id.Hash()}}, &record);
      if (verdict == Verdict::kOk) tasks_[object] = record;
      return verdict;
    });
  }
  // REQUIRES: a task holds the object.
  Verdict DropTask(uint64_t object) {
    return Checked([&] { return table.Step(event::DropTask{tasks_.at(object)}, &*raw_); });
  }
  Verdict AddNestedHold(uint64_t object, RecordIndex* index) {
    const ObjectId id = ObjectId::FromNumber(object);
    return Checked([&] { return table.Step(event::AddNestedHold{{id, id.Hash()}}, index); });
  }
  Verdict DropNestedHold(RecordIndex index) {
    return Checked([&] { return table.Step(event::DropNestedHold{index}, &*raw_); });
  }
  Verdict AddInners(uint64_t outer, const std::vector<InnerRef>& inners,
                    std::vector<InnerRef>* duplicates) {
    const ObjectId id = ObjectId::FromNumber(outer);
    return Checked([&] {
      return table.Step(event::AddInners{{id, id.Hash()}, inners, duplicates});
    });
  }
  Verdict SetLocation(uint64_t object, PeerIndex node, uint32_t generation = 0,
                      const Report& report = {}) {
    const ObjectId id = ObjectId::FromNumber(object);
    event::SetLocation e{{id, id.Hash()}, node, generation, report.size, report.role};
    e.in_memory = report.in_memory;
    e.spilled = report.spilled;
    e.merge = report.merge;
    e.url = report.url;
    e.shared = report.shared;
    return Checked([&] { return table.Step(e, &*raw_); });
  }
  Verdict RemoveLocation(uint64_t object, PeerIndex node, uint32_t generation = 0) {
    const ObjectId id = ObjectId::FromNumber(object);
    return Checked([&] {
      return table.Step(event::RemoveLocation{{id, id.Hash()}, node, generation}, &*raw_);
    });
  }
  Verdict Answer(uint64_t object, PeerIndex node, FreeResult result = FreeResult::kDeleted,
                 uint32_t generation = 0) {
    const ObjectId id = ObjectId::FromNumber(object);
    return Checked([&] {
      return table.Step(event::FreeAnswered{{id, id.Hash()}, node, generation, result}, &*raw_);
    });
  }
  // True: more copies are left.
  bool Exclude(PeerIndex node, uint32_t records_max = UINT32_MAX) {
    bool more = false;
    (void)Checked([&] {
      more = table.ExcludeNode(node, records_max, &*raw_);
      return Verdict::kOk;
    });
    return more;
  }
  Verdict Register(uint64_t object, Moment moment, uint64_t number, Token token) {
    const ObjectId id = ObjectId::FromNumber(object);
    return Checked([&] {
      return table.Step(event::Register{{id, id.Hash()}, moment, number, token});
    });
  }
  Verdict Subscribe(uint64_t object, uint64_t number, Token token) {
    const ObjectId id = ObjectId::FromNumber(object);
    return Checked([&] {
      return table.Step(event::Subscribe{{id, id.Hash()}, number, token}, &*raw_);
    });
  }
  Verdict Cancel(uint64_t object, uint64_t number, Token* token) {
    const ObjectId id = ObjectId::FromNumber(object);
    return Checked([&] { return table.Step(event::Cancel{{id, id.Hash()}, number}, token); });
  }
  // What an envelope to `node` would carry, in its order.
  std::vector<FreedCopy> Pull(PeerIndex node, uint32_t records_max = UINT32_MAX,
                              size_t payload_bytes_max = kEnvelopeBytesMost) {
    PayloadWriter writer(payload_bytes_max);
    (void)Checked([&] {
      more_to_pull = table.PullFrees(node, records_max, &writer);
      return Verdict::kOk;
    });
    return FreesIn(writer.Take());
  }

  Verdict MovePrimary(uint64_t object, PeerIndex node, PeerIndex from, uint64_t number = 1,
                      uint32_t generation = 0) {
    const ObjectId id = ObjectId::FromNumber(object);
    return Checked([&] {
      return table.Step(event::MovePrimary{{id, id.Hash()}, node, generation, number, from},
                        &*raw_);
    });
  }
  std::vector<MoveWord> PullMoves(PeerIndex node, uint32_t items_max = UINT32_MAX) {
    PayloadWriter writer(kEnvelopeBytesMost);
    (void)Checked([&] {
      more_to_pull = table.PullMoves(node, items_max, NumberedNodes(), &writer);
      return Verdict::kOk;
    });
    return MovesIn(writer.Take());
  }

  // --- Questions -----------------------------------------------------------------------------

  const ObjectRecord* Find(uint64_t object) const {
    const ObjectId id = ObjectId::FromNumber(object);
    return table.Find({id, id.Hash()});
  }
  // The copies of the present value, by node.
  std::map<PeerIndex, CopyFacts> Copies(uint64_t object) const {
    std::map<PeerIndex, CopyFacts> copies;
    const ObjectRecord* record = Find(object);
    if (record == nullptr) return copies;
    for (CopyFacts& facts : table.AllFacts(*record)) {
      const PeerIndex node = facts.node;
      FREEHOLD_CHECK(copies.emplace(node, std::move(facts)).second);
    }
    return copies;
  }
  size_t objects() const {
    uint64_t sum = 0;
    for (const uint64_t count : table.counters().by_state) sum += count;
    return sum;
  }
  size_t ghosts() const {
    size_t count = 0;
    table.Visit(0, SIZE_MAX, [&](const ObjectRecord& record) { count += record.is_ghost; });
    return count;
  }

  ObjectTable table;
  Asked effects;  // of the last step
  bool more_to_pull = false;

 protected:
  template <typename Do>
  Verdict Checked(Do step) {
    raw_.emplace();
    const Verdict verdict = step();
    effects = LayOpen(*std::move(raw_));
    table.CheckInvariants();
    return verdict;
  }
  std::optional<Effects> raw_;

 private:
  static std::vector<FreedCopy> FreesIn(std::string_view payload) {
    struct Sink : StraySink {
      void OnFrees(uint32_t generation, uint32_t, std::string_view ids) override {
        for (size_t i = 0; i < IdCount(ids); ++i) {
          frees.emplace_back(NumberOf(IdAt(ids, i)), generation);
        }
      }
      std::vector<FreedCopy> frees;
    } sink;
    FREEHOLD_CHECK(ReadPayload(payload, &sink) == CodecError::kOk);
    return sink.frees;
  }

  std::map<uint64_t, ObjectRecord*> handles_;
  std::map<uint64_t, ObjectRecord*> tasks_;
};

}  // namespace freehold::core

#endif  // FREEHOLD_TESTS_CORE_OBJECT_TABLE_HARNESS_H_
