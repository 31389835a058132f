// Small line charts in a grid, as an SVG: a row for each figure, a column for each thing that grew.
//
// Thread safety: pure functions.

#ifndef FREEHOLD_BENCH_SCALE_PLOT_H_
#define FREEHOLD_BENCH_SCALE_PLOT_H_

#include <string>
#include <utility>
#include <vector>

namespace freehold::bench {

struct Line {
  std::string name;
  std::vector<std::pair<double, double>> points;  // by rising x
};

// Both axes begin at 0, so that what is proportional is a line through the corner.
struct Panel {
  std::string title;
  std::string x;  // what grew
  std::string y;
  std::vector<Line> lines;
};

// Row by row; every row has as many panels. Panels of a row share their y axis. The texts must not
// need escaping.
std::string DrawPanels(const std::string& title, const std::vector<std::vector<Panel>>& rows);

}  // namespace freehold::bench

#endif  // FREEHOLD_BENCH_SCALE_PLOT_H_
