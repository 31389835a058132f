#include "bench/scale_plot.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>

namespace freehold::bench {

namespace {

constexpr double kPanelWidth = 300, kPanelHeight = 200;
constexpr double kLeft = 62, kRight = 16, kTop = 34, kBottom = 40, kTitle = 44;
constexpr const char* kColors[] = {"#2f6fb2", "#e0892b", "#3f8f4f", "#8a4fa3"};

std::string Number(double value) {
  char text[32];
  if (value >= 1e6) {
    std::snprintf(text, sizeof(text), "%.3gM", value / 1e6);
  } else if (value >= 1e4) {
    std::snprintf(text, sizeof(text), "%.3gk", value / 1e3);
  } else {
    std::snprintf(text, sizeof(text), "%.4g", value);
  }
  return text;
}

std::string At(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.1f", value);
  return text;
}

std::string Text(double x, double y, const std::string& text, const char* anchor,
                 const char* style = "") {
  return "<text x=\"" + At(x) + "\" y=\"" + At(y) + "\" text-anchor=\"" + anchor + "\" " + style +
         ">" + text + "</text>\n";
}

std::string Stroke(double x1, double y1, double x2, double y2, const char* color) {
  return "<line x1=\"" + At(x1) + "\" y1=\"" + At(y1) + "\" x2=\"" + At(x2) + "\" y2=\"" + At(y2) +
         "\" stroke=\"" + color + "\"/>\n";
}

// Panels are drawn at the origin of a group of their own.
std::string DrawPanel(const Panel& panel, double y_max) {
  const double width = kPanelWidth - kLeft - kRight;
  const double height = kPanelHeight - kTop - kBottom;
  double x_max = 0;
  for (const Line& line : panel.lines) {
    for (const auto& [x, y] : line.points) x_max = std::max(x_max, x);
  }
  const auto x_of = [&](double x) { return kLeft + width * x / x_max; };
  const auto y_of = [&](double y) { return kTop + height * (1 - y / y_max); };
  std::string svg = Text(kLeft, kTop - 10, panel.title, "start", "font-weight=\"bold\"");
  for (const double part : {0.0, 0.5, 1.0}) {
    svg += Stroke(kLeft, y_of(y_max * part), kLeft + width, y_of(y_max * part), "#e5e7eb");
    svg += Text(kLeft - 6, y_of(y_max * part) + 4, Number(y_max * part), "end");
    svg += Text(x_of(x_max * part), kTop + height + 16, Number(x_max * part), "middle");
  }
  svg += Text(kLeft + width / 2, kTop + height + 32, panel.x, "middle");
  size_t number = 0;
  for (const Line& line : panel.lines) {
    const char* color = kColors[number % std::size(kColors)];
    std::string points;
    for (const auto& [x, y] : line.points) {
      points += At(x_of(x)) + "," + At(y_of(y)) + " ";
      svg += "<circle cx=\"" + At(x_of(x)) + "\" cy=\"" + At(y_of(y)) + "\" r=\"3\" fill=\"" +
             color + "\"/>\n";
    }
    svg += "<polyline points=\"" + points + "\" fill=\"none\" stroke=\"" + color +
           "\" stroke-width=\"2\"/>\n";
    const std::string style = std::string("fill=\"") + color + "\"";
    svg += Text(kLeft + 8, kTop + 12 + 14 * static_cast<double>(number), line.name, "start",
                style.c_str());
    ++number;
  }
  return svg;
}

}  // namespace

std::string DrawPanels(const std::string& title, const std::vector<std::vector<Panel>>& rows) {
  size_t columns = 0;
  for (const auto& row : rows) columns = std::max(columns, row.size());
  const double width = kPanelWidth * static_cast<double>(columns);
  const double height = kTitle + kPanelHeight * static_cast<double>(rows.size());
  std::string svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + At(width) + " " +
                    At(height) + "\" font-family=\"sans-serif\" font-size=\"11\">\n" +
                    "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n" +
                    Text(16, 26, title, "start", "font-size=\"16\"");
  for (size_t row = 0; row < rows.size(); ++row) {
    double y_max = 0;
    for (const Panel& panel : rows[row]) {
      for (const Line& line : panel.lines) {
        for (const auto& [x, y] : line.points) y_max = std::max(y_max, y);
      }
    }
    y_max = y_max > 0 ? y_max * 1.1 : 1;
    for (size_t column = 0; column < rows[row].size(); ++column) {
      svg += "<g transform=\"translate(" + At(kPanelWidth * static_cast<double>(column)) + "," +
             At(kTitle + kPanelHeight * static_cast<double>(row)) + ")\">\n" +
             DrawPanel(rows[row][column], y_max) + "</g>\n";
    }
  }
  return svg + "</svg>\n";
}

}  // namespace freehold::bench
