// Scopes across processes, at random: some ScopeTables, first-in-first-out channels between them,
// ends, forced ends and exclusions at any moment, against what PROTOCOL.md, step 14, promises.
//
// A crash is seen by each survivor in its own time, and its barrier comes to each after all have
// seen it. At the end everything ends, and nothing may be left.
//
// Thread safety: one thread.

#ifndef FREEHOLD_TESTS_CORE_SCOPE_LINKS_SIM_H_
#define FREEHOLD_TESTS_CORE_SCOPE_LINKS_SIM_H_

#include <deque>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "src/core/scope_table.h"

namespace freehold::core {

// A scope of one process, or a part of it at another one, as the test knows it.
struct LinkedTruth {
  ScopeId id;  // in that process's table
  PeerIndex owner = 0;
  uint64_t number = 0;        // of the scope, at its owner
  std::set<ScopeEnd> ends{};  // that its owner has said
  bool told = false;
  int held = 0;     // objects that it holds
  int outside = 0;  // objects of it that somebody else holds
};

class LinkedScopes {
 public:
  static constexpr PeerIndex kProcesses = 4;
  static constexpr Token kPartTokens = 1'000'000;  // those of parts are above

  explicit LinkedScopes(uint64_t seed) : random_(seed) {
    for (PeerIndex p = 0; p < kProcesses; ++p)
      tables_.push_back(std::make_unique<ScopeTable>(Time()));
  }

  // False: violation() says what went wrong.
  bool Run(int steps) {
    for (int i = 0; i < steps && violation_.empty(); ++i) Step();
    if (violation_.empty()) Finish();
    return violation_.empty();
  }

  const std::string& violation() const { return violation_; }

 private:
  void Expect(bool so, const char* what, uint64_t number) {
    if (!so && violation_.empty()) violation_ = std::string(what) + " " + std::to_string(number);
  }
  uint64_t Pick(uint64_t below) { return random_() % below; }
  bool Alive(PeerIndex p) const { return crashed_.count(p) == 0; }
  PeerIndex AnyAlive();
  template <typename StepFunction>
  ScopeVerdict At(PeerIndex p, StepFunction step) {
    ScopeEffects effects;
    const ScopeVerdict verdict = step(*tables_[p], &effects);
    tables_[p]->CheckInvariants();
    Follow(p, effects);
    return verdict;
  }
  void Follow(PeerIndex p, const ScopeEffects& effects);
  void Send(PeerIndex from, PeerIndex to);
  void Told(PeerIndex p, const ScopeEffects::Told& one);

  // --- What happens --------------------------------------------------------------------------

  void Step();
  void Open();
  // With a token that may be old, of a scope that may be over.
  void Join();
  std::pair<PeerIndex, LinkedTruth*> Some();
  bool IsPartAt(PeerIndex p, Token token) const {
    const auto at = part_of_.find({p, truths_.at(token).number});
    return at != part_of_.end() && at->second == token;
  }
  void Declare();
  void Gone(PeerIndex p, LinkedTruth* truth, int* count);
  // Somebody outside lets go.
  void Leave() {
    const auto [p, truth] = Some();
    if (truth == nullptr || truth->outside == 0) return;
    Gone(p, truth, &truth->outside);
  }
  void End(bool forced) {
    if (last_scope_ == 0) return;
    EndOne(1 + Pick(last_scope_), forced);
  }
  void EndOne(Token number, bool forced);
  void Deliver();
  void DeliverOne(std::pair<PeerIndex, PeerIndex> ends);
  void Work() { WorkAt(AnyAlive()); }
  void WorkAt(PeerIndex p);

  // --- Exclusion: who crashes is seen by each in its own time, the barrier after all have --------

  void Exclude() {
    if (crashed_.size() + 2 > kProcesses || Pick(20) != 0) return;
    crashed_.insert(AnyAlive());
  }
  void See() {
    if (crashed_.empty()) return;
    const PeerIndex p = AnyAlive();
    for (const PeerIndex dead : crashed_) SeeOne(p, dead);
  }
  void SeeOne(PeerIndex p, PeerIndex dead);

  // --- The end: everything ends, and nothing is left
  // -----------------------------------------------

  void Finish();
  PeerIndex PlaceOf(Token token, const LinkedTruth& truth) const {
    if (token < kPartTokens) return truth.owner;
    return places_.at(token);
  }

  std::mt19937_64 random_;
  std::vector<std::unique_ptr<ScopeTable>> tables_;
  std::map<std::pair<PeerIndex, PeerIndex>, std::deque<ScopeItem>> channels_;
  std::map<std::pair<PeerIndex, PeerIndex>, std::deque<Token>> joins_;  // as in the channel
  std::map<PeerIndex, std::deque<ScopeEffects::Release>> work_;
  std::map<std::pair<PeerIndex, ScopeIndex>, uint64_t> sent_;  // changes, since it was forgotten
  std::map<Token, LinkedTruth> truths_;
  std::map<std::pair<PeerIndex, Token>, Token> part_of_;  // the latest one
  std::map<Token, PeerIndex> places_;
  std::map<Token, std::vector<std::pair<PeerIndex, Token>>> listed_;
  std::set<PeerIndex> crashed_;
  std::set<std::pair<PeerIndex, PeerIndex>> seen_;    // who has seen whose exclusion
  std::set<std::pair<PeerIndex, PeerIndex>> closed_;  // ... and its barrier
  Token last_scope_ = 0;
  Token last_part_ = 0;
  std::string violation_;
};

}  // namespace freehold::core

#endif  // FREEHOLD_TESTS_CORE_SCOPE_LINKS_SIM_H_
