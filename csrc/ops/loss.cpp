#include "flyball/ops.h"
#include "runtime/cpu.h"

namespace flyball {

// A row's result does not depend on its neighbours, so any share of the rows gives the same bits.

template <class T>
void softmax_cross_entropy(Team& team, double* losses, double* hits, T* dlogits, const T* logits, const Index* labels,
                           Index n, Index c, double scale) {
  const Range rows = team.range(n);
  kernels<T>().loss.softmax_cross_entropy(losses + rows.begin, hits == nullptr ? nullptr : hits + rows.begin,
                                          dlogits == nullptr ? nullptr : dlogits + rows.begin * c,
                                          logits + rows.begin * c, labels + rows.begin, rows.size(), c, scale);
}

template <class T>
void softmax_cross_entropy_soft(Team& team, double* losses, double* hits, T* dlogits, const T* logits, const T* targets,
                                Index n, Index c, double scale) {
  const Range rows = team.range(n);
  kernels<T>().loss.softmax_cross_entropy_soft(losses + rows.begin, hits == nullptr ? nullptr : hits + rows.begin,
                                               dlogits == nullptr ? nullptr : dlogits + rows.begin * c,
                                               logits + rows.begin * c, targets + rows.begin * c, rows.size(), c,
                                               scale);
}

double mean_squared_error_cost(Index n, Index c) {
  return static_cast<double>(n) * (5.0 + 0.2 * static_cast<double>(c));
}

template <class T>
void mean_squared_error(Team& team, double* losses, T* dpredictions, const T* predictions, const T* targets, Index n,
                        Index c, double scale) {
  const Range rows = team.range(n);
  kernels<T>().loss.mean_squared_error(losses + rows.begin,
                                       dpredictions == nullptr ? nullptr : dpredictions + rows.begin * c,
                                       predictions + rows.begin * c, targets + rows.begin * c, rows.size(), c, scale);
}

#define FLYBALL_INSTANTIATE(T)                                                                                     \
  template void softmax_cross_entropy(Team&, double*, double*, T*, const T*, const Index*, Index, Index, double);  \
  template void softmax_cross_entropy_soft(Team&, double*, double*, T*, const T*, const T*, Index, Index, double); \
  template void mean_squared_error(Team&, double*, T*, const T*, const T*, Index, Index, double);
FLYBALL_INSTANTIATE(float)
FLYBALL_INSTANTIATE(double)
#undef FLYBALL_INSTANTIATE

}  // namespace flyball
