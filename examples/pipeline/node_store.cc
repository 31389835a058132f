#include "node_store.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "examples/common/files.h"
#include "input.h"

namespace pipeline {

using freehold::ObjectId;

namespace {

std::string PathOf(const std::string& folder, const ObjectId& object) {
  return absl::StrCat(folder, "/", object.ToHex());
}

}  // namespace

absl::StatusOr<std::unique_ptr<NodeStore>> NodeStore::Open(const std::string& folder,
                                                           uint64_t memory_bytes_max,
                                                           ByteLog* byte_log) {
  std::unique_ptr<NodeStore> store(new NodeStore(folder, memory_bytes_max, byte_log));
  for (const std::string& path : {folder, store->memory_.folder, store->spilled_.folder}) {
    if (mkdir(path.c_str(), 0700) != 0)
      return examples::FileError("create the folder", path, errno);
  }
  return store;
}

NodeStore::NodeStore(const std::string& folder, uint64_t memory_bytes_max, ByteLog* byte_log)
    : memory_bytes_max_(memory_bytes_max), byte_log_(byte_log) {
  memory_.folder = folder + "/memory";
  memory_.is_memory = true;
  spilled_.folder = folder + "/spill";
}

absl::StatusOr<MappedFile> NodeStore::MakeFile(Tier* tier, const ObjectId& object, uint64_t bytes,
                                               bool is_new_copy) {
  const std::string path = PathOf(tier->folder, object);
  absl::StatusOr<MappedFile> file = MappedFile::Create(path, bytes);
  if (!file.ok()) return file;
  const absl::StatusOr<uint64_t> size = FileBytes(path);
  if (!size.ok()) return size.status();
  ++tier->held.files;
  tier->held.bytes += *size;
  const int64_t change = static_cast<int64_t>(*size);
  byte_log_->Change(tier->is_memory ? change : 0, tier->is_memory ? 0 : change,
                    is_new_copy ? *size : 0);
  return file;
}

absl::Status NodeStore::DeleteFile(Tier* tier, const ObjectId& object) {
  const std::string path = PathOf(tier->folder, object);
  const absl::StatusOr<uint64_t> size = FileBytes(path);
  if (!size.ok()) return size.status();
  if (unlink(path.c_str()) != 0) return examples::FileError("delete", path, errno);
  --tier->held.files;
  tier->held.bytes -= *size;
  const int64_t change = -static_cast<int64_t>(*size);
  byte_log_->Change(tier->is_memory ? change : 0, tier->is_memory ? 0 : change, 0);
  return absl::OkStatus();
}

absl::Status NodeStore::Spill(const ObjectId& object, Copy* copy) {
  if (!copy->spilled) {  // one that was restored has its spill file still
    const absl::StatusOr<MappedFile> file =
        MakeFile(&spilled_, object, copy->bytes, /*is_new_copy=*/false);
    if (!file.ok()) return file.status();
    std::memcpy(file->data(), copy->memory->data(), copy->bytes);
    copy->spilled = true;
    ++FiguresOf(object).spill_files;
  }
  if (absl::Status status = DeleteFile(&memory_, object); !status.ok()) return status;
  copy->memory.reset();
  if (events_.spilled) {
    events_.spilled(object, "file://" + PathOf(spilled_.folder, object), /*in_memory=*/false);
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> NodeStore::MakeRoom(uint64_t bytes) {
  if (bytes > memory_bytes_max_) return false;
  while (memory_.held.bytes + bytes > memory_bytes_max_) {
    auto oldest = copies_.end();
    for (auto it = copies_.begin(); it != copies_.end(); ++it) {
      if (!it->second.memory || it->second.pins > 0) continue;
      if (oldest == copies_.end() || it->second.last_used < oldest->second.last_used) oldest = it;
    }
    if (oldest == copies_.end()) return false;
    if (absl::Status status = Spill(oldest->first, &oldest->second); !status.ok()) return status;
  }
  return true;
}

absl::StatusOr<char*> NodeStore::Create(const ObjectId& object, uint64_t bytes,
                                        freehold::CopyRole role) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (copies_.count(object) != 0) return absl::AlreadyExistsError(object.ToHex());
  const absl::StatusOr<bool> fits = MakeRoom(bytes);
  if (!fits.ok()) return fits.status();
  absl::StatusOr<MappedFile> file =
      MakeFile(*fits ? &memory_ : &spilled_, object, bytes, /*is_new_copy=*/true);
  if (!file.ok()) return file.status();
  StoreFigures& figures = FiguresOf(object);
  ++figures.copies;
  figures.bytes += bytes;
  if (role == freehold::CopyRole::kSecondary) ++figures.remote;
  if (!*fits) ++figures.spill_files;
  Copy& copy = copies_[object];
  copy.bytes = bytes;
  copy.spilled = !*fits;
  copy.pins = 1;
  copy.last_used = ++clock_;
  std::optional<MappedFile>& place = *fits ? copy.memory : copy.in_place;
  place = *std::move(file);
  return place->data();
}

absl::Status NodeStore::Restore(const ObjectId& object, Copy* copy) {
  absl::StatusOr<MappedFile> spilled =
      MappedFile::Open(PathOf(spilled_.folder, object), copy->bytes);
  if (!spilled.ok()) return spilled.status();
  copy->in_place = *std::move(spilled);
  // Only into free room: to spill another copy for one that can be read where it lies gains
  // nothing.
  if (memory_.held.bytes + copy->bytes > memory_bytes_max_) return absl::OkStatus();
  absl::StatusOr<MappedFile> memory =
      MakeFile(&memory_, object, copy->bytes, /*is_new_copy=*/false);
  if (absl::IsResourceExhausted(memory.status())) return absl::OkStatus();  // read in place
  if (!memory.ok()) return memory.status();
  std::memcpy(memory->data(), copy->in_place->data(), copy->bytes);
  copy->memory = *std::move(memory);
  copy->in_place.reset();
  ++FiguresOf(object).restored;
  if (events_.restored) events_.restored(object);
  return absl::OkStatus();
}

absl::StatusOr<std::string_view> NodeStore::Pin(const ObjectId& object) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto it = copies_.find(object);
  if (it == copies_.end()) return absl::NotFoundError(absl::StrCat("no copy of ", object.ToHex()));
  Copy& copy = it->second;
  if (!copy.memory && !copy.in_place) {
    if (absl::Status status = Restore(object, &copy); !status.ok()) return status;
  }
  ++copy.pins;
  copy.last_used = ++clock_;
  return std::string_view(copy.memory ? copy.memory->data() : copy.in_place->data(), copy.bytes);
}

void NodeStore::Unpin(const ObjectId& object) {
  std::lock_guard<std::mutex> lock(mutex_);
  Copy& copy = copies_.at(object);
  if (--copy.pins == 0) copy.in_place.reset();
}

bool NodeStore::Has(const ObjectId& object) const {
  std::lock_guard<std::mutex> lock(mutex_);
  return copies_.count(object) != 0;
}

std::string NodeStore::SpilledUrl(const ObjectId& object) const {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto it = copies_.find(object);
  return it == copies_.end() || !it->second.spilled ? ""
                                                    : "file://" + PathOf(spilled_.folder, object);
}

absl::Status NodeStore::DeleteOne(const ObjectId& object) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto it = copies_.find(object);
  if (it == copies_.end()) return absl::OkStatus();  // gone already
  if (it->second.pins > 0) return absl::FailedPreconditionError("the copy is in use");
  Copy& copy = it->second;
  if (copy.memory) {
    if (absl::Status status = DeleteFile(&memory_, object); !status.ok()) return status;
    copy.memory.reset();
  }
  if (copy.spilled) {
    if (absl::Status status = DeleteFile(&spilled_, object); !status.ok()) return status;
    copy.spilled = false;
  }
  ++FiguresOf(object).deleted;
  copies_.erase(it);
  return absl::OkStatus();
}

std::vector<absl::Status> NodeStore::Delete(absl::Span<const freehold::CopyToDelete> copies) {
  std::vector<absl::Status> results;
  results.reserve(copies.size());
  for (const freehold::CopyToDelete& copy : copies) results.push_back(DeleteOne(copy.object));
  return results;
}

FiguresByKind NodeStore::figures() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return figures_;
}

absl::StatusOr<NodeStore::Found> NodeStore::Walk(const std::string& folder) {
  Found found;
  std::error_code error;
  std::filesystem::directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const absl::StatusOr<uint64_t> bytes = FileBytes(entry->path().string());
    if (!bytes.ok()) return bytes.status();
    ++found.files;
    found.bytes += *bytes;
  }
  if (error) return examples::FileError("read the folder", folder, error.value());
  return found;
}

absl::Status NodeStore::Audit() const {
  std::lock_guard<std::mutex> lock(mutex_);
  for (const Tier* tier : {&memory_, &spilled_}) {
    const absl::StatusOr<Found> found = Walk(tier->folder);
    if (!found.ok()) return found.status();
    if (found->files != tier->held.files || found->bytes != tier->held.bytes) {
      return absl::InternalError(absl::StrCat(tier->folder, " holds ", found->files, " files with ",
                                              found->bytes, " bytes, and the store counted ",
                                              tier->held.files, " with ", tier->held.bytes));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> NodeStore::FilesLeft() const {
  std::lock_guard<std::mutex> lock(mutex_);
  uint64_t files = 0;
  for (const Tier* tier : {&memory_, &spilled_}) {
    const absl::StatusOr<Found> found = Walk(tier->folder);
    if (!found.ok()) return found.status();
    files += found->files;
  }
  return files;
}

}  // namespace pipeline
