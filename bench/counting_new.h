// Counts what the program allocates with operator new, while told to.
//
// Bytes are those of the block that malloc gave, its header included; for an over-aligned block,
// those that were asked for: what malloc leaves free around it in an address space is not used by
// anybody (the resident set shows what really is). Meant for growth: an over-aligned block that is
// deleted without its size is not taken off.
//
// Thread safety: thread-safe. Linking counting_new.cc replaces operator new and delete.

#ifndef FREEHOLD_BENCH_COUNTING_NEW_H_
#define FREEHOLD_BENCH_COUNTING_NEW_H_

#include <cstdint>

namespace freehold::bench {

void SetCounting(bool on);
// Since the program started, as far as it was counted.
uint64_t CountedAllocations();
int64_t CountedBytes();

}  // namespace freehold::bench

#endif  // FREEHOLD_BENCH_COUNTING_NEW_H_
