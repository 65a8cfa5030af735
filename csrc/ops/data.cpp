#include <algorithm>

#include "flyball/ops.h"
#include "ops/columns.h"
#include "runtime/cpu.h"

namespace flyball {

// Rows lie anywhere in x, so each costs a few cache misses beside its elements.
double gather_cost(Index n, Index c) { return static_cast<double>(n) * (10.0 + 0.1 * static_cast<double>(c)); }

template <class T>
void gather(Team& team, T* out, const Source& x, const Index* rows, Index n, Index c) {
  const Range mine = team.range(n);
  kernels<T>().data.gather(out + mine.begin * c, x, rows + mine.begin, mine.size(), c);
}

template void gather(Team&, float*, const Source&, const Index*, Index, Index);
template void gather(Team&, double*, const Source&, const Index*, Index, Index);

void gather_labels(Team& team, Index* out, const Index* labels, const Index* rows, Index n, Index c) {
  const Range mine = team.range(n);
  for (Index i = mine.begin; i < mine.end; ++i) std::copy_n(labels + rows[i] * c, c, out + i * c);
}

double swap_axes_cost(Index count) { return 0.3 * static_cast<double>(count); }

// A share is of (n, blocks of rows of the result): what is written is consecutive, what is read whole cache lines.
template <class T>
void swap_axes(Team& team, T* y, const T* x, Index n, Index first, Index second, Index rest) {
  const Index block = 4 * line<T>;
  const Index blocks = (second + block - 1) / block;
  const Range mine = team.range(n * blocks);
  for (Index share = mine.begin; share < mine.end; ++share) {
    const Index j = share % blocks * block;
    const Index count = std::min(block, second - j);
    const T* from = x + (share / blocks * first * second + j) * rest;
    T* to = y + (share / blocks * second + j) * first * rest;
    if (rest == 1) {
      kernels<T>().slim.transpose(to, first, from, second, count, first);
      continue;
    }
    for (Index k = 0; k < count; ++k) {
      for (Index i = 0; i < first; ++i) {
        to = std::copy_n(from + (i * second + k) * rest, rest, to);
      }
    }
  }
}

template void swap_axes(Team&, float*, const float*, Index, Index, Index, Index);
template void swap_axes(Team&, double*, const double*, Index, Index, Index, Index);

void add_total(Team& team, double* total, const double* values, Index n, double scale) {
  if (team.rank() != 0) return;
  double sum = 0.0;
  for (Index i = 0; i < n; ++i) sum += values[i];
  *total += scale * sum;
}

}  // namespace flyball
