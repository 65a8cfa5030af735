// Compiled once per instruction set: see variant.h.
#include "kernels/penalty.kernel.h"
#include "kernels/simd.h"
#include "kernels/update.h"

namespace flyball {
namespace {

template <class T, bool from_memory>
double sgd(T* w, T* velocity, const T* g, Index count, double gradient_scale, const SgdParams& params, bool with_sum) {
  const T rate = static_cast<T>(params.learning_rate);
  const T momentum = static_cast<T>(params.momentum);
  return with_flags(
      [&](auto moving, auto nesterov) {
        return penalised_step<T, from_memory>(w, g, count, params.penalty, gradient_scale, params.learning_rate,
                                              with_sum, [=](auto part, Index i, Vec<T> gradient) FLYBALL_INLINE_LAMBDA {
                                                Vec<T> step = -rate * gradient;
                                                if constexpr (moving.value) {
                                                  const Vec<T> moved = momentum * part.load(velocity + i) + step;
                                                  part.store(velocity + i, moved);
                                                  step = nesterov.value ? momentum * moved + step : moved;
                                                }
                                                return step;
                                              });
      },
      velocity != nullptr, velocity != nullptr && params.nesterov);
}

template <class T, bool from_memory>
double adam(T* w, T* m, T* v, T* v_max, const T* g, Index count, double gradient_scale, const AdamStep& step,
            const AdamParams& params, bool with_sum) {
  const T mean_rate = static_cast<T>(step.mean_rate);
  const T gradient_rate = static_cast<T>(step.gradient_rate);
  const T epsilon = static_cast<T>(step.epsilon);
  const T new_m = static_cast<T>(1.0 - params.beta_1);
  const T new_v = static_cast<T>(1.0 - params.beta_2);
  return with_flags(
      [&](auto largest) {
        if constexpr (from_memory && largest.value) return 0.0;  // there is no such
        return penalised_step<T, from_memory>(w, g, count, params.penalty, gradient_scale, params.learning_rate,
                                              with_sum, [=](auto part, Index i, Vec<T> gradient) FLYBALL_INLINE_LAMBDA {
                                                Vec<T> mean = part.load(m + i);
                                                Vec<T> square = part.load(v + i);
                                                mean += new_m * (gradient - mean);
                                                square += new_v * (gradient * gradient - square);
                                                part.store(m + i, mean);
                                                part.store(v + i, square);
                                                if constexpr (largest.value) {
                                                  square = max<T>(part.load(v_max + i), square);
                                                  part.store(v_max + i, square);
                                                }
                                                return -quotient<T>(mean_rate * mean + gradient_rate * gradient,
                                                                    sqrt(square) + epsilon);
                                              });
      },
      v_max != nullptr);
}

template <class T, bool from_memory>
double rms(T* w, T* v, T* m, T* velocity, const T* g, Index count, double gradient_scale, const RmsParams& params,
           bool with_sum) {
  const T rate = static_cast<T>(params.learning_rate);
  const T keep = static_cast<T>(params.keep);
  const T fresh = static_cast<T>(params.fresh);
  const T momentum = static_cast<T>(params.momentum);
  const T inside = static_cast<T>(params.epsilon_inside ? params.epsilon : 0.0);
  const T outside = static_cast<T>(params.epsilon_inside ? 0.0 : params.epsilon);
  return with_flags(
      [&](auto centered, auto moving) {
        if constexpr (from_memory && (centered.value || moving.value)) return 0.0;  // there is no such
        return penalised_step<T, from_memory>(w, g, count, params.penalty, gradient_scale, params.learning_rate,
                                              with_sum, [=](auto part, Index i, Vec<T> gradient) FLYBALL_INLINE_LAMBDA {
                                                Vec<T> square = keep * part.load(v + i) + fresh * gradient * gradient;
                                                part.store(v + i, square);
                                                if constexpr (centered.value) {
                                                  const Vec<T> mean = keep * part.load(m + i) + fresh * gradient;
                                                  part.store(m + i, mean);
                                                  square = relu(square - mean * mean);
                                                }
                                                Vec<T> step =
                                                    -quotient<T>(rate * gradient, sqrt(square + inside) + outside);
                                                if constexpr (moving.value) {
                                                  step = momentum * part.load(velocity + i) + step;
                                                  part.store(velocity + i, step);
                                                }
                                                return step;
                                              });
      },
      m != nullptr, velocity != nullptr);
}

template <class T>
double adamax(T* w, T* m, T* u, const T* g, Index count, double gradient_scale, double rate, const AdamaxParams& params,
              bool with_sum) {
  const T mean_rate = static_cast<T>(rate);
  const T epsilon = static_cast<T>(params.epsilon);
  const T new_m = static_cast<T>(1.0 - params.beta_1);
  const T beta_2 = static_cast<T>(params.beta_2);
  return penalised_step<T, false>(w, g, count, params.penalty, gradient_scale, params.learning_rate, with_sum,
                                  [=](auto part, Index i, Vec<T> gradient) FLYBALL_INLINE_LAMBDA {
                                    Vec<T> mean = part.load(m + i);
                                    mean += new_m * (gradient - mean);
                                    const Vec<T> norm = max<T>(beta_2 * part.load(u + i), absolute<T>(gradient));
                                    part.store(m + i, mean);
                                    part.store(u + i, norm);
                                    return -quotient<T>(mean_rate * mean, norm + epsilon);
                                  });
}

template <class T>
double adadelta(T* w, T* v, T* d, const T* g, Index count, double gradient_scale, const AdadeltaParams& params,
                bool with_sum) {
  const T rate = static_cast<T>(params.learning_rate);
  const T rho = static_cast<T>(params.rho);
  const T fresh = static_cast<T>(1.0 - params.rho);
  const T epsilon = static_cast<T>(params.epsilon);
  return penalised_step<T, false>(w, g, count, params.penalty, gradient_scale, params.learning_rate, with_sum,
                                  [=](auto part, Index i, Vec<T> gradient) FLYBALL_INLINE_LAMBDA {
                                    const Vec<T> square = rho * part.load(v + i) + fresh * gradient * gradient;
                                    const Vec<T> change = part.load(d + i);
                                    const Vec<T> step =
                                        -quotient<T>(sqrt(change + epsilon), sqrt(square + epsilon)) * gradient;
                                    part.store(v + i, square);
                                    part.store(d + i, rho * change + fresh * step * step);
                                    return rate * step;
                                  });
}

template <class T>
double lion(T* w, T* m, const T* g, Index count, double gradient_scale, const LionParams& params, bool with_sum) {
  const T rate = static_cast<T>(params.learning_rate);
  const T beta_1 = static_cast<T>(params.beta_1);
  const T beta_2 = static_cast<T>(params.beta_2);
  const T new_1 = static_cast<T>(1.0 - params.beta_1);
  const T new_2 = static_cast<T>(1.0 - params.beta_2);
  return penalised_step<T, false>(w, g, count, params.penalty, gradient_scale, params.learning_rate, with_sum,
                                  [=](auto part, Index i, Vec<T> gradient) FLYBALL_INLINE_LAMBDA {
                                    const Vec<T> mean = part.load(m + i);
                                    part.store(m + i, beta_2 * mean + new_2 * gradient);
                                    return -rate * sign<T>(beta_1 * mean + new_1 * gradient);
                                  });
}

template <class T>
constexpr UpdateVariants<T> update_kernels = {
    {sgd<T, false>, adam<T, false>, rms<T, false>, adamax<T>, adadelta<T>, lion<T>},
    {sgd<T, true>, adam<T, true>, rms<T, true>, nullptr, nullptr, nullptr}};

}  // namespace
}  // namespace flyball
