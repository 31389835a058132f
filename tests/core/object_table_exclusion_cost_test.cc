// What a node's exclusion costs: what lies on it, however many objects lie elsewhere.
//
// Not time is measured but memory: the pages that hold records are made inaccessible, and each that
// the exclusion touches all the same is counted.

#include <sys/mman.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <set>
#include <vector>

#include "gtest/gtest.h"
#include "src/base/check.h"
#include "src/core/object_table.h"

namespace freehold::core {
namespace {

constexpr PeerIndex kExcluded = 0;
constexpr PeerIndex kOther = 1;
constexpr uint32_t kPiece = 128;  // records of one lock hold

uintptr_t PageBytes() {
  static const auto bytes = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

// Counts the pages among `pages` that are touched while it lives. One at a time.
class TouchCounter {
 public:
  explicit TouchCounter(const std::set<uintptr_t>& pages) : pages_(pages) {
    FREEHOLD_CHECK(active == nullptr && PageBytes() > 0);
    active = this;
    struct sigaction action = {};
    action.sa_sigaction = &OnFault;
    action.sa_flags = SA_SIGINFO;
    FREEHOLD_CHECK(::sigaction(SIGSEGV, &action, &before_) == 0);
    for (const uintptr_t page : pages_) Protect(page, PROT_NONE);
  }
  ~TouchCounter() {
    for (const uintptr_t page : pages_) Protect(page, PROT_READ | PROT_WRITE);
    FREEHOLD_CHECK(::sigaction(SIGSEGV, &before_, nullptr) == 0);
    active = nullptr;
  }
  TouchCounter(const TouchCounter&) = delete;
  TouchCounter& operator=(const TouchCounter&) = delete;

  uint64_t touched() const { return touched_; }

 private:
  // Opens the page, and has the access tried again. Any other fault comes again without us.
  static void OnFault(int, siginfo_t* info, void*) {
    const uintptr_t page = reinterpret_cast<uintptr_t>(info->si_addr) & ~(PageBytes() - 1);
    if (active->pages_.count(page) == 0) {
      ::sigaction(SIGSEGV, &active->before_, nullptr);
      return;
    }
    ++active->touched_;
    Protect(page, PROT_READ | PROT_WRITE);
  }
  static void Protect(uintptr_t page, int access) {
    FREEHOLD_CHECK(::mprotect(reinterpret_cast<void*>(page), PageBytes(), access) == 0);
  }

  static TouchCounter* active;

  const std::set<uintptr_t>& pages_;
  struct sigaction before_ = {};
  volatile uint64_t touched_ = 0;
};

TouchCounter* TouchCounter::active = nullptr;

struct Cost {
  uint64_t pages = 0;       // of records, touched
  uint64_t lock_holds = 0;  // pieces
  uint64_t lost = 0;        // objects whose only copy it was
};

// Excludes a node that has the only copies of the first `on_node` of `objects` objects; the others
// are elsewhere, in scope or waiting to be freed.
Cost ExcludeNodeOf(uint64_t objects, uint64_t on_node) {
  ObjectTable table((ObjectTable::Config()));
  std::vector<ObjectRecord*> records(objects);
  std::set<uintptr_t> pages;
  for (uint64_t i = 0; i < objects; ++i) {
    const ObjectId id = ObjectId::FromNumber(i);
    Effects effects;
    const PeerIndex primary = i < on_node ? kExcluded : kOther;
    FREEHOLD_CHECK(table.Step(event::Declare{{id, id.Hash()}, 1, primary}, &effects, &records[i]) ==
                   Verdict::kOk);
    const auto first = reinterpret_cast<uintptr_t>(records[i]);
    const uintptr_t last = first + sizeof(ObjectRecord) - 1;
    for (const uintptr_t byte : {first, last}) pages.insert(byte & ~(PageBytes() - 1));
    if (i % 3 != 0) continue;
    FREEHOLD_CHECK(records[i]->cell.DropUnderLock());
    (void)table.Step(event::DropLastHandle{records[i]}, &effects);
  }
  Cost cost;
  Effects effects;
  {
    const TouchCounter counter(pages);
    bool more = true;
    for (; more; ++cost.lock_holds) more = table.ExcludeNode(kExcluded, kPiece, &effects);
    cost.pages = counter.touched();
  }
  table.CheckInvariants();
  cost.lost = effects.rare->lost.size();
  return cost;
}

// The pages that `count` records side by side fill, with one begun in each slab that they lie in.
uint64_t PagesOf(uint64_t count) {
  return count * sizeof(ObjectRecord) / PageBytes() + 1 + count / 500 + 1;
}

// One in a hundred of many is on the node, or one in ten of a tenth: the same records, so the same.
TEST(ObjectTableExclusionCost, DependsOnWhatIsOnTheNodeAndNotOnTheOthers) {
  const Cost of_many = ExcludeNodeOf(100'000, 1'000);
  const Cost of_few = ExcludeNodeOf(10'000, 1'000);
  EXPECT_EQ(of_many.pages, of_few.pages);
  EXPECT_EQ(of_many.lock_holds, of_few.lock_holds);
  EXPECT_EQ(of_many.lost, of_few.lost);
}

TEST(ObjectTableExclusionCost, TouchesTheRecordsOnTheNodeAndHoldsTheLockForAPieceOfThemAtATime) {
  for (const uint64_t objects : {10'000, 100'000}) {
    const uint64_t on_node = objects / 100;
    const Cost cost = ExcludeNodeOf(objects, on_node);
    EXPECT_GT(cost.pages, 0u);
    EXPECT_LE(cost.pages, PagesOf(on_node)) << objects;
    EXPECT_EQ(cost.lock_holds, on_node / kPiece + 1) << objects;
    EXPECT_EQ(cost.lost, on_node - (on_node + 2) / 3) << "the others had ended; of " << objects;
  }
}

}  // namespace
}  // namespace freehold::core
