// The fixture of the tests in which an object moves to another owner.
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_TESTS_CORE_COPY_TABLE_TRANSFER_TESTING_H_
#define FREEHOLD_TESTS_CORE_COPY_TABLE_TRANSFER_TESTING_H_

#include "tests/core/copy_table_testing.h"

namespace freehold::core::copy_testing {

using copy_event::MoveAnswered;
using copy_event::Moved;
using copy_event::MovePrimary;
using copy_event::ReportAgain;

inline constexpr PeerIndex kNext = 6;
inline constexpr PeerIndex kThird = 7;

class CopyTableTransfer : public CopyTableTest {
 protected:
  // Said by the new owner itself.
  CopyVerdict Move(uint64_t object, uint32_t term = 2, PeerIndex owner = kNext) {
    return Step(Moved{owner, Object(object), owner, term});
  }
  // Said by another.
  CopyVerdict MoveBy(PeerIndex from, uint64_t object, uint32_t term = 2, PeerIndex owner = kNext) {
    return Step(Moved{from, Object(object), owner, term});
  }
  CopyVerdict AskPrimary(uint64_t object, uint64_t number) {
    return Step(MovePrimary{Object(object), 0, NodeId::FromNumber(9), number});
  }
  CopyVerdict Answer(PeerIndex from, uint64_t number, MoveAnswer answer = MoveAnswer::kMoved) {
    return Step(MoveAnswered{from, Object(1), 0, number, answer, NodeId()});
  }
  PeerIndex OwnerNow(uint64_t object, uint32_t generation = 0) const {
    return table_->Find(Object(object), generation)->owner;
  }
  uint32_t TermOf(uint64_t object, uint32_t generation = 0) const {
    return table_->Find(Object(object), generation)->term;
  }
  // As one who goes through all records does.
  DigestSum Visited(PeerIndex owner) const {
    const DigestRange all;
    DigestTally tally({&all, 1}, 0);
    EXPECT_EQ(table_->VisitTold(owner, 0, 1000000, &tally), kNoCopy);
    return tally.parts()[0].sum;
  }
};

}  // namespace freehold::core::copy_testing

#endif  // FREEHOLD_TESTS_CORE_COPY_TABLE_TRANSFER_TESTING_H_
