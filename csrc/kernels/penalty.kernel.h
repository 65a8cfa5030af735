// What updates have in common: scaling and clipping of the gradient, penalties, decay.
#include "flyball/params.h"
#include "kernels/simd.h"

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

// 1, -1, or x where it is 0 or nan.
template <class T>
FLYBALL_INLINE Vec<T> sign(Vec<T> x) {
  return select<T>(x > zero<T>(), broadcast(T(1)), select<T>(x < zero<T>(), broadcast(T(-1)), x));
}

// size * sign(x) for x that is no nan, in three instructions; with AVX-512 in two.
template <class T>
FLYBALL_INLINE Vec<T> with_sign_of(T size, Vec<T> x) {
#if defined(__AVX512F__)
  constexpr int third_chooses = 0xe4;  // between the bits of the first, where it is set, and those of the second
  const __m512i bits = (__m512i)x, size_bits = (__m512i)broadcast(size), sign_bit = (__m512i)broadcast(T(-0.0));
  if constexpr (sizeof(T) == sizeof(float)) {
    const __mmask16 set = _mm512_cmp_ps_mask(x, zero<T>(), _CMP_NEQ_UQ);
    return (Vec<T>)_mm512_maskz_ternarylogic_epi32(set, bits, size_bits, sign_bit, third_chooses);
  } else {
    const __mmask8 set = _mm512_cmp_pd_mask(x, zero<T>(), _CMP_NEQ_UQ);
    return (Vec<T>)_mm512_maskz_ternarylogic_epi64(set, bits, size_bits, sign_bit, third_chooses);
  }
#else
  const IntVec<T> sign_bit = (IntVec<T>)x & (IntVec<T>)broadcast(T(-0.0));
  return (Vec<T>)((sign_bit ^ (IntVec<T>)broadcast(size)) & (x != zero<T>()));
#endif
}

// x moved into [-bound, bound]; nan stays.
template <class T>
FLYBALL_INLINE Vec<T> clip(Vec<T> x, T bound) {
  return at_least(at_most(x, bound), -bound);
}

// Numbers of Penalty in T. With clip_penalty the penalties' gradient is scaled and clipped together with g.
// A rare one, proximal or with clip_penalty, has L1 or clipping too.
template <class T, bool with_l1_or_clip, bool rare, bool with_sum>
struct Penalised {
  T scale, l1, l2;  // of the gradient; l1 is value_l1 but for a rare one
  T clip_before, clip_after;
  T threshold;  // of the soft-thresholding
  T shrink;     // what decoupled decay leaves of a weight
  T value_l1;
  double half_l2;
  DoubleSum<T> sum;

  FLYBALL_INLINE Penalised(const Penalty& penalty, double gradient_scale, double learning_rate) {
    const double share = penalty.clip_penalty ? gradient_scale : 1.0;
    const T bound = static_cast<T>(penalty.clip_value);
    const T none = static_cast<T>(__builtin_inf());
    scale = static_cast<T>(gradient_scale);
    l1 = penalty.proximal ? T(0) : static_cast<T>(penalty.l1 * share);
    l2 = static_cast<T>(penalty.l2 * share);
    clip_before = penalty.clip_penalty ? none : bound;
    clip_after = penalty.clip_penalty ? bound : none;
    threshold = penalty.proximal ? static_cast<T>(learning_rate * penalty.l1) : T(0);
    shrink = static_cast<T>(1.0 - learning_rate * penalty.weight_decay);
    value_l1 = static_cast<T>(penalty.l1);
    half_l2 = penalty.l2 / 2;
  }

  // Of the weights w, which are those at p.
  template <class Part>
  FLYBALL_INLINE void add_penalty(Part part, const T* p, Vec<T> w) {
    if constexpr (with_sum && with_l1_or_clip) {
      sum.add((static_cast<T>(half_l2) * w + with_sign_of<T>(value_l1, w)) * w);  // the sign that gradient() has, too
    } else if constexpr (with_sum) {
      sum.add_squares(part, p);
    }
  }

  FLYBALL_INLINE Vec<T> gradient(Vec<T> g, Vec<T> w) const {
    if constexpr (!with_l1_or_clip) return scale * g + l2 * w;
    if constexpr (!rare) return clip<T>(scale * g, clip_before) + (with_sign_of<T>(value_l1, w) + l2 * w);
    g = clip<T>(scale * g, clip_before);
    return clip<T>(g + with_sign_of<T>(l1, w) + l2 * w, clip_after);
  }

  FLYBALL_INLINE Vec<T> moved(Vec<T> w, Vec<T> step) const {
    w = w * shrink + step;
    if constexpr (rare) w -= clip<T>(w, threshold);  // exactly 0 up to the threshold
    return w;
  }

  FLYBALL_INLINE double total() const {
    if constexpr (!with_sum) return 0.0;
    return with_l1_or_clip ? sum.total() : half_l2 * sum.total();
  }
};

// A part that, from memory, asks for the elements some vectors ahead of those that it loads, to write them unless they
// are constant. The processor fetches ahead unasked, but stops at each page: 20,000,000 elements of Adagrad took 1.25
// times as long without, with all penalties 1.38. From a cache nothing is gained, and up to 5 % lost.
template <class Part, bool from_memory>
struct Ahead {
  static constexpr Index bytes = 2048;
  Part part;

  template <class T>
  FLYBALL_INLINE Vec<T> load(const T* p) const {
    if constexpr (from_memory) __builtin_prefetch(p + bytes / static_cast<Index>(sizeof(T)), 0, 2);
    return part.load(p);
  }
  template <class T>
  FLYBALL_INLINE Vec<T> load(T* p) const {
    if constexpr (from_memory) prefetch_to_write(p + bytes / static_cast<Index>(sizeof(T)));
    return part.load(p);
  }
  template <class T>
  FLYBALL_INLINE void store(T* p, Vec<T> v) const {
    part.store(p, v);
  }
};

// w = w * shrink + step(part, i, gradient), soft-thresholded, for each vector; returns the penalty if with_sum.
template <class T, bool from_memory, class Step>
FLYBALL_INLINE double penalised_step(T* w, const T* g, Index count, const Penalty& params, double gradient_scale,
                                     double learning_rate, bool with_sum, Step step) {
  return with_flags(
      [&](auto l1_or_clip, auto rare, auto sum) {
        if constexpr (rare.value && (!l1_or_clip.value || from_memory)) return 0.0;  // there is no such
        Penalised<T, l1_or_clip.value, rare.value, sum.value> penalty(params, gradient_scale, learning_rate);
        for_each_vector<T>(count, [&](auto part, Index i) FLYBALL_INLINE_LAMBDA {
          const Ahead<decltype(part), from_memory> ahead{part};
          if constexpr (!from_memory) prefetch_to_write(w + i + 16 * lanes<T>);
          const Vec<T> weight = ahead.load(w + i);
          penalty.add_penalty(part, w + i, weight);
          const Vec<T> gradient = penalty.gradient(ahead.load(g + i), weight);
          part.store(w + i, penalty.moved(weight, step(ahead, i, gradient)));
        });
        return penalty.total();
      },
      params.has_l1_or_clip(), params.rare(), with_sum);
}

}  // namespace
}  // namespace flyball
