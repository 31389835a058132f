// What a host sees: the installed headers and the library, and nothing else of the project.

#include <cstdio>

#include "freehold/reference_counter.h"

int main() {
  freehold::ReferenceCounterOptions options;
  options.process = freehold::ProcessId::FromNumber(1);
  auto counter = freehold::ReferenceCounter::Create(options);
  if (!counter.ok()) return 1;
  auto ref = (*counter)->Declare(freehold::ObjectId::FromNumber(42));
  if (!ref.ok() || (*counter)->CountObjects().in_scope() != 1) return 1;
  ref->Reset();
  std::puts("an object was declared and went out of scope");
  return (*counter)->CountObjects().total() == 0 ? 0 : 1;
}
