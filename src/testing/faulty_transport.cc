#include "freehold/testing/faulty_transport.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "src/base/mutex.h"

namespace freehold::testing {

using internal::Mutex;
using internal::MutexLock;

namespace {

// SplitMix64 (G. Steele, D. Lea, C. Flood, 2014): integers only, so the same on every machine.
class Random {
 public:
  Random(uint64_t seed, uint64_t stream) : state_(seed) {
    state_ = Next() ^ (stream * 0xd1342543de82ef95u);
  }

  uint64_t Next() {
    state_ += 0x9e3779b97f4a7c15u;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  // Evenly from [0, max]; the bias of the remainder is below 2^-20 for any delay under five hours
  // and does not matter here.
  uint64_t UpTo(uint64_t max) { return max == UINT64_MAX ? Next() : Next() % (max + 1); }
  // True with the probability of `threshold` in 2^53.
  bool Chance(uint64_t threshold) { return (Next() >> 11) < threshold; }

 private:
  uint64_t state_;
};

// The probability in units of 2^-53: exact in a double, so the comparison is one of integers.
uint64_t Threshold(double probability) {
  if (!(probability > 0)) return 0;  // not-a-number as well
  return static_cast<uint64_t>(std::min(probability, 1.0) * 9007199254740992.0);
}

// What a Send draws, always all of it, so that no fault shifts the numbers of another.
struct Draws {
  bool lost, duplicated, reordered;
  bool corrupted[2];
  Duration delay, hold_back, duplicate_delay;
  uint64_t corruption_seed[2];
};

void Corrupt(uint64_t seed, std::string* bytes) {
  Random random(seed, 0);
  const uint64_t kind = bytes->empty() ? 2 : random.UpTo(3);
  if (kind == 1) {
    bytes->resize(random.UpTo(bytes->size() - 1));
  } else if (kind == 2) {
    for (uint64_t i = random.UpTo(15) + 1; i > 0; --i) {
      bytes->push_back(static_cast<char>(random.Next() & 0xff));
    }
  } else {
    // One bit, or a burst of up to eight bytes that each change for certain.
    const uint64_t at = random.UpTo(bytes->size() - 1);
    const uint64_t end =
        std::min<uint64_t>(bytes->size(), at + (kind == 0 ? 1 : random.UpTo(7) + 1));
    for (uint64_t i = at; i < end; ++i) {
      const uint64_t flip = kind == 0 ? uint64_t{1} << random.UpTo(7) : random.UpTo(254) + 1;
      (*bytes)[i] = static_cast<char>(static_cast<uint8_t>((*bytes)[i]) ^ flip);
    }
  }
}

std::pair<Address, Address> Unordered(const Address& a, const Address& b) {
  return a < b ? std::pair(a, b) : std::pair(b, a);
}

}  // namespace

struct FaultyTransport::Rep {
  explicit Rep(const FaultyTransportOptions& options)
      : clock(options.clock != nullptr ? *options.clock : Clock::Monotonic()),
        seed(options.seed),
        delay_min(std::max(options.delay_min, Duration::zero())),
        delay_max(std::max(options.delay_max, delay_min)),
        hold_back_max(std::max(options.hold_back_max, Duration(1))),
        on_send(options.on_send),
        loss(Threshold(options.loss)),
        duplication(Threshold(options.duplication)),
        reordering(Threshold(options.reordering)),
        corruption(Threshold(options.corruption)) {}

  Draws Draw() FREEHOLD_REQUIRES(mutex);
  bool Cut(const Address& a, const Address& b) const FREEHOLD_REQUIRES(mutex);
  void Queue(Time due, const Draws& draws, int copy, Envelope envelope) FREEHOLD_REQUIRES(mutex);

  const Clock& clock;
  const uint64_t seed;
  const Duration delay_min;
  const Duration delay_max;
  const Duration hold_back_max;
  const std::function<void(const Envelope&)> on_send;

  mutable Mutex mutex;
  uint64_t loss FREEHOLD_GUARDED_BY(mutex);  // of 2^53, like the next three
  uint64_t duplication FREEHOLD_GUARDED_BY(mutex);
  uint64_t reordering FREEHOLD_GUARDED_BY(mutex);
  uint64_t corruption FREEHOLD_GUARDED_BY(mutex);
  // Ordered containers: nothing here may depend on a hash that differs between runs.
  std::map<std::pair<Time, uint64_t>, Envelope> in_flight FREEHOLD_GUARDED_BY(mutex);
  uint64_t next_copy FREEHOLD_GUARDED_BY(mutex) = 0;
  std::map<std::pair<Address, Address>, Time> last_due FREEHOLD_GUARDED_BY(mutex);
  std::map<Address, std::weak_ptr<Inbox>> inboxes FREEHOLD_GUARDED_BY(mutex);
  std::set<std::pair<Address, Address>> partitions FREEHOLD_GUARDED_BY(mutex);
  std::set<Address> isolated FREEHOLD_GUARDED_BY(mutex);
  Counters counters FREEHOLD_GUARDED_BY(mutex);
};

Draws FaultyTransport::Rep::Draw() {
  Random random(seed, counters.sent);
  Draws draws;
  draws.lost = random.Chance(loss);
  draws.duplicated = random.Chance(duplication);
  draws.reordered = random.Chance(reordering);
  for (bool& corrupted : draws.corrupted) corrupted = random.Chance(corruption);
  const auto up_to = [&](Duration max) {
    return Duration(static_cast<Duration::rep>(random.UpTo(static_cast<uint64_t>(max.count()))));
  };
  draws.delay = delay_min + up_to(delay_max - delay_min);
  draws.hold_back = Duration(1) + up_to(hold_back_max - Duration(1));
  draws.duplicate_delay = up_to(hold_back_max);
  for (uint64_t& corruption_seed : draws.corruption_seed) corruption_seed = random.Next();
  return draws;
}

bool FaultyTransport::Rep::Cut(const Address& a, const Address& b) const {
  return isolated.count(a) + isolated.count(b) > 0 || partitions.count(Unordered(a, b)) > 0;
}

void FaultyTransport::Rep::Queue(Time due, const Draws& draws, int copy, Envelope envelope) {
  if (draws.corrupted[copy]) {
    ++counters.corrupted;
    Corrupt(draws.corruption_seed[copy], &envelope.bytes);
  }
  in_flight.emplace(std::pair(due, next_copy++), std::move(envelope));
}

FaultyTransport::FaultyTransport(const FaultyTransportOptions& options)
    : rep_(std::make_unique<Rep>(options)) {}
FaultyTransport::~FaultyTransport() = default;

void FaultyTransport::Connect(const Address& address, const std::shared_ptr<Inbox>& inbox) {
  MutexLock lock(&rep_->mutex);
  rep_->inboxes[address] = inbox;
}

void FaultyTransport::Disconnect(const Address& address) {
  MutexLock lock(&rep_->mutex);
  rep_->inboxes.erase(address);
}

void FaultyTransport::Send(Envelope envelope) {
  if (rep_->on_send) rep_->on_send(envelope);
  const Time now = rep_->clock.Now();
  Rep& rep = *rep_;
  MutexLock lock(&rep.mutex);
  const Draws draws = rep.Draw();
  ++rep.counters.sent;
  rep.counters.bytes += envelope.bytes.size();
  if (rep.Cut(envelope.from, envelope.to)) {
    ++rep.counters.partitioned;
    return;
  }
  if (draws.lost) {
    ++rep.counters.lost;
    return;
  }
  Time& last_due = rep.last_due[{envelope.from, envelope.to}];
  Time due = std::max(SaturatingAdd(now, draws.delay), last_due);
  if (draws.reordered) {
    ++rep.counters.reordered;
    due = SaturatingAdd(due, draws.hold_back);
  } else {
    last_due = due;
  }
  if (draws.duplicated) {
    ++rep.counters.duplicated;
    rep.Queue(SaturatingAdd(due, draws.duplicate_delay), draws, 1, envelope);
  }
  rep.Queue(due, draws, 0, std::move(envelope));
}

size_t FaultyTransport::DeliverDue(Time now) {
  Rep& rep = *rep_;
  size_t delivered = 0;
  uint64_t sent_before = 0;
  {
    MutexLock lock(&rep.mutex);
    sent_before = rep.next_copy;
  }
  // Resumes after the last one looked at, because an inbox may lead to a Send that is due at once.
  std::pair<Time, uint64_t> from{kInfinitePast, 0};
  while (true) {
    Envelope envelope;
    std::shared_ptr<Inbox> inbox;
    {
      MutexLock lock(&rep.mutex);
      auto next = rep.in_flight.lower_bound(from);
      while (next != rep.in_flight.end() && next->first.second >= sent_before) ++next;
      if (next == rep.in_flight.end() || next->first.first > now) return delivered;
      from = next->first;
      envelope = std::move(next->second);
      rep.in_flight.erase(next);
      if (rep.Cut(envelope.from, envelope.to)) {
        ++rep.counters.partitioned;
        continue;
      }
      const auto found = rep.inboxes.find(envelope.to);
      if (found != rep.inboxes.end()) inbox = found->second.lock();
      ++(inbox != nullptr ? rep.counters.delivered : rep.counters.unreachable);
    }
    if (inbox == nullptr) continue;
    ++delivered;
    inbox->Deliver(std::move(envelope));
  }
}

Time FaultyTransport::NextDelivery() const {
  MutexLock lock(&rep_->mutex);
  return rep_->in_flight.empty() ? kInfiniteFuture : rep_->in_flight.begin()->first.first;
}

void FaultyTransport::Partition(const Address& a, const Address& b) {
  MutexLock lock(&rep_->mutex);
  rep_->partitions.insert(Unordered(a, b));
}

void FaultyTransport::Heal(const Address& a, const Address& b) {
  MutexLock lock(&rep_->mutex);
  rep_->partitions.erase(Unordered(a, b));
}

void FaultyTransport::Isolate(const Address& address) {
  MutexLock lock(&rep_->mutex);
  rep_->isolated.insert(address);
}

void FaultyTransport::Rejoin(const Address& address) {
  MutexLock lock(&rep_->mutex);
  rep_->isolated.erase(address);
}

void FaultyTransport::HealAll() {
  MutexLock lock(&rep_->mutex);
  rep_->partitions.clear();
  rep_->isolated.clear();
}

void FaultyTransport::StopFaults() {
  MutexLock lock(&rep_->mutex);
  rep_->loss = rep_->duplication = rep_->reordering = rep_->corruption = 0;
}

FaultyTransport::Counters FaultyTransport::GetCounters() const {
  MutexLock lock(&rep_->mutex);
  Counters counters = rep_->counters;
  counters.in_flight = rep_->in_flight.size();
  return counters;
}

}  // namespace freehold::testing
