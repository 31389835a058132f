// Draws the bytes in the stores over time, with scopes and without, as an SVG.
//
// Thread safety: a function of its arguments.

#ifndef FREEHOLD_EXAMPLES_BATCH_JOBS_SVG_CHART_H_
#define FREEHOLD_EXAMPLES_BATCH_JOBS_SVG_CHART_H_

#include <string>

#include "plan.h"
#include "runner.h"

namespace batch_jobs {

std::string DrawSvg(const Plan& plan, const RunFigures& with, const RunFigures& without);

}  // namespace batch_jobs

#endif  // FREEHOLD_EXAMPLES_BATCH_JOBS_SVG_CHART_H_
