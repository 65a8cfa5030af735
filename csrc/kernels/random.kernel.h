// Random numbers of distributions. Compiled once per instruction set: see variant.h.
//
// A group of random bits is 32 elements of float or 16 of double, a word as wide as the element each: element e of the
// first half takes lane e of pair 0 (philox.kernel.h), of the second half lane e of pair 1.
#include "kernels/math.kernel.h"
#include "kernels/philox.kernel.h"
#include "kernels/random.h"

namespace flyball {
namespace {

template <class T>
constexpr Index word_group = 128 / static_cast<Index>(sizeof(T));

// u in [0, 1), a multiple of 2^-24 or 2^-52.
FLYBALL_INLINE Vec<float> unit(Vec<std::uint32_t> word) {
  return __builtin_convertvector((Vec<std::int32_t>)(word >> 8), Vec<float>) * 0x1p-24f;
}
FLYBALL_INLINE Vec<double> unit(Vec<std::uint64_t> word) {
  return (Vec<double>)((word >> 12) | Format<double>::one) - 1.0;
}

// u in (0, 1], of a spacing of 2^-31 or less near 0, or of 2^-52: a logarithm of it is finite.
FLYBALL_INLINE Vec<float> positive_unit(Vec<std::uint32_t> word) {
  return __builtin_convertvector((Vec<std::int32_t>)(word >> 1), Vec<float>) * 0x1p-31f + 0x1p-32f;
}
FLYBALL_INLINE Vec<double> positive_unit(Vec<std::uint64_t> word) {
  return 2.0 - (Vec<double>)((word >> 12) | Format<double>::one);
}

// u in [-1/2, 1/2].
FLYBALL_INLINE Vec<float> centred_unit(Vec<std::uint32_t> word) {
  return __builtin_convertvector((Vec<std::int32_t>)word, Vec<float>) * 0x1p-32f;
}
FLYBALL_INLINE Vec<double> centred_unit(Vec<std::uint64_t> word) {
  return (Vec<double>)((word >> 12) | Format<double>::one) - 1.5;
}

// sine: sin(2 * pi * f) = f * polynomial(f^2) for |f| <= 1/8, cosine: cos(2 * pi * f) = 1 + f^2 * polynomial(f^2); to
// 2e-8 and 1e-20 (interpolated at Chebyshev nodes).
template <class T>
struct Turn;
template <>
struct Turn<float> {
  static constexpr float sine[] = {6.283185288f, -41.34166257f, 81.59254287f, -75.4016127f};
  static constexpr float cosine[] = {-19.73920879f, 64.93936905f, -85.44882009f, 59.42410598f};
};
template <>
struct Turn<double> {
  static constexpr double sine[] = {6.28318530717958648,  -41.3417022403997601, 81.6052492760749307,
                                    -76.7058597529981267, 42.0586939289887834,  -15.0946404038915456,
                                    3.81978812016321142,  -0.7116358090781666};
  static constexpr double cosine[] = {-19.7392088021787172, 64.9393940226682915,  -85.4568172066936846,
                                      60.2446413718545633,  -26.4262567778174002, 7.90353561233896018,
                                      -1.71433326942099208, 0.279740786065750405};
};

// Sine and cosine of 2 * pi * turns, |turns| <= 1/2. Turns leave nothing to round where the quarter is taken off.
template <class T>
FLYBALL_INLINE void sine_cosine(Vec<T> turns, Vec<T>& sine, Vec<T>& cosine) {
  using Unsigned = Vec<typename Bits<T>::Unsigned>;
  constexpr int to_sign = 8 * static_cast<int>(sizeof(T)) - 2;  // from bit 1
  const Vec<T> shifted = turns * T(4) + Format<T>::rounder;
  const Vec<T> f = turns - (shifted - Format<T>::rounder) * T(0.25);
  const Unsigned quarter = (Unsigned)shifted;
  const Vec<T> square = f * f;
  const Vec<T> s = f * polynomial(square, Turn<T>::sine);
  const Vec<T> c = square * polynomial(square, Turn<T>::cosine) + T(1);
  const IntVec<T> odd = (IntVec<T>)(quarter & 1) != 0;
  sine = (Vec<T>)((Unsigned)select<T>(odd, c, s) ^ (quarter & 2) << to_sign);
  cosine = (Vec<T>)((Unsigned)select<T>(odd, s, c) ^ ((quarter + 1) & 2) << to_sign);
}

// Two independent standard normal variables of each two words: Box and Muller 1958. |n| <= 6.7 or 8.5.
template <class T>
FLYBALL_INLINE void normal_pair(Vec<typename Bits<T>::Unsigned> (&words)[2], Vec<T> (&values)[2]) {
  const Vec<T> radius = sqrt(log<T>(positive_unit(words[0])) * T(-2));
  Vec<T> sine, cosine;
  sine_cosine<T>(centred_unit(words[1]), sine, cosine);
  values[0] = radius * cosine;
  values[1] = radius * sine;
}

// Numerators and denominators of the normal quantile, for probabilities up to 0.425 from 1/2 and for the others:
// Wichura 1988 (AS 241, PPND16) without its outermost part, so for quantiles up to 6.6.
constexpr double inner_numerator[] = {3.387132872796366608,  133.14166789178437745, 1971.5909503065514427,
                                      13731.693765509461125, 45921.953931549871457, 67265.770927008700853,
                                      33430.575583588128105, 2509.0809287301226727};
constexpr double inner_denominator[] = {1.0,
                                        42.313330701600911252,
                                        687.1870074920579083,
                                        5394.1960214247511077,
                                        21213.794301586595867,
                                        39307.89580009271061,
                                        28729.085735721942674,
                                        5226.495278852854561};
constexpr double outer_numerator[] = {1.42343711074968357734,   4.6303378461565452959,    5.7694972214606914055,
                                      3.64784832476320460504,   1.27045825245236838258,   0.241780725177450611770,
                                      0.0227238449892691845833, 7.74545014278341407640e-4};
constexpr double outer_denominator[] = {1.0,
                                        2.05319162663775882187,
                                        1.6763848301838038494,
                                        0.68976733498510000455,
                                        0.14810397642748007459,
                                        0.0151986665636164571966,
                                        5.475938084995344946e-4,
                                        1.05075007164441684324e-9};

template <class T>
FLYBALL_INLINE Vec<T> rational(Vec<T> x, const double (&numerator)[8], const double (&denominator)[8]) {
  Vec<T> n = broadcast(static_cast<T>(numerator[7])), d = broadcast(static_cast<T>(denominator[7]));
  for (int i = 6; i >= 0; --i) {
    n = n * x + static_cast<T>(numerator[i]);
    d = d * x + static_cast<T>(denominator[i]);
  }
  return n / d;
}

// The quantile of the standard normal distribution at 1/2 + t * (1 - outside), |t| <= 1/2. The probability beyond it is
// made of 1/2 - |t|, which is exact, and not of the difference to 1/2, which would cancel.
template <class T>
FLYBALL_INLINE Vec<T> normal_quantile(Vec<T> t, T outside) {
  const Vec<T> magnitude = select<T>(t < zero<T>(), -t, t);
  const Vec<T> tail = (T(0.5) - magnitude) + magnitude * outside;
  const Vec<T> q = t - t * outside;
  const Vec<T> inner = q * rational<T>(T(0.180625) - q * q, inner_numerator, inner_denominator);
  const Vec<T> r = sqrt(-log<T>(tail)) - T(1.6);
  const Vec<T> outer = rational<T>(r, outer_numerator, outer_denominator);
  return select<T>(tail >= T(0.075), inner, select<T>(t < zero<T>(), -outer, outer));
}

// y = finish(value, pointer into x) with the values that make(words, values) turns two vectors of words into.
template <class T, class Make, class Finish>
FLYBALL_INLINE void fill(T* y, const T* x, Index begin, Index count, RandomKey key, Make make, Finish finish) {
  constexpr int groups = 2;
  constexpr Index half = word_group<T> / 2;
  constexpr Index size = groups * word_group<T>;
  using Unsigned = Vec<typename Bits<T>::Unsigned>;
  for_each_draw<groups, word_group<T>>(begin, count, key, [&](const Drawn<groups>& drawn, Index i, Index n) {
    T last[size] = {};
    T* to = y + i;
    const T* from = x == nullptr ? nullptr : x + i;
    const std::size_t rest = static_cast<std::size_t>(n) * sizeof(T);
    if (n < size) {
      to = last;
      if (x != nullptr) {
        __builtin_memcpy(last, from, rest);
        from = last;
      }
    }
#pragma GCC unroll 8
    for (int u = 0; u < groups * group_vectors; ++u) {
      Unsigned words[2];
      for (int p = 0; p < 2; ++p) words[p] = (Unsigned)drawn.pair[u / group_vectors][p][u % group_vectors];
      Vec<T> values[2];
      make(words, values);
      const Index at = u / group_vectors * word_group<T> + u % group_vectors * lanes<T>;
      for (int p = 0; p < 2; ++p) store(to + at + p * half, finish(values[p], from + at + p * half));
    }
    if (n < size) __builtin_memcpy(y + i, last, rest);
  });
}

template <class T>
void random_uniform(T* out, Index begin, Index count, double low, double high, RandomKey key) {
  using Unsigned = Vec<typename Bits<T>::Unsigned>;
  const T from = static_cast<T>(low);
  const T span = static_cast<T>(high - low);
  // low + span * u may round to high, which is outside
  T last = static_cast<T>(high);
  if (low < high)
    last = sizeof(T) == sizeof(float) ? T(__builtin_nextafterf(float(last), float(low)))
                                      : T(__builtin_nextafter(last, low));
  fill<T>(
      out, nullptr, begin, count, key,
      [](Unsigned(&words)[2], Vec<T>(&values)[2]) {
        for (int p = 0; p < 2; ++p) values[p] = unit(words[p]);
      },
      [&](Vec<T> u, const T*) {
        const Vec<T> y = u * span + from;
        return select<T>(y > last, broadcast(last), y);
      });
}

template <class T>
void random_normal(T* out, const T* x, Index begin, Index count, double mean, double std, RandomKey key) {
  const T offset = static_cast<T>(mean);
  const T scale = static_cast<T>(std);
  if (x == nullptr) {
    fill<T>(out, x, begin, count, key, normal_pair<T>, [&](Vec<T> n, const T*) { return n * scale + offset; });
  } else {
    fill<T>(out, x, begin, count, key, normal_pair<T>, [&](Vec<T> n, const T* at) { return n * scale + load(at); });
  }
}

template <class T>
void random_truncated_normal(T* out, Index begin, Index count, double mean, double std, double bound, RandomKey key) {
  using Unsigned = Vec<typename Bits<T>::Unsigned>;
  const T offset = static_cast<T>(mean);
  const T scale = static_cast<T>(std);
  const T limit = static_cast<T>(bound);
  const T outside = static_cast<T>(__builtin_erfc(bound * 0.70710678118654752440));  // probability beyond the bound
  fill<T>(
      out, nullptr, begin, count, key,
      [&](Unsigned(&words)[2], Vec<T>(&values)[2]) {
        for (int p = 0; p < 2; ++p) values[p] = normal_quantile<T>(centred_unit(words[p]), outside);
      },
      [&](Vec<T> n, const T*) {
        n = select<T>(n < -limit, broadcast(-limit), select<T>(n > limit, broadcast(limit), n));
        return n * scale + offset;
      });
}

template <class T>
void gaussian_dropout(T* y, const T* x, Index begin, Index count, double std, RandomKey key) {
  const T scale = static_cast<T>(std);
  fill<T>(y, x, begin, count, key, normal_pair<T>,
          [&](Vec<T> n, const T* at) { return load(at) * (n * scale + T(1)); });
}

template <class T>
void random_words(std::uint64_t* out, Index begin, Index count, RandomKey key) {
  for_each_draw<1, word_group<double>>(begin, count, key, [&](const Drawn<1>& drawn, Index i, Index n) {
    __builtin_memcpy(out + i, drawn.pair, static_cast<std::size_t>(n) * sizeof(*out));
  });
}

template <class T>
constexpr RandomKernels<T> random_kernels = {random_uniform<T>, random_normal<T>, random_truncated_normal<T>,
                                             gaussian_dropout<T>, random_words<T>};

}  // namespace
}  // namespace flyball
