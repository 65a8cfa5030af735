#include "flyball/ops.h"
#include "runtime/cpu.h"

namespace flyball {
namespace {

template <class P>
P* at(P* pointer, Index i) {
  return pointer == nullptr ? nullptr : pointer + i;
}

}  // namespace

// A row's result does not depend on its neighbours, so any share of the rows gives the same bits.

template <class T>
void softmax_cross_entropy(Team& team, double* losses, double* hits, T* dlogits, const T* logits, const Index* labels,
                           const T* weights, Index n, Index c, double smoothing, double scale) {
  const Range rows = team.range(n);
  const Index i = rows.begin;
  kernels<T>().loss.softmax_cross_entropy(losses + i, at(hits, i), at(dlogits, i * c), logits + i * c, labels + i,
                                          at(weights, i), rows.size(), c, smoothing, scale);
}

template <class T>
void softmax_cross_entropy_soft(Team& team, double* losses, double* hits, T* dlogits, const T* logits, const T* targets,
                                const T* weights, Index n, Index c, double scale) {
  const Range rows = team.range(n);
  const Index i = rows.begin;
  kernels<T>().loss.softmax_cross_entropy_soft(losses + i, at(hits, i), at(dlogits, i * c), logits + i * c,
                                               targets + i * c, at(weights, i), rows.size(), c, scale);
}

double pointwise_loss_cost(Loss loss, Index n, Index c) {
  const bool elementary = loss == Loss::log_cosh || loss >= Loss::poisson;
  return static_cast<double>(n) * (5.0 + (elementary ? 1.0 : 0.2) * static_cast<double>(c));
}

template <class T>
void pointwise_loss(Team& team, double* losses, T* dpredictions, const T* predictions, const T* targets,
                    const T* weights, Index n, Index c, LossParams params, double scale) {
  const Range rows = team.range(n);
  const Index i = rows.begin;
  kernels<T>().loss.pointwise_loss(losses + i, at(dpredictions, i * c), predictions + i * c, targets + i * c,
                                   at(weights, i), rows.size(), c, params, scale);
}

double loss_weights_cost(Index n) { return 2.0 * static_cast<double>(n); }

// Every thread adds up all rows, in their order: they are few beside the elements of the loss.
template <class T>
void loss_weights(Team& team, T* out, Index* kept, const T* weights, const Index* labels, Index n, Index ignored,
                  Index divisor) {
  const auto weight = [=](Index i) {
    if (labels != nullptr && labels[i] == ignored) return 0.0;
    return weights == nullptr ? 1.0 : static_cast<double>(weights[i]);
  };
  double total = 0.0;
  for (Index i = 0; i < n; ++i) {
    if (divisor == 0) total += labels == nullptr || labels[i] != ignored ? 1.0 : 0.0;
    if (divisor == 1) total += weight(i);
  }
  if (divisor == 2) total = 1.0;
  const double factor = total != 0.0 ? static_cast<double>(n) / total : 0.0;
  const Range mine = team.range(n);
  for (Index i = mine.begin; i < mine.end; ++i) {
    out[i] = static_cast<T>(weight(i) * factor);
    if (kept != nullptr) kept[i] = labels[i] == ignored ? 0 : labels[i];
  }
}

#define FLYBALL_INSTANTIATE(T)                                                                                      \
  template void softmax_cross_entropy(Team&, double*, double*, T*, const T*, const Index*, const T*, Index, Index,  \
                                      double, double);                                                              \
  template void softmax_cross_entropy_soft(Team&, double*, double*, T*, const T*, const T*, const T*, Index, Index, \
                                           double);                                                                 \
  template void pointwise_loss(Team&, double*, T*, const T*, const T*, const T*, Index, Index, LossParams, double); \
  template void loss_weights(Team&, T*, Index*, const T*, const Index*, Index, Index, Index);
FLYBALL_INSTANTIATE(float)
FLYBALL_INSTANTIATE(double)
#undef FLYBALL_INSTANTIATE

}  // namespace flyball
