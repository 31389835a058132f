// Fuzzes tokens: no bytes crash the decoder, what it takes is what encoding gives, and a token made
// from the input comes back whole, but not with one byte altered.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "src/base/check.h"
#include "src/core/token.h"
#include "src/core/transfer_item.h"

namespace {

using namespace freehold;        // NOLINT(google-build-using-namespace)
using namespace freehold::core;  // NOLINT(google-build-using-namespace)

void FuzzDecode(std::string_view bytes) {
  ReferenceToken token;
  if (DecodeToken(bytes, &token) == TokenError::kOk) FREEHOLD_CHECK(EncodeToken(token) == bytes);
}

// The checksum keeps most inputs from getting further: what is encoded from them does.
void FuzzEncode(std::string_view bytes) {
  constexpr size_t kFieldBytes = 4 * ObjectId::kSize + 12;
  if (bytes.size() < kFieldBytes + 2) return;
  const auto id_bytes = [&](size_t index) {
    return bytes.substr(index * ObjectId::kSize, ObjectId::kSize);
  };
  ReferenceToken made;
  made.object = *ObjectId::FromBytes(id_bytes(0));
  made.owner = *ProcessId::FromBytes(id_bytes(1));
  made.sender = *ProcessId::FromBytes(id_bytes(2));
  made.receiver = *ProcessId::FromBytes(id_bytes(3));
  std::memcpy(&made.term, bytes.data() + kFieldBytes - 12, 4);
  made.term %= kTermMax + 1;
  std::memcpy(&made.number, bytes.data() + kFieldBytes - 8, 8);
  if (made.object.IsNil() || made.owner.IsNil() || made.sender.IsNil() || made.receiver.IsNil() ||
      made.term == 0 || made.number == 0) {
    return;
  }
  std::string encoded = EncodeToken(made);
  ReferenceToken read;
  FREEHOLD_CHECK(DecodeToken(encoded, &read) == TokenError::kOk);
  FREEHOLD_CHECK(read.object == made.object && read.owner == made.owner);
  FREEHOLD_CHECK(read.sender == made.sender && read.receiver == made.receiver);
  FREEHOLD_CHECK(read.term == made.term && read.number == made.number);

  const size_t at = static_cast<uint8_t>(bytes[kFieldBytes]) % kTokenBytes;
  const char difference = bytes[kFieldBytes + 1];
  if (difference == 0) return;
  encoded[at] = static_cast<char>(encoded[at] ^ difference);
  FREEHOLD_CHECK(DecodeToken(encoded, &read) != TokenError::kOk);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  FuzzDecode(bytes);
  FuzzEncode(bytes);
  return 0;
}
