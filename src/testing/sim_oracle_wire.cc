// The oracle on what goes over the wire: every item, as it is sent.

#include <string>

#include "src/core/codec.h"
#include "src/core/digest.h"
#include "src/testing/sim_files.h"
#include "src/testing/sim_heirs.h"
#include "src/testing/sim_oracle.h"
#include "src/testing/sim_scopes.h"
#include "src/testing/sim_transfers.h"

namespace freehold::testing::sim {

class Oracle::Wire final : public core::PayloadSink {
 public:
  Wire(Oracle* oracle, int64_t from, int64_t to)
      : oracle_(*oracle), s_(oracle->s_), from_(from), to_(to) {}

  void OnFrees(uint32_t generation, uint32_t, std::string_view ids) override {
    for (size_t i = 0; i < core::IdCount(ids); ++i) {
      oracle_.OnFreeSent(from_, to_, core::IdAt(ids, i), generation);
    }
  }
  void OnFreeResults(uint32_t generation, uint32_t, core::FreeResult result,
                     std::string_view ids) override {
    static constexpr const char* kLines[] = {"E sends E Deleted O G", "E sends E Unknown O G",
                                             "E sends E Doomed O G", "E sends E Failed O G"};
    static constexpr const char* kNames[] = {"item FreeResult Deleted", "item FreeResult Unknown",
                                             "item FreeResult Doomed", "item FreeResult Failed"};
    s_.coverage.Count(kNames[static_cast<int>(result)], core::IdCount(ids));
    for (size_t i = 0; i < core::IdCount(ids); ++i) {
      Line(kLines[static_cast<int>(result)], core::IdAt(ids, i), generation);
    }
  }
  void OnFreeFailed(const core::FreeResultItem& item) override {
    s_.coverage.Count("item FreeResult Failed");
    Line("E sends E Failed O G", item.object, item.generation);
  }
  void OnLocation(const core::LocationItem& item) override {
    static constexpr const char* kLines[] = {"E sends E Added O G", "E sends E Removed O G",
                                             "E sends E Spilled O G"};
    static constexpr const char* kNames[] = {"item Location Added", "item Location Removed",
                                             "item Location Spilled"};
    s_.coverage.Count(kNames[static_cast<int>(item.change)]);
    Line(kLines[static_cast<int>(item.change)], item.object, item.generation);
    OnLocationSent(&s_, from_, to_, item);
  }

  void OnSharing(const core::SharingItem& item) override {
    static constexpr const char* kLines[] = {
        "E sends E Register O",     "E sends E RegisterAck O I", "E sends E Release O",
        "E sends E HandoffAck O I", "E sends E HandoffCancel O", "E sends E Watch O I",
        "E sends E Unwatch O I",    "E sends E WatchFired O I",  "E sends E Declare O",
        "E sends E DeclareAck O I", "E sends E TransferAck O I", "E sends E MovedAck O I",
        "E sends E Settled O",      "E sends E SettledAck O",    "E sends E MovedEnded O",
        "E sends E ShadowAck O I",  "E sends E ShadowEnd O"};
    static constexpr const char* kNames[] = {
        "item Register",      "item RegisterAck", "item Release",     "item HandoffAck",
        "item HandoffCancel", "item Watch",       "item Unwatch",     "item WatchFired",
        "item Declare",       "item DeclareAck",  "item TransferAck", "item MovedAck",
        "item Settled",       "item SettledAck",  "item MovedEnded",  "item ShadowAck",
        "item ShadowEnd"};
    static constexpr const char* kAnswers[] = {" Ok", " Gone", " OwnerDied", " Refused"};
    static constexpr const char* kFired[] = {" OutOfScope", " Freed", " Gone", " Refused",
                                             " Cancelled"};
    const auto kind = static_cast<size_t>(item.kind) - 1;
    static constexpr const char* kDeclared[] = {" Ok", " Exists", " Refused", " Draining", " Full"};
    std::string name = kNames[kind];
    if (item.kind == core::SharingKind::kRegisterAck ||
        item.kind == core::SharingKind::kHandoffAck) {
      name += kAnswers[item.answer];
    } else if (item.kind == core::SharingKind::kWatchFired) {
      name += kFired[item.answer];
    } else if (item.kind == core::SharingKind::kDeclareAck) {
      name += kDeclared[item.answer];
    }
    static constexpr const char* kTransferred[] = {" Taken", " Exists", " Refused", " Draining",
                                                   " Full"};
    if (item.kind == core::SharingKind::kTransferAck) name += kTransferred[item.answer];
    s_.coverage.Count(name);
    Line(kLines[kind], item.object, item.answer);
    OnSharingSent(&oracle_, &s_, from_, to_, item);
    if (item.kind == core::SharingKind::kShadowAck) OnShadowKept(&s_, to_, item);
  }
  void OnTransfer(const core::TransferItem& item) override {
    OnTransferSent(&oracle_, &s_, from_, to_, item);
  }
  void OnShadow(const core::ShadowItem& item) override {
    OnShadowSent(&oracle_, &s_, from_, to_, item);
  }
  void OnMoved(const core::MovedItem& item) override { OnMovedSent(&s_, from_, to_, item); }
  void OnLocationQuery(const core::LocationQueryItem& item) override {
    s_.coverage.Count(item.cancel ? "item LocationQuery ended" : "item LocationQuery");
    Line(item.cancel ? "E stops asking E of O" : "E asks E of O", item.object, 0);
  }
  void OnLocationAnswer(const core::LocationAnswerItem& item) override {
    static constexpr const char* kNames[] = {
        "item LocationAnswer Pending", "item LocationAnswer Available", "item LocationAnswer Freed",
        "item LocationAnswer Lost", "item LocationAnswer Gone"};
    s_.coverage.Count(kNames[static_cast<size_t>(item.state)]);
    Line("E answers E of O I", item.object, static_cast<uint32_t>(item.state));
  }
  void OnMovePrimary(const core::MovePrimaryItem& item) override {
    s_.coverage.Count("item MovePrimary");
    Line("E sends E MovePrimary O G", item.object, item.generation);
  }
  void OnMovePrimaryAck(const core::MovePrimaryAckItem& item) override {
    static constexpr const char* kLines[] = {"E sends E Moved O G", "E sends E Secondary O G",
                                             "E sends E Refused O G", "E sends E Promoted O G",
                                             "E sends E EvictFirst O G"};
    static constexpr const char* kNames[] = {
        "item MovePrimaryAck Moved", "item MovePrimaryAck Secondary", "item MovePrimaryAck Refused",
        "item MovePrimaryAck Promoted", "item MovePrimaryAck EvictFirst"};
    s_.coverage.Count(kNames[static_cast<size_t>(item.answer)]);
    Line(kLines[static_cast<size_t>(item.answer)], item.object, item.generation);
    const Object* object = s_.Find(item.object);
    if (item.answer != core::MoveAnswer::kEvictFirst || object == nullptr) return;
    const bool its = EverOwned(*object, from_) || Owns(*s_.process(from_), *object);
    oracle_.Expect(its && object->first_frees.count(item.generation) > 0,
                   "a node is told to evict first what its owner wants",
                   Format("O G on E", {object->number, item.generation, to_}));
  }

  void OnDigestSums(absl::Span<const core::DigestSumsItem> items) override {
    for (const core::DigestSumsItem& item : items) {
      s_.coverage.Count(item.number == 0 ? "item Digest" : "item Digest of ranges");
      if (item.number == 0) ++digests_;
      s_.trace.Add(item.number == 0 ? "E sends E a digest of I" : "E sends E digests of ranges",
                   {from_, to_, static_cast<int64_t>(item.sums[0].copies)});
    }
  }
  void OnDigestCopies(absl::Span<const core::DigestCopiesItem> items) override {
    for (const core::DigestCopiesItem& item : items) {
      s_.coverage.Count("item Digest of copies");
      s_.trace.Add("E lists I copies for E",
                   {from_, static_cast<int64_t>(item.copies.size()), to_});
    }
    oracle_.OnListed(from_, to_);
  }
  void OnDigestQuery(const core::DigestQueryItem&) override {
    s_.coverage.Count("item DigestQuery");
    s_.trace.Add("E asks E for its copies", {from_, to_});
  }
  void OnReportAgain(const core::ReportAgainItem& item) override {
    s_.coverage.Count("item ReportAgain");
    Line("E asks E again for O G", item.copy.object, item.copy.generation);
    const Object* object = s_.Find(item.copy.object);
    if (object == nullptr || object->disagreed || WasGivenAway(*object)) return;
    oracle_.Violate("a digest finds a copy about which nobody disagreed",
                    Format("O G on E", {object->number, item.copy.generation, to_}));
  }

  void OnFile(const core::FileItem& item) override { OnFileSent(&oracle_, &s_, from_, to_, item); }

  void OnScope(const core::ScopeItem& item) override {
    static constexpr const char* kLines[] = {"E sends E ScopeJoin S", "E sends E ScopeEnd S",
                                             "E sends E ScopeEnded S"};
    static constexpr const char* kNames[] = {"item ScopeJoin", "item ScopeEnd", "item ScopeEnded"};
    const auto kind = static_cast<size_t>(item.kind) - 1;
    s_.coverage.Count(item.unlisted ? "item ScopeEnd to who comes late" : kNames[kind]);
    const int64_t scope = static_cast<int64_t>(item.scope) - kScopeIds;
    const auto found = s_.scopes.find(scope);
    if (item.unlisted && found != s_.scopes.end()) found->second.came_late.insert(to_);
    s_.trace.Add(kLines[kind], {from_, to_, scope});
  }

  // Digests that begin a comparison.
  uint64_t digests() const { return digests_; }

 private:
  void Line(const char* pattern, const ObjectId& id, uint32_t generation) {
    const Object* object = s_.Find(id);
    s_.trace.Add(pattern, {from_, to_, object == nullptr ? 0 : object->number, generation});
  }

  Oracle& oracle_;
  State& s_;
  const int64_t from_;
  const int64_t to_;
  uint64_t digests_ = 0;
};

void Oracle::OnSent(const Envelope& envelope) {
  s_.trace.Mix(envelope.bytes);
  core::Frame frame;
  std::string_view payload;
  const int64_t from = s_.EndOf(envelope.from);
  if (core::DecodeFrame(envelope.bytes, envelope.from, envelope.to, core::kVersionMax, &frame,
                        &payload) != core::CodecError::kOk) {
    return Violate("an envelope is sent that does not decode", Format("E", {from}));
  }
  if (payload.empty()) return;
  Wire wire(this, from, s_.EndOf(envelope.to));
  if (core::ReadPayload(payload, &wire) != core::CodecError::kOk) {
    Violate("a payload is sent that does not decode", Format("E", {from}));
  }
  // A digest alone in an envelope is no sign that anything happens.
  static constexpr size_t kDigestBytes = 40;
  if (wire.digests() != 1 || payload.size() != kDigestBytes) s_.last_activity = s_.clock.Now();
}

}  // namespace freehold::testing::sim
