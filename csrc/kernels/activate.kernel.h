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
    return where_positive<T>(x, x * scale, expm1<T>(x) * scaled_alpha);
  }
  FLYBALL_INLINE Vec<T> gradient(Vec<T> dy, Vec<T> y) const {
    return dy * where_positive<T>(y, broadcast(scale), y + scaled_alpha);
  }
};

// 1 / (1 + exp(-x)) as a quotient, of exponentials that cannot overflow.
template <class T>
struct Logistic {
  Vec<T> numerator, denominator, e;  // e = exp(-|x|)

  FLYBALL_INLINE explicit Logistic(Vec<T> x) : e(exp<T>(-absolute<T>(x))) {
    numerator = select<T>(x < zero<T>(), e, broadcast(T(1)));
    denominator = e + T(1);
  }
  FLYBALL_INLINE Vec<T> value() const { return numerator / denominator; }
  FLYBALL_INLINE Vec<T> derivative() const { return e / (denominator * denominator); }
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
    const Vec<T> bounded = bounded_below<T>(x);
    const Logistic<T> s(bounded);
    return bounded * s.numerator / s.denominator;
  }
  FLYBALL_INLINE Vec<T> gradient(Vec<T> dy, Vec<T> x) const {
    const Vec<T> bounded = clip<T>(x, Exp<T>::lowest, -Exp<T>::lowest);
    const Logistic<T> s(bounded);
    return dy * (s.value() + bounded * s.derivative());
  }
};

// x * (1 + erf(x / sqrt(2))) / 2
template <class T>
struct Gelu {
  FLYBALL_INLINE static Vec<T> normal_probability(Vec<T> x) {
    return erf<T>(x * T(0.707106781186547524)) * T(0.5) + T(0.5);
  }
  FLYBALL_INLINE Vec<T> operator()(Vec<T> x) const {
    const Vec<T> bounded = bounded_below<T>(x);
    return bounded * normal_probability(bounded);
  }
  FLYBALL_INLINE Vec<T> gradient(Vec<T> dy, Vec<T> x) const {
    const Vec<T> bounded = clip<T>(x, -saturated<T>, saturated<T>);
    const Vec<T> density = exp<T>(bounded * bounded * T(-0.5)) * T(0.398942280401432678);
    return dy * (normal_probability(bounded) + bounded * density);
  }
};

// x * (1 + tanh(u)) / 2 = x / (1 + exp(-2 * u)), u = sqrt(2 / pi) * (x + 0.044715 * x^3)
template <class T>
struct GeluTanh {
  static constexpr T linear = T(1.59576912160573071), cubic = T(0.0713548162726009138);  // of 2 * u
  FLYBALL_INLINE Vec<T> operator()(Vec<T> x) const {
    const Vec<T> bounded = bounded_below<T>(x);
    const Logistic<T> s(bounded * (bounded * bounded * cubic + linear));
    return bounded * s.numerator / s.denominator;
  }
  FLYBALL_INLINE Vec<T> gradient(Vec<T> dy, Vec<T> x) const {
    const Vec<T> bounded = clip<T>(x, -saturated<T>, saturated<T>);
    const Vec<T> square = bounded * bounded;
    const Logistic<T> s(bounded * (square * cubic + linear));
    return dy * (s.value() + bounded * (square * (3 * cubic) + linear) * s.derivative());
  }
};

// log(1 + exp(x)), whose derivative is 1 - exp(-y)
template <class T>
struct Softplus {
  FLYBALL_INLINE Vec<T> operator()(Vec<T> x) const { return relu(x) + log1p<T>(exp<T>(-absolute<T>(x))); }
  FLYBALL_INLINE Vec<T> gradient(Vec<T> dy, Vec<T> y) const { return -(dy * expm1<T>(-y)); }
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
      const IntVec<T> negative = x < zero<T>();
      n = select<T>(negative, s.e * (s.e + T(2)), s.e * T(2) + T(1));
      rest = select<T>(negative, broadcast(T(2)), s.e * s.e * T(2));
    }
  };
  FLYBALL_INLINE Vec<T> operator()(Vec<T> x) const {
    const Vec<T> bounded = bounded_below<T>(x);
    const Quotient q(bounded);
    return bounded * q.n / (q.n + q.rest);
  }
  // With t = n / (n + rest), 1 - t^2 = rest * (2 * n + rest) / (n + rest)^2.
  FLYBALL_INLINE Vec<T> gradient(Vec<T> dy, Vec<T> x) const {
    const Vec<T> bounded = clip<T>(x, Exp<T>::lowest, -Exp<T>::lowest);
    const Quotient q(bounded);
    const Vec<T> d = q.n + q.rest;
    const Vec<T> t = q.n / d;
    return dy * (t + bounded * (q.rest * (q.n + d)) / (d * d) * q.s.value());
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
