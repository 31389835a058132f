// The steps of an ObjectTable that concern files which no node is needed for (FileReach::kShared).
//
// While the node that wrote such a file lives, it is part of that node's copy. Once that node is
// excluded, and for a file that the host names without a node, the object has a copy at no node:
// at an index of its own, the same in every table, which no session belongs to. It stands for all
// such files of the value, is never the primary, and is freed like any copy; but its frees are
// taken out of the table by the runtime, which finds agents to do them (unbound_files.h).
//
// Such a file is deleted, by its node or a carrier, when nobody but this owner counts on it:
// neither the owner before, which may take the object back, nor an heir that has not heard that the
// copy is to go (PROTOCOL, steps 11 and 15). Until then the free waits, held back; what is in no
// such file is freed at once.
//
// Thread safety: thread-compatible, like the table. Costs: O(1) and the files of one object.

#ifndef FREEHOLD_SRC_CORE_OBJECT_TABLE_FILES_H_
#define FREEHOLD_SRC_CORE_OBJECT_TABLE_FILES_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "src/core/digest.h"
#include "src/core/heirs.h"
#include "src/core/object_table.h"

namespace freehold::core {

namespace event {

// The host knows of a file of that value.
struct AddFile {
  Key key;
  uint32_t generation;
  uint64_t size;
  std::string_view url;  // not empty
};

}  // namespace event

class FileSteps {
 public:
  explicit FileSteps(ObjectTable* table) : table_(*table) {}

  // REQUIRES: before any file, and always the same.
  void SetPlace(PeerIndex place) { table_.nodes_.set_unbound(place); }
  // kUnchanged: it is known. kNotFound, kToBeFreed: nobody will read it, it is the host's to
  // delete. kNotOwner, kUnknownGeneration, kTableFull.
  Verdict Step(const event::AddFile& e, Effects* effects);
  // Takes values whose files are to be deleted, with the number of their files, in a NodeIndex's
  // order, until `values_max`. True: more may wait. Each is to be answered by FreeAnswered at the
  // place.
  bool TakeFrees(uint32_t values_max, std::vector<std::pair<DigestKey, uint32_t>>* values);

  // --- For the table's own steps -------------------------------------------------------------

  // The URL of the copy's file if it outlives its node; otherwise empty.
  static std::string UrlOf(const ObjectTable& table, const ObjectRecord& record, const Copy& copy);
  // A copy with that file has gone with its node. `state`: of that copy.
  void Outlive(ObjectRecord* record, std::string url, FreeState state, Effects* effects);
  // A copy with such a file is to be freed. True: later, for somebody else may come to own the
  // object with what it has heard of it, and would count on that file.
  bool HoldBack(const ObjectRecord& record, Copy* copy, Effects* effects);
  // The value is over: the same of all its copies.
  void HoldBackAll(ObjectRecord* record, Effects* effects);
  // The owner before takes the object back no more.
  void GoOnWithoutFormer(ObjectRecord* record, Effects* effects);
  // The heir has another version, or is none any more.
  void GoOnAfterHeir(ObjectRecord* record, Heirs::Heirship* heirship, bool ended, Effects* effects);

 private:
  // False: it is known.
  bool Enter(ObjectRecord* record, Copy* copy, std::string url, UnboundFile::Use use,
             Effects* effects);
  // Of an older value, the record of the newest one.
  const ObjectRecord& NewestOf(const ObjectRecord& record) const;
  // Whoever gave the object away may take it back, or it has an heir.
  bool MayBeTakenOver(const ObjectRecord& record) const;
  // If it has an heir, that is to hear that the copy there is to go, or is a file at no node.
  void WaitForHeir(const ObjectRecord& record, PeerIndex node, Effects* effects);
  bool WaitsForHeir(const ObjectRecord& record, PeerIndex node) const;
  void Release(Copy* copy, Effects* effects);
  // The files at no node may be carried.
  void Stay(const ObjectRecord& record, Effects* effects);
  void SayThatItIsThere(ObjectRecord* record, const Copy& copy, Effects* effects);
  bool Knows(const ObjectRecord& record, std::string_view url) const;
  bool IsANodes(const ObjectRecord& record, std::string_view url) const;
  template <typename Where>
  bool IsAt(const ObjectRecord& record, std::string_view url, Where where) const;
  void Tell(const ObjectRecord& record, std::string url, UnboundFile::Use use,
            Effects* effects) const;

  ObjectTable& table_;
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_OBJECT_TABLE_FILES_H_
