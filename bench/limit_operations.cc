// The limits: what the machine and its libraries allow at best. They are the yardstick that the
// targets are stated in: whoever changes one says so in NOTES.md.

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "bench/operation.h"
#include "bench/workload.h"
#include "benchmark/benchmark.h"
#include "src/base/mutex.h"

namespace freehold::bench {

namespace {

// All 28 bytes are hashed, by the library's own hash, without Abseil's mixing on top.
struct HashAllBytes {
  size_t operator()(const ObjectId& id) const { return id.Hash(); }
};

class AtomicPair final : public Operation {
 public:
  void Run(size_t count) override {
    for (size_t i = 0; i < count; ++i) {
      count_.fetch_add(1, std::memory_order_relaxed);
      count_.fetch_sub(1, std::memory_order_acq_rel);
    }
  }

 private:
  std::atomic<uint32_t> count_{1};
};

class SharedPtr final : public Operation {
 public:
  void Run(size_t count) override {
    for (size_t i = 0; i < count; ++i) {
      const std::shared_ptr<int> copy(pointer_);
      benchmark::DoNotOptimize(copy);
    }
  }

 private:
  std::shared_ptr<int> pointer_ = std::make_shared<int>(1);
};

// From id to record; each id comes out of the record just touched, in one random round over all.
class Lookup final : public Operation {
 public:
  explicit Lookup(size_t objects) : records_(objects) {
    std::vector<uint32_t> order(objects);
    for (size_t i = 0; i < objects; ++i) order[i] = static_cast<uint32_t>(i);
    Shuffle(&order, 11);
    table_.reserve(objects);
    for (size_t i = 0; i < objects; ++i) {
      records_[order[i]].next = MakeId(IdKind::kRandom, order[(i + 1) % objects]);
      table_.emplace(MakeId(IdKind::kRandom, i), &records_[i]);
    }
    at_ = records_.data();
  }

  void Run(size_t count) override {
    Record* at = at_;
    for (size_t i = 0; i < count; ++i) {
      at = table_.find(at->next)->second;
      ++at->touched;
    }
    at_ = at;
  }

 private:
  struct alignas(64) Record {
    ObjectId next;
    uint32_t touched = 0;
  };
  std::vector<Record> records_;
  absl::flat_hash_map<ObjectId, Record*, HashAllBytes> table_;
  Record* at_;
};

// The same table, but the next id is known before the record is: look-ups overlap, as far as the
// processor can see ahead. What by_id_pair has to be compared with to be strict.
class LookupAhead final : public Operation {
 public:
  explicit LookupAhead(size_t objects) : records_(objects) {
    table_.reserve(objects);
    for (size_t i = 0; i < objects; ++i) {
      order_.push_back(MakeId(IdKind::kRandom, i));
      table_.emplace(order_.back(), &records_[i]);
    }
    Shuffle(&order_, 11);
  }
  void Run(size_t count) override {
    for (size_t i = 0; i < count; ++i) {
      ++table_.find(order_[at_])->second->touched;
      if (++at_ == order_.size()) at_ = 0;
    }
  }

 private:
  struct alignas(64) Record {
    uint64_t touched = 0;
  };
  std::vector<Record> records_;
  absl::flat_hash_map<ObjectId, Record*, HashAllBytes> table_;
  std::vector<ObjectId> order_;
  size_t at_ = 0;
};

class InsertErase final : public Operation {
 public:
  explicit InsertErase(size_t objects) : next_(objects) {
    table_.reserve(objects + 1);
    for (size_t i = 0; i < objects; ++i) table_.emplace(MakeId(IdKind::kRandom, i), nullptr);
  }
  void Before(size_t count) override {
    ids_.clear();
    for (size_t i = 0; i < count; ++i) ids_.push_back(MakeId(IdKind::kRandom, next_++));
  }
  void Run(size_t /*count*/) override {
    for (const ObjectId& id : ids_) {
      table_.emplace(id, this);
      table_.erase(id);
    }
  }

 private:
  absl::flat_hash_map<ObjectId, void*, HashAllBytes> table_;
  std::vector<ObjectId> ids_;
  uint64_t next_;
};

// Closures through one queue to another thread; one unit is one closure.
class Queue final : public Operation {
 public:
  explicit Queue(bool batched) : batched_(batched) {
    thread_ = std::thread([this] { Consume(); });
  }
  ~Queue() override {
    Push([this] { done_ = true; });
    thread_.join();
  }
  size_t batch() const override { return 100'000; }
  void Run(size_t count) override {
    ran_.store(0, std::memory_order_relaxed);
    for (size_t i = 0; i < count; ++i) {
      Push([this] { ran_.fetch_add(1, std::memory_order_release); });
    }
    while (ran_.load(std::memory_order_acquire) < count) std::this_thread::yield();
  }

 private:
  void Push(std::function<void()> closure) {
    const std::lock_guard<std::mutex> lock(mutex_);
    queue_.push_back(std::move(closure));
    if (queue_.size() == 1) wake_.notify_one();
  }
  void Consume() {
    std::deque<std::function<void()>> mine;
    while (!done_) {
      {
        std::unique_lock<std::mutex> lock(mutex_);
        wake_.wait(lock, [this] { return !queue_.empty(); });
        if (batched_) {
          mine.swap(queue_);
        } else {
          mine.push_back(std::move(queue_.front()));
          queue_.pop_front();
        }
      }
      for (const std::function<void()>& closure : mine) closure();
      mine.clear();
    }
  }

  const bool batched_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  std::atomic<size_t> ran_{0};
  bool done_ = false;  // the consumer's
  std::thread thread_;
};

// So many cold records of a million, each found through the one before it.
class Touch final : public Operation {
 public:
  explicit Touch(size_t touched) : touched_(touched), records_(std::max(ManyObjects(), touched)) {
    std::vector<uint32_t> order(records_.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<uint32_t>(i);
    Shuffle(&order, 13);
    for (size_t i = 0; i < touched; ++i) records_[order[i]].next = order[(i + 1) % touched];
    at_ = order[0];
  }
  size_t batch() const override { return touched_; }
  void Before(size_t /*count*/) override { EvictCaches(); }
  void Run(size_t count) override {
    for (size_t i = 0; i < count; ++i) {
      Record& record = records_[at_];
      ++record.touched;
      at_ = record.next;
    }
  }

 private:
  struct Record {
    uint32_t next = 0;
    uint32_t touched = 0;
    uint8_t rest[88] = {};
  };
  static_assert(sizeof(Record) == 96, "like the library's");
  const size_t touched_;
  std::vector<Record> records_;
  uint32_t at_;
};

template <typename Lock, void (Lock::*Take)(), void (Lock::*Release)()>
class LockPair final : public Operation {
 public:
  void Run(size_t count) override {
    for (size_t i = 0; i < count; ++i) {
      (lock_.*Take)();
      benchmark::ClobberMemory();
      (lock_.*Release)();
    }
  }

 private:
  Lock lock_;
};

// One lock for all operations of a kind: 20 counts under it, 100 beside it.
template <typename Lock, void (Lock::*Take)(), void (Lock::*Release)()>
class SharedLock final : public Operation {
 public:
  void Run(size_t count) override {
    static Lock shared;
    const auto work = [](int steps) {
      for (int i = 0; i < steps; ++i) benchmark::DoNotOptimize(i);
    };
    for (size_t i = 0; i < count; ++i) {
      (shared.*Take)();
      work(20);
      (shared.*Release)();
      work(100);
    }
  }
};

template <template <typename Lock, void (Lock::*)(), void (Lock::*)()> class Kind>
std::unique_ptr<Operation> MakeLock(std::string_view lock) {
  using internal::Mutex;
  if (lock == "freehold") return std::make_unique<Kind<Mutex, &Mutex::Lock, &Mutex::Unlock>>();
  if (lock == "std") {
    return std::make_unique<Kind<std::mutex, &std::mutex::lock, &std::mutex::unlock>>();
  }
  return std::make_unique<Kind<absl::Mutex, &absl::Mutex::Lock, &absl::Mutex::Unlock>>();
}

}  // namespace

std::unique_ptr<Operation> MakeLimitOperation(std::string_view name, std::string_view argument) {
  if (name == "limit_atomic_pair") return std::make_unique<AtomicPair>();
  if (name == "limit_shared_ptr") return std::make_unique<SharedPtr>();
  if (name == "limit_lookup") return std::make_unique<Lookup>(NumberIn(argument, ManyObjects()));
  if (name == "limit_lookup_ahead") {
    return std::make_unique<LookupAhead>(NumberIn(argument, ManyObjects()));
  }
  if (name == "limit_two_threads") return std::make_unique<Lookup>(ManyObjects());
  if (name == "limit_insert_erase") {
    return std::make_unique<InsertErase>(NumberIn(argument, ManyObjects()));
  }
  if (name == "limit_queue") return std::make_unique<Queue>(false);
  if (name == "limit_queue_batched") return std::make_unique<Queue>(true);
  if (name == "limit_touch") return std::make_unique<Touch>(NumberIn(argument, 10'000));
  if (name == "lock_pair") return MakeLock<LockPair>(argument);
  if (name == "lock_shared") return MakeLock<SharedLock>(argument);
  return nullptr;
}

}  // namespace freehold::bench
