// Losses of whole rows, and those of elements that have more than one parameter.
// Included by *.kernel.h only: see variant.h.
#pragma once

#include "flyball/params.h"
#include "kernels/activation.kernel.h"
#include "kernels/pointwise_loss.kernel.h"

namespace flyball {
namespace {

// x^e of x in [0, 1]; 1 where e is 0. Below the least normal number x counts as that, so that e may be negative.
template <class T>
FLYBALL_INLINE Vec<T> power(Vec<T> x, T e) {
  constexpr T least = sizeof(T) == 4 ? T(1.17549435e-38) : T(2.2250738585072014e-308);
  const Vec<T> base = select<T>(x < broadcast(least), broadcast(least), x);
  return e == T(0) ? broadcast(T(1)) : exp<T>(log<T>(base) * e);
}

// weight(t) * u^gamma * b: b is the binary cross-entropy, u = t * (1 - s) + (1 - t) * s how far the probability s is
// from the target.
template <class T, class CrossEntropy>
struct FocalElement {
  T gamma, positive, negative;

  FLYBALL_INLINE Vec<T> weight(Vec<T> t) const { return t * positive + (T(1) - t) * negative; }
  FLYBALL_INLINE Vec<T> operator()(Vec<T> p, Vec<T> t) const {
    const typename CrossEntropy::Chances s(p);
    const Vec<T> u = t * s.no + (T(1) - t) * s.yes;
    return weight(t) * power<T>(u, gamma) * CrossEntropy{}(p, t);
  }
  FLYBALL_INLINE Vec<T> gradient(Vec<T> p, Vec<T> t) const {
    const typename CrossEntropy::Chances s(p);
    const Vec<T> u = t * s.no + (T(1) - t) * s.yes;
    Vec<T> slope = power<T>(u, gamma) * CrossEntropy{}.gradient(p, t);
    if (gamma != T(0)) {
      slope += power<T>(u, gamma - T(1)) * gamma * s.slope() * (T(1) - t * T(2)) * CrossEntropy{}(p, t);
    }
    return weight(t) * slope;
  }
};

template <class T>
struct OfProbability : BinaryCrossEntropy<T> {
  struct Chances {
    Vec<T> yes, no;
    FLYBALL_INLINE explicit Chances(Vec<T> p) : yes(p), no(T(1) - p) {}
    FLYBALL_INLINE Vec<T> slope() const { return broadcast(T(1)); }
  };
};

template <class T>
struct OfLogit : BinaryCrossEntropyLogits<T> {
  struct Chances {
    Vec<T> yes, no;
    FLYBALL_INLINE explicit Chances(Vec<T> x) : yes(Logistic<T>(x).value()), no(Logistic<T>(-x).value()) {}
    FLYBALL_INLINE Vec<T> slope() const { return yes * no; }
  };
};

// A row's loss, and its gradient times `factor` into dp unless that is null.

template <class T, class F>
FLYBALL_INLINE double mean_of_row(T* dp, const T* p, const T* t, Index c, F f, double factor) {
  DoubleSum<T> sum;
  const double share = 1.0 / static_cast<double>(c);
  const T scale = static_cast<T>(factor * share);
  for_each_vector<T>(c, [&](auto part, Index i) {
    const Vec<T> prediction = part.load(p + i);
    const Vec<T> target = part.load(t + i);
    sum.add(present<T>(part, f(prediction, target)));
    if (dp != nullptr) part.store(dp + i, f.gradient(prediction, target) * scale);
  });
  return sum.total() * share;
}

// max(1 + max((1 - t) * p) - sum(t * p), 0). Of equal largest wrong scores the first has the gradient.
template <class T>
FLYBALL_INLINE double categorical_hinge_of_row(T* dp, const T* p, const T* t, Index c, double factor) {
  DoubleSum<T> right;
  T wrong = minus_infinity<T>;
  Index place = 0;
  for (Index i = 0; i < c; ++i) {
    const T score = (T(1) - t[i]) * p[i];
    if (score > wrong || score != score) {
      wrong = score;
      place = i;
    }
  }
  for_each_vector<T>(c, [&](auto part, Index i) { right.add(part.load(p + i) * part.load(t + i)); });
  const double loss = 1.0 + static_cast<double>(wrong) - right.total();
  const bool active = !(loss <= 0.0);
  if (dp != nullptr) {
    const T scale = active ? static_cast<T>(factor) : T(0);
    for_each_vector<T>(c, [&](auto part, Index i) { part.store(dp + i, part.load(t + i) * -scale); });
    dp[place] += (T(1) - t[place]) * scale;
  }
  return active ? loss : 0.0;
}

// sum(f) and its gradient by the logits, with q = softmax(x): f.loss(t, q, log q) an element, f.slope(t, q, log q) what
// it gives q * df/dq. dx = slope - q * sum(slope).
template <class T, class F>
FLYBALL_INLINE double softmax_loss_of_row(T* dx, const T* x, const T* t, Index c, F f, double factor) {
  const T largest = max_of_row(x, c);
  const double total =
      softmax_row<T>(nullptr, x, largest, c, [](double) { return [](auto, Index, Vec<T> e) { return e; }; });
  const T log_total = static_cast<T>(log<double>(broadcast(total))[0]);
  const auto log_q = [&](auto part, Index i) { return (part.load(x + i, largest) - largest) - log_total; };
  DoubleSum<T> loss, slopes;
  for_each_vector<T>(c, [&](auto part, Index i) {
    const Vec<T> l = log_q(part, i);
    const Vec<T> q = exp_of_negative<T>(l);
    const Vec<T> target = part.load(t + i);
    loss.add(present<T>(part, f.loss(target, q, l)));
    slopes.add(present<T>(part, f.slope(target, q, l)));
  });
  if (dx != nullptr) {
    const T sum = static_cast<T>(slopes.total());
    const T scale = static_cast<T>(factor);
    for_each_vector<T>(c, [&](auto part, Index i) {
      const Vec<T> l = log_q(part, i);
      const Vec<T> q = exp_of_negative<T>(l);
      part.store(dx + i, (f.slope(part.load(t + i), q, l) - q * sum) * scale);
    });
  }
  return loss.total();
}

// -t * (1 - q)^gamma * log(q).
template <class T>
struct FocalClass {
  T gamma;
  FLYBALL_INLINE Vec<T> loss(Vec<T> t, Vec<T> q, Vec<T> l) const { return -(t * power<T>(T(1) - q, gamma) * l); }
  FLYBALL_INLINE Vec<T> slope(Vec<T> t, Vec<T> q, Vec<T> l) const {
    Vec<T> s = -power<T>(T(1) - q, gamma);
    if (gamma != T(0)) s += power<T>(T(1) - q, gamma - T(1)) * gamma * q * l;
    return t * s;
  }
};

// (1 - s^gamma) / gamma with s = sum(t * q): dx = s^gamma * (q - t * q / s).
template <class T>
FLYBALL_INLINE double generalized_of_row(T* dx, const T* x, const T* t, Index c, double gamma, double factor) {
  const T largest = max_of_row(x, c);
  const double total =
      softmax_row<T>(nullptr, x, largest, c, [](double) { return [](auto, Index, Vec<T> e) { return e; }; });
  const T inverse = static_cast<T>(1.0 / total);
  const auto q = [&](auto part, Index i) { return exp_of_negative<T>(part.load(x + i, largest) - largest) * inverse; };
  DoubleSum<T> sum;
  for_each_vector<T>(c, [&](auto part, Index i) { sum.add(part.load(t + i) * q(part, i)); });
  const double share = sum.total();
  const double powered = power<double>(broadcast(share), gamma)[0];
  if (dx != nullptr) {
    const T scale = static_cast<T>(factor * powered);
    const T of_target = share > 0.0 ? static_cast<T>(1.0 / share) : T(0);
    for_each_vector<T>(c, [&](auto part, Index i) {
      const Vec<T> qi = q(part, i);
      part.store(dx + i, (qi - part.load(t + i) * (qi * of_target)) * scale);
    });
  }
  return (1.0 - powered) / gamma;
}

template <class T>
double row_loss_of_row(T* dp, const T* p, const T* t, Index c, RowLossParams params, double factor) {
  const T gamma = static_cast<T>(params.gamma);
  const T positive = static_cast<T>(params.positive);
  const T negative = static_cast<T>(params.negative);
  switch (params.kind) {
    case RowLoss::binary_focal_cross_entropy:
      return mean_of_row(dp, p, t, c, FocalElement<T, OfProbability<T>>{gamma, positive, negative}, factor);
    case RowLoss::binary_focal_cross_entropy_logits:
      return mean_of_row(dp, p, t, c, FocalElement<T, OfLogit<T>>{gamma, positive, negative}, factor);
    case RowLoss::categorical_focal_cross_entropy_logits:
      return softmax_loss_of_row(dp, p, t, c, FocalClass<T>{gamma}, factor);
    case RowLoss::categorical_generalized_cross_entropy_logits:
      return generalized_of_row(dp, p, t, c, params.gamma, factor);
    case RowLoss::categorical_hinge:
      return categorical_hinge_of_row(dp, p, t, c, factor);
  }
  return 0.0;
}

template <class T>
void row_loss(double* losses, T* dpredictions, const T* predictions, const T* targets, const T* weights, Index n,
              Index c, RowLossParams params, double scale) {
  for (Index row = 0; row < n; ++row) {
    const Index i = row * c;
    const double weight = weights == nullptr ? 1.0 : static_cast<double>(weights[row]);
    T* dp = dpredictions == nullptr ? nullptr : dpredictions + i;
    losses[row] = weight * row_loss_of_row(dp, predictions + i, targets + i, c, params, weight * scale);
  }
}

// sums (3) = sum(t * p), sum(t), sum(p).
template <class T>
void overlap_sums(double* sums, const T* p, const T* t, Index count) {
  DoubleSum<T> both, target, prediction;
  for_each_vector<T>(count, [&](auto part, Index i) {
    const Vec<T> ti = part.load(t + i);
    const Vec<T> pi = part.load(p + i);
    both.add(ti * pi);
    target.add(ti);
    prediction.add(pi);
  });
  sums[0] = both.total();
  sums[1] = target.total();
  sums[2] = prediction.total();
}

// dp = shift + slope * t.
template <class T>
void overlap_gradient(T* dp, const T* t, Index count, double shift, double slope) {
  const T a = static_cast<T>(shift);
  const T b = static_cast<T>(slope);
  for_each_vector<T>(count, [&](auto part, Index i) { part.store(dp + i, part.load(t + i) * b + a); });
}

}  // namespace
}  // namespace flyball
