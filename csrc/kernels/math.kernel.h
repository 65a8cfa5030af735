// Elementary functions of vectors. Compiled once per instruction set: see variant.h.
//
// Largest errors in float32 are over every float, with fused multiply-add, and over those from 2^-31 to 104 without
// (odd functions: positive ones), against double functions; in float64 over 3e6 to 9e6 arguments, with and without,
// against long double ones.
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
  static constexpr std::uint32_t rounder_bits = 0x4b400000;
  static constexpr std::uint32_t one = 0x3f800000;  // the bits of 1.0
  static constexpr std::uint32_t sign = 0x80000000;
  static constexpr float smallest_normal = 0x1p-126f, largest = 0x1.fffffep127f;
};
template <>
struct Format<double> {
  static constexpr int mantissa = 52;
  static constexpr double rounder = 0x1.8p52;
  static constexpr std::uint64_t rounder_bits = 0x4338000000000000;
  static constexpr std::uint64_t one = 0x3ff0000000000000;
  static constexpr std::uint64_t sign = 0x8000000000000000;
  static constexpr double smallest_normal = 0x1p-1022, largest = 0x1.fffffffffffffp1023;
};

template <class T>
using Words = Vec<typename Bits<T>::Unsigned>;

template <class T>
FLYBALL_INLINE Vec<T> absolute(Vec<T> x) {
  return reinterpret_cast<Vec<T>>(reinterpret_cast<Words<T>>(x) & ~Format<T>::sign);
}

// magnitude, which is not negative, with the sign of x.
template <class T>
FLYBALL_INLINE Vec<T> with_sign(Vec<T> magnitude, Vec<T> x) {
  const Words<T> sign = reinterpret_cast<Words<T>>(x) & Format<T>::sign;
  return reinterpret_cast<Vec<T>>(reinterpret_cast<Words<T>>(magnitude) | sign);
}

// x between two bounds; nan stays nan.
template <class T>
FLYBALL_INLINE Vec<T> clip(Vec<T> x, T low, T high) {
  return at_most(at_least(x, low), high);
}

// c: exp(r) = 1 + r + r^2 * polynomial(r) for |r| <= log(2) / 2, to 1e-8 and 2e-17 relative (interpolated at
// Chebyshev nodes). n * log2_high is exact for every n that occurs.
template <class T>
struct Exp;
template <>
struct Exp<float> {
  static constexpr float lowest = -104.0f, highest = 89.0f;  // exp is 0 below, inf above
  static constexpr float half = 64.0f, two_to_half = 0x1p64f;
  static constexpr float log2_high = 0x1.63p-1f, log2_low = -0x1.bd0106p-13f;
  static constexpr float c[] = {0.5f, 0.16666577f, 0.0416665546f, 0.00836317905f, 0.00139261836f};
};
template <>
struct Exp<double> {
  static constexpr double lowest = -746.0, highest = 710.0;
  static constexpr double half = 512.0, two_to_half = 0x1p512;
  static constexpr double log2_high = 0x1.62e42feep-1, log2_low = 0x1.a39ef35793c76p-33;
  static constexpr double c[] = {0.500000000000000102,   0.166666666666666675,   0.0416666666666241279,
                                 0.00833333333333006183, 0.00138888889172137169, 0.000198412698630536169,
                                 2.48015212959543751e-5, 2.75572684599970648e-6, 2.76200884454097482e-7,
                                 2.51003854955103191e-8};
};

// exp(x) over the whole range: subnormal results are rounded like the others, nan stays nan.
//
// Lanes are chosen between by minima and by bits of n's sign: a blend is three instructions of AVX2 on some CPUs.
//
// Largest error: float32 1.10 ulp, float64 1.07 ulp.
template <class T>
FLYBALL_INLINE Vec<T> exp(Vec<T> x) {
  using C = Exp<T>;
  using F = Format<T>;
  x = clip(x, C::lowest, C::highest);
  const Vec<T> shifted = x * T(1.44269504088896340736) + F::rounder;
  const Vec<T> n = shifted - F::rounder;
  const Vec<T> r = (x - n * C::log2_high) - n * C::log2_low;
  const Vec<T> y = (polynomial(r, C::c) * (r * r) + r) + T(1);
  // 2^n leaves the normal numbers at both ends of the range: 2^(n +- half) does not, and the rest is a second factor,
  // 2^half or 2^-half, which differ in the bit below the sign.
  const Words<T> sign = reinterpret_cast<Words<T>>(n) & F::sign;
  const Words<T> inwards = sign ^ reinterpret_cast<Words<T>>(broadcast(-C::half));
  const Words<T> bits = reinterpret_cast<Words<T>>(shifted + reinterpret_cast<Vec<T>>(inwards));
  const Vec<T> power = reinterpret_cast<Vec<T>>((bits << F::mantissa) + F::one);
  const Words<T> rest = (sign >> 1) ^ reinterpret_cast<Words<T>>(broadcast(C::two_to_half));
  // exp(-inf) is what masked logits and missing lanes ask for: times 0, because an underflow costs the CPU 50 cycles.
  const Words<T> vanishes = reinterpret_cast<Words<T>>(x == C::lowest);
  return y * power * reinterpret_cast<Vec<T>>(rest & ~vanishes);
}

// exp(x) - 1 over the whole range. With x = n * log(2) + r as in exp, half of it is 2^(n-1) * (exp(r) - 1) + (2^(n-1) -
// 1/2); the power of n - 1 is a normal number up to where the result overflows.
//
// Largest error: float32 1.75 ulp, float64 2.23 ulp.
template <class T>
FLYBALL_INLINE Vec<T> expm1(Vec<T> x) {
  using C = Exp<T>;
  using F = Format<T>;
  constexpr T lowest = -1.5 * T(F::mantissa);  // the result is -1 from here on
  x = clip(x, lowest, C::highest);
  const Vec<T> shifted = x * T(1.44269504088896340736) + F::rounder;
  const Vec<T> n = shifted - F::rounder;
  const Vec<T> r = (x - n * C::log2_high) - n * C::log2_low;
  const Vec<T> y = polynomial(r, C::c) * (r * r) + r;
  const Words<T> bits = reinterpret_cast<Words<T>>(shifted - T(1));
  const Vec<T> power = reinterpret_cast<Vec<T>>((bits << F::mantissa) + F::one);
  return (y * power + (power - T(0.5))) * T(2);
}

// q: 2 * atanh(s) = 2 * s + s^3 * q(s^2) for |s| <= 1/5, to 5e-11 and 3e-19 relative.
template <class T>
struct Log;
template <>
struct Log<float> {
  static constexpr std::uint32_t three_quarters = 0x3f400000;
  static constexpr std::uint32_t bias = 128;  // keeps the exponent positive for the unsigned shift
  static constexpr float q[] = {0.6666666f, 0.40000862f, 0.28507122f, 0.24098593f};
};
template <>
struct Log<double> {
  static constexpr std::uint64_t three_quarters = 0x3fe8000000000000;
  static constexpr std::uint64_t bias = 1024;
  static constexpr double q[] = {0.666666666666666,  0.4000000000005596,  0.2857142855600402, 0.22222224276479677,
                                 0.1818166707511057, 0.15391072791339716, 0.1317425668384981, 0.13838596985382312};
};

// k * log(2) + log(1 + u) for u in [-1/4, 1/2].
//
// With s = u / (2 + u), log(1 + u) = 2 * atanh(s) = 2 * s + s^3 * q(s^2). 2 * s is rounded where the logarithm needs it
// most, so it is rewritten with the exact u: 2 * s = u - s * u.
template <class T>
FLYBALL_INLINE Vec<T> log_of_reduced(Vec<T> k, Vec<T> u) {
  const Vec<T> s = u / (u + T(2));
  const Vec<T> z = s * s;
  const Vec<T> tail = k * Exp<T>::log2_low - s * (u - z * polynomial(z, Log<T>::q));
  return k * Exp<T>::log2_high + (u + tail);
}

// log(x) over the whole range: -inf at 0, nan below, inf at inf. x = 2^k * f with f in [3/4, 3/2).
//
// Largest error: float32 1.01 ulp, float64 0.99 ulp.
template <class T>
FLYBALL_INLINE Vec<T> log(Vec<T> x) {
  using F = Format<T>;
  using C = Log<T>;
  constexpr T lift = F::mantissa + 1;  // subnormal numbers are multiplied by 2^lift
  const IntVec<T> subnormal = x < F::smallest_normal;
  const Vec<T> normal = select<T>(subnormal, x * T(std::uint64_t{1} << (F::mantissa + 1)), x);
  const Words<T> bits = reinterpret_cast<Words<T>>(normal);
  const Words<T> exponent = (bits - C::three_quarters + (C::bias << F::mantissa)) >> F::mantissa;
  const Vec<T> f = reinterpret_cast<Vec<T>>(bits - ((exponent - C::bias) << F::mantissa));
  const Vec<T> k = reinterpret_cast<Vec<T>>(exponent - C::bias + F::rounder_bits) - F::rounder;
  const Vec<T> y = log_of_reduced<T>(k - select<T>(subnormal, broadcast(lift), zero<T>()), f - T(1));
  constexpr T inf = static_cast<T>(__builtin_inf());
  const Vec<T> edge = select<T>(x == T(0), broadcast(-inf), select<T>(x < T(0), broadcast(inf - inf), x));
  return select<T>((x > T(0)) & (x < inf), y, edge);
}

// log(1 + x) of x in [0, 1]; nan stays nan. Largest error: float32 0.95 ulp, float64 0.94 ulp.
template <class T>
FLYBALL_INLINE Vec<T> log1p(Vec<T> x) {
  const IntVec<T> upper = x > T(0.5);  // 1 + x = 2 * (1 + (x - 1) / 2)
  return log_of_reduced<T>(select<T>(upper, broadcast(T(1)), zero<T>()), select<T>(upper, (x - T(1)) * T(0.5), x));
}

// c: tanh(x) = x + x^3 * polynomial(x^2) up to tanh(x) = 1/2, to 1e-9 and 2e-17 relative.
template <class T>
struct Tanh;
template <>
struct Tanh<float> {
  static constexpr float c[] = {-0.3333332f, 0.13332605f, -0.053854328f, 0.02107988f, -0.0062857103f};
};
template <>
struct Tanh<double> {
  static constexpr double c[] = {-0.33333333333332366,   0.13333333333175815,   -0.053968253879414715,
                                 0.021869486051455087,   -0.008863195499688685, 0.003591727501221767,
                                 -0.0014532544108617474, 0.0005792464138830131, -0.0002104779111818906,
                                 5.1140915894826244e-05};
};

// tanh(x) over the whole range; beyond the polynomial 1 - 2 / (exp(2 * |x|) + 1), with the sign of x.
//
// Largest error: float32 1.50 ulp, float64 1.48 ulp.
template <class T>
FLYBALL_INLINE Vec<T> tanh(Vec<T> x) {
  const Vec<T> a = absolute<T>(x);
  const Vec<T> z = x * x;
  const Vec<T> near = x * z * polynomial(z, Tanh<T>::c) + x;
  const Vec<T> far = T(1) - T(2) / (exp<T>(a * T(2)) + T(1));
  return select<T>(a < T(0.549306144334054846), near, with_sign<T>(far, x));
}

// near: erf(x) = x + x * polynomial(x^2) up to 1, to 2e-9 and 1e-17 relative. far: log(1 - erf(1 + t)) as a polynomial
// of t, to 1e-9 and 7e-18 in erf; at 1 + farthest erf rounds to 1.
template <class T>
struct Erf;
template <>
struct Erf<float> {
  static constexpr float farthest = 2.95f;
  static constexpr float near[] = {0.12837917f,  -0.37612626f,   0.112836f,    -0.026854442f,
                                   0.005189533f, -0.0008020817f, 7.889039e-05f};
  static constexpr float far[] = {-1.8496056f,  -2.6389668f,    -0.84311837f,  -0.0415005f,
                                  0.009890597f, -0.0018259706f, 0.00018553087f};
};
template <>
struct Erf<double> {
  static constexpr double farthest = 4.95;
  static constexpr double near[] = {0.12837916709551256,     -0.3761263890318355,     0.11283791670945251,
                                    -0.026866170643275795,   0.0052239776074203634,   -0.0008548325989563366,
                                    0.00012055295316904695,  -1.4924744601060632e-05, 1.6447516981491039e-06,
                                    -1.6209171061849112e-07, 1.372295712713059e-08,   -7.801156181832156e-10};
  static constexpr double far[] = {-1.8496055099332482,     -2.6389675142347757,     -0.8431072563594144,
                                   -0.041561098025064684,   0.010033825179014888,    -0.001977901215258539,
                                   0.00023731643275962637,  2.629633256175642e-05,   -2.7198984906924436e-05,
                                   9.671397199129413e-06,   -2.1319646889268716e-06, 2.0483422087933513e-07,
                                   5.799722568477708e-08,   -3.338471572204882e-08,  8.516728596489939e-09,
                                   -1.3186879044187028e-09, 1.192766648150906e-10,   -4.862440738225878e-12};
};

// The error function over the whole range. Largest error: float32 1.51 ulp, float64 1.45 ulp.
template <class T>
FLYBALL_INLINE Vec<T> erf(Vec<T> x) {
  using C = Erf<T>;
  const Vec<T> a = absolute<T>(x);
  const Vec<T> near = x * polynomial(x * x, C::near) + x;
  const Vec<T> t = at_most(a - T(1), C::farthest);
  const Vec<T> far = T(1) - exp<T>(polynomial(t, C::far));
  return select<T>(a < T(1), near, with_sign<T>(far, x));
}

}  // namespace
}  // namespace flyball
