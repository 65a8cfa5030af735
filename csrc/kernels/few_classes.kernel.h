// Softmax cross-entropy of rows of few classes: as many rows as a vector has lanes at once, a vector of each class, so
// that no lane is idle and nothing is folded. A row's result does not depend on the others; where rows are missing, the
// last is taken again. Included by *.kernel.h only: see variant.h.
#pragma once

#include "kernels/activation.kernel.h"
#include "kernels/simd.h"
#include "kernels/transpose.kernel.h"

namespace flyball {
namespace {

template <class T>
constexpr Index most_few_classes = 2 * lanes<T>;

template <class T>
using Classes = Vec<T>[most_few_classes<T>];

template <class T>
FLYBALL_INLINE void load_classes(Classes<T>& x, const T* rows, Index count, Index c) {
  for (Index j = 0; j < c; j += lanes<T>) {
    const Index width = c - j < lanes<T> ? c - j : lanes<T>;
    Vec<T> square[lanes<T>];
    for (Index l = 0; l < lanes<T>; ++l) square[l] = load_partial(rows + (l < count ? l : count - 1) * c + j, width);
    transpose<T>(square);
    for (Index l = 0; l < lanes<T>; ++l) x[j + l] = square[l];
  }
}

template <class T>
FLYBALL_INLINE void store_classes(T* rows, const Classes<T>& x, Index count, Index c) {
  for (Index j = 0; j < c; j += lanes<T>) {
    const Index width = c - j < lanes<T> ? c - j : lanes<T>;
    Vec<T> square[lanes<T>];
    for (Index l = 0; l < lanes<T>; ++l) square[l] = x[j + l];
    transpose<T>(square);
    for (Index l = 0; l < count; ++l) store_partial(rows + l * c + j, square[l], width);
  }
}

// A number of each row, in double.
template <class T>
using RowNumbers = double[lanes<T>];

FLYBALL_INLINE void store_numbers(double* out, const DoubleSum<double>& sum) { store(out, sum.sum); }
FLYBALL_INLINE void store_numbers(double* out, const DoubleSum<float>& sum) {
  store_numbers(out, sum.low);
  store_numbers(out + lanes<double>, sum.high);
}

template <class T>
FLYBALL_INLINE Vec<T> narrowed(const RowNumbers<T>& numbers) {
  T narrow[lanes<T>];
  for (Index l = 0; l < lanes<T>; ++l) narrow[l] = static_cast<T>(numbers[l]);
  return load(narrow);
}

template <class T>
FLYBALL_INLINE void load_weights(RowNumbers<T>& weight, const T* weights, Index count) {
  for (Index l = 0; l < lanes<T>; ++l) {
    weight[l] = weights == nullptr ? 1.0 : static_cast<double>(weights[l < count ? l : count - 1]);
  }
}

template <class T>
FLYBALL_INLINE Vec<T> largest_of(const Classes<T>& x, Index c) {
  Vec<T> largest = broadcast(minus_infinity<T>);
  for (Index j = 0; j < c; ++j) largest = max<T>(x[j], largest);
  return largest;
}

// The first class that has the value, 0 where none has.
template <class T>
FLYBALL_INLINE IntVec<T> first_class(const Classes<T>& x, Index c, Vec<T> value) {
  IntVec<T> first = {};
  for (Index j = c - 1; j >= 0; --j) {
    first = x[j] == value ? IntVec<T>{} + static_cast<typename Bits<T>::Signed>(j) : first;
  }
  return first;
}

// x = e = exp(x - largest); the sum of e over the classes.
template <class T>
FLYBALL_INLINE void exponentiate(RowNumbers<T>& sum, Classes<T>& x, Vec<T> largest, Index c) {
  DoubleSum<T> sums;
  for (Index j = 0; j < c; ++j) {
    x[j] = exp_of_negative<T>(x[j] - largest);
    sums.add(x[j]);
  }
  store_numbers(sum, sums);
}

// losses = log(sum) * weight + rest.
template <class T>
FLYBALL_INLINE void store_losses(double* losses, const RowNumbers<T>& sum, const RowNumbers<T>& weight,
                                 const RowNumbers<T>& rest, Index count) {
  for (Index l = 0; l < count; l += lanes<double>) {
    const Vec<double> loss = log<double>(load(sum + l)) * load(weight + l) + load(rest + l);
    store_partial<double>(losses + l, loss, count - l < lanes<double> ? count - l : lanes<double>);
  }
}

template <class T>
FLYBALL_INLINE void store_hits(double* hits, IntVec<T> right, const RowNumbers<T>& sum, Index count) {
  typename Bits<T>::Signed hit[lanes<T>];
  store(hit, right);
  for (Index l = 0; l < count; ++l) hits[l] = hit[l] != 0 && sum[l] == sum[l] ? 1.0 : 0.0;
}

// Calls body(row, count) for as many rows at a time as a vector has lanes.
template <class T, class Body>
FLYBALL_INLINE void for_each_lot(Index n, Body body) {
  for (Index row = 0; row < n; row += lanes<T>) body(row, n - row < lanes<T> ? n - row : lanes<T>);
}

template <class P>
FLYBALL_INLINE P* from(P* pointer, Index i) {
  return pointer == nullptr ? nullptr : pointer + i;
}

// See softmax_cross_entropy in loss.kernel.h, whose formulas these are.
template <class T>
void few_classes_cross_entropy(double* losses, double* hits, T* dlogits, const T* logits, const Index* labels,
                               const T* weights, Index n, Index c, double smoothing, double scale) {
  using Signed = typename Bits<T>::Signed;
  constexpr Index size = lanes<T>;
  const double on = 1.0 - static_cast<double>(c - 1) * smoothing;
  for_each_lot<T>(n, [&](Index row, Index count) FLYBALL_INLINE_LAMBDA {
    const T* rows = logits + row * c;
    Signed label_of[size];
    RowNumbers<T> weight, rest, sum, share;
    load_weights<T>(weight, from(weights, row), count);
    for (Index l = 0; l < size; ++l) {
      const Index at = l < count ? l : count - 1;
      label_of[l] = static_cast<Signed>(labels[row + at]);
      rest[l] = static_cast<double>(rows[at * c + labels[row + at]]);
    }
    const IntVec<T> label = load(label_of);
    Classes<T> x;
    load_classes(x, rows, count, c);
    const Vec<T> largest = largest_of<T>(x, c);
    T top[size];
    store(top, largest);
    for (Index l = 0; l < size; ++l) rest[l] = static_cast<double>(top[l]) - rest[l];
    if (smoothing > 0.0) {
      DoubleSum<T> distances;
      for (Index j = 0; j < c; ++j) distances.add(largest - x[j]);
      RowNumbers<T> distance;
      store_numbers(distance, distances);
      for (Index l = 0; l < size; ++l) rest[l] = (on - smoothing) * rest[l] + smoothing * distance[l];
    }
    for (Index l = 0; l < size; ++l) rest[l] *= weight[l];
    const IntVec<T> hit = first_class<T>(x, c, largest) == label;
    exponentiate<T>(sum, x, largest, c);
    store_losses<T>(losses + row, sum, weight, rest, count);
    if (hits != nullptr) store_hits<T>(hits + row, hit, sum, count);
    if (dlogits == nullptr) return;
    for (Index l = 0; l < size; ++l) share[l] = scale * weight[l];
    for (Index l = 0; l < size; ++l) sum[l] = share[l] / sum[l];
    const Vec<T> factor = narrowed<T>(sum);
    for (Index l = 0; l < size; ++l) sum[l] = share[l] * on;
    const Vec<T> at_label = narrowed<T>(sum);
    for (Index l = 0; l < size; ++l) sum[l] = share[l] * smoothing;
    const Vec<T> elsewhere = narrowed<T>(sum);
    for (Index j = 0; j < c; ++j) {
      x[j] = x[j] * factor - select<T>(label == static_cast<Signed>(j), at_label, elsewhere);
    }
    store_classes<T>(dlogits + row * c, x, count, c);
  });
}

// See softmax_cross_entropy_soft in loss.kernel.h.
template <class T>
void few_classes_cross_entropy_soft(double* losses, double* hits, T* dlogits, const T* logits, const T* targets,
                                    const T* weights, Index n, Index c, double scale) {
  constexpr Index size = lanes<T>;
  for_each_lot<T>(n, [&](Index row, Index count) FLYBALL_INLINE_LAMBDA {
    RowNumbers<T> row_weight, weight, rest, sum;
    load_weights<T>(row_weight, from(weights, row), count);
    Classes<T> x, t;
    load_classes(x, logits + row * c, count, c);
    load_classes(t, targets + row * c, count, c);
    const Vec<T> largest = largest_of<T>(x, c);
    DoubleSum<T> target_sums, rests;
    for (Index j = 0; j < c; ++j) {
      target_sums.add(t[j]);
      rests.add(t[j] * (largest - x[j]));
    }
    store_numbers(weight, target_sums);
    store_numbers(rest, rests);
    for (Index l = 0; l < size; ++l) weight[l] *= row_weight[l];
    for (Index l = 0; l < size; ++l) rest[l] *= row_weight[l];
    const IntVec<T> hit = first_class<T>(x, c, largest) == first_class<T>(t, c, largest_of<T>(t, c));
    exponentiate<T>(sum, x, largest, c);
    store_losses<T>(losses + row, sum, weight, rest, count);
    if (hits != nullptr) store_hits<T>(hits + row, hit, sum, count);
    if (dlogits == nullptr) return;
    for (Index l = 0; l < size; ++l) sum[l] = scale * weight[l] / sum[l];
    const Vec<T> factor = narrowed<T>(sum);
    for (Index l = 0; l < size; ++l) sum[l] = scale * row_weight[l];
    const Vec<T> share = narrowed<T>(sum);
    for (Index j = 0; j < c; ++j) x[j] = x[j] * factor - t[j] * share;
    store_classes<T>(dlogits + row * c, x, count, c);
  });
}

}  // namespace
}  // namespace flyball
