#include <algorithm>
#include <cmath>

#include "flyball/ops.h"
#include "ops/at.h"
#include "ops/columns.h"
#include "ops/elementwise.h"
#include "runtime/cpu.h"

namespace flyball {
namespace {

// Columns whose norms lie in a thread's scratch at a time.
constexpr Index norm_columns = 512;
static_assert(norm_columns * sizeof(double) <= scratch_bytes);

// Turns squared norms into factors; whether any is not 1.
bool norms_to_factors(double* norms, Index columns, const NormBounds& bounds) {
  bool any = false;
  for (Index j = 0; j < columns; ++j) {
    const double norm = std::sqrt(norms[j]);
    const double wanted = norm < bounds.low ? bounds.low : norm > bounds.high ? bounds.high : norm;
    const bool moves = norm > 0.0 && wanted != norm;
    norms[j] = moves ? 1.0 + bounds.rate * (wanted / norm - 1.0) : 1.0;
    any = any || moves;
  }
  return any;
}

}  // namespace

double squared_norm_cost(Index count) { return 0.15 * static_cast<double>(count); }
double constrain_norm_cost(Index count) { return 0.5 * static_cast<double>(count); }
double accumulate_cost(Index count) { return 0.2 * static_cast<double>(count); }

std::size_t squared_norm_workspace(Index count) { return add_blocks_workspace(count); }

template <class T>
void squared_norm(Team& team, double* total, const T* g, const T* w, Index count, double l1, double l2) {
  add_blocks(team, total, count,
             [&](Index i, Index size) { return kernels<T>().weights.squared_norm(g + i, at(w, i), size, l1, l2); });
}

void clip_scale(Team& team, double* scale, double* total, double max_norm) {
  if (team.rank() != 0) return;
  const double norm = std::sqrt(*total);
  *scale = norm <= max_norm ? 1.0 : max_norm / norm;
  *total = 0.0;
}

template <class T>
void constrain_norm(Team& team, T* w, Index n, Index c, const NormBounds& bounds) {
  const WeightsKernels<T>& kernel = kernels<T>().weights;
  double* norms = team.scratch<double>();
  const Range mine = columns_of<T>(team, c);
  for (Index j = mine.begin; j < mine.end; j += norm_columns) {
    const Index columns = std::min(norm_columns, mine.end - j);
    std::fill_n(norms, columns, 0.0);
    kernel.column_squares(norms, w + j, c, n, columns);
    if (norms_to_factors(norms, columns, bounds)) kernel.scale_columns(w + j, norms, c, n, columns);
  }
}

template <class T>
void accumulate(Team& team, T* y, Index y_stride, const T* x, Index x_stride, Index n, Index c, double keep,
                double scale) {
  const auto combine = kernels<T>().weights.combine;
  if (y_stride == c && x_stride == c) {
    for_blocks(team, n * c, [&](Index i, Index size) { combine(y + i, x + i, size, keep, scale); });
    return;
  }
  const Range mine = team.range(n);
  for (Index row = mine.begin; row < mine.end; ++row) {
    combine(y + row * y_stride, x + row * x_stride, c, keep, scale);
  }
}

template <class T>
void average_update(Team& team, T* average, const T* w, Index count, double decay, std::int64_t step) {
  const double keep = step == 1 ? 0.0 : decay;
  accumulate(team, average, count, w, count, 1, count, keep, 1.0 - keep);
}

#define FLYBALL_INSTANTIATE(T)                                                               \
  template void squared_norm(Team&, double*, const T*, const T*, Index, double, double);     \
  template void constrain_norm(Team&, T*, Index, Index, const NormBounds&);                  \
  template void accumulate(Team&, T*, Index, const T*, Index, Index, Index, double, double); \
  template void average_update(Team&, T*, const T*, Index, double, std::int64_t);
FLYBALL_INSTANTIATE(float)
FLYBALL_INSTANTIATE(double)
#undef FLYBALL_INSTANTIATE

}  // namespace flyball
