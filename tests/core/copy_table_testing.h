// The fixture of the CopyTable tests: events in short, reports and deletions as words, and the
// table's invariants checked after every step.
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_TESTS_CORE_COPY_TABLE_TESTING_H_
#define FREEHOLD_TESTS_CORE_COPY_TABLE_TESTING_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "src/core/copy_table.h"

namespace freehold::core::copy_testing {

using copy_event::AbortFetch;
using copy_event::AddCopy;
using copy_event::Barrier;
using copy_event::BeginFetch;
using copy_event::BeginRead;
using copy_event::Deleted;
using copy_event::DeleteFailed;
using copy_event::DropCopy;
using copy_event::EndRead;
using copy_event::Free;
using copy_event::MarkRestored;
using copy_event::MarkSpilled;
using copy_event::SelfExcluded;
using copy_event::Sweep;
using copy_event::View;
using Words = std::vector<std::string>;

inline constexpr PeerIndex kOwner = 3;
inline constexpr PeerIndex kOther = 5;
inline constexpr Time kStart{};
inline constexpr Duration kMs = std::chrono::milliseconds(1);

inline ObjectId Object(uint64_t number) { return ObjectId::FromNumber(number); }
inline uint64_t NumberOf(const ObjectId& id) { return id.data()[20] + 256u * id.data()[21]; }
// "7" or, of a later generation, "7/1".
inline std::string NameOf(const ObjectId& id, uint32_t generation) {
  return std::to_string(NumberOf(id)) + (generation == 0 ? "" : "/" + std::to_string(generation));
}

// Collects reports as words, up to a number.
class WordSink final : public ReportSink {
 public:
  explicit WordSink(size_t room = 1000000) : room_(room) {}
  bool Add(const FreeResultItem& item) override {
    static const char* const kNames[] = {"deleted", "unknown", "doomed", "failed"};
    std::string word = std::string(kNames[static_cast<int>(item.result)]) + " " +
                       NameOf(item.object, item.generation);
    if (item.term != kFirstTerm) word += " term " + std::to_string(item.term);
    if (!item.why.empty()) word += ": " + item.why;
    return Take(word);
  }
  bool Add(const LocationItem& item) override {
    static const char* const kNames[] = {"added", "removed", "spilled"};
    std::string word = std::string(kNames[static_cast<int>(item.change)]) + " " +
                       NameOf(item.object, item.generation);
    if (item.change != LocationChange::kRemoved) {
      word += item.role == CopyRole::kPrimary ? " primary" : " secondary";
      word += " " + std::to_string(item.size);
    }
    if (item.change == LocationChange::kSpilled) {
      word += " " + item.url + (item.in_memory ? " in memory" : "");
    }
    return Take(word);
  }
  bool Add(const MovePrimaryItem& item) override {
    return Take("move " + NameOf(item.object, item.generation) + " from " +
                (item.from.IsNil() ? "nobody" : std::to_string(item.from.data()[20])) + " as " +
                std::to_string(item.number) +
                (item.term == kFirstTerm ? "" : " term " + std::to_string(item.term)));
  }
  bool Add(const SharingItem& item) override {
    EXPECT_EQ(item.kind, SharingKind::kMovedAck);
    return Take("moved " + NameOf(item.object, 0) + " term " + std::to_string(item.term) +
                (item.answer == 1 ? " here" : " not here"));
  }
  Words words;

 private:
  bool Take(const std::string& word) {
    if (words.size() == room_) return false;
    words.push_back(word);
    return true;
  }
  const size_t room_;
};

// A table whose invariants are checked after every step.
class CopyTableTest : public testing::Test {
 protected:
  CopyTableTest() { Make({}); }
  void Make(const CopyTable::Options& options) { table_ = std::make_unique<CopyTable>(options); }

  template <typename Event>
  CopyVerdict Step(const Event& event) {
    const CopyVerdict verdict = table_->Step(event, &effects_);
    table_->CheckInvariants();
    return verdict;
  }
  CopyVerdict Add(uint64_t object, uint32_t generation = 0, PeerIndex owner = kOwner) {
    return Step(AddCopy{Object(object), generation, owner, CopyRole::kPrimary, 10});
  }
  CopyVerdict Fetch(uint64_t object, uint32_t generation = 0, PeerIndex owner = kOwner) {
    return Step(BeginFetch{Object(object), generation, owner, CopyRole::kSecondary, 10});
  }
  CopyVerdict Abort(uint64_t object) { return Step(AbortFetch{Object(object), 0}); }
  CopyVerdict Spill(uint64_t object, std::string_view url, bool in_memory) {
    return Step(MarkSpilled{Object(object), 0, url, in_memory});
  }
  CopyVerdict Restore(uint64_t object) { return Step(MarkRestored{Object(object), 0}); }
  CopyVerdict Drop(uint64_t object, uint32_t generation = 0) {
    return Step(DropCopy{Object(object), generation});
  }
  CopyVerdict Read(uint64_t object) { return Step(BeginRead{Object(object)}); }
  CopyVerdict Unread(uint64_t object, uint32_t generation = 0) {
    return Step(EndRead{Object(object), generation});
  }
  CopyVerdict FreeIt(uint64_t object, uint32_t generation = 0, PeerIndex from = kOwner,
                     uint32_t term = kFirstTerm) {
    return Step(Free{from, Object(object), generation, term});
  }
  CopyVerdict Succeed(uint64_t object, uint32_t generation = 0) {
    return Step(Deleted{Object(object), generation});
  }
  CopyVerdict Fail(uint64_t object, std::string_view why, Time now = kStart, uint64_t random = 0) {
    return Step(DeleteFailed{Object(object), 0, why, now, random});
  }
  CopyVerdict Exclude(uint64_t version, const std::vector<PeerIndex>& excluded,
                      bool joining = false) {
    return Step(View{version, excluded, joining});
  }
  CopyVerdict SweepAll() { return Step(Sweep{1000000}); }

  // "7" or "7 memory url", for what TakeDeletes hands over.
  Words Take(Time now = kStart, uint32_t copies_max = 1000) {
    Words taken;
    table_->TakeDeletes(now, copies_max, [&taken](const CopyRecord& copy) {
      std::string word = NameOf(copy.object, copy.generation);
      if (!copy.spilled_url().empty()) {
        word += (copy.in_memory ? " memory " : " ") + copy.spilled_url();
      }
      taken.push_back(word);
    });
    table_->CheckInvariants();
    return taken;
  }
  Words Pull(PeerIndex owner = kOwner) {
    WordSink sink;
    EXPECT_EQ(table_->PullReports(owner, 1000000, &sink), PullVerdict::kEmpty);
    table_->CheckInvariants();
    return sink.words;
  }
  Words Listed(PeerIndex owner = kOwner) {
    Words words;
    (void)table_->VisitCopies(0, UINT32_MAX, [&](const CopyRecord& copy) {
      if (copy.owner == owner) words.push_back(NameOf(copy.object, copy.generation));
    });
    return words;
  }
  Words Owners() {
    Words words;
    table_->ForEachOwner([&words](PeerIndex owner, uint64_t copies, uint64_t bytes) {
      words.push_back(std::to_string(owner) + ":" + std::to_string(copies) + ":" +
                      std::to_string(bytes));
    });
    return words;
  }
  CopyState StateOf(uint64_t object, uint32_t generation = 0) {
    const CopyRecord* copy = table_->Find(Object(object), generation);
    return copy == nullptr ? CopyState::kGone : copy->state;
  }
  // Brings copy 1 of kOwner into `state`, with its reports pulled.
  void Bring(CopyState state) {
    switch (state) {
      case CopyState::kGone:
        break;
      case CopyState::kFetching:
      case CopyState::kDoomedByFetch:
        EXPECT_EQ(Fetch(1), CopyVerdict::kOk);
        if (state == CopyState::kDoomedByFetch) {
          EXPECT_EQ(FreeIt(1), CopyVerdict::kDoomed);
        }
        break;
      case CopyState::kHeld:
        EXPECT_EQ(Add(1), CopyVerdict::kOk);
        break;
      case CopyState::kDoomedByReaders:
        EXPECT_EQ(Add(1), CopyVerdict::kOk);
        EXPECT_EQ(Read(1), CopyVerdict::kOk);
        EXPECT_EQ(FreeIt(1), CopyVerdict::kDoomed);
        break;
      case CopyState::kToDelete:
      case CopyState::kDeleting:
      case CopyState::kDeletingAgain:
      case CopyState::kDeleteFailed:
        EXPECT_EQ(Add(1), CopyVerdict::kOk);
        EXPECT_EQ(FreeIt(1), CopyVerdict::kOk);
        if (state == CopyState::kToDelete) break;
        EXPECT_EQ(Take(), Words{"1"});
        if (state == CopyState::kDeletingAgain) {
          EXPECT_EQ(Add(1), CopyVerdict::kFreed);
        }
        if (state == CopyState::kDeleteFailed) {
          EXPECT_EQ(Fail(1, "disk"), CopyVerdict::kOk);
        }
        break;
    }
    Pull();
    EXPECT_EQ(StateOf(1), state);
  }

  std::unique_ptr<CopyTable> table_;
  CopyEffects effects_;
};

inline constexpr CopyState kAllStates[] = {CopyState::kGone,          CopyState::kFetching,
                                           CopyState::kHeld,          CopyState::kDoomedByReaders,
                                           CopyState::kDoomedByFetch, CopyState::kToDelete,
                                           CopyState::kDeleting,      CopyState::kDeletingAgain,
                                           CopyState::kDeleteFailed};

}  // namespace freehold::core::copy_testing

#endif  // FREEHOLD_TESTS_CORE_COPY_TABLE_TESTING_H_
