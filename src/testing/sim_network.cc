#include "src/testing/sim_network.h"

#include <algorithm>
#include <string>

#include "src/base/random.h"

namespace freehold::testing::sim {

namespace {

using internal::SplitMix64;

std::pair<Address, Address> Unordered(const Address& a, const Address& b) {
  return a < b ? std::pair(a, b) : std::pair(b, a);
}

bool Percent(SplitMix64* random, uint32_t chance) { return random->Next() % 100 < chance; }

// Evenly from [0, max].
Duration UpTo(SplitMix64* random, Duration max) {
  const auto end = static_cast<uint64_t>(std::max<Duration::rep>(max.count(), 0)) + 1;
  return Duration(static_cast<Duration::rep>(random->Next() % end));
}

// One bit flipped, cut short, or something appended.
void Corrupt(SplitMix64* random, std::string* bytes) {
  const uint64_t kind = bytes->empty() ? 2 : random->Next() % 3;
  if (kind == 0) {
    char& byte = (*bytes)[random->Next() % bytes->size()];
    byte = static_cast<char>(static_cast<uint8_t>(byte) ^ (1u << (random->Next() % 8)));
  } else if (kind == 1) {
    bytes->resize(random->Next() % bytes->size());
  } else {
    bytes->push_back(static_cast<char>(random->Next() & 0xff));
  }
}

}  // namespace

Network::Network(const SimNetworkOptions& options, uint64_t seed, const Clock* clock)
    : options_(options), seed_(seed), clock_(*clock) {
  options_.delay_max = std::max(options_.delay_max, options_.delay_min);
}

void Network::Connect(const Address& address, const std::shared_ptr<Inbox>& inbox) {
  inboxes_[address] = inbox;
}

bool Network::Cut(const Address& a, const Address& b) const {
  if (isolated_.empty() && partitions_.empty()) return false;
  return isolated_.count(a) + isolated_.count(b) > 0 || partitions_.count(Unordered(a, b)) > 0;
}

void Network::Queue(Time due, Envelope envelope) {
  in_flight_.push_back({due, next_ordinal_++, std::move(envelope)});
  std::push_heap(in_flight_.begin(), in_flight_.end());
}

void Network::Send(Envelope envelope) {
  if (on_send) on_send(envelope);
  ++counts_.sent;
  Direction& direction = directions_[{envelope.from, envelope.to}];
  // From what names the two, not from who came first: that may differ in a run that is cut short.
  SplitMix64 random(seed_ ^ (envelope.from.Hash() * 3 + envelope.to.Hash()) ^
                    (++direction.sent * 0xd1342543de82ef95u));
  const bool lost = Percent(&random, options_.loss);
  const bool duplicated = Percent(&random, options_.duplication);
  const bool reordered = Percent(&random, options_.reordering);
  const bool corrupted = Percent(&random, options_.corruption);
  const Duration delay =
      options_.delay_min + UpTo(&random, options_.delay_max - options_.delay_min);
  if (Cut(envelope.from, envelope.to)) {
    ++counts_.partitioned;
    return;
  }
  if (lost) {
    ++counts_.lost;
    return;
  }
  Time due = std::max(SaturatingAdd(clock_.Now(), delay), direction.last_due);
  if (reordered) {
    ++counts_.reordered;
    due = SaturatingAdd(due, Duration(1) + UpTo(&random, options_.hold_back_max));
  } else {
    direction.last_due = due;
  }
  if (duplicated) {
    ++counts_.duplicated;
    Queue(SaturatingAdd(due, UpTo(&random, options_.hold_back_max)), envelope);
  }
  if (corrupted) {
    ++counts_.corrupted;
    Corrupt(&random, &envelope.bytes);
  }
  Queue(due, std::move(envelope));
}

void Network::DeliverDue() {
  const Time now = clock_.Now();
  std::vector<InFlight> due;
  while (!in_flight_.empty() && in_flight_.front().due <= now) {
    std::pop_heap(in_flight_.begin(), in_flight_.end());
    due.push_back(std::move(in_flight_.back()));
    in_flight_.pop_back();
  }
  for (InFlight& each : due) {
    if (Cut(each.envelope.from, each.envelope.to)) {
      ++counts_.partitioned;
      continue;
    }
    const auto found = inboxes_.find(each.envelope.to);
    const std::shared_ptr<Inbox> inbox = found == inboxes_.end() ? nullptr : found->second.lock();
    if (inbox == nullptr) {
      ++counts_.unreachable;
    } else {
      inbox->Deliver(std::move(each.envelope));
    }
  }
}

void Network::Partition(const Address& a, const Address& b) { partitions_.insert(Unordered(a, b)); }

void Network::Heal(const Address& a, const Address& b) { partitions_.erase(Unordered(a, b)); }

void Network::HealAll() {
  partitions_.clear();
  isolated_.clear();
}

void Network::StopFaults() {
  options_.loss = options_.duplication = options_.reordering = options_.corruption = 0;
}

}  // namespace freehold::testing::sim
