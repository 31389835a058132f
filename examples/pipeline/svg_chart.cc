#include "svg_chart.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "examples/common/nice_step.h"
#include "input.h"

namespace pipeline {
namespace {

using Moments = std::vector<ByteLog::Moment>;

constexpr double kWidth = 960, kHeight = 520;
constexpr double kLeft = 84, kRight = 24, kTop = 82, kBottom = 60;
constexpr double kPlotWidth = kWidth - kLeft - kRight, kPlotHeight = kHeight - kTop - kBottom;
constexpr size_t kColumns = 840;  // about one per pixel

constexpr double kTimeBeyondEnd = 1.02;  // so that the fall to nothing at the end is seen

constexpr char kMemoryColor[] = "#2f6fb2", kSpillColor[] = "#e0892b", kWithoutColor[] = "#6b7280";
constexpr char kInkColor[] = "#1f2937", kGridColor[] = "#e5e7eb";

struct Unit {
  const char* name;
  double size;
};

Unit ByteUnit(double bytes) {
  if (bytes >= 1.5 * 1024 * 1024 * 1024) return {"GiB", 1024.0 * 1024 * 1024};
  if (bytes >= 1.5 * 1024 * 1024) return {"MiB", 1024.0 * 1024};
  if (bytes >= 1.5 * 1024) return {"KiB", 1024.0};
  return {"bytes", 1.0};
}

Unit TimeUnit(double seconds) {
  return seconds >= 2 ? Unit{"seconds", 1.0} : Unit{"milliseconds", 0.001};
}

// One moment per column: the fullest one in it, so that no peak is lost.
Moments Thin(const Moments& moments, double seconds) {
  Moments kept;
  size_t last_column = kColumns + 1;
  for (const ByteLog::Moment& moment : moments) {
    const size_t column = static_cast<size_t>(moment.seconds / seconds * kColumns);
    if (column != last_column) {
      kept.push_back(moment);
      last_column = column;
    } else if (moment.held() > kept.back().held()) {
      kept.back() = moment;
    }
  }
  kept.push_back(moments.back());
  return kept;
}

class Chart {
 public:
  Chart(const Moments& moments, uint64_t peak)
      : seconds_(std::max(moments.back().seconds, 1e-6) * kTimeBeyondEnd),
        peak_(peak),
        moments_(Thin(moments, seconds_)) {
    const double highest =
        std::max(static_cast<double>(moments.back().ever), static_cast<double>(peak));
    bytes_unit_ = ByteUnit(highest);
    bytes_step_ = examples::NiceStep(highest / bytes_unit_.size, 5) * bytes_unit_.size;
    bytes_max_ = std::ceil(highest / bytes_step_) * bytes_step_;
    time_unit_ = TimeUnit(seconds_);
    time_step_ = examples::NiceStep(seconds_ / time_unit_.size, 8) * time_unit_.size;
  }

  std::string Draw(const std::string& title, const std::string& subtitle) {
    absl::StrAppendFormat(
        &out_,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %g %g\" width=\"%g\" "
        "height=\"%g\" "
        "font-family=\"Helvetica, Arial, sans-serif\" font-size=\"13\" fill=\"%s\" role=\"img\">\n"
        "<title>%s</title>\n<rect width=\"%g\" height=\"%g\" fill=\"#ffffff\"/>\n",
        kWidth, kHeight, kWidth, kHeight, kInkColor, title, kWidth, kHeight);
    Text(kLeft, 32, "start", title, "font-size=\"19\" font-weight=\"bold\"");
    Text(kLeft, 55, "start", subtitle, "fill=\"#4b5563\"");
    DrawAxes();
    DrawAreas();
    DrawPeak();
    DrawLegend();
    out_ += "</svg>\n";
    return std::move(out_);
  }

 private:
  double X(double seconds) const { return kLeft + seconds / seconds_ * kPlotWidth; }
  double Y(double bytes) const { return kTop + kPlotHeight * (1 - bytes / bytes_max_); }

  void Text(double x, double y, const char* anchor, const std::string& text,
            const std::string& style = "") {
    absl::StrAppendFormat(&out_, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" %s>%s</text>\n", x,
                          y, anchor, style, text);
  }

  void Line(double x1, double y1, double x2, double y2, const char* color) {
    absl::StrAppendFormat(&out_,
                          "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\"/>\n",
                          x1, y1, x2, y2, color);
  }

  void DrawAxes() {
    for (double bytes = 0; bytes <= bytes_max_ * 1.0001; bytes += bytes_step_) {
      Line(kLeft, Y(bytes), kWidth - kRight, Y(bytes), bytes == 0 ? kInkColor : kGridColor);
      Text(kLeft - 10, Y(bytes) + 4.5, "end", absl::StrFormat("%g", bytes / bytes_unit_.size));
    }
    for (double time = 0; time <= seconds_ * 1.0001; time += time_step_) {
      Line(X(time), kTop + kPlotHeight, X(time), kTop + kPlotHeight + 5, kInkColor);
      Text(X(time), kTop + kPlotHeight + 21, "middle",
           absl::StrFormat("%g", std::round(time / time_unit_.size * 1000) / 1000));
    }
    Text(kLeft + kPlotWidth / 2, kHeight - 14, "middle",
         absl::StrCat("time since the nodes started (", time_unit_.name, ")"));
    const double middle = kTop + kPlotHeight / 2;
    Text(26, middle, "middle", absl::StrCat("bytes in the stores (", bytes_unit_.name, ")"),
         absl::StrFormat("transform=\"rotate(-90 26 %.1f)\"", middle));
  }

  // A step line through all moments: what is held stays held until the next event.
  template <typename Value>
  std::string Steps(const Value& value) const {
    std::string path = absl::StrFormat("M%.1f %.1f", X(0), Y(0));
    for (const ByteLog::Moment& moment : moments_) {
      absl::StrAppendFormat(&path, "H%.1fV%.1f", X(moment.seconds),
                            Y(static_cast<double>(value(moment))));
    }
    return path;
  }

  void DrawAreas() {
    const std::string close = absl::StrFormat("H%.1fV%.1fH%.1fZ", X(seconds_), Y(0), X(0));
    const std::string held = Steps([](const ByteLog::Moment& m) { return m.held(); });
    const std::string memory = Steps([](const ByteLog::Moment& m) { return m.memory; });
    const std::string ever = Steps([](const ByteLog::Moment& m) { return m.ever; });
    absl::StrAppend(&out_, "<path d=\"", held, close, "\" fill=\"", kSpillColor, "\"/>\n");
    absl::StrAppend(&out_, "<path d=\"", memory, close, "\" fill=\"", kMemoryColor, "\"/>\n");
    absl::StrAppend(&out_, "<path d=\"", ever, "\" fill=\"none\" stroke=\"", kWithoutColor,
                    "\" stroke-width=\"2\" stroke-dasharray=\"7 4\"/>\n");
  }

  void DrawPeak() {
    const auto fullest = std::max_element(
        moments_.begin(), moments_.end(),
        [](const ByteLog::Moment& a, const ByteLog::Moment& b) { return a.held() < b.held(); });
    const double x = X(fullest->seconds), y = Y(static_cast<double>(peak_));
    const bool right = x > kLeft + kPlotWidth * 0.8;
    absl::StrAppendFormat(&out_, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill=\"%s\"/>\n", x, y,
                          kInkColor);
    Text(right ? x - 9 : x + 9, y - 7, right ? "end" : "start",
         absl::StrCat("peak ", FormatBytes(peak_)),
         "font-weight=\"bold\" stroke=\"#ffffff\" stroke-width=\"4\" paint-order=\"stroke\"");
    Text(kWidth - kRight - 4, Y(static_cast<double>(moments_.back().ever)) - 9, "end",
         absl::StrCat("without frees ", FormatBytes(moments_.back().ever)),
         absl::StrFormat("fill=\"%s\" font-weight=\"bold\"", kWithoutColor));
  }

  void DrawLegend() {
    const double x = kLeft + 18;
    double y = kTop + 24;
    const auto swatch = [&](const char* color, const std::string& text) {
      absl::StrAppendFormat(
          &out_, "<rect x=\"%.1f\" y=\"%.1f\" width=\"22\" height=\"12\" fill=\"%s\"/>\n", x,
          y - 10.5, color);
      Text(x + 32, y, "start", text);
      y += 22;
    };
    absl::StrAppendFormat(&out_,
                          "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" "
                          "stroke-width=\"2\" stroke-dasharray=\"7 4\"/>\n",
                          x, y - 4.5, x + 22, y - 4.5, kWithoutColor);
    Text(x + 32, y, "start", "without frees: every copy ever made in this run, added up");
    y += 22;
    swatch(kSpillColor, "with frees: in spill files");
    swatch(kMemoryColor, "with frees: in memory-mapped files");
  }

  const double seconds_;
  const uint64_t peak_;
  const Moments moments_;
  Unit bytes_unit_{};
  Unit time_unit_{};
  double bytes_step_ = 1;
  double bytes_max_ = 1;
  double time_step_ = 1;
  std::string out_;
};

}  // namespace

std::string FormatBytes(uint64_t bytes) {
  constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) return absl::StrCat(bytes, " B");
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(kUnits); ++unit) value /= 1024;
  return absl::StrFormat("%.*f %s", value < 100 ? 1 : 0, value, kUnits[unit]);
}

std::string DrawChart(const Moments& moments, uint64_t peak, const std::string& title,
                      const std::string& subtitle) {
  return Chart(moments, peak).Draw(title, subtitle);
}

}  // namespace pipeline
