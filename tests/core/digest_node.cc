#include "tests/core/digest_node.h"

#include "src/core/copy_table.h"

namespace freehold::core {

class DigestNode::Table {
 public:
  template <typename Event>
  void Step(const Event& event) {
    CopyEffects effects;
    (void)table.Step(event, &effects);
    table.CheckInvariants();
  }
  CopyTable table{CopyTable::Options()};
};

DigestNode::DigestNode() : table_(std::make_unique<Table>()) {}
DigestNode::~DigestNode() = default;

void DigestNode::Add(const DigestKey& copy) {
  table_->Step(copy_event::AddCopy{copy.object, copy.generation, kOwner, CopyRole::kSecondary, 1});
}
void DigestNode::Fetch(const DigestKey& copy) {
  table_->Step(
      copy_event::BeginFetch{copy.object, copy.generation, kOwner, CopyRole::kSecondary, 1});
}
void DigestNode::Abort(const DigestKey& copy) {
  table_->Step(copy_event::AbortFetch{copy.object, copy.generation});
}
void DigestNode::Spill(const DigestKey& copy, bool in_memory) {
  table_->Step(copy_event::MarkSpilled{copy.object, copy.generation, "f", in_memory});
}
void DigestNode::Drop(const DigestKey& copy) {
  table_->Step(copy_event::DropCopy{copy.object, copy.generation});
}
void DigestNode::Free(const DigestKey& copy) {
  table_->Step(copy_event::Free{kOwner, copy.object, copy.generation, kFirstTerm});
}
void DigestNode::Deleted(const DigestKey& copy) {
  table_->Step(copy_event::Deleted{copy.object, copy.generation});
}

bool DigestNode::TakeDelete(DigestKey* copy) {
  return table_->table.TakeDeletes(Time{}, 1, [copy](const CopyRecord& taken) {
    *copy = {taken.object, taken.generation};
  }) > 0;
}

void DigestNode::Pull(ReportSink* sink) {
  (void)table_->table.PullReports(kOwner, 1, sink);
  table_->table.CheckInvariants();
}

DigestSum DigestNode::Told() const { return table_->table.Told(kOwner); }

}  // namespace freehold::core
