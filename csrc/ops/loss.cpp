#include "flyball/ops.h"
#include "ops/at.h"
#include "runtime/cpu.h"

namespace flyball {

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

double row_loss_cost(Index n, Index c) { return static_cast<double>(n) * (10.0 + 6.0 * static_cast<double>(c)); }

template <class T>
void row_loss(Team& team, double* losses, T* dpredictions, const T* predictions, const T* targets, const T* weights,
              Index n, Index c, RowLossParams params, double scale) {
  const Range rows = team.range(n);
  const Index i = rows.begin;
  kernels<T>().loss.row_loss(losses + i, at(dpredictions, i * c), predictions + i * c, targets + i * c, at(weights, i),
                             rows.size(), c, params, scale);
}

double overlap_loss_cost(Index n, Index c) { return static_cast<double>(n) * (10.0 + 0.4 * static_cast<double>(c)); }

std::size_t overlap_loss_workspace(Index n) { return static_cast<std::size_t>(n) * 3 * sizeof(double); }

// With I, T and P the sums of t * p, t and p, the loss is 1 - I / D, D = (1 - alpha - beta) * I + alpha * T + beta * P
// + epsilon, and its gradient by p, in which t and 1 are left of the sums, (I * beta - t * (D - (1 - alpha - beta) *
// I)) / D^2. Where all rows have one loss, every thread adds up their sums in the rows' order.
template <class T>
void overlap_loss(Team& team, double* losses, T* dpredictions, const T* predictions, const T* targets, const T* weights,
                  Index n, Index c, OverlapParams params, double scale) {
  const LossKernels<T>& kernel = kernels<T>().loss;
  double* sums = team.workspace<double>();
  const Range rows = team.range(n);
  for (Index i = rows.begin; i < rows.end; ++i) {
    kernel.overlap_sums(sums + 3 * i, predictions + i * c, targets + i * c, c);
  }
  double all[3] = {0.0, 0.0, 0.0};
  double weight_of_all = 0.0;
  if (params.whole) {
    team.barrier();
    for (Index i = 0; i < n; ++i) {
      for (Index k = 0; k < 3; ++k) all[k] += sums[3 * i + k];
      weight_of_all += weights == nullptr ? 1.0 : static_cast<double>(weights[i]);
    }
  }
  const double rest = 1.0 - params.alpha - params.beta;
  for (Index i = rows.begin; i < rows.end; ++i) {
    const double* of = params.whole ? all : sums + 3 * i;
    const double weight = weights == nullptr ? 1.0 : static_cast<double>(weights[i]);
    const double total = rest * of[0] + params.alpha * of[1] + params.beta * of[2] + params.epsilon;
    losses[i] = weight * (1.0 - of[0] / total);
    if (dpredictions == nullptr) continue;
    const double factor = scale * (params.whole ? weight_of_all : weight) / (total * total);
    kernel.overlap_gradient(dpredictions + i * c, targets + i * c, c, factor * of[0] * params.beta,
                            -factor * (total - rest * of[0]));
  }
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

#define FLYBALL_INSTANTIATE(T)                                                                                       \
  template void softmax_cross_entropy(Team&, double*, double*, T*, const T*, const Index*, const T*, Index, Index,   \
                                      double, double);                                                               \
  template void softmax_cross_entropy_soft(Team&, double*, double*, T*, const T*, const T*, const T*, Index, Index,  \
                                           double);                                                                  \
  template void pointwise_loss(Team&, double*, T*, const T*, const T*, const T*, Index, Index, LossParams, double);  \
  template void row_loss(Team&, double*, T*, const T*, const T*, const T*, Index, Index, RowLossParams, double);     \
  template void overlap_loss(Team&, double*, T*, const T*, const T*, const T*, Index, Index, OverlapParams, double); \
  template void loss_weights(Team&, T*, Index*, const T*, const Index*, Index, Index, Index);
FLYBALL_INSTANTIATE(float)
FLYBALL_INSTANTIATE(double)
#undef FLYBALL_INSTANTIATE

}  // namespace flyball
