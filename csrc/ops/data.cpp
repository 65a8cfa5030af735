#include <algorithm>

#include "flyball/ops.h"
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

void add_total(Team& team, double* total, const double* values, Index n, double scale) {
  if (team.rank() != 0) return;
  double sum = 0.0;
  for (Index i = 0; i < n; ++i) sum += values[i];
  *total += scale * sum;
}

}  // namespace flyball
