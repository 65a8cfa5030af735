// Losses of an element p that should be t, as function objects: f(p, t), and its derivative f.gradient(p, t) by p.
// Included by *.kernel.h only: see variant.h.
#pragma once

#include "flyball/params.h"
#include "kernels/activate.kernel.h"

namespace flyball {
namespace {

// Keras' bound of probabilities away from 0 and 1. Beyond it a loss is constant and its derivative 0.
constexpr double least_probability = 1e-7;

template <class T>
struct Probability {
  Vec<T> value;
  IntVec<T> inside;

  FLYBALL_INLINE Probability(Vec<T> p, T highest)
      : value(clip<T>(p, T(least_probability), highest)), inside(value == p) {}
  FLYBALL_INLINE Vec<T> where_inside(Vec<T> derivative) const { return select<T>(inside, derivative, zero<T>()); }
};

template <class T>
constexpr T most_probability = T(1) - T(least_probability);

template <class T>
struct SquaredError {
  FLYBALL_INLINE Vec<T> operator()(Vec<T> p, Vec<T> t) const { return (p - t) * (p - t); }
  FLYBALL_INLINE Vec<T> gradient(Vec<T> p, Vec<T> t) const { return (p - t) * T(2); }
};

template <class T>
struct AbsoluteError {
  FLYBALL_INLINE Vec<T> operator()(Vec<T> p, Vec<T> t) const { return absolute<T>(p - t); }
  FLYBALL_INLINE Vec<T> gradient(Vec<T> p, Vec<T> t) const {
    const Vec<T> d = p - t;
    return select<T>(d == zero<T>(), d, with_sign<T>(broadcast(T(1)), d));
  }
};

template <class T>
struct HuberError {
  T delta;
  FLYBALL_INLINE Vec<T> operator()(Vec<T> p, Vec<T> t) const {
    const Vec<T> d = absolute<T>(p - t);
    return select<T>(d > delta, (d - delta * T(0.5)) * delta, d * d * T(0.5));
  }
  FLYBALL_INLINE Vec<T> gradient(Vec<T> p, Vec<T> t) const { return clip<T>(p - t, -delta, delta); }
};

// log(cosh(d)) = |d| + log(1 + exp(-2 * |d|)) - log(2), to half a rounding of log(2).
template <class T>
struct LogCosh {
  FLYBALL_INLINE Vec<T> operator()(Vec<T> p, Vec<T> t) const {
    const Vec<T> d = absolute<T>(p - t);
    return d + (log1p<T>(exp_of_negative<T>(d * T(-2))) - T(0.693147180559945309));
  }
  FLYBALL_INLINE Vec<T> gradient(Vec<T> p, Vec<T> t) const { return tanh<T>(p - t); }
};

template <class T>
struct Hinge {
  FLYBALL_INLINE Vec<T> operator()(Vec<T> p, Vec<T> t) const { return relu(T(1) - p * t); }
  FLYBALL_INLINE Vec<T> gradient(Vec<T> p, Vec<T> t) const { return where_positive<T>(T(1) - p * t, -t, zero<T>()); }
};

template <class T>
struct SquaredHinge {
  FLYBALL_INLINE Vec<T> operator()(Vec<T> p, Vec<T> t) const {
    const Vec<T> margin = relu(T(1) - p * t);
    return margin * margin;
  }
  FLYBALL_INLINE Vec<T> gradient(Vec<T> p, Vec<T> t) const { return relu(T(1) - p * t) * t * T(-2); }
};

template <class T>
struct Poisson {
  FLYBALL_INLINE Vec<T> operator()(Vec<T> p, Vec<T> t) const { return p - t * log<T>(p + T(least_probability)); }
  FLYBALL_INLINE Vec<T> gradient(Vec<T> p, Vec<T> t) const { return T(1) - t / (p + T(least_probability)); }
};

template <class T>
struct BinaryCrossEntropy {
  FLYBALL_INLINE Vec<T> operator()(Vec<T> p, Vec<T> t) const {
    const Vec<T> q = Probability<T>(p, most_probability<T>).value;
    return -(t * log<T>(q) + (T(1) - t) * log<T>(T(1) - q));
  }
  FLYBALL_INLINE Vec<T> gradient(Vec<T> p, Vec<T> t) const {
    const Probability<T> q(p, most_probability<T>);
    return q.where_inside((q.value - t) / (q.value * (T(1) - q.value)));
  }
};

// -(t * log(s) + (1 - t) * log(1 - s)), s = sigmoid(x): max(x, 0) - x * t + log(1 + exp(-|x|)).
template <class T>
struct BinaryCrossEntropyLogits {
  FLYBALL_INLINE Vec<T> operator()(Vec<T> x, Vec<T> t) const {
    return (relu(x) - x * t) + log1p<T>(exp_of_negative<T>(minus_absolute<T>(x)));
  }
  FLYBALL_INLINE Vec<T> gradient(Vec<T> x, Vec<T> t) const { return Logistic<T>(x).value() - t; }
};

template <class T>
struct CategoricalCrossEntropy {
  FLYBALL_INLINE Vec<T> operator()(Vec<T> p, Vec<T> t) const {
    return -(t * log<T>(Probability<T>(p, most_probability<T>).value));
  }
  FLYBALL_INLINE Vec<T> gradient(Vec<T> p, Vec<T> t) const {
    const Probability<T> q(p, most_probability<T>);
    return q.where_inside(-(t / q.value));
  }
};

template <class T>
struct KlDivergence {
  FLYBALL_INLINE Vec<T> operator()(Vec<T> p, Vec<T> t) const {
    const Vec<T> target = Probability<T>(t, T(1)).value;
    return target * log<T>(target / Probability<T>(p, T(1)).value);
  }
  FLYBALL_INLINE Vec<T> gradient(Vec<T> p, Vec<T> t) const {
    const Probability<T> q(p, T(1));
    return q.where_inside(-(Probability<T>(t, T(1)).value / q.value));
  }
};

// Keras' bound of what is divided by, and of what a logarithm is taken of.
template <class T>
FLYBALL_INLINE Vec<T> at_least_epsilon(Vec<T> x) {
  const Vec<T> least = broadcast(T(least_probability));
  return select<T>(x < least, least, x);
}

template <class T>
struct PercentageError {
  FLYBALL_INLINE Vec<T> operator()(Vec<T> p, Vec<T> t) const {
    return absolute<T>(p - t) * T(100) / at_least_epsilon<T>(absolute<T>(t));
  }
  FLYBALL_INLINE Vec<T> gradient(Vec<T> p, Vec<T> t) const {
    return AbsoluteError<T>{}.gradient(p, t) * T(100) / at_least_epsilon<T>(absolute<T>(t));
  }
};

// (log(1 + p) - log(1 + t))^2, whose derivative is 0 where p is below the bound.
template <class T>
struct SquaredLogarithmicError {
  FLYBALL_INLINE static Vec<T> logarithm(Vec<T> x) {
    const Vec<T> positive = at_least_epsilon<T>(x);
    return select<T>(positive > T(1), log<T>(positive + T(1)), log1p<T>(positive));
  }
  FLYBALL_INLINE static Vec<T> distance(Vec<T> p, Vec<T> t) { return logarithm(p) - logarithm(t); }
  FLYBALL_INLINE Vec<T> operator()(Vec<T> p, Vec<T> t) const {
    const Vec<T> d = distance(p, t);
    return d * d;
  }
  FLYBALL_INLINE Vec<T> gradient(Vec<T> p, Vec<T> t) const {
    return select<T>(p < broadcast(T(least_probability)), zero<T>(), distance(p, t) * T(2) / (p + T(1)));
  }
};

template <class T>
struct NegativeProduct {
  FLYBALL_INLINE Vec<T> operator()(Vec<T> p, Vec<T> t) const { return -(p * t); }
  FLYBALL_INLINE Vec<T> gradient(Vec<T>, Vec<T> t) const { return -t; }
};

// Calls body(f) with the function object; every call of it compiles all of them.
template <class T, class Body>
FLYBALL_INLINE void with_loss(LossParams params, Body body) {
  switch (params.kind) {
    case Loss::mean_squared_error:
      return body(SquaredError<T>{});
    case Loss::mean_absolute_error:
      return body(AbsoluteError<T>{});
    case Loss::huber:
      return body(HuberError<T>{static_cast<T>(params.delta)});
    case Loss::log_cosh:
      return body(LogCosh<T>{});
    case Loss::hinge:
      return body(Hinge<T>{});
    case Loss::squared_hinge:
      return body(SquaredHinge<T>{});
    case Loss::poisson:
      return body(Poisson<T>{});
    case Loss::binary_cross_entropy:
      return body(BinaryCrossEntropy<T>{});
    case Loss::binary_cross_entropy_logits:
      return body(BinaryCrossEntropyLogits<T>{});
    case Loss::categorical_cross_entropy:
      return body(CategoricalCrossEntropy<T>{});
    case Loss::kl_divergence:
      return body(KlDivergence<T>{});
    case Loss::mean_absolute_percentage_error:
      return body(PercentageError<T>{});
    case Loss::mean_squared_logarithmic_error:
      return body(SquaredLogarithmicError<T>{});
    case Loss::cosine_similarity:
      return body(NegativeProduct<T>{});
  }
}

// Lanes beyond a row's end are 0, of which some losses are not: they are left out of the sum.
template <class T>
FLYBALL_INLINE Vec<T> present(Whole, Vec<T> v) {
  return v;
}
template <class T>
FLYBALL_INLINE Vec<T> present(Partial part, Vec<T> v) {
  return select<T>(first_lanes<T>(part.count), v, zero<T>());
}

template <class T>
void pointwise_loss(double* losses, T* dpredictions, const T* predictions, const T* targets, const T* weights, Index n,
                    Index c, LossParams params, double scale) {
  // Distributions, and squares of unit vectors, add up to 1 over a row, so their losses are sums; the others are means.
  const bool sums = params.kind == Loss::categorical_cross_entropy || params.kind == Loss::kl_divergence ||
                    params.kind == Loss::cosine_similarity;
  const double share = sums ? 1.0 : 1.0 / static_cast<double>(c);
  with_loss<T>(params, [&](auto f) {
    for (Index row = 0; row < n; ++row) {
      const T* p = predictions + row * c;
      const T* t = targets + row * c;
      const double weight = weights == nullptr ? share : share * static_cast<double>(weights[row]);
      const T factor = static_cast<T>(weight * scale);
      DoubleSum<T> sum;
      for_each_vector<T>(c, [&](auto part, Index i) {
        const Vec<T> prediction = part.load(p + i);
        const Vec<T> target = part.load(t + i);
        sum.add(present<T>(part, f(prediction, target)));
        if (dpredictions != nullptr) part.store(dpredictions + row * c + i, f.gradient(prediction, target) * factor);
      });
      losses[row] = sum.total() * weight;
    }
  });
}

}  // namespace
}  // namespace flyball
