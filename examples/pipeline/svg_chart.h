// Draws the bytes held over time, with frees and, for contrast, without, as an SVG.
//
// Thread safety: functions of their arguments and the file system.

#ifndef FREEHOLD_EXAMPLES_PIPELINE_SVG_CHART_H_
#define FREEHOLD_EXAMPLES_PIPELINE_SVG_CHART_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "byte_log.h"

namespace pipeline {

// "512 B", "9.6 KiB", "1.2 MiB".
std::string FormatBytes(uint64_t bytes);

// `moments` in order of time, not empty. The two texts must not need escaping.
std::string DrawChart(const std::vector<ByteLog::Moment>& moments, uint64_t peak,
                      const std::string& title, const std::string& subtitle);

}  // namespace pipeline

#endif  // FREEHOLD_EXAMPLES_PIPELINE_SVG_CHART_H_
