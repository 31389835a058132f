// A job as a straight line of values, each a pure function of earlier ones. The last one is its
// result; all others are temporaries.
//
// So any value can be made again from its inputs, if need be from theirs, and a job that was run in
// stores that lost values must end with the same result as one that was run in plain memory.
//
// Thread safety: immutable once made.

#ifndef FREEHOLD_EXAMPLES_BATCH_JOBS_JOB_H_
#define FREEHOLD_EXAMPLES_BATCH_JOBS_JOB_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "freehold/ids.h"

namespace batch_jobs {

class Job {
 public:
  virtual ~Job() = default;
  // What it is, for people.
  virtual std::string Describe() const = 0;
  virtual size_t values() const = 0;
  // Of a value: earlier values that it is made of.
  virtual std::vector<size_t> InputsOf(size_t value) const = 0;
  virtual std::string Make(size_t value, absl::Span<const std::string_view> inputs) const = 0;
  // The words of its result, best first.
  virtual std::string Explain(std::string_view result) const = 0;

  size_t result() const { return values() - 1; }
};

// --- What values consist of ----------------------------------------------------------------------

template <typename T>
void Append(const T& number, std::string* bytes) {
  bytes->append(reinterpret_cast<const char*>(&number), sizeof(number));
}
// REQUIRES: the bytes hold more than `index`, in both.
template <typename T>
void Set(size_t index, const T& number, std::string* bytes) {
  std::memcpy(bytes->data() + index * sizeof(T), &number, sizeof(T));
}
template <typename T>
T At(std::string_view bytes, size_t index) {
  T number;
  std::memcpy(&number, bytes.data() + index * sizeof(T), sizeof(T));
  return number;
}
template <typename T>
size_t CountOf(std::string_view bytes) {
  return bytes.size() / sizeof(T);
}

// --- Ids: which job, which value -----------------------------------------------------------------

inline freehold::ObjectId MakeObjectId(size_t job, size_t value) {
  return freehold::ObjectId::FromNumber(uint64_t{job + 1} << 32 | value);
}
inline size_t JobOf(const freehold::ObjectId& id) {
  const uint8_t* const last = id.data() + freehold::ObjectId::kSize - 8;
  return (size_t{last[7]} << 24 | size_t{last[6]} << 16 | size_t{last[5]} << 8 | last[4]) - 1;
}
inline size_t ValueOf(const freehold::ObjectId& id) {
  const uint8_t* const last = id.data() + freehold::ObjectId::kSize - 8;
  return size_t{last[3]} << 24 | size_t{last[2]} << 16 | size_t{last[1]} << 8 | last[0];
}

}  // namespace batch_jobs

#endif  // FREEHOLD_EXAMPLES_BATCH_JOBS_JOB_H_
