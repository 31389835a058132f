#include "tests/core/object_table_comparison.h"

#include <algorithm>
#include <tuple>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace freehold::core {

namespace {

void ExpectSame(const CopyFacts& facts, const ModelCopy& copy) {
  EXPECT_EQ(facts.role == CopyRole::kPrimary, copy.primary);
  EXPECT_EQ(facts.in_memory, copy.in_memory && !copy.asked_again);
  EXPECT_EQ(facts.spilled, copy.spilled && !copy.asked_again);
  EXPECT_EQ(facts.prospective, !copy.real() || copy.asked_again);
  EXPECT_EQ(facts.url, copy.spilled && !copy.asked_again ? copy.url : "");
}

}  // namespace

void ComparedTables::Compare(const Expected& expected, Verdict verdict) {
  const Asked& effects = harness.effects;
  EXPECT_STREQ(VerdictName(verdict), VerdictName(expected.verdict));
  ++met_->verdicts[static_cast<int>(verdict)];
  met_->fired += effects.fired.size();
  met_->lost += effects.lost.size();
  met_->inners += effects.inners.size();
  met_->ready += effects.ready.size();
  std::vector<std::pair<Token, EndReason>> fired;
  for (const FiredCallback& callback : effects.fired) {
    fired.emplace_back(callback.token, callback.reason);
    EXPECT_TRUE(tokens_over.insert(callback.token).second) << "a callback fired twice";
  }
  EXPECT_EQ(fired, expected.fired);
  std::vector<uint64_t> lost;
  for (const ObjectId& id : effects.lost) lost.push_back(NumberOf(id));
  EXPECT_EQ(lost, expected.lost);
  EXPECT_EQ(model.CertainlyReady({effects.ready.begin(), effects.ready.end()}),
            model.CertainlyReady(expected.ready));
  std::multiset<std::tuple<uint64_t, PeerIndex, FreeOutcome>> settled;
  for (const SettledFree& free : effects.settled) {
    settled.emplace(NumberOf(free.object), free.node, free.outcome);
    ++met_->outcomes[static_cast<int>(free.outcome)];
  }
  if (config.observe_frees) {
    EXPECT_EQ(settled, expected.settled);
  } else {
    EXPECT_TRUE(settled.empty());
  }
  std::vector<uint64_t> inners;
  for (const InnerRef& inner : effects.inners) {
    inners.push_back(NumberOf(harness.table.At(inner.record).id()));
  }
  EXPECT_EQ(inners, expected.inners);
  ApplyNotices(effects.notices, expected.gone);
  CompareTables();
}

void ComparedTables::ApplyNotices(const std::vector<LocationNotice>& notices,
                                  const std::set<Token>& gone) {
  std::set<Token> heard_gone;
  for (const LocationNotice& notice : notices) {
    Replica& replica = replicas[notice.token];
    EXPECT_FALSE(replica.gone) << "nothing comes after kGone";
    EXPECT_EQ(tokens_over.count(notice.token), 0u) << "nothing comes after Cancel";
    EXPECT_EQ(replica.notices++ == 0, notice.kind == LocationUpdate::Kind::kSnapshot);
    replica.state = notice.state;
    replica.generation = notice.generation;
    replica.size = notice.size;
    switch (notice.kind) {
      case LocationUpdate::Kind::kSnapshot:
        for (const CopyFacts& copy : notice.copies) replica.copies[copy.node] = copy;
        break;
      case LocationUpdate::Kind::kChanged:
        replica.copies[notice.copy.node] = notice.copy;
        break;
      case LocationUpdate::Kind::kRemoved:
        EXPECT_EQ(replica.copies.erase(notice.copy.node), 1u) << "removed, but never there";
        break;
      case LocationUpdate::Kind::kState:
        if (notice.state == ObjectState::kFreed) replica.copies.clear();
        break;
      case LocationUpdate::Kind::kOwnerDied:
      case LocationUpdate::Kind::kRefused:
      case LocationUpdate::Kind::kExcluded:
        ADD_FAILURE() << "a table does not say so";
        break;
      case LocationUpdate::Kind::kGone:
        EXPECT_EQ(notice.state, ObjectState::kOutOfScope);
        replica.gone = true;
        heard_gone.insert(notice.token);
        break;
    }
  }
  EXPECT_EQ(heard_gone, gone);
}

void ComparedTables::CompareTables() {
  uint64_t by_state[5] = {};
  for (uint64_t name = 0; name < objects_; ++name) {
    const auto at = model.objects().find(name);
    const ObjectRecord* record = harness.Find(name);
    ASSERT_EQ(record == nullptr, at == model.objects().end()) << "object " << name;
    if (record == nullptr) continue;
    ++by_state[static_cast<int>(at->second.state)];
    CompareObject(name, at->second, *record);
  }
  const ObjectTable& table = harness.table;
  for (int state = 0; state < 5; ++state) {
    EXPECT_EQ(table.counters().by_state[state], by_state[state]);
  }
  const uint64_t waiting = model.CountCopies(FreeState::kWaiting);
  const uint64_t sent = model.CountCopies(FreeState::kSent);
  EXPECT_EQ(table.unsettled_frees(),
            waiting + sent + model.CountCopies(FreeState::kDoomed) + model.CountLateFrees());
  EXPECT_EQ(table.unanswered_frees(), waiting + sent + model.CountLateFrees());
  EXPECT_EQ(table.counters().callbacks, model.CountCallbacks());
  for (PeerIndex node = 0; node < nodes_; ++node) {
    EXPECT_TRUE(model.HearOfWork(node, table.HasWorkFor(node))) << "node " << node;
  }
}

void ComparedTables::CompareObject(uint64_t name, const ModelObject& wanted,
                                   const ObjectRecord& record) {
  EXPECT_EQ(record.state(), wanted.state) << "object " << name;
  EXPECT_EQ(record.generation, wanted.generation);
  EXPECT_EQ(record.size, wanted.size);
  EXPECT_EQ(record.cell.count(), wanted.handles);
  EXPECT_EQ(record.by_id, wanted.by_id);
  EXPECT_EQ(record.tasks, wanted.tasks);
  EXPECT_EQ(record.nested_in, wanted.nested_in);
  // Newest first: the record, and the older ones behind it.
  std::map<uint32_t, std::map<PeerIndex, CopyFacts>> copies;
  for (const ObjectRecord* value = &record; value != nullptr;) {
    for (CopyFacts& facts : harness.table.AllFacts(*value)) {
      const PeerIndex node = facts.node;
      EXPECT_TRUE(copies[value->generation].emplace(node, std::move(facts)).second);
    }
    const Rare* rare = harness.table.FindRare(*value);
    value = rare == nullptr || rare->ghost == kNoRecord ? nullptr : &harness.table.At(rare->ghost);
  }
  ASSERT_EQ(copies.size(), wanted.copies.size());
  met_->generations_most = std::max<uint64_t>(met_->generations_most, copies.size());
  met_->copies_most = std::max<uint64_t>(met_->copies_most, record.copies);
  for (const auto& [generation, expected] : wanted.copies) {
    ASSERT_EQ(copies[generation].size(), expected.size());
    for (const auto& [node, copy] : expected) {
      ASSERT_EQ(copies[generation].count(node), 1u) << "object " << name << " node " << node;
      ExpectSame(copies[generation][node], copy);
      EXPECT_EQ(copies[generation][node].free_state, copy.state);
      met_->asked_again += copy.asked_again ? 1 : 0;
    }
  }
  for (const auto& [number, token] : wanted.subscribers) CompareReplica(wanted, token);
}

void ComparedTables::CompareReplica(const ModelObject& wanted, Token token) {
  const Replica& replica = replicas[token];
  EXPECT_EQ(replica.state, wanted.state);
  EXPECT_EQ(replica.generation, wanted.generation);
  // A report about a freed value changes what is known of its size, and nobody needs to hear it.
  if (wanted.state == ObjectState::kFreed) {
    EXPECT_TRUE(replica.copies.empty());
    return;
  }
  EXPECT_EQ(replica.size, wanted.size);
  const auto present = wanted.copies.find(wanted.generation);
  size_t listed = 0;
  if (present != wanted.copies.end()) {
    for (const auto& [node, copy] : present->second) {
      listed += copy.held() || copy.asked_again ? 1 : 0;
    }
  }
  ASSERT_EQ(replica.copies.size(), listed);
  for (const auto& [node, copy] : replica.copies) ExpectSame(copy, present->second.at(node));
}

}  // namespace freehold::core
