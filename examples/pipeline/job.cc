#include "job.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <unordered_map>

#include "absl/strings/str_cat.h"
#include "examples/common/files.h"
#include "word_count.h"

namespace pipeline {
namespace {

using freehold::ObjectId;
using freehold::ObjectRef;

constexpr size_t kWavesWanted = 8;
constexpr size_t kSplitsPerNode = 4;  // in a wave
constexpr uint64_t kSplitBytesMin = 256;
constexpr uint64_t kSplitBytesMax = uint64_t{4} * 1024 * 1024;
constexpr size_t kProgressLines = 8;

using References = std::vector<ObjectRef>;

class Job {
 public:
  Job(const Input& input, const JobPlan& plan, Runtime* runtime)
      : input_(input), plan_(plan), runtime_(*runtime), totals_(runtime->nodes()) {}

  // Holds the catalog of the totals when it returns.
  absl::StatusOr<ObjectRef> Run() {
    for (size_t wave = 0; wave < plan_.waves; ++wave) {
      absl::StatusOr<References> splits = Load(wave);
      if (!splits.ok()) return splits.status();
      auto parts = Map(*std::move(splits));
      if (!parts.ok()) return parts.status();
      if (absl::Status status = Reduce(*std::move(parts)); !status.ok()) return status;
      // The next wave's bytes come only when this wave's are gone.
      if (absl::Status status = runtime_.WaitUntilAlive(totals_.size()); !status.ok())
        return status;
      if (absl::Status status = runtime_.Audit(); !status.ok()) return status;
      ReportProgress(wave + 1);
    }
    return MakeCatalog();
  }

 private:
  // All splits of a wave are loaded before the first is mapped, as a prefetching reader would. They
  // are more than a node's memory takes by design (PlanJob), so nodes spill.
  absl::StatusOr<References> Load(size_t wave) {
    References splits;
    const size_t begin = wave * plan_.splits_per_wave;
    const size_t end = std::min(begin + plan_.splits_per_wave, plan_.splits.size());
    for (size_t i = begin; i < end; ++i) {
      TaskSpec load;
      load.name = "word count: load";
      load.output_kind = Kind::kSplit;
      load.node = i % runtime_.nodes();
      // Refers to what outlives the runtime, not to the job: after an error a task may still run.
      load.body = [&input = input_, &split = plan_.splits[i]](TaskContext& context) {
        const absl::StatusOr<std::string> text = ReadSplit(input, split);
        return text.ok() ? context.WriteOutput(0, *text) : text.status();
      };
      absl::StatusOr<References> outputs = runtime_.Submit(std::move(load));
      if (!outputs.ok()) return outputs;
      splits.push_back(std::move(outputs->front()));
    }
    if (absl::Status status = runtime_.WaitForTasks(); !status.ok()) return status;
    return splits;
  }

  // Answers each reducer's parts. A split goes as its map ends.
  absl::StatusOr<std::vector<References>> Map(References splits) {
    std::vector<References> parts(totals_.size());
    for (ObjectRef& split : splits) {
      TaskSpec map;
      map.name = "word count: map";
      map.inputs.push_back(std::move(split));
      map.output_kind = Kind::kPart;
      map.outputs = totals_.size();
      map.body = [count = totals_.size()](TaskContext& context) {
        const std::vector<std::string> runs = CountIntoRuns(context.inputs()[0], count);
        for (size_t i = 0; i < count; ++i) {
          if (absl::Status status = context.WriteOutput(i, runs[i]); !status.ok()) return status;
        }
        return absl::OkStatus();
      };
      absl::StatusOr<References> outputs = runtime_.Submit(std::move(map));
      if (!outputs.ok()) return outputs.status();
      for (size_t i = 0; i < parts.size(); ++i) parts[i].push_back(std::move((*outputs)[i]));
    }
    if (absl::Status status = runtime_.WaitForTasks(); !status.ok()) return status;
    return parts;
  }

  // Merges each reducer's parts and its total so far into a new total; both go as the reduce ends.
  absl::Status Reduce(std::vector<References> parts) {
    for (size_t i = 0; i < totals_.size(); ++i) {
      TaskSpec reduce;
      reduce.name = "word count: reduce";
      reduce.inputs = std::move(parts[i]);
      if (totals_[i]) reduce.inputs.push_back(std::move(totals_[i]));
      reduce.output_kind = Kind::kTotal;
      reduce.body = [](TaskContext& context) -> absl::Status {
        const absl::StatusOr<uint64_t> bytes = MergedRunBytes(context.inputs());
        if (!bytes.ok()) return bytes.status();
        const absl::StatusOr<char*> out = context.MakeOutput(0, *bytes);
        if (!out.ok()) return out.status();
        return WriteMergedRun(context.inputs(), *out);
      };
      absl::StatusOr<References> outputs = runtime_.Submit(std::move(reduce));
      if (!outputs.ok()) return outputs.status();
      totals_[i] = std::move(outputs->front());
    }
    return runtime_.WaitForTasks();
  }

  absl::StatusOr<ObjectRef> MakeCatalog() {
    TaskSpec make;
    make.name = "word count: catalog";
    make.output_kind = Kind::kCatalog;
    std::string bytes;
    for (const ObjectRef& total : totals_) {
      make.outputs_contain.push_back(total.id());
      bytes.append(total.id().bytes());
    }
    make.body = [bytes](TaskContext& context) { return context.WriteOutput(0, bytes); };
    absl::StatusOr<References> outputs = runtime_.Submit(std::move(make));
    if (!outputs.ok()) return outputs.status();
    if (absl::Status status = runtime_.WaitForTasks(); !status.ok()) return status;
    runtime_.Drop(std::move(totals_));
    return std::move(outputs->front());
  }

  void ReportProgress(size_t waves_done) {
    if (waves_done * kProgressLines / plan_.waves ==
        (waves_done - 1) * kProgressLines / plan_.waves) {
      return;
    }
    std::printf("  wave %zu of %zu: %zu of %zu splits counted\n", waves_done, plan_.waves,
                std::min(waves_done * plan_.splits_per_wave, plan_.splits.size()),
                plan_.splits.size());
    std::fflush(stdout);
  }

  const Input& input_;
  const JobPlan& plan_;
  Runtime& runtime_;
  References totals_;  // one per reducer; refer to nothing before the first wave
};

// Sums up one total, and checks it against the plain count.
absl::Status CheckTotal(std::string_view bytes,
                        const std::unordered_map<std::string, uint64_t>& plain, size_t top,
                        WordCounts* counts) {
  const auto before = [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  };
  RunReader reader(bytes);
  while (reader.Next()) {
    const std::string word(reader.word());
    const auto it = plain.find(word);
    const uint64_t expected = it == plain.end() ? 0 : it->second;
    if (reader.count() != expected) {
      return absl::DataLossError(absl::StrCat("the pipeline counted \"", word, "\" ",
                                              reader.count(), " times, and a plain count ",
                                              expected, " times"));
    }
    counts->words += reader.count();
    ++counts->distinct;
    counts->top.emplace_back(word, reader.count());
    std::push_heap(counts->top.begin(), counts->top.end(), before);
    if (counts->top.size() <= top) continue;
    std::pop_heap(counts->top.begin(), counts->top.end(), before);
    counts->top.pop_back();
  }
  return reader.status();
}

absl::StatusOr<WordCounts> CheckResult(const Input& input, const PlainCounter& plain,
                                       const ObjectRef& catalog, size_t top, Runtime* runtime) {
  if (absl::Status status = CheckUnchanged(input); !status.ok()) return status;
  WordCounts counts;
  absl::Status status = runtime->Read(catalog, [&](std::string_view ids) {
    for (; !ids.empty(); ids.remove_prefix(ObjectId::kSize)) {
      // The id comes out of the catalog's bytes; the catalog keeps the total in scope.
      const auto total = runtime->Refer(*ObjectId::FromBytes(ids.substr(0, ObjectId::kSize)));
      if (!total.ok()) return total.status();
      absl::Status checked = runtime->Read(*total, [&](std::string_view bytes) {
        return CheckTotal(bytes, plain.counts(), top, &counts);
      });
      if (!checked.ok()) return checked;
    }
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  if (counts.distinct != plain.counts().size()) {
    return absl::DataLossError(absl::StrCat("the pipeline found ", counts.distinct,
                                            " words, and a plain count ", plain.counts().size()));
  }
  std::sort(counts.top.begin(), counts.top.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  return counts;
}

}  // namespace

JobPlan PlanJob(const Input& input, size_t nodes) {
  JobPlan plan;
  plan.splits_per_wave = nodes * kSplitsPerNode;
  const uint64_t wanted = kWavesWanted * plan.splits_per_wave;
  plan.split_bytes =
      std::clamp((input.bytes + wanted - 1) / wanted, kSplitBytesMin, kSplitBytesMax);
  plan.splits = PlanSplits(input, plan.split_bytes);
  plan.waves = (plan.splits.size() + plan.splits_per_wave - 1) / plan.splits_per_wave;
  // Three of the four splits that a node loads in a full wave: each node must spill the fourth.
  plan.store_bytes = plan.split_bytes * (kSplitsPerNode - 1);
  return plan;
}

absl::StatusOr<WordCounts> RunJob(const Input& input, const JobPlan& plan,
                                  const PlainCounter& plain, size_t top, Runtime* runtime) {
  absl::StatusOr<ObjectRef> catalog = Job(input, plan, runtime).Run();
  if (!catalog.ok()) return catalog.status();
  absl::StatusOr<WordCounts> counts = CheckResult(input, plain, *catalog, top, runtime);
  References last;
  last.push_back(*std::move(catalog));
  runtime->Drop(std::move(last));
  return counts;
}

absl::StatusOr<PlainCounter> CountPlainly(const Input& input, const Interrupt& interrupt) {
  PlainCounter counter;
  constexpr size_t kBufferBytes = 65536;
  std::array<char, kBufferBytes> buffer;
  for (const Text& text : input.texts) {
    errno = 0;
    std::ifstream file(text.path, std::ios::binary);
    while (file) {
      if (absl::Status status = interrupt.Check(); !status.ok()) return status;
      file.read(buffer.data(), buffer.size());
      counter.Add({buffer.data(), static_cast<size_t>(file.gcount())});
    }
    if (!file.eof()) return examples::FileError("read", text.path, errno);
    counter.EndText();
  }
  return counter;
}

}  // namespace pipeline
