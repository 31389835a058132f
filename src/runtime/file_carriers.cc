#include "src/runtime/file_carriers.h"

#include <utility>

#include "src/core/object_table_files.h"
#include "src/runtime/counter_impl.h"

namespace freehold::runtime {

using core::PeerIndex;
using internal::MutexLock;

namespace {

// So many in a row are given to one agent.
constexpr uint32_t kFilesAtOnce = 64;

}  // namespace

PeerIndex FileCarriers::EnsurePlace() {
  // acquire: pairs with the release below; each shard is told under its own lock anyway.
  PeerIndex place = place_.load(std::memory_order_acquire);
  if (place != core::kNoPeer) return place;
  MutexLock lock(&mutex_);
  place = place_.load(std::memory_order_relaxed);
  if (place != core::kNoPeer) return place;
  place = counter_.endpoint().Intern(Address(NodeId()));
  if (place == core::kNoPeer) return place;
  for (const std::unique_ptr<Shard>& shard : counter_.shards()) {
    MutexLock shard_lock(&shard->mutex);
    core::FileSteps(&shard->table).SetPlace(place);
  }
  place_.store(place, std::memory_order_release);
  return place;
}

absl::Status FileCarriers::Add(const ObjectId& object, const Location& location,
                               uint32_t generation, uint64_t size) {
  if (EnsurePlace() == core::kNoPeer) {
    return absl::ResourceExhaustedError("too many nodes and processes were ever seen");
  }
  const core::Key key = counter_.KeyOf(object);
  const core::Verdict verdict =
      counter_.Apply(counter_.ShardOf(key), [&](core::ObjectTable& table, core::Effects* effects) {
        return core::FileSteps(&table).Step(
            core::event::AddFile{key, generation, size, location.spilled_url}, effects);
      });
  if (verdict == core::Verdict::kToBeFreed) {
    return absl::AbortedError("object " + object.ToHex() +
                              " was freed, is out of scope or made again; the file is not taken");
  }
  return counter_.ToStatus(verdict, object);
}

void FileCarriers::OnFiles(std::vector<core::UnboundFile> files) {
  {
    MutexLock lock(&mutex_);
    for (core::UnboundFile& file : files) files_.Add(std::move(file));
  }
  counter_.endpoint().WakeWork();
}

void FileCarriers::MarkReady(const Shard& shard) {
  // release: pairs with the acquire in Work, which then locks the shard anyway.
  shards_with_work_.fetch_or(uint64_t{1} << shard.number, std::memory_order_release);
  counter_.endpoint().WakeWork();
}

bool FileCarriers::Work() {
  if (place() == core::kNoPeer) return false;
  bool more = false;
  uint64_t bits = shards_with_work_.exchange(0, std::memory_order_acquire);
  for (; bits != 0; bits &= bits - 1) {
    more |= TakeFrees(static_cast<uint32_t>(__builtin_ctzll(bits)));
  }
  for (uint32_t given = 0; given < CounterImpl::kPieceMax; given += kFilesAtOnce) {
    {
      MutexLock lock(&mutex_);
      if (files_.without_agent() == 0) return more;
    }
    const PeerIndex node = PickNode();
    if (node == core::kNoPeer) return more;  // who is heard of causes a turn
    {
      MutexLock lock(&mutex_);
      files_.Assign(node, kFilesAtOnce);
    }
    counter_.endpoint().MarkReady(node);
  }
  return true;
}

bool FileCarriers::TakeFrees(uint32_t shard) {
  Shard& taken = counter_.ShardAt(shard);
  std::vector<std::pair<core::DigestKey, uint32_t>> values;
  bool more = false;
  {
    MutexLock lock(&taken.mutex);
    more = core::FileSteps(&taken.table).TakeFrees(CounterImpl::kPieceMax, &values);
  }
  std::vector<PeerIndex> ready;
  {
    MutexLock lock(&mutex_);
    for (const auto& [value, files] : values) files_.Delete(value, files, &ready);
  }
  for (const PeerIndex node : ready) counter_.endpoint().MarkReady(node);
  if (more) shards_with_work_.fetch_or(uint64_t{1} << shard, std::memory_order_relaxed);
  return more;
}

// Others were named only: by the host, which may be wrong, or by who asked where a value is.
PeerIndex FileCarriers::PickNode() {
  const PeerIndex heard = PickNode(true);
  return heard != core::kNoPeer ? heard : PickNode(false);
}

PeerIndex FileCarriers::PickNode(bool heard) {
  Endpoint& endpoint = counter_.endpoint();
  const PeerIndex peers = endpoint.peers();
  for (PeerIndex looked = 0; looked < peers; ++looked) {
    picked_ = picked_ + 1 < peers ? picked_ + 1 : 0;
    if (heard && (picked_ >= heard_.size() || !heard_[picked_])) continue;
    if (picked_ != place() && endpoint.AddressOf(picked_).is_node_agent() &&
        !endpoint.IsExcluded(picked_)) {
      return picked_;
    }
  }
  return core::kNoPeer;
}

bool FileCarriers::Fill(PeerIndex node, core::PayloadWriter* writer) {
  if (place() == core::kNoPeer) return false;
  MutexLock lock(&mutex_);
  return files_.Fill(node, writer);
}

bool FileCarriers::OnItem(PeerIndex from, const core::FileItem& item) {
  if (item.kind != core::FileItemKind::kGone) return false;
  core::UnboundFiles::Gone gone = core::UnboundFiles::Gone::kRefused;
  {
    MutexLock lock(&mutex_);
    gone = files_.OnGone(from, item);
  }
  if (gone != core::UnboundFiles::Gone::kLast) return gone == core::UnboundFiles::Gone::kYes;
  const core::Key key = counter_.KeyOf(item.object);
  (void)counter_.Apply(
      counter_.ShardOf(key), [&](core::ObjectTable& table, core::Effects* effects) {
        return table.Step(
            core::event::FreeAnswered{key, place(), item.generation, core::FreeResult::kDeleted},
            effects);
      });
  return true;
}

void FileCarriers::ExcludeNode(PeerIndex node) {
  bool more = place() != core::kNoPeer;
  while (more) {
    MutexLock lock(&mutex_);
    more = files_.ExcludeNode(node, CounterImpl::kPieceMax);
  }
}

bool FileCarriers::AnyWithoutAgent() const {
  MutexLock lock(&mutex_);
  return files_.without_agent() > 0;
}

void FileCarriers::AddTo(ReferenceCounterStats* stats) const {
  MutexLock lock(&mutex_);
  stats->unbound_files = files_.size();
  stats->files_without_agent = files_.without_agent();
}

}  // namespace freehold::runtime
