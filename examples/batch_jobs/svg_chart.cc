#include "svg_chart.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "examples/common/nice_step.h"
#include "report.h"

namespace batch_jobs {
namespace {

constexpr double kWidth = 960, kHeight = 560;
constexpr double kLeft = 84, kRight = 24, kTop = 128, kBottom = 96;
constexpr double kPlotWidth = kWidth - kLeft - kRight, kPlotHeight = kHeight - kTop - kBottom;
constexpr double kHeadroom = 1.12;  // above the limit, for what is said of it
constexpr double kMiB = 1024.0 * 1024;

constexpr char kWithColor[] = "#2f6fb2", kWithoutColor[] = "#e0892b", kLostColor[] = "#b91c1c";
constexpr char kInkColor[] = "#1f2937", kGridColor[] = "#e5e7eb";

class Chart {
 public:
  Chart(const Plan& plan, const RunFigures& with, const RunFigures& without)
      : plan_(plan),
        with_(with),
        without_(without),
        limit_(static_cast<double>(plan.store_bytes)),
        bytes_max_(kHeadroom * std::max({limit_, static_cast<double>(with.peak),
                                         static_cast<double>(without.peak)})) {}

  std::string Draw() {
    const std::string title =
        absl::StrCat("A long job and ", plan_.short_jobs(), " short ones in stores of ",
                     FormatBytes(plan_.store_bytes));
    absl::StrAppendFormat(
        &out_,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %g %g\" width=\"%g\" "
        "height=\"%g\" font-family=\"Helvetica, Arial, sans-serif\" font-size=\"13\" fill=\"%s\" "
        "role=\"img\">\n<title>%s</title>\n<rect width=\"%g\" height=\"%g\" fill=\"#ffffff\"/>\n",
        kWidth, kHeight, kWidth, kHeight, kInkColor, title, kWidth, kHeight);
    Text(kLeft, 32, "start", title, "font-size=\"19\" font-weight=\"bold\"");
    Text(kLeft, 55, "start",
         absl::StrCat("all together they make ",
                      FormatBytes(plan_.ShortBytes() + plan_.long_job().bytes), ", ", plan_.at_once,
                      " short ones at a time"),
         "fill=\"#4b5563\"");
    DrawLegend();
    DrawAxes();
    Area(with_, absl::StrCat("fill=\"", kWithColor, "\""));
    Curve(without_,
          absl::StrCat("fill=\"none\" stroke=\"", kWithoutColor, "\" stroke-width=\"2\""));
    DrawLimit();
    DrawLosses();
    out_ += "</svg>\n";
    return std::move(out_);
  }

 private:
  static double X(size_t column) {
    return kLeft + static_cast<double>(column) * kPlotWidth / History::kColumns;
  }
  double Y(double bytes) const { return kTop + kPlotHeight * (1 - bytes / bytes_max_); }

  void Text(double x, double y, const char* anchor, const std::string& text,
            const std::string& style = "") {
    absl::StrAppendFormat(&out_, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" %s>%s</text>\n", x,
                          y, anchor, style, text);
  }
  void Line(double x1, double y1, double x2, double y2, const std::string& style) {
    absl::StrAppendFormat(&out_, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" %s/>\n", x1,
                          y1, x2, y2, style);
  }
  static std::string Stroke(const char* color) { return absl::StrCat("stroke=\"", color, "\""); }

  // A step line: what is held stays held until the next column.
  std::string Steps(const RunFigures& figures) const {
    std::string path = absl::StrFormat("M%.1f %.1f", X(0), Y(0));
    for (size_t i = 0; i < History::kColumns; ++i) {
      const auto held = static_cast<double>(figures.history.moments()[i].held);
      absl::StrAppendFormat(&path, "V%.1fH%.1f", Y(held), X(i + 1));
    }
    return path;
  }
  void Curve(const RunFigures& figures, const std::string& style) {
    absl::StrAppend(&out_, "<path d=\"", Steps(figures), "\" ", style, "/>\n");
  }
  void Area(const RunFigures& figures, const std::string& style) {
    absl::StrAppend(&out_, "<path d=\"", Steps(figures), absl::StrFormat("V%.1fZ", Y(0)), "\" ",
                    style, "/>\n");
  }

  static std::string Explain(const RunFigures& figures) {
    if (figures.overflows == 0) return absl::StrCat("at most ", FormatBytes(figures.peak));
    return absl::StrCat("full ", WithCommas(figures.overflows), " times, ",
                        WithCommas(figures.evicted.values), " values thrown out");
  }

  void DrawLegend() {
    double y = 80;
    const auto entry = [&](const char* color, double height, const std::string& text) {
      absl::StrAppendFormat(
          &out_, "<rect x=\"%.1f\" y=\"%.1f\" width=\"22\" height=\"%g\" fill=\"%s\"/>\n", kLeft,
          y - 4.5 - height / 2, height, color);
      Text(kLeft + 32, y, "start", text);
      y += 20;
    };
    entry(kWithColor, 12,
          absl::StrCat("with scopes: what a job made goes when it ends; ", Explain(with_)));
    entry(kWithoutColor, 3,
          absl::StrCat("without: it is listed until its result is fetched; ", Explain(without_)));
  }

  void DrawAxes() {
    const double step = examples::NiceStep(bytes_max_ / kMiB, 6) * kMiB;
    for (double bytes = 0; bytes <= bytes_max_; bytes += step) {
      Line(kLeft, Y(bytes), kWidth - kRight, Y(bytes), Stroke(bytes == 0 ? kInkColor : kGridColor));
      Text(kLeft - 10, Y(bytes) + 4.5, "end", absl::StrFormat("%g", bytes / kMiB));
    }
    const auto values = static_cast<double>(with_.history.values());
    const double values_step = examples::NiceStep(values, 8);
    for (double made = 0; made <= values; made += values_step) {
      const double x = kLeft + made / values * kPlotWidth;
      Line(x, kTop + kPlotHeight, x, kTop + kPlotHeight + 5, Stroke(kInkColor));
      Text(x, kTop + kPlotHeight + 21, "middle", absl::StrFormat("%.0f", made));
    }
    Text(kLeft + kPlotWidth / 2, kTop + kPlotHeight + 42, "middle", "values made, of all jobs");
    const double middle = kTop + kPlotHeight / 2;
    Text(26, middle, "middle", "bytes in the stores (MiB)",
         absl::StrFormat("transform=\"rotate(-90 26 %.1f)\"", middle));
  }

  void DrawLimit() {
    Line(kLeft, Y(limit_), kWidth - kRight, Y(limit_),
         absl::StrCat(Stroke(kInkColor), " stroke-dasharray=\"7 4\""));
    Text(kWidth - kRight - 4, Y(limit_) - 7, "end",
         absl::StrCat("full: ", FormatBytes(plan_.store_bytes)), "font-weight=\"bold\"");
  }

  // Below the axis: where the long job missed values, without scopes and with.
  void DrawLosses() {
    const double y = kTop + kPlotHeight + 56;
    for (const RunFigures* figures : {&with_, &without_}) {
      uint64_t before = 0;
      for (size_t i = 0; i < History::kColumns; ++i) {
        const uint64_t lost = figures->history.moments()[i].long_lost;
        if (lost != before) Line(X(i), y, X(i), y + 12, Stroke(kLostColor));
        before = lost;
      }
    }
    Text(kLeft, y + 28, "start",
         "red: the long job needed values that had been thrown out, and made them again",
         absl::StrCat("fill=\"", kLostColor, "\""));
  }

  const Plan& plan_;
  const RunFigures& with_;
  const RunFigures& without_;
  const double limit_;
  const double bytes_max_;
  std::string out_;
};

}  // namespace

std::string DrawSvg(const Plan& plan, const RunFigures& with, const RunFigures& without) {
  return Chart(plan, with, without).Draw();
}

}  // namespace batch_jobs
