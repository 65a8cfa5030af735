// Activations as function objects: f(x), and the gradient f.gradient(dy, v) = dy * f'(x) from v, which is the output or
// the input as derivative_of says. Included by *.kernel.h only: see variant.h.
//
// Each is finite or a limit wherever its formula is one: f(-inf) and f(inf) are the limits, nan stays nan.
#pragma once

#include "flyball/params.h"
#include "kernels/math.kernel.h"

namespace flyball {
namespace {

template <class T>
FLYBALL_INLINE Vec<T> where_positive(Vec<T> v, Vec<T> a, Vec<T> b) {
  return select<T>(v > zero<T>(), a, b);
}

template <class T>
struct Linear {
  FLYBALL_INLINE Vec<T> operator()(Vec<T> x) const { return x; }
  FLYBALL_INLINE Vec<T> gradient(Vec<T> dy, Vec<T>) const { return dy; }
};

// Its gradient selects: where the unit is off, it is 0 whatever dy is.
template <class T>
struct Relu {
  FLYBALL_INLINE Vec<T> operator()(Vec<T> x) const { return relu(x); }
  FLYBALL_INLINE Vec<T> gradient(Vec<T> dy, Vec<T> y) const { return where_positive<T>(y, dy, zero<T>()); }
};

template <class T>
struct LeakyRelu {
  T slope;
  FLYBALL_INLINE Vec<T> operator()(Vec<T> x) const { return select<T>(x < zero<T>(), x * slope, x); }
  FLYBALL_INLINE Vec<T> gradient(Vec<T> dy, Vec<T> y) const { return where_positive<T>(y, dy, dy * slope); }
};

// clip(scale * x + shift, 0, highest): relu6 and hard_sigmoid.
template <class T>
struct Clipped {
  T scale, shift, highest;
  FLYBALL_INLINE Vec<T> operator()(Vec<T> x) const { return clip<T>(x * scale + shift, T(0), highest); }
  FLYBALL_INLINE Vec<T> gradient(Vec<T> dy, Vec<T> y) const {
    return select<T>((y > T(0)) & (y < highest), dy * scale, zero<T>());
  }
};

// scale * (x > 0 ? x : alpha * (exp(x) - 1)): elu and selu. Below 0 the derivative is y + scale * alpha.
template <class T>
struct Elu {
  T scale, scaled_alpha;
  FLYBALL_INLINE Vec<T> operator()(Vec<T> x) const {
    return where_positive<T>(x, x * scale, expm1_of_negative<T>(x) * scaled_alpha);
  }
  FLYBALL_INLINE Vec<T> gradient(Vec<T> dy, Vec<T> y) const {
    return dy * where_positive<T>(y, broadcast(scale), y + scaled_alpha);
  }
};

// 1 / (1 + exp(-x)) as a quotient, of exponentials that cannot overflow.
template <class T>
struct Logistic {
  IntVec<T> negative;
  Vec<T> below, e, denominator;  // e = exp(below), where below is -|x| or as far below 0 as makes e 0

  FLYBALL_INLINE explicit Logistic(Vec<T> x)
      : negative(has_sign<T>(x)), below(at_least(minus_absolute<T>(x), Exp<T>::lowest)) {
    e = exp_of_bounded<T>(below);
    denominator = e + T(1);
  }
  FLYBALL_INLINE Vec<T> numerator() const { return select<T>(negative, e, broadcast(T(1))); }
  FLYBALL_INLINE Vec<T> value() const { return numerator() / denominator; }
  // value() + factor * (its derivative, e / denominator^2) in one division.
  FLYBALL_INLINE Vec<T> value_and_derivative(Vec<T> factor) const {
    return (numerator() * denominator + factor * e) / (denominator * denominator);
  }
};

template <class T>
struct Sigmoid {
  FLYBALL_INLINE Vec<T> operator()(Vec<T> x) const { return Logistic<T>(x).value(); }
  FLYBALL_INLINE Vec<T> gradient(Vec<T> dy, Vec<T> y) const { return dy * (y * (T(1) - y)); }
};

template <class T>
struct Tangent {
  FLYBALL_INLINE Vec<T> operator()(Vec<T> x) const { return tanh<T>(x); }
  FLYBALL_INLINE Vec<T> gradient(Vec<T> dy, Vec<T> y) const { return dy * ((T(1) - y) * (T(1) + y)); }
};

// x * g(x) with a g that vanishes at -inf is 0 there: from here on x counts as this.
template <class T>
FLYBALL_INLINE Vec<T> bounded_below(Vec<T> x) {
  return at_least(x, Exp<T>::lowest);
}

// Beyond this the derivatives of x * g(x) are 0 and 1, and factors of them inf.
template <class T>
constexpr T saturated = T(40);

template <class T>
struct Silu {
  FLYBALL_INLINE Vec<T> operator()(Vec<T> x) const {
    const Logistic<T> s(x);
    return select<T>(s.negative, s.below * s.e, x) / s.denominator;
  }
  FLYBALL_INLINE Vec<T> gradient(Vec<T> dy, Vec<T> x) const {
    const Vec<T> bounded = clip<T>(x, Exp<T>::lowest, -Exp<T>::lowest);
    return dy * Logistic<T>(bounded).value_and_derivative(bounded);
  }
};

// x * p(x), p(x) the probability of less than x under the normal density; with q = p(-|x|), max(x, 0) - |x| * q.
//
// Largest error: 1.7 ulp of x, and of the derivative 0.9 ulp of 1.
template <class T>
struct Gelu {
  FLYBALL_INLINE Vec<T> operator()(Vec<T> x) const {
    const Normal<T> normal(absolute<T>(x));
    return at_least(x, T(0)) - normal.bell * (normal.a * normal.ratio);
  }
  // p(x) + x * p'(x) for negative x, and 1 less that of -x for others.
  FLYBALL_INLINE Vec<T> gradient(Vec<T> dy, Vec<T> x) const {
    const Normal<T> normal(absolute<T>(x));
    const Vec<T> below = normal.bell * (normal.ratio - normal.a * T(0.398942280401432678));
    return dy * select<T>(has_sign<T>(x), below, T(1) - below);
  }
};

// x * (1 + tanh(u)) / 2 = x / (1 + exp(-2 * u)), u = sqrt(2 / pi) * (x + 0.044715 * x^3)
template <class T>
struct GeluTanh {
  static constexpr T linear = T(1.59576912160573071), cubic = T(0.0713548162726009138);  // of 2 * u
  FLYBALL_INLINE Vec<T> operator()(Vec<T> x) const {
    const Vec<T> bounded = bounded_below<T>(x);
    const Logistic<T> s(bounded * (bounded * bounded * cubic + linear));
    return bounded * s.numerator() / s.denominator;
  }
  FLYBALL_INLINE Vec<T> gradient(Vec<T> dy, Vec<T> x) const {
    const Vec<T> bounded = clip<T>(x, -saturated<T>, saturated<T>);
    const Vec<T> square = bounded * bounded;
    const Logistic<T> s(bounded * (square * cubic + linear));
    return dy * s.value_and_derivative(bounded * (square * (3 * cubic) + linear));
  }
};

// log(1 + exp(x)), whose derivative is 1 - exp(-y)
template <class T>
struct Softplus {
  FLYBALL_INLINE Vec<T> operator()(Vec<T> x) const {
    return relu(x) + log1p<T>(exp_of_negative<T>(minus_absolute<T>(x)));
  }
  FLYBALL_INLINE Vec<T> gradient(Vec<T> dy, Vec<T> y) const { return -(dy * expm1_of_negative<T>(-y)); }
};

// x / (1 + |x|), whose derivative is (1 - |y|)^2
template <class T>
struct Softsign {
  FLYBALL_INLINE Vec<T> operator()(Vec<T> x) const {
    const Vec<T> finite = clip<T>(x, -Format<T>::largest, Format<T>::largest);
    return finite / (absolute<T>(finite) + T(1));
  }
  FLYBALL_INLINE Vec<T> gradient(Vec<T> dy, Vec<T> y) const {
    const Vec<T> rest = T(1) - absolute<T>(y);
    return dy * (rest * rest);
  }
};

template <class T>
struct Exponential {
  FLYBALL_INLINE Vec<T> operator()(Vec<T> x) const { return exp<T>(x); }
  FLYBALL_INLINE Vec<T> gradient(Vec<T> dy, Vec<T> y) const { return dy * y; }
};

// x * tanh(log(1 + exp(x))), where tanh(...) = ((1 + exp(x))^2 - 1) / ((1 + exp(x))^2 + 1) = n / (n + rest), divided by
// exp(2 * x) where x is not negative.
template <class T>
struct Mish {
  struct Quotient {
    Logistic<T> s;
    Vec<T> n, rest;
    FLYBALL_INLINE explicit Quotient(Vec<T> x) : s(x) {
      n = select<T>(s.negative, s.e * (s.e + T(2)), s.e * T(2) + T(1));
      rest = select<T>(s.negative, broadcast(T(2)), s.e * s.e * T(2));
    }
  };
  FLYBALL_INLINE Vec<T> operator()(Vec<T> x) const {
    const Vec<T> bounded = bounded_below<T>(x);
    const Quotient q(bounded);
    return bounded * q.n / (q.n + q.rest);
  }
  // With t = n / (n + rest), t + x * (1 - t^2) * sigmoid(x), where 1 - t^2 = rest * (2 * n + rest) / (n + rest)^2.
  FLYBALL_INLINE Vec<T> gradient(Vec<T> dy, Vec<T> x) const {
    const Vec<T> bounded = clip<T>(x, Exp<T>::lowest, -Exp<T>::lowest);
    const Quotient q(bounded);
    const Vec<T> d = q.n + q.rest;
    const Vec<T> slope = bounded * (q.rest * (q.n + d)) * q.s.numerator();
    return dy * ((q.n * d * q.s.denominator + slope) / (d * d * q.s.denominator));
  }
};

// Calls body(f) with the function object. Every call of it compiles all of them: a kernel that activates what it has
// computed includes the cheap ones it names, and leaves the others to ActivationKernels, on a block in the cache.
template <class T, class Body>
FLYBALL_INLINE void with_activation(ActivationParams params, Body body) {
  const T alpha = static_cast<T>(params.alpha);
  switch (params.kind) {
    case Activation::linear:
      return body(Linear<T>{});
    case Activation::relu:
      return body(Relu<T>{});
    case Activation::leaky_relu:
      return body(LeakyRelu<T>{alpha});
    case Activation::relu6:
      return body(Clipped<T>{T(1), T(0), T(6)});
    case Activation::elu:
      return body(Elu<T>{T(1), alpha});
    case Activation::selu:
      return body(Elu<T>{T(1.05070098735548049), T(1.75809934084737686)});
    case Activation::gelu:
      return body(Gelu<T>{});
    case Activation::gelu_tanh:
      return body(GeluTanh<T>{});
    case Activation::sigmoid:
      return body(Sigmoid<T>{});
    case Activation::hard_sigmoid:
      return body(Clipped<T>{T(1.0 / 6.0), T(0.5), T(1)});
    case Activation::tanh:
      return body(Tangent<T>{});
    case Activation::silu:
      return body(Silu<T>{});
    case Activation::softplus:
      return body(Softplus<T>{});
    case Activation::softsign:
      return body(Softsign<T>{});
    case Activation::exponential:
      return body(Exponential<T>{});
    case Activation::mish:
      return body(Mish<T>{});
  }
}

}  // namespace
}  // namespace flyball
