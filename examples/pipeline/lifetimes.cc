#include "lifetimes.h"

#include <algorithm>
#include <utility>

namespace pipeline {
namespace {

using freehold::ObjectId;

// The value below which `percent` of the values lie; zero for none.
Lifetimes::Clock::duration Percentile(std::vector<Lifetimes::Clock::duration> values,
                                      size_t percent) {
  if (values.empty()) return Lifetimes::Clock::duration::zero();
  const size_t rank = (values.size() - 1) * percent / 100;
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(rank);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

}  // namespace

void Lifetimes::Declared(const ObjectId& object, std::vector<ObjectId> contains) {
  std::lock_guard<std::mutex> lock(mutex_);
  ++declared_;
  ++EndedOf(object).declared;
  Life& life = alive_[object];
  life.declared = life.dropped = Clock::now();
  life.contains = std::move(contains);
}

void Lifetimes::Dropping(const ObjectId& object) {
  std::lock_guard<std::mutex> lock(mutex_);
  const Clock::time_point now = Clock::now();
  std::vector<ObjectId> dropped = {object};  // a worklist
  while (!dropped.empty()) {
    const auto it = alive_.find(dropped.back());
    dropped.pop_back();
    if (it == alive_.end()) continue;
    it->second.dropped = now;
    dropped.insert(dropped.end(), it->second.contains.begin(), it->second.contains.end());
  }
}

void Lifetimes::OutOfScope(const ObjectId& object) {
  std::lock_guard<std::mutex> lock(mutex_);
  ++out_of_scope_;
  const auto it = alive_.find(object);
  if (it == alive_.end() || it->second.out_of_scope) {
    ++unexpected_;
  } else {
    it->second.out_of_scope = true;
  }
}

void Lifetimes::Reclaimed(const ObjectId& object) {
  std::lock_guard<std::mutex> lock(mutex_);
  ++reclaimed_;
  const auto it = alive_.find(object);
  if (it == alive_.end()) {
    ++unexpected_;
    return;
  }
  if (!it->second.out_of_scope) ++unexpected_;
  const Clock::time_point now = Clock::now();
  EndedOf(object).lives.push_back(now - it->second.declared);
  EndedOf(object).reclaims.push_back(now - it->second.dropped);
  alive_.erase(it);
  changed_.notify_all();
}

bool Lifetimes::WaitUntilAlive(uint64_t count, Clock::time_point deadline) {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait_until(lock, deadline, [&] { return woken_ || alive_.size() <= count; });
  return alive_.size() <= count;
}

void Lifetimes::WakeAll() {
  std::lock_guard<std::mutex> lock(mutex_);
  woken_ = true;
  changed_.notify_all();
}

std::optional<ObjectId> Lifetimes::AnyAlive() const {
  std::lock_guard<std::mutex> lock(mutex_);
  if (alive_.empty()) return std::nullopt;
  return alive_.begin()->first;
}

uint64_t Lifetimes::declared() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return declared_;
}

uint64_t Lifetimes::callbacks() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return out_of_scope_ + reclaimed_;
}

bool Lifetimes::EachCallbackRanOnce() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return unexpected_ == 0 && out_of_scope_ == declared_ && reclaimed_ == declared_;
}

std::array<Lifetimes::Summary, kKinds> Lifetimes::Summarize() const {
  std::lock_guard<std::mutex> lock(mutex_);
  std::array<Summary, kKinds> summaries;
  for (size_t kind = 0; kind < kKinds; ++kind) {
    const Ended& ended = ended_[kind];
    summaries[kind].declared = ended.declared;
    summaries[kind].reclaimed = ended.lives.size();
    summaries[kind].life_median = Percentile(ended.lives, 50);
    summaries[kind].reclaim_median = Percentile(ended.reclaims, 50);
    summaries[kind].reclaim_p99 = Percentile(ended.reclaims, 99);
  }
  return summaries;
}

}  // namespace pipeline
