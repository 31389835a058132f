// freehold_memory [--json FILE]: bytes per object and per idle session, and allocations per
// operation.
// freehold_memory KIND COUNT: bytes per object of one kind.
//
// What is counted: counting_new.h. Each figure is taken in a process of its own, so that the
// resident set is that of these objects alone.

#include <sys/wait.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "bench/counting_new.h"
#include "bench/memory_kinds.h"
#include "bench/memory_sessions.h"
#include "bench/operation.h"
#include "bench/workload.h"

namespace freehold::bench {

namespace {

constexpr size_t kCounts[] = {100'000, 920'000, 1'000'000};
constexpr const char* kOperations[] = {
    "handle_copy_destroy", "by_id_pair/100000",    "task_refs/10",          "lifecycle/0",
    "lifecycle/3",         "lifecycle/15",         "lifecycle_results/3",   "fanout_lifecycle",
    "lifecycle_at_once/3", "lifecycle_at_once/15", "callback_registration", "callback_burst/100000",
    "borrower_pair"};

int64_t ResidentBytes() {
  int64_t pages = 0;
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  Require(file != nullptr && std::fscanf(file, "%*d %" SCNd64, &pages) == 1, "no /proc/self/statm");
  std::fclose(file);
  return pages * sysconf(_SC_PAGESIZE);
}

// Runs `measure` in a child and answers the line of JSON that it makes.
template <typename Measure>
std::string InChild(Measure measure) {
  int ends[2];
  Require(pipe(ends) == 0, "no pipe");
  const pid_t child = fork();
  Require(child >= 0, "no child");
  if (child == 0) {
    const std::string line = measure();
    Require(write(ends[1], line.data(), line.size()) == static_cast<ssize_t>(line.size()), "pipe");
    _exit(0);
  }
  close(ends[1]);
  std::string line;
  char buffer[512];
  for (ssize_t got; (got = read(ends[0], buffer, sizeof(buffer))) > 0;) {
    line.append(buffer, static_cast<size_t>(got));
  }
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  Require(status == 0, "a child failed");
  return line;
}

std::string MeasureKind(const char* kind, size_t count) {
  ObjectsOfKind objects(kind, count);
  SetCounting(true);
  const int64_t bytes_before = CountedBytes();
  const int64_t resident_before = ResidentBytes();
  objects.Declare();
  const auto each = [count](int64_t bytes) {
    return static_cast<double>(bytes) / static_cast<double>(count);
  };
  char line[256];
  std::snprintf(line, sizeof(line),
                "{\"name\": \"memory_per_object/%s/%zu\", \"bytes\": %.1f, \"rss_bytes\": %.1f}",
                kind, count, each(CountedBytes() - bytes_before),
                each(ResidentBytes() - resident_before));
  return line;
}

// Just after the tables of peers have doubled, and later.
constexpr size_t kPeerCounts[] = {8'300, 10'000};

std::string MeasureSessions(const char* kind, size_t peers) {
  IdleSessions sessions(kind);
  SetCounting(true);
  const int64_t before = CountedBytes();
  sessions.Talk(peers);
  char line[256];
  std::snprintf(line, sizeof(line), "{\"name\": \"memory_per_session/%s/%zu\", \"bytes\": %.1f}",
                kind, peers,
                static_cast<double>(CountedBytes() - before) / static_cast<double>(peers));
  return line;
}

// In steady state: after a few batches.
std::string MeasureAllocations(const char* name) {
  constexpr int kWarmUp = 4;
  constexpr int kMeasured = 8;
  SetManyObjects(100'000);
  const std::unique_ptr<Operation> operation = MakeOperation(name);
  Require(operation != nullptr, name);
  const size_t batch = operation->batch();
  uint64_t counted = 0;
  for (int i = 0; i < kWarmUp + kMeasured; ++i) {
    operation->Before(batch);
    const uint64_t before = CountedAllocations();
    SetCounting(i >= kWarmUp);
    operation->Run(batch);
    SetCounting(false);
    counted += CountedAllocations() - before;
    operation->After(batch);
  }
  char line[256];
  std::snprintf(line, sizeof(line), "{\"name\": \"%s\", \"allocations\": %.3f}", name,
                static_cast<double>(counted) / static_cast<double>(kMeasured * batch));
  return line;
}

void Report(const std::string& line, std::string* json) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
  if (!json->empty()) *json += ",\n  ";
  *json += line;
}

void Main(const char* json_file) {
  std::string json;
  for (const char* kind : kMemoryKinds) {
    for (const size_t count : kCounts) {
      Report(InChild([=] { return MeasureKind(kind, count); }), &json);
    }
  }
  for (const char* kind : {"process", "node"}) {
    for (const size_t peers : kPeerCounts) {
      Report(InChild([=] { return MeasureSessions(kind, peers); }), &json);
    }
  }
  for (const char* name : kOperations) {
    Report(InChild([=] { return MeasureAllocations(name); }), &json);
  }
  if (json_file == nullptr) return;
  std::FILE* file = std::fopen(json_file, "w");
  Require(file != nullptr, "the JSON file cannot be written");
  std::fprintf(file, "[\n  %s\n]\n", json.c_str());
  std::fclose(file);
}

}  // namespace

}  // namespace freehold::bench

int main(int argc, char** argv) {
  const bool json = argc == 3 && std::strcmp(argv[1], "--json") == 0;
  freehold::bench::Require(argc == 1 || argc == 3, "usage: freehold_memory [--json FILE]");
  if (argc == 3 && !json) {
    const size_t count = freehold::bench::NumberIn(argv[2], 1);
    std::printf("%s\n", freehold::bench::MeasureKind(argv[1], count).c_str());
    return 0;
  }
  freehold::bench::Main(json ? argv[2] : nullptr);
  return 0;
}
