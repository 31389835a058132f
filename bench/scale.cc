// freehold_scale [--quick] FOLDER: what a death costs, as a cluster grows. Writes FOLDER/scale.csv
// and FOLDER/scale.svg.
//
// One thing grows at a time: what the death concerns, all objects, the processes, the nodes; and
// last a cluster of 10,000 nodes, 1,000 processes and 1,000,000 objects. Envelopes and bytes must
// grow in proportion to what changed and not at all with anything else, to the byte; otherwise the
// program fails. The membership's traffic, which is O(members) at each death, is counted apart.
//
// Each cluster is made in a process of its own, so that none inherits another's memory. `--quick`:
// small clusters, for a test that the program works.

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "bench/scale_plot.h"
#include "bench/scale_world.h"
#include "bench/timing.h"
#include "bench/workload.h"

namespace freehold::bench {

namespace {

struct Row {
  std::string event;
  std::string grows;  // what is different from the other rows of its series
  ScaleShape shape;
  ScaleCost cost;

  double x() const {
    return static_cast<double>(grows == "changed"     ? shape.changed
                               : grows == "objects"   ? shape.objects
                               : grows == "processes" ? shape.processes
                                                      : shape.nodes);
  }
};

// What a child writes to its parent: both are this program.
struct Costs {
  ScaleCost node;
  ScaleCost process;
};

Costs Measure(const ScaleShape& shape) {
  int ends[2];
  Require(pipe(ends) == 0, "no pipe");
  const pid_t child = fork();
  Require(child >= 0, "no child");
  if (child == 0) {
    ScaleWorld world(shape);
    Costs costs;
    costs.node = world.NodeDies();
    costs.process = world.ProcessDies();
    const bool written = write(ends[1], &costs, sizeof(costs)) == sizeof(costs);
    _exit(written ? 0 : 1);  // a cluster that is taken down end by end announces each to all
  }
  close(ends[1]);
  Costs costs;
  const bool read_all = read(ends[0], &costs, sizeof(costs)) == sizeof(costs);
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  Require(read_all && status == 0, "a cluster failed");
  return costs;
}

std::string Cells(const Row& row) {
  const ScaleCost& cost = row.cost;
  char text[256];
  std::snprintf(text, sizeof(text), "%s,%s,%zu,%zu,%zu,%zu,%llu,%llu,%llu,%llu,%.0f,%.2f,%.2f",
                row.event.c_str(), row.grows.c_str(), row.shape.nodes, row.shape.processes,
                row.shape.objects, row.shape.changed,
                static_cast<unsigned long long>(cost.envelopes),            // NOLINT
                static_cast<unsigned long long>(cost.acks),                 // NOLINT
                static_cast<unsigned long long>(cost.bytes),                // NOLINT
                static_cast<unsigned long long>(cost.membership_messages),  // NOLINT
                cost.virtual_ms, cost.involved_cpu_ms, cost.others_cpu_ms);
  return text;
}

constexpr char kHeader[] =
    "event,grows,nodes,processes,objects,changed,envelopes,acks,bytes,membership_messages,"
    "virtual_ms,involved_cpu_ms,others_cpu_ms";

void Add(const ScaleShape& shape, const std::string& grows, std::vector<Row>* rows) {
  const int64_t begin = RealNow();
  const Costs costs = Measure(shape);
  rows->push_back({"process dies", grows, shape, costs.process});
  rows->push_back({"node dies", grows, shape, costs.node});
  for (size_t i = rows->size() - 2; i < rows->size(); ++i) {
    std::printf("%s\n", Cells((*rows)[i]).c_str());
  }
  std::fprintf(stderr, "%s: made and measured in %.1f s\n", grows.c_str(),
               static_cast<double>(RealNow() - begin) / 1e9);
  std::fflush(stdout);
}

std::vector<Row> MeasureAll(bool quick) {
  ScaleShape base;
  if (quick) base = {100, 20, 10'000, 100};
  std::vector<Row> rows;
  for (const size_t times : {1, 2, 4, 8, 16}) {
    ScaleShape shape = base;
    shape.changed *= times;
    Add(shape, "changed", &rows);
  }
  for (const size_t times : {1, 2, 5, 10}) {
    ScaleShape shape = base;
    shape.objects *= times;
    Add(shape, "objects", &rows);
    shape = base;
    shape.processes *= times;
    Add(shape, "processes", &rows);
    shape = base;
    shape.nodes *= times;
    Add(shape, "nodes", &rows);
  }
  ScaleShape all = base;
  all.objects *= 10;
  all.processes *= 10;
  all.nodes *= 10;
  Add(all, "all", &rows);
  return rows;
}

std::vector<Row> Series(const std::vector<Row>& rows, const std::string& event,
                        const std::string& grows) {
  std::vector<Row> series;
  for (const Row& row : rows) {
    if (row.event == event && row.grows == grows) series.push_back(row);
  }
  return series;
}

using Figure = std::function<double(const ScaleCost&)>;

// What one more costs, between the smallest and the largest of a series.
double PerUnit(const std::vector<Row>& series, const Figure& figure) {
  return (figure(series.back().cost) - figure(series.front().cost)) /
         (series.back().x() - series.front().x());
}

void PrintCosts(const std::vector<Row>& rows) {
  std::printf("\none more costs, when      %10s %10s %12s %14s %14s\n", "envelopes", "bytes",
              "membership", "CPU us, of its", "CPU us, others");
  for (const char* event : {"process dies", "node dies"}) {
    for (const char* grows : {"changed", "objects", "processes", "nodes"}) {
      const std::vector<Row> series = Series(rows, event, grows);
      const auto per = [&](const Figure& figure) { return PerUnit(series, figure); };
      std::printf(
          "%-13s %-10s  %10.4f %10.2f %12.2f %14.3f %14.3f\n", event, grows,
          per([](const ScaleCost& cost) { return static_cast<double>(cost.envelopes); }),
          per([](const ScaleCost& cost) { return static_cast<double>(cost.bytes); }),
          per([](const ScaleCost& cost) { return static_cast<double>(cost.membership_messages); }),
          per([](const ScaleCost& cost) { return 1000 * cost.involved_cpu_ms; }),
          per([](const ScaleCost& cost) { return 1000 * cost.others_cpu_ms; }));
    }
  }
}

// False: something grows that must not, or otherwise than in proportion.
bool Holds(const std::vector<Row>& rows) {
  bool holds = true;
  const auto fail = [&](const Row& row, const char* what) {
    std::printf("%s: %s\n", Cells(row).c_str(), what);
    holds = false;
  };
  for (const char* event : {"process dies", "node dies"}) {
    const ScaleCost base = Series(rows, event, "changed").front().cost;
    for (const char* grows : {"objects", "processes", "nodes", "all"}) {
      for (const Row& row : Series(rows, event, grows)) {
        if (row.cost.envelopes != base.envelopes || row.cost.bytes != base.bytes) {
          fail(row, "messages grow with what a death does not concern");
        }
        if (row.cost.virtual_ms != base.virtual_ms) fail(row, "it takes longer");
      }
    }
    const std::vector<Row> changed = Series(rows, event, "changed");
    for (const Row& row : changed) {
      const double times = row.x() / changed.front().x();
      // Headers weigh less in fuller envelopes.
      const auto bytes = static_cast<double>(row.cost.bytes);
      const double most = static_cast<double>(base.bytes) * times;
      if (bytes > most * 1.01 || bytes < most * 0.8) fail(row, "bytes are not in proportion");
    }
  }
  return holds;
}

void Draw(const std::vector<Row>& rows, const std::string& file) {
  const std::vector<std::pair<std::string, Figure>> figures = {
      {"bytes sent", [](const ScaleCost& cost) { return static_cast<double>(cost.bytes); }},
      {"virtual ms until reclaimed", [](const ScaleCost& cost) { return cost.virtual_ms; }},
      {"CPU ms where it is reclaimed", [](const ScaleCost& cost) { return cost.involved_cpu_ms; }},
      {"membership messages",
       [](const ScaleCost& cost) { return static_cast<double>(cost.membership_messages); }}};
  std::vector<std::vector<Panel>> panels;
  for (const auto& [name, figure] : figures) {
    panels.emplace_back();
    for (const char* grows : {"changed", "objects", "processes", "nodes"}) {
      Panel panel{name, grows, name, {}};
      for (const char* event : {"process dies", "node dies"}) {
        Line line{event, {}};
        for (const Row& row : Series(rows, event, grows)) {
          line.points.emplace_back(row.x(), figure(row.cost));
        }
        panel.lines.push_back(std::move(line));
      }
      panels.back().push_back(std::move(panel));
    }
  }
  std::ofstream out(file);
  out << DrawPanels("What a death costs, by what grows", panels);
  Require(static_cast<bool>(out.flush()), "the SVG cannot be written");
}

int Main(const std::string& folder, bool quick) {
  std::printf("%s\n", kHeader);
  const std::vector<Row> rows = MeasureAll(quick);
  std::ofstream csv(folder + "/scale.csv");
  csv << kHeader << "\n";
  for (const Row& row : rows) csv << Cells(row) << "\n";
  Require(static_cast<bool>(csv.flush()), "the CSV cannot be written");
  Draw(rows, folder + "/scale.svg");
  PrintCosts(rows);
  const bool holds = Holds(rows);
  std::printf("%s\n", holds ? "linear in what changed, independent of all else" : "FAILED");
  return holds ? 0 : 1;
}

}  // namespace

}  // namespace freehold::bench

int main(int argc, char** argv) {
  const bool quick = argc == 3 && std::strcmp(argv[1], "--quick") == 0;
  freehold::bench::Require(argc == 2 || quick, "usage: freehold_scale [--quick] FOLDER");
  return freehold::bench::Main(argv[argc - 1], quick);
}
