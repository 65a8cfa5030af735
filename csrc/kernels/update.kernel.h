// Compiled once per instruction set: see variant.h.
#include "kernels/simd.h"
#include "kernels/update.h"

namespace flyball {
namespace {

template <bool b>
struct Flag {
  static constexpr bool value = b;
};

// Calls body with the run-time flags as types, so that what a flag switches off is not compiled into the loop.
template <class Body>
FLYBALL_INLINE double with_flags(Body body) {
  return body();
}
template <class Body, class... Rest>
FLYBALL_INLINE double with_flags(Body body, bool flag, Rest... rest) {
  if (flag) return with_flags([&](auto... flags) { return body(Flag<true>{}, flags...); }, rest...);
  return with_flags([&](auto... flags) { return body(Flag<false>{}, flags...); }, rest...);
}

template <class T>
FLYBALL_INLINE Vec<T> sign(Vec<T> x) {
  return select<T>(x > zero<T>(), broadcast(T(1)), select<T>(x < zero<T>(), broadcast(T(-1)), zero<T>()));
}

// The penalty's part in an update; see Penalty in params.h.
template <class T, bool with_l1, bool with_sum>
struct Penalised {
  T l1, l2, half_l2;
  T shrink;  // what decoupled decay leaves of a weight
  DoubleSum<T> sum;

  Penalised(const Penalty& penalty, double learning_rate)
      : l1(static_cast<T>(penalty.l1)),
        l2(static_cast<T>(penalty.l2)),
        half_l2(static_cast<T>(penalty.l2 / 2)),
        shrink(static_cast<T>(1.0 - learning_rate * penalty.weight_decay)) {}

  FLYBALL_INLINE Vec<T> gradient(Vec<T> g, Vec<T> w) {
    if constexpr (with_sum) {
      Vec<T> value = half_l2 * w * w;
      if constexpr (with_l1) value += l1 * select<T>(w < zero<T>(), -w, w);
      sum.add(value);
    }
    if constexpr (with_l1) g += l1 * sign<T>(w);
    return g + l2 * w;
  }

  FLYBALL_INLINE double total() const { return with_sum ? sum.total() : 0.0; }
};

template <class T>
double sgd(T* w, T* velocity, const T* g, Index count, const SgdParams& params, bool with_penalty) {
  const T rate = static_cast<T>(params.learning_rate);
  const T momentum = static_cast<T>(params.momentum);
  return with_flags(
      [&](auto l1, auto sum, auto moving, auto nesterov) {
        Penalised<T, l1.value, sum.value> penalty(params.penalty, params.learning_rate);
        for_each_vector<T>(count, [&](auto part, Index i) {
          const Vec<T> weight = part.load(w + i);
          Vec<T> step = -rate * penalty.gradient(part.load(g + i), weight);
          if constexpr (moving.value) {
            const Vec<T> moved = momentum * part.load(velocity + i) + step;
            part.store(velocity + i, moved);
            step = nesterov.value ? momentum * moved + step : moved;
          }
          part.store(w + i, weight * penalty.shrink + step);
        });
        return penalty.total();
      },
      params.penalty.l1 != 0.0, with_penalty, velocity != nullptr, velocity != nullptr && params.nesterov);
}

template <class T>
double adam(T* w, T* m, T* v, const T* g, Index count, double rate, const AdamParams& params, bool with_penalty) {
  const T step = static_cast<T>(rate);
  const T epsilon = static_cast<T>(params.epsilon);
  const T new_m = static_cast<T>(1.0 - params.beta_1);
  const T new_v = static_cast<T>(1.0 - params.beta_2);
  return with_flags(
      [&](auto l1, auto sum) {
        Penalised<T, l1.value, sum.value> penalty(params.penalty, params.learning_rate);
        for_each_vector<T>(count, [&](auto part, Index i) {
          prefetch_to_write(w + i + 16 * lanes<T>);
          const Vec<T> weight = part.load(w + i);
          const Vec<T> gradient = penalty.gradient(part.load(g + i), weight);
          Vec<T> mean = part.load(m + i);
          Vec<T> square = part.load(v + i);
          mean += new_m * (gradient - mean);
          square += new_v * (gradient * gradient - square);
          part.store(m + i, mean);
          part.store(v + i, square);
          part.store(w + i, weight * penalty.shrink - step * mean / (sqrt(square) + epsilon));
        });
        return penalty.total();
      },
      params.penalty.l1 != 0.0, with_penalty);
}

template <class T>
constexpr UpdateKernels<T> update_kernels = {sgd<T>, adam<T>};

}  // namespace
}  // namespace flyball
