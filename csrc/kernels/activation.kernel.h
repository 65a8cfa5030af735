// Compiled once per instruction set: see variant.h.
#pragma once

#include "kernels/activate.kernel.h"
#include "kernels/activation.h"

namespace flyball {
namespace {

template <class T>
void activation_forward(T* y, const T* x, Index count, ActivationParams params) {
  with_activation<T>(params, [&](auto f) {
    for_each_vector<T>(count, [&](auto part, Index i) { part.store(y + i, f(part.load(x + i))); });
  });
}

template <class T>
void activation_backward(T* dx, const T* dy, const T* v, Index count, ActivationParams params) {
  with_activation<T>(params, [&](auto f) {
    for_each_vector<T>(
        count, [&](auto part, Index i) { part.store(dx + i, f.gradient(part.load(dy + i), part.load(v + i))); });
  });
}

// At the threshold the part below it counts, and so does its derivative; a flat part selects, so that it is 0 whatever
// it is multiplied with.
template <class T>
void relu_forward(T* y, const T* x, Index count, ReluParams params) {
  const Vec<T> threshold = broadcast(static_cast<T>(params.threshold));
  const Vec<T> highest = broadcast(static_cast<T>(params.highest));
  const T slope = static_cast<T>(params.slope);
  const bool flat = params.slope == 0.0;
  for_each_vector<T>(count, [&](auto part, Index i) {
    const Vec<T> v = part.load(x + i);
    const Vec<T> below = flat ? zero<T>() : (v - threshold) * slope;
    const Vec<T> above = select<T>(v > highest, highest, v);
    part.store(y + i, select<T>(v > threshold, above, select<T>(v <= threshold, below, v)));
  });
}

template <class T>
void relu_backward(T* dx, const T* dy, const T* x, Index count, ReluParams params) {
  const Vec<T> threshold = broadcast(static_cast<T>(params.threshold));
  const Vec<T> highest = broadcast(static_cast<T>(params.highest));
  const T slope = static_cast<T>(params.slope);
  const bool flat = params.slope == 0.0;
  for_each_vector<T>(count, [&](auto part, Index i) {
    const Vec<T> v = part.load(x + i);
    const Vec<T> d = part.load(dy + i);
    const Vec<T> above = select<T>(v < highest, d, zero<T>());
    part.store(dx + i, select<T>(v > threshold, above, flat ? zero<T>() : d * slope));
  });
}

template <class T>
void prelu_forward(T* y, const T* x, const T* alpha, Index ld, Index n, Index c) {
  for (Index i = 0; i < n; ++i, y += ld, x += ld) {
    for_each_vector<T>(c, [&](auto part, Index j) {
      const Vec<T> v = part.load(x + j);
      part.store(y + j, where_positive<T>(v, v, v * part.load(alpha + j)));
    });
  }
}

template <class T>
void prelu_backward(T* dx, double* dalpha, const T* dy, const T* x, const T* alpha, Index ld, Index n, Index c) {
  for_each_vector<T>(c, [&](auto part, Index j) {
    const Vec<T> slope = part.load(alpha + j);
    Vec<T> sum = zero<T>();
    for (Index i = 0; i < n; ++i) {
      const Index at = i * ld + j;
      const Vec<T> v = part.load(x + at);
      const Vec<T> d = part.load(dy + at);
      sum += select<T>(v < zero<T>(), d * v, zero<T>());
      if (dx != nullptr) part.store(dx + at, where_positive<T>(v, d, d * slope));
    }
    T sums[lanes<T>];
    part.store(sums, sum);
    const Index count = c - j < lanes<T> ? c - j : lanes<T>;
    for (Index k = 0; k < count; ++k) dalpha[j + k] = static_cast<double>(sums[k]);
  });
}

template <class T>
double activity_penalty(const T* x, Index count, double l1, double l2) {
  DoubleSum<T> sizes;
  DoubleSum<T> squares;
  for_each_vector<T>(count, [&](auto part, Index i) {
    const Vec<T> value = part.load(x + i);
    sizes.add(absolute<T>(value));
    squares.add_square(value);
  });
  return (l1 != 0.0 ? l1 * sizes.total() : 0.0) + (l2 != 0.0 ? 0.5 * l2 * squares.total() : 0.0);
}

template <class T>
void activity_penalty_backward(T* dx, const T* dy, const T* x, Index count, double l1, double l2) {
  const Vec<T> one = broadcast(static_cast<T>(l1));
  const T rate = static_cast<T>(l2);
  for_each_vector<T>(count, [&](auto part, Index i) {
    const Vec<T> value = part.load(x + i);
    const Vec<T> slope = select<T>(value > zero<T>(), one, select<T>(value < zero<T>(), -one, zero<T>()));
    part.store(dx + i, part.load(dy + i) + slope + rate * value);
  });
}

template <class T>
constexpr T minus_infinity = -static_cast<T>(__builtin_inf());

// In several maxima, so that a comparison need not wait for the one before.
template <class T>
FLYBALL_INLINE T max_of_row(const T* x, Index c) {
  constexpr Index count = 4;
  Vec<T> largest[count];
#pragma GCC unroll 4
  for (Index u = 0; u < count; ++u) largest[u] = broadcast(minus_infinity<T>);
  Index i = 0;
  for (; i + count * lanes<T> <= c; i += count * lanes<T>) {
#pragma GCC unroll 4
    for (Index u = 0; u < count; ++u) largest[u] = max<T>(load(x + i + u * lanes<T>), largest[u]);
  }
  for_each_vector<T>(c - i, [&](auto part, Index rest) {
    largest[0] = max<T>(part.load(x + i + rest, minus_infinity<T>), largest[0]);
  });
  return max_of_lanes<T>(max<T>(max<T>(largest[0], largest[1]), max<T>(largest[2], largest[3])));
}

// Returns sum(e), e = exp(x - largest), and unless y is null stores y = finish(sum)(part, i, e). y may be x.
//
// The e of a row of one or two vectors stay in registers: read back from y, they would wait for the store. Those of a
// longer row are kept in y meanwhile.
template <class T, class Finish>
FLYBALL_INLINE double softmax_row(T* y, const T* x, T largest, Index c, Finish finish) {
  const auto exponentials = [&](auto part, Index i) {
    return exp_of_negative<T>(part.load(x + i, minus_infinity<T>) - largest);
  };
  DoubleSum<T> sum;
  if (c <= 2 * lanes<T>) {
    const Partial second{c - lanes<T>};
    const bool two = second.count > 0;
    const Partial first{two ? lanes<T> : c};
    const Vec<T> e = exponentials(first, 0);
    sum.add(e);
    Vec<T> rest{};
    if (two) {
      rest = exponentials(second, lanes<T>);
      sum.add(rest);
    }
    const double total = sum.total();
    if (y != nullptr) {
      const auto result = finish(total);
      first.store(y, result(first, 0, e));
      if (two) second.store(y + lanes<T>, result(second, lanes<T>, rest));
    }
    return total;
  }
  for_each_vector<T>(c, [&](auto part, Index i) {
    const Vec<T> e = exponentials(part, i);
    sum.add(e);
    if (y != nullptr) part.store(y + i, e);
  });
  const double total = sum.total();
  if (y != nullptr) {
    const auto result = finish(total);
    for_each_vector<T>(c, [&](auto part, Index i) { part.store(y + i, result(part, i, part.load(y + i))); });
  }
  return total;
}

template <class T>
void softmax_forward(T* y, const T* x, Index n, Index c) {
  for (Index row = 0; row < n; ++row, y += c, x += c) {
    softmax_row(y, x, max_of_row(x, c), c, [](double sum) {
      const T scale = static_cast<T>(1.0 / sum);
      return [=](auto, Index, Vec<T> e) { return e * scale; };
    });
  }
}

template <class T>
void log_softmax_forward(T* y, const T* x, Index n, Index c) {
  for (Index row = 0; row < n; ++row, y += c, x += c) {
    const T largest = max_of_row(x, c);
    const double sum =
        softmax_row<T>(nullptr, x, largest, c, [](double) { return [](auto, Index, Vec<T> e) { return e; }; });
    const T log_sum = static_cast<T>(log<double>(broadcast(sum))[0]);
    for_each_vector<T>(c, [&](auto part, Index i) { part.store(y + i, (part.load(x + i) - largest) - log_sum); });
  }
}

template <class T>
void log_softmax_backward(T* dx, const T* dy, const T* y, Index n, Index c) {
  for (Index row = 0; row < n; ++row, dx += c, dy += c, y += c) {
    DoubleSum<T> sum;
    for_each_vector<T>(c, [&](auto part, Index i) { sum.add(part.load(dy + i)); });
    const T total = static_cast<T>(sum.total());
    for_each_vector<T>(c, [&](auto part, Index i) {
      part.store(dx + i, part.load(dy + i) - exp_of_negative<T>(part.load(y + i)) * total);
    });
  }
}

template <class T>
void softmax_backward(T* dx, const T* dy, const T* y, Index n, Index c) {
  for (Index row = 0; row < n; ++row, dx += c, dy += c, y += c) {
    DoubleSum<T> sum;
    for_each_vector<T>(c, [&](auto part, Index i) { sum.add(part.load(dy + i) * part.load(y + i)); });
    const T total = static_cast<T>(sum.total());
    for_each_vector<T>(c,
                       [&](auto part, Index i) { part.store(dx + i, part.load(y + i) * (part.load(dy + i) - total)); });
  }
}

template <class T>
constexpr ActivationKernels<T> activation_kernels = {
    activation_forward<T>, activation_backward<T>, relu_forward<T>,        relu_backward<T>,
    prelu_forward<T>,      prelu_backward<T>,      activity_penalty<T>,    activity_penalty_backward<T>,
    softmax_forward<T>,    softmax_backward<T>,    log_softmax_forward<T>, log_softmax_backward<T>};

}  // namespace
}  // namespace flyball
