// Operations by name.

#include <cstdio>
#include <cstdlib>

#include "bench/operation.h"
#include "bench/workload.h"

namespace freehold::bench {

namespace {

size_t many_objects = 1'000'000;

}  // namespace

size_t ManyObjects() { return many_objects; }
void SetManyObjects(size_t count) { many_objects = count; }

size_t NumberIn(std::string_view text, size_t otherwise) {
  size_t number = 0;
  size_t digits = 0;
  for (; digits < text.size() && text[digits] >= '0' && text[digits] <= '9'; ++digits) {
    number = number * 10 + static_cast<size_t>(text[digits] - '0');
  }
  return digits == 0 ? otherwise : number;
}

void Require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "bench: %s\n", what);
  std::abort();
}

std::unique_ptr<Operation> MakeOperation(std::string_view name) {
  const size_t slash = name.find('/');
  const std::string_view head = name.substr(0, slash);
  const std::string_view argument =
      slash == std::string_view::npos ? std::string_view() : name.substr(slash + 1);
  for (auto* make :
       {&MakeReferenceOperation, &MakeLifecycleOperation, &MakeCallbackOperation,
        &MakeSharingOperation, &MakeCodecOperation, &MakeGrowthOperation, &MakeLimitOperation}) {
    if (std::unique_ptr<Operation> operation = make(head, argument)) return operation;
  }
  return nullptr;
}

}  // namespace freehold::bench
