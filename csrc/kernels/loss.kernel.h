// Compiled once per instruction set: see variant.h.
#include "kernels/activation.kernel.h"
#include "kernels/few_classes.kernel.h"
#include "kernels/loss.h"
#include "kernels/pointwise_loss.kernel.h"
#include "kernels/row_loss.kernel.h"

namespace flyball {
namespace {

// Index of the first of c elements that equals `value`; the largest integer if there is none.
template <class T>
FLYBALL_INLINE Index first_equal(const T* x, Index c, T value) {
  using Signed = typename Bits<T>::Signed;
  constexpr Signed none = static_cast<Signed>(~typename Bits<T>::Unsigned{0} >> 1);
  const IntVec<T> nowhere = none - IntVec<T>{};
  IntVec<T> first = nowhere;
  for_each_vector<T>(c, [&](auto part, Index i) {
    const IntVec<T> found = part.load(x + i, minus_infinity<T>) == value;
    const IntVec<T> at = found ? lane_index<T>() + static_cast<Signed>(i) : nowhere;
    first = at < first ? at : first;
  });
  return fold<Signed>(first, [](auto a, auto b) { return a < b ? a : b; });
}

// What a row leaves for its loss, log(sum) * weight + rest: eight rows share one vector of logarithms.
struct RowLoss {
  double sum;
  double weight;
  double rest;
};

// losses[row] from row_loss(row), which also sees to the row's other outputs.
template <class Body>
FLYBALL_INLINE void for_each_row(double* losses, Index n, Body row_loss) {
  constexpr Index group = lanes<double>;
  for (Index begin = 0; begin < n; begin += group) {
    const Index count = n - begin < group ? n - begin : group;
    double sum[group] = {}, weight[group] = {}, rest[group] = {};
    for (Index i = 0; i < count; ++i) {
      const RowLoss loss = row_loss(begin + i);
      sum[i] = loss.sum;
      weight[i] = loss.weight;
      rest[i] = loss.rest;
    }
    store_partial<double>(losses + begin, log<double>(load(sum)) * load(weight) + load(rest), count);
  }
}

// The target q is 1 - (c - 1) * smoothing at the label and `smoothing` elsewhere. With m = max(x):
//   sum(q * (logsumexp(x) - x)) = log(sum(exp(x - m))) + (on - smoothing) * (m - x[label]) + smoothing * sum(m - x).
// A row that holds nan or inf, or nothing but -inf, has the loss nan, gradients of nan, and no hit; a label whose logit
// is -inf has the loss inf.
template <class T>
void softmax_cross_entropy(double* losses, double* hits, T* dlogits, const T* logits, const Index* labels,
                           const T* weights, Index n, Index c, double smoothing, double scale) {
  if (c <= most_few_classes<T>) {
    few_classes_cross_entropy(losses, hits, dlogits, logits, labels, weights, n, c, smoothing, scale);
    return;
  }
  const double on = 1.0 - static_cast<double>(c - 1) * smoothing;
  for_each_row(losses, n, [&](Index row) -> RowLoss {
    const double weight = weights == nullptr ? 1.0 : static_cast<double>(weights[row]);
    const T* x = logits + row * c;
    T* dx = dlogits == nullptr ? nullptr : dlogits + row * c;
    const Index label = labels[row];
    const T largest = max_of_row(x, c);
    double rest = static_cast<double>(largest) - static_cast<double>(x[label]);
    if (smoothing > 0.0) {
      DoubleSum<T> distance;
      for_each_vector<T>(c, [&](auto part, Index i) { distance.add(largest - part.load(x + i, largest)); });
      rest = (on - smoothing) * rest + smoothing * distance.total();
    }
    const bool hit = hits != nullptr && x[label] == largest && first_equal(x, c, largest) == label;
    const double sum = softmax_row(dx, x, largest, c, [=](double total) {
      const T factor = static_cast<T>(scale * weight / total);
      const Vec<T> at_label = broadcast(static_cast<T>(scale * weight * on));
      const Vec<T> elsewhere = broadcast(static_cast<T>(scale * weight * smoothing));
      return [=](auto, Index i, Vec<T> e) {
        const IntVec<T> one = lane_index<T>() == static_cast<typename Bits<T>::Signed>(label - i);
        return e * factor - select<T>(one, at_label, elsewhere);
      };
    });
    if (hits != nullptr) hits[row] = hit && sum == sum ? 1.0 : 0.0;
    return {sum, weight, rest * weight};
  });
}

// With m = max(x): sum(t * (logsumexp(x) - x)) = log(sum(exp(x - m))) * sum(t) + sum(t * (m - x)).
// Rows with nan or inf as above.
template <class T>
void softmax_cross_entropy_soft(double* losses, double* hits, T* dlogits, const T* logits, const T* targets,
                                const T* weights, Index n, Index c, double scale) {
  if (c <= most_few_classes<T>) {
    few_classes_cross_entropy_soft(losses, hits, dlogits, logits, targets, weights, n, c, scale);
    return;
  }
  for_each_row(losses, n, [&](Index row) -> RowLoss {
    const double row_weight = weights == nullptr ? 1.0 : static_cast<double>(weights[row]);
    const double row_scale = scale * row_weight;
    const T* x = logits + row * c;
    const T* t = targets + row * c;
    T* dx = dlogits == nullptr ? nullptr : dlogits + row * c;
    const T largest = max_of_row(x, c);
    DoubleSum<T> target_sum, rest;
    for_each_vector<T>(c, [&](auto part, Index i) {
      const Vec<T> target = part.load(t + i);
      target_sum.add(target);
      rest.add(target * (largest - part.load(x + i, largest)));
    });
    const double weight = target_sum.total();
    const bool hit = hits != nullptr && first_equal(x, c, largest) == first_equal(t, c, max_of_row(t, c));
    const double sum = softmax_row(dx, x, largest, c, [=](double total) {
      const T factor = static_cast<T>(row_scale * weight / total);
      return [=](auto part, Index i, Vec<T> e) { return e * factor - part.load(t + i) * static_cast<T>(row_scale); };
    });
    const RowLoss loss = {sum, weight * row_weight, rest.total() * row_weight};
    if (hits != nullptr) hits[row] = hit && sum == sum ? 1.0 : 0.0;
    return loss;
  });
}

template <class T>
constexpr LossKernels<T> loss_kernels = {softmax_cross_entropy<T>, softmax_cross_entropy_soft<T>,
                                         pointwise_loss<T>,        row_loss<T>,
                                         overlap_sums<T>,          overlap_gradient<T>};

}  // namespace
}  // namespace flyball
