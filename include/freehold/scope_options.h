// The plain values of scopes: their ids, options, members and status. What scopes are is in
// scope.h.
//
// Thread safety: values.

#ifndef FREEHOLD_SCOPE_OPTIONS_H_
#define FREEHOLD_SCOPE_OPTIONS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "freehold/clock.h"
#include "freehold/ids.h"

namespace freehold {

// The number of a scope within the process that opened it; the host's choice, or made.
class ScopeId {
 public:
  constexpr ScopeId() = default;  // nil: none is named
  constexpr explicit ScopeId(uint64_t number) : number_(number) {}
  // The scope of everything that is in no other. It never ends.
  static constexpr ScopeId Root() { return ScopeId(UINT64_MAX); }

  constexpr bool IsNil() const { return number_ == 0; }
  constexpr bool IsRoot() const { return number_ == UINT64_MAX; }
  constexpr uint64_t number() const { return number_; }

  friend constexpr bool operator==(ScopeId a, ScopeId b) { return a.number_ == b.number_; }
  friend constexpr bool operator!=(ScopeId a, ScopeId b) { return !(a == b); }
  friend constexpr bool operator<(ScopeId a, ScopeId b) { return a.number_ < b.number_; }

 private:
  uint64_t number_ = 0;
};

enum class ScopeState : uint8_t {
  kRunning,
  kEnding,  // it takes nothing new; something of it is still there
  kDone,    // everything that was in it is reclaimed
};
const char* ScopeStateName(ScopeState state);

// Why a scope ended.
enum class ScopeEnd : uint8_t {
  kNone,         // it runs
  kEnded,        // End, EndScope, or its handle was destroyed
  kCancelled,    // Cancel
  kDeadline,     // its deadline passed
  kParentEnded,  // the scope around it ended
  kDriverDied,   // the process that drives it was excluded
  kForced,       // unsafe::ForceEnd, unsafe::Delete
  kOwnerDied,    // of one that was joined: the process that opened it was excluded
  kExcluded,     // this process was excluded: nothing of it will be heard of any more
};
const char* ScopeEndName(ScopeEnd end);

using ScopeCallback = absl::AnyInvocable<void(ScopeId, ScopeEnd)>;

// What keeping an object is to do besides.
enum class KeepMode : uint8_t {
  kInScope,  // nothing
  kPersist,  // the host writes its value to a place of its own; then its lineage goes
};
const char* KeepModeName(KeepMode mode);

// Ok: the value is persisted, and the object needs no task any more. Otherwise the host's error, or
// why it was not waited for.
using PersistedCallback = std::function<void(const ObjectId&, const absl::Status&)>;

// Something of the host's that lives in a scope and that the library knows nothing about.
enum class MemberKind : uint8_t { kTask, kActor, kFile, kMetadata, kOther };
const char* MemberKindName(MemberKind kind);

struct ScopeMember {
  MemberKind kind = MemberKind::kOther;
  std::string name;
  // Stops the task, closes the file, erases the metadata. Runs on the callback executor, once, when
  // the scope ends in whatever way, this process's exclusion included; never when the member is
  // removed before, or at a shutdown.
  absl::AnyInvocable<void(ScopeEnd)> release;
};

struct ScopeOptions {
  // Nil: one is made. Chosen by the host: from 1 to 2^63 - 1, and never used twice.
  ScopeId id;
  std::string name;
  // Nil: the one that is bound to the calling thread, or else the root.
  ScopeId parent;
  // True: it keeps its objects in scope until it ends. False: what nobody refers to goes at once.
  bool hold = false;
  // True: its end releases nothing that it holds; unsafe::Delete does, later.
  bool no_cleanup = false;
  // Of its objects that name none; see DeclareOptions::label.
  std::string label;
  // When it passes, the scope ends by itself.
  Time deadline = kInfiniteFuture;
  // Called on the executor each time that the bytes of it and of the scopes in it come to exceed
  // this. 0: no limit. Nothing is refused because of it.
  uint64_t bytes_max = 0;
  std::function<void(ScopeId, uint64_t bytes)> on_bytes_exceeded;
  // Of a job: when this process is excluded, the scope ends at the barrier. Nil: none.
  ProcessId driver;

  // A job: a scope of its own right below the root, that ends with its driver.
  static ScopeOptions Job(std::string name, const ProcessId& driver) {
    ScopeOptions options;
    options.name = std::move(name);
    options.parent = ScopeId::Root();
    options.driver = driver;
    return options;
  }
};

// Objects count until they are erased: while they are referenced, and while copies of theirs are
// being deleted.
struct ScopeUsage {
  uint64_t objects = 0;
  uint64_t bytes = 0;   // the size of each object once, however many copies it has
  uint64_t copies = 0;  // of their present values, prospective ones included
};

struct LabelUsage {
  std::string label;
  ScopeUsage usage;
};

struct ScopeStatus {
  static constexpr size_t kNamed = 8;

  ScopeId id;
  std::string name;
  ScopeId parent;
  ProcessId owner;  // of one that was joined: who opened it; nil: this process
  ScopeState state = ScopeState::kRunning;
  ScopeEnd end = ScopeEnd::kNone;
  Time created;
  Duration elapsed{0};     // until it was done, or now
  ScopeUsage usage;        // of its own objects; of the root's, those with a label or held by it
  uint64_t bytes_all = 0;  // with those of the scopes in it
  uint64_t tasks = 0;      // members of kind kTask
  uint64_t members = 0;    // of every kind
  uint64_t inner_scopes = 0;
  uint64_t processes = 0;  // others that have joined it, and are not done with it
  // While it is ending, what it waits for; up to kNamed of each.
  std::vector<ScopeId> waiting_for_scopes;
  std::vector<ObjectId> waiting_for_objects;
  std::vector<ProcessId> waiting_for_processes;
};

}  // namespace freehold

#endif  // FREEHOLD_SCOPE_OPTIONS_H_
