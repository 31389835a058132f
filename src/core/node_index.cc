#include "src/core/node_index.h"

#include "src/base/check.h"

namespace freehold::core {

Copy& NodeIndex::CopyOf(RecordIndex index, PeerIndex node) {
  Copy* copy = copies_->Find(slabs_->At(index), node);
  FREEHOLD_CHECK(copy != nullptr);
  return *copy;
}

void NodeIndex::Link(RecordIndex index, Copy* copy, FreeState state) {
  List& list = At(copy->node).list(state);
  copy->free_state = static_cast<uint32_t>(state) & 3u;
  copy->next = kNoRecord;
  copy->previous = list.tail;
  if (list.tail == kNoRecord) {
    list.head = index;
  } else {
    CopyOf(list.tail, copy->node).next = index;
  }
  list.tail = index;
  ++list.count;
  ++totals_[static_cast<int>(state)];
}

void NodeIndex::Unlink(const Copy& copy) {
  List& list = nodes_[copy.node].list(copy.state());
  if (copy.previous == kNoRecord) {
    list.head = copy.next;
  } else {
    CopyOf(copy.previous, copy.node).next = copy.next;
  }
  if (copy.next == kNoRecord) {
    list.tail = copy.previous;
  } else {
    CopyOf(copy.next, copy.node).previous = copy.previous;
  }
  --list.count;
  --totals_[static_cast<int>(copy.state())];
}

void NodeIndex::Rename(const Copy& copy, RecordIndex to) {
  List& list = nodes_[copy.node].list(copy.state());
  if (copy.previous == kNoRecord) {
    list.head = to;
  } else {
    CopyOf(copy.previous, copy.node).next = to;
  }
  if (copy.next == kNoRecord) {
    list.tail = to;
  } else {
    CopyOf(copy.next, copy.node).previous = to;
  }
}

void NodeIndex::AddLateFree(PeerIndex node, const FreeItem& item) {
  ++At(node).late_frees;
  late_items_[node].push_back(item);
  ++late_frees_;
}

void NodeIndex::DropLateFrees(PeerIndex node, size_t count) {
  std::deque<FreeItem>& late = late_items_[node];
  late.erase(late.begin(), late.begin() + static_cast<ptrdiff_t>(count));
  if (late.empty()) late_items_.erase(node);
  nodes_[node].late_frees -= static_cast<uint32_t>(count);
  late_frees_ -= count;
}

}  // namespace freehold::core
