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
FLYBALL_INLINE Vec<T> minus_absolute(Vec<T> x) {
  return reinterpret_cast<Vec<T>>(reinterpret_cast<Words<T>>(x) | Format<T>::sign);
}

// Where the sign bit is set: a blend by it needs no comparison.
template <class T>
FLYBALL_INLINE IntVec<T> has_sign(Vec<T> x) {
  return reinterpret_cast<IntVec<T>>(x) < 0;
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
  static constexpr float flushed = -88.03f;                  // -127 * log(2)
  static constexpr float half = 64.0f, two_to_half = 0x1p64f;
  static constexpr float log2_high = 0x1.63p-1f, log2_low = -0x1.bd0106p-13f;
  static constexpr float c[] = {0.5f, 0.16666577f, 0.0416665546f, 0.00836317905f, 0.00139261836f};
};
template <>
struct Exp<double> {
  static constexpr double lowest = -746.0, highest = 710.0;
  static constexpr double flushed = -709.09;  // -1023 * log(2)
  static constexpr double half = 512.0, two_to_half = 0x1p512;
  static constexpr double log2_high = 0x1.62e42feep-1, log2_low = 0x1.a39ef35793c76p-33;
  static constexpr double c[] = {0.500000000000000102,   0.166666666666666675,   0.0416666666666241279,
                                 0.00833333333333006183, 0.00138888889172137169, 0.000198412698630536169,
                                 2.48015212959543751e-5, 2.75572684599970648e-6, 2.76200884454097482e-7,
                                 2.51003854955103191e-8};
};

// With x = n * log(2) + r and |r| <= log(2) / 2, exp(x) = 2^n * (1 + y).
template <class T>
struct PowerOfE {
  Vec<T> shifted, n, y;  // shifted = n + rounder

  FLYBALL_INLINE explicit PowerOfE(Vec<T> x) {
    shifted = x * T(1.44269504088896340736) + Format<T>::rounder;
    n = shifted - Format<T>::rounder;
    const Vec<T> r = (x - n * Exp<T>::log2_high) - n * Exp<T>::log2_low;
    y = polynomial(r, Exp<T>::c) * (r * r) + r;
  }

  // 2^k of an integer k + rounder, times 2^offset.
  FLYBALL_INLINE static Vec<T> power(Vec<T> shifted, int offset = 0) {
    using Word = typename Bits<T>::Unsigned;
    const Word one = Format<T>::one + (static_cast<Word>(offset) << Format<T>::mantissa);
    return reinterpret_cast<Vec<T>>((reinterpret_cast<Words<T>>(shifted) << Format<T>::mantissa) + one);
  }

  // exp(x) down to Exp<T>::flushed: 2^n is 0 where n is -127 or -1023, the exponent of 0.
  FLYBALL_INLINE Vec<T> value() const {
    const Vec<T> factor = power(shifted);
    return y * factor + factor;
  }
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
  const PowerOfE<T> e(x);
  // 2^n leaves the normal numbers at both ends of the range: 2^(n +- half) does not, and the rest is a second factor,
  // 2^half or 2^-half, which differ in the bit below the sign.
  const Words<T> sign = reinterpret_cast<Words<T>>(e.n) & F::sign;
  const Words<T> inwards = sign ^ reinterpret_cast<Words<T>>(broadcast(-C::half));
  const Vec<T> power = e.power(e.shifted + reinterpret_cast<Vec<T>>(inwards));
  const Words<T> rest = (sign >> 1) ^ reinterpret_cast<Words<T>>(broadcast(C::two_to_half));
  // exp(-inf) is what masked logits and missing lanes ask for: times 0, because an underflow costs the CPU 50 cycles.
  const Words<T> vanishes = reinterpret_cast<Words<T>>(x == C::lowest);
  return (e.y * power + power) * reinterpret_cast<Vec<T>>(rest & ~vanishes);
}

// exp(x) of x between Exp<T>::lowest and 0, in two thirds of the instructions: the second factor is always 2^-half.
template <class T>
FLYBALL_INLINE Vec<T> exp_of_bounded(Vec<T> x) {
  using C = Exp<T>;
  const PowerOfE<T> e(x);
  const Vec<T> power = e.power(e.shifted, static_cast<int>(C::half));
  const Words<T> rest = reinterpret_cast<Words<T>>(broadcast(T(1) / C::two_to_half));
  const Words<T> vanishes = reinterpret_cast<Words<T>>(x == C::lowest);
  return (e.y * power + power) * reinterpret_cast<Vec<T>>(rest & ~vanishes);
}

// exp(x) of x <= 0. Largest error: float32 1.08 ulp, float64 1.08 ulp.
template <class T>
FLYBALL_INLINE Vec<T> exp_of_negative(Vec<T> x) {
  return exp_of_bounded<T>(at_least(x, Exp<T>::lowest));
}

// exp(x) of x <= 0 with subnormal results counted as 0, which takes a sixth less time still.
template <class T>
FLYBALL_INLINE Vec<T> flushed_exp(Vec<T> x) {
  return PowerOfE<T>(at_least(x, Exp<T>::flushed)).value();
}

// exp(x) - 1 of x <= 0. Largest error: float32 1.13 ulp, float64 1.20 ulp.
template <class T>
FLYBALL_INLINE Vec<T> expm1_of_negative(Vec<T> x) {
  constexpr T lowest = -1.5 * T(Format<T>::mantissa);  // the result is -1 from here on
  const PowerOfE<T> e(at_least(x, lowest));
  const Vec<T> power = e.power(e.shifted);
  return e.y * power + (power - T(1));
}

// 2 * atanh(s) = 2 * s + s^3 * q(s^2) for |s| <= 1/5, to 5e-11 and 3e-19 relative; q_to_third for |s| <= 1/3, to 4e-10
// and 5e-18.
template <class T>
struct Log;
template <>
struct Log<float> {
  static constexpr std::uint32_t three_quarters = 0x3f400000;
  static constexpr std::uint32_t bias = 128;  // keeps the exponent positive for the unsigned shift
  static constexpr float q[] = {0.6666666f, 0.40000862f, 0.28507122f, 0.24098593f};
  static constexpr float q_to_third[] = {0.66666667f, 0.39999706f, 0.28592358f, 0.21706576f, 0.23224329f};
};
template <>
struct Log<double> {
  static constexpr std::uint64_t three_quarters = 0x3fe8000000000000;
  static constexpr std::uint64_t bias = 1024;
  static constexpr double q[] = {0.666666666666666,  0.4000000000005596,  0.2857142855600402, 0.22222224276479677,
                                 0.1818166707511057, 0.15391072791339716, 0.1317425668384981, 0.13838596985382312};
  static constexpr double q_to_third[] = {
      0.66666666666666659, 0.40000000000014583, 0.28571428567108757, 0.22222222717427863,  0.18181789436132858,
      0.15385570064958623, 0.13314144209654936, 0.12001072809590713, 0.088007384861446739, 0.16164045611943532};
};

// u - log(1 + u), with q for |s| as large as it may be.
//
// With s = u / (2 + u), log(1 + u) = 2 * atanh(s) = 2 * s + s^3 * q(s^2). 2 * s is rounded where the logarithm needs it
// most, so it is rewritten with the exact u: 2 * s = u - s * u.
template <class T, std::size_t n>
FLYBALL_INLINE Vec<T> excess_over_log1p(Vec<T> u, const T (&q)[n]) {
  const Vec<T> s = u / (u + T(2));
  const Vec<T> z = s * s;
  return s * (u - z * polynomial(z, q));
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
  const Vec<T> e = k - select<T>(subnormal, broadcast(lift), zero<T>());
  const Vec<T> u = f - T(1);
  const Vec<T> y = e * Exp<T>::log2_high + (u + (e * Exp<T>::log2_low - excess_over_log1p<T>(u, C::q)));
  constexpr T inf = static_cast<T>(__builtin_inf());
  const Vec<T> edge = select<T>(x == T(0), broadcast(-inf), select<T>(x < T(0), broadcast(inf - inf), x));
  return select<T>((x > T(0)) & (x < inf), y, edge);
}

// log(1 + x) of x in [0, 1]; nan stays nan. Largest error: float32 1.30 ulp, float64 1.31 ulp.
template <class T>
FLYBALL_INLINE Vec<T> log1p(Vec<T> x) {
  return x - excess_over_log1p<T>(x, Log<T>::q_to_third);
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

// tanh(x) over the whole range; beyond the polynomial 1 - 2 * e / (1 + e), e = exp(-2 * |x|), with the sign of x.
//
// Largest error: float32 1.53 ulp, float64 1.51 ulp.
template <class T>
FLYBALL_INLINE Vec<T> tanh(Vec<T> x) {
  const Vec<T> a = absolute<T>(x);
  const Vec<T> z = x * x;
  const Vec<T> near = x * z * polynomial(z, Tanh<T>::c) + x;
  const Vec<T> e = flushed_exp<T>(a * T(-2));
  const Vec<T> far = T(1) - e * T(2) / (e + T(1));
  return select<T>(a < T(0.549306144334054846), near, with_sign<T>(far, x));
}

// over(a) / under(a) = exp(a^2 / 2) * q(a), where q(a) is the probability of more than a >= 0 under the normal density:
// to 4e-9 and 3e-18 in q, and to 1e-3 / q of that for large a. At `farthest`, exp(-a^2 / 2) is flushed to 0. Both
// polynomials are 1.4 times what they need be, away from the lower ends of binades for small a: less is rounded.
template <class T>
struct NormalTail;
template <>
struct NormalTail<float> {
  static constexpr float farthest = 13.2687f;
  static constexpr float over[] = {0.6999999931f, 0.4616114303f, 0.1421002607f, 0.01808167452f};
  static constexpr float under[] = {1.4f, 2.040260191f, 1.212106537f, 0.3554307509f, 0.04534887818f};
};
template <>
struct NormalTail<double> {
  static constexpr double farthest = 37.6587;
  static constexpr double over[] = {0.700000000000000004,   0.944593310488978408,    0.633655220082740017,
                                    0.266862272876352747,   0.0761899465415280752,   0.0150198875400126766,
                                    0.00199603047619491922, 0.000164148974326712047, 6.4564971856995805e-6};
  static constexpr double under[] = {1.4,
                                     3.00622500610197002,
                                     2.96593095883367391,
                                     1.76942869153806608,
                                     0.705754420967039798,
                                     0.195950592292507419,
                                     0.0380607454691885651,
                                     0.00501949013553461131,
                                     0.000411460466970706303,
                                     0.0000161840383384016758};
};

// exp(-a^2 / 2), and q(a) over it, for a >= 0: a counts as `farthest` from there on.
template <class T>
struct Normal {
  Vec<T> a, bell, ratio;

  FLYBALL_INLINE explicit Normal(Vec<T> distance) : a(at_most(distance, NormalTail<T>::farthest)) {
    using C = NormalTail<T>;
    bell = PowerOfE<T>(a * (a * T(-0.5))).value();
    ratio = polynomial(a, C::over) / polynomial(a, C::under);
  }
};

}  // namespace
}  // namespace flyball
