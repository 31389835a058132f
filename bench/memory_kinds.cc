#include "bench/memory_kinds.h"

#include "freehold/testing/inline_executor.h"
#include "src/core/codec.h"

namespace freehold::bench {

namespace {

constexpr size_t kNodes = 100;
constexpr size_t kCallSites = 100;

ReferenceCounterOptions Options() {
  ReferenceCounterOptions options;
  options.executor = std::make_shared<testing::InlineExecutor>();
  return options;
}

}  // namespace

ObjectsOfKind::ObjectsOfKind(std::string_view kind, size_t count)
    : locations_(kind == "locations3"),
      callback_(kind == "callback"),
      call_site_(kind == "callsite"),
      borrower_(kind == "borrower"),
      scope_(kind == "scope"),
      owner_(Owner::Wiring::kNullTransport, Options()),
      refs_(count) {
  for (size_t i = 0; i < kNodes; ++i) nodes_.push_back(NodeNumber(i));
  for (size_t i = 0; i < kCallSites; ++i) {
    call_sites_.push_back("pipeline/stage_" + std::to_string(i) + ".cc:120");
  }
}

void ObjectsOfKind::Declare() {
  ReferenceCounter& counter = owner_.counter();
  ScopeOptions holding;
  holding.hold = true;
  const ScopeId scope = scope_ ? counter.BeginScope(holding).value() : ScopeId();
  for (size_t i = 0; i < refs_.size(); ++i) {
    const ObjectId id = MakeId(IdKind::kRandom, i);
    DeclareOptions options;
    options.size = 1024;
    options.primary = nodes_[i % kNodes];
    options.scope = scope;
    if (call_site_) options.call_site = call_sites_[i % kCallSites];
    absl::StatusOr<ObjectRef> ref = counter.Declare(id, options);
    Require(ref.ok(), "declare failed");
    refs_[i] = *std::move(ref);
    for (size_t j = 1; locations_ && j <= 3; ++j) {
      Require(counter.AddLocation(id, SecondaryOn(nodes_[(i + j) % kNodes])).ok(), "location");
    }
    if (callback_) {
      Require(counter.OnOutOfScope(id, [](const ObjectId&, EndReason) {}).ok(), "registration");
    }
  }
  if (borrower_) ListBorrowers();
}

void ObjectsOfKind::ListBorrowers() {
  for (size_t borrower = 0; borrower < kNodes; ++borrower) {
    const Address from = ProcessId::FromNumber(100 + borrower);
    core::PayloadWriter writer(60'000);
    const auto send = [&] {
      if (!writer.empty()) owner_.transport().Say(from, writer.Take());
      owner_.Pump();
    };
    for (size_t i = borrower; i < refs_.size(); i += kNodes) {
      const core::SharingItem item{refs_[i].id(), i + 1, core::kFirstTerm,
                                   core::SharingKind::kRegister, 0};
      if (writer.Add(item)) continue;
      send();
      Require(writer.Add(item), "one registration fits");
    }
    send();
  }
  Require(owner_.counter().GetStats().borrowers == refs_.size(), "a borrower is not listed");
}

}  // namespace freehold::bench
