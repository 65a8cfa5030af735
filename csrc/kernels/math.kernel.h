// Elementary functions of vectors. Compiled once per instruction set: see variant.h.
#pragma once

#include "kernels/simd.h"

namespace flyball {
namespace {

// c[0] + c[1] * x + c[2] * x^2 + ...
template <class T, std::size_t n>
FLYBALL_INLINE Vec<T> polynomial(Vec<T> x, const T (&c)[n]) {
  Vec<T> y = broadcast(c[n - 1]);
  for (std::size_t i = n - 1; i-- > 0;) y = y * x + c[i];
  return y;
}

// Adding 1.5 * 2^mantissa rounds to an integer and leaves it, in two's complement, in the low bits of the sum.
template <class T>
struct Format;
template <>
struct Format<float> {
  static constexpr int mantissa = 23;
  static constexpr float rounder = 0x1.8p23f;
  static constexpr std::uint32_t one = 0x3f800000;  // the bits of 1.0
};
template <>
struct Format<double> {
  static constexpr int mantissa = 52;
  static constexpr double rounder = 0x1.8p52;
  static constexpr std::uint64_t one = 0x3ff0000000000000;
};

// c: exp(r) = 1 + r + r^2 * polynomial(r) for |r| <= log(2) / 2, to 1e-8 and 2e-17 relative (interpolated at
// Chebyshev nodes). n * log2_high is exact for every n that occurs.
template <class T>
struct Exp;
template <>
struct Exp<float> {
  static constexpr float lowest = -104.0f, highest = 89.0f;  // exp is 0 below, inf above
  static constexpr float log2_high = 0x1.63p-1f, log2_low = -0x1.bd0106p-13f;
  static constexpr float c[] = {0.5f, 0.16666577f, 0.0416665546f, 0.00836317905f, 0.00139261836f};
};
template <>
struct Exp<double> {
  static constexpr double lowest = -746.0, highest = 710.0;
  static constexpr double log2_high = 0x1.62e42feep-1, log2_low = 0x1.a39ef35793c76p-33;
  static constexpr double c[] = {0.500000000000000102,   0.166666666666666675,   0.0416666666666241279,
                                 0.00833333333333006183, 0.00138888889172137169, 0.000198412698630536169,
                                 2.48015212959543751e-5, 2.75572684599970648e-6, 2.76200884454097482e-7,
                                 2.51003854955103191e-8};
};

// exp(x) over the whole range: subnormal results are rounded like the others, nan stays nan.
//
// Largest error: float32 1.10 ulp (every float against double exp), float64 1.07 ulp (9e6 arguments in [-750, 715],
// [-40, 0] and [-1, 1] against long double exp); the same at every level, with and without fused multiply-add.
template <class T>
FLYBALL_INLINE Vec<T> exp(Vec<T> x) {
  using C = Exp<T>;
  using F = Format<T>;
  using Words = Vec<typename Bits<T>::Unsigned>;
  const IntVec<T> vanishes = x < C::lowest;
  x = select<T>(vanishes, broadcast(C::lowest), x);
  x = select<T>(x > C::highest, broadcast(C::highest), x);
  const Vec<T> shifted = x * T(1.44269504088896340736) + F::rounder;
  const Vec<T> n = shifted - F::rounder;
  const Vec<T> r = (x - n * C::log2_high) - n * C::log2_low;
  const Vec<T> y = (polynomial(r, C::c) * (r * r) + r) + T(1);
  // 2^n leaves the normal numbers at both ends of the range: 2^(n +- 64) does not, and the rest is a second factor.
  const IntVec<T> down = n < T(0);
  const Words bits = reinterpret_cast<Words>(shifted + select<T>(down, broadcast(T(64)), broadcast(T(-64))));
  const Vec<T> power = reinterpret_cast<Vec<T>>((bits << F::mantissa) + F::one);
  // exp(-inf) is what masked logits and missing lanes ask for: times 0, because an underflow costs the CPU 50 cycles.
  const Vec<T> rest = select<T>(down, broadcast(T(0x1p-64)), broadcast(T(0x1p64)));
  return y * power * select<T>(vanishes, zero<T>(), rest);
}

// log(x) of positive normal numbers; nan stays nan. Largest error 0.93 ulp (9e6 arguments against long double log, a
// third of them in [0.5, 2], a third over the whole range).
//
// x = 2^k * f with f in [sqrt(1/2), sqrt(2)); with u = f - 1 and s = u / (2 + u),
// log(f) = 2 * atanh(s) = 2 * s + s^3 * q(s^2). 2 * s is rounded where log(f) needs it most, so it is rewritten with
// the exact u: 2 * s = u - s * u.
FLYBALL_INLINE Vec<double> log(Vec<double> x) {
  using F = Format<double>;
  using Words = Vec<std::uint64_t>;
  constexpr std::uint64_t sqrt_half = 0x3fe6a09e667f3bcd;
  constexpr std::uint64_t bias = 1024;  // keeps the exponent positive for the unsigned shift
  // q, to 4.5e-18 of log(f), interpolated at Chebyshev nodes
  constexpr double q[] = {0.666666666666666969, 0.399999999998994432, 0.285714286260032687, 0.22222211130259877,
                          0.18182889455674946,  0.153317106182107716, 0.14616585424888622};
  const Words bits = reinterpret_cast<Words>(x);
  const Words exponent = (bits - sqrt_half + (bias << F::mantissa)) >> F::mantissa;
  const Vec<double> f = reinterpret_cast<Vec<double>>(bits - ((exponent - bias) << F::mantissa));
  constexpr std::uint64_t rounder_bits = 0x4338000000000000;
  const Vec<double> k = reinterpret_cast<Vec<double>>(exponent - bias + rounder_bits) - F::rounder;
  const Vec<double> u = f - 1.0;
  const Vec<double> s = u / (u + 2.0);
  const Vec<double> z = s * s;
  const Vec<double> tail = k * Exp<double>::log2_low - s * (u - z * polynomial(z, q));
  const Vec<double> y = k * Exp<double>::log2_high + (u + tail);
  return select<double>(x == x, y, x);
}

}  // namespace
}  // namespace flyball
