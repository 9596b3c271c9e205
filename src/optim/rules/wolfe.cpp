#include "optim/rules/wolfe.h"

#include <algorithm>
#include <cmath>

namespace gradus::optim {

namespace {

constexpr double kDecrease = 1e-4, kCurvature = 0.9, kLeastChange = 1e-9;

// Where the cubic through both points, with their slopes, is least within [low, high].
double cubic_minimum(const LinePoint& a, const LinePoint& b, double low, double high) {
  const double d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t), square = d1 * d1 - a.slope * b.slope;
  if (!(square >= 0)) return (low + high) / 2;
  const double d2 = std::sqrt(square);
  const double t = a.t <= b.t ? b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2))
                              : a.t - (a.t - b.t) * ((a.slope + d2 - d1) / (a.slope - b.slope + 2 * d2));
  return std::min(std::max(t, low), high);
}

}  // namespace

LinePoint LineSearch::run(const LinePoint& start, double t) const {
  const auto too_high = [&](const LinePoint& x) { return x.loss > start.loss + kDecrease * x.t * start.slope; };
  const auto flat = [&](const LinePoint& x) { return std::abs(x.slope) <= -kCurvature * start.slope; };

  // Outwards, until two points have a minimum between them (algorithm 3.5).
  LinePoint previous = start, now = evaluate(t);
  std::int64_t steps = 0;
  for (; steps < max_steps; ++steps) {
    if (too_high(now) || (steps > 1 && now.loss >= previous.loss)) break;
    if (flat(now)) return now;
    if (now.slope >= 0) break;
    const double next = cubic_minimum(previous, now, now.t + 0.01 * (now.t - previous.t), now.t * 10);
    previous = std::move(now);
    now = evaluate(next);
  }
  LinePoint ends[2] = {steps == max_steps ? start : previous, now};

  // Inwards, keeping the lower end (algorithm 3.6).
  int low = ends[0].loss <= ends[1].loss ? 0 : 1;
  bool was_at_edge = false;
  for (; steps < max_steps; ++steps) {
    const auto [least, most] = std::minmax(ends[0].t, ends[1].t);
    if ((most - least) * direction_size < kLeastChange) break;
    t = cubic_minimum(ends[0], ends[1], least, most);
    // Near an edge for the second time, or on it: a tenth away from it instead.
    const double margin = 0.1 * (most - least);
    const bool at_edge = std::min(most - t, t - least) < margin;
    if (at_edge && (was_at_edge || t >= most || t <= least)) {
      t = std::abs(t - most) < std::abs(t - least) ? most - margin : least + margin;
      was_at_edge = false;
    } else {
      was_at_edge = at_edge;
    }
    now = evaluate(t);
    if (too_high(now) || now.loss >= ends[low].loss) {
      ends[1 - low] = now;
      low = ends[0].loss <= ends[1].loss ? 0 : 1;
      continue;
    }
    const bool done = flat(now);
    if (!done && now.slope * (ends[1 - low].t - ends[low].t) >= 0) ends[1 - low] = ends[low];
    ends[low] = now;
    if (done) break;
  }
  return ends[low];
}

}  // namespace gradus::optim
