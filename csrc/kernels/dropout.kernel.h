// Dropout. Compiled once per instruction set: see variant.h.
//
// A dropped element is what the map says whatever it was, also inf and nan: masks select, they do not multiply.
#include "kernels/coins.kernel.h"
#include "kernels/dropout.h"
#include "kernels/mask.kernel.h"
#include "kernels/philox.kernel.h"

namespace flyball {
namespace {

// A group of random numbers decides 64 elements, 16 bits each; where as many are kept as dropped see coins.kernel.h.
constexpr Index elements_per_group = 64;

// Groups drawn at once. A vector's rounds wait for one another; those of other vectors fill the time as long as the
// registers hold all. Picoseconds an element of (1024, 512), one thread, with 1, 2, 4 and 8 groups: AVX-512 252, 237,
// 203, 272; AVX2 310, 261, 327, 404; SSE 556, 636, 776, 1168.
#if defined(__AVX512F__)
constexpr int draw_groups = 4;
#elif defined(__AVX2__)
constexpr int draw_groups = 2;
#else
constexpr int draw_groups = 1;
#endif
constexpr Index draw_size = draw_groups * elements_per_group;
constexpr int draw_vectors = static_cast<int>(draw_size / lanes<float>);

// Which of draw_size elements are kept, in order: lane l of 16 of pair p decides with its lower half element
// 16 * p + l of its group, and with its upper half element 32 + 16 * p + l.
struct Kept {
  const Drawn<draw_groups>& drawn;
  std::int32_t threshold;  // 16 bits below it keep an element; 1 to 2^16

  // The mask of elements [i * lanes, (i + 1) * lanes).
  FLYBALL_INLINE IntVec<float> vector(int i) const {
    constexpr int per_group = 4 * group_vectors;
    const bool upper = i % per_group >= 2 * group_vectors;
    const Wide words = drawn.pair[i / per_group][i / group_vectors % 2][i % group_vectors];
    const Vec<std::uint32_t> bits = (Vec<std::uint32_t>)words;
    return (IntVec<float>)(upper ? bits >> 16 : bits & 0xffffu) < IntVec<float>{} + threshold;
  }
};

// Calls body(kept, i, n) for elements [i, i + n) of the call; n is draw_size but for the last.
template <class Body>
FLYBALL_INLINE void for_each_kept(Index begin, Index count, Keep keep, RandomKey key, Body body) {
  const std::int32_t threshold = static_cast<std::int32_t>(keep.threshold);
  for_each_draw<draw_groups, elements_per_group>(
      begin, count, key,
      [&](const Drawn<draw_groups>& drawn, Index i, Index n) { body(Kept{drawn, threshold}, i, n); });
}

// The bytes of a group's mask. 16 bits are compared as they lie; the answers, 1 for elements that are dropped, are
// packed into bytes and sorted: each 128 bits have four of pair 0 and four of pair 1, of lower halves and of upper
// ones. Drawing a mask took 1.22 times as long with vectors of 32-bit lanes.
#if defined(__AVX2__)
#if defined(__AVX512F__)
struct GroupBytes {
  __m512i bytes;

  FLYBALL_INLINE GroupBytes(const Wide (&pairs)[2][group_vectors], std::int32_t threshold) {
    const __m128i order = _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);
    const __m512i places = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i last = _mm512_set1_epi16(static_cast<short>(threshold - 1));
    const auto dropped = [&](Wide bits) FLYBALL_INLINE_LAMBDA {
      return _mm512_min_epu16(_mm512_subs_epu16((__m512i)bits, last), _mm512_set1_epi16(1));
    };
    const __m512i packed = _mm512_packus_epi16(dropped(pairs[0][0]), dropped(pairs[1][0]));
    const __m512i kept = _mm512_xor_si512(packed, _mm512_set1_epi8(1));
    const __m512i fours = _mm512_shuffle_epi8(kept, _mm512_maskz_broadcast_i32x4(0xffff, order));
    bytes = _mm512_maskz_permutexvar_epi32(0xffff, places, fours);
  }

  FLYBALL_INLINE void store(std::uint8_t* mask) const { _mm512_storeu_si512(mask, bytes); }
  FLYBALL_INLINE std::uint64_t bits() const { return _mm512_test_epi8_mask(bytes, bytes); }
};
#else
struct GroupBytes {
  __m256i halves[2];

  FLYBALL_INLINE GroupBytes(const Wide (&pairs)[2][group_vectors], std::int32_t threshold) {
    const __m128i order = _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);
    const __m256i places = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    const __m256i last = _mm256_set1_epi16(static_cast<short>(threshold - 1));
    const auto dropped = [&](Wide bits) FLYBALL_INLINE_LAMBDA {
      return _mm256_min_epu16(_mm256_subs_epu16((__m256i)bits, last), _mm256_set1_epi16(1));
    };
    const auto fours = [&](int i) FLYBALL_INLINE_LAMBDA {
      const __m256i packed = _mm256_packus_epi16(dropped(pairs[0][i]), dropped(pairs[1][i]));
      const __m256i kept = _mm256_xor_si256(packed, _mm256_set1_epi8(1));
      return _mm256_shuffle_epi8(kept, _mm256_broadcastsi128_si256(order));
    };
    const __m256i first = fours(0), second = fours(1);
    halves[0] = _mm256_permutevar8x32_epi32(_mm256_unpacklo_epi32(first, second), places);
    halves[1] = _mm256_permutevar8x32_epi32(_mm256_unpackhi_epi32(first, second), places);
  }

  FLYBALL_INLINE void store(std::uint8_t* mask) const {
    for (int i = 0; i < 2; ++i) _mm256_storeu_si256(reinterpret_cast<__m256i*>(mask) + i, halves[i]);
  }
};
#endif

FLYBALL_INLINE void store_bytes(std::uint8_t* mask, const Kept& kept) {
#pragma GCC unroll 8
  for (int group = 0; group < draw_groups; ++group) {
    GroupBytes(kept.drawn.pair[group], kept.threshold).store(mask + group * elements_per_group);
  }
}
#else
FLYBALL_INLINE void store_bytes(std::uint8_t* mask, const Kept& kept) {
  IntVec<float> vectors[draw_vectors];
#pragma GCC unroll 64
  for (int i = 0; i < draw_vectors; ++i) vectors[i] = kept.vector(i);
  std::int32_t wide[draw_size];
  __builtin_memcpy(wide, vectors, sizeof(wide));
  for (Index i = 0; i < draw_size; ++i) mask[i] = static_cast<std::uint8_t>(wide[i] & 1);
}
#endif

// A bit an element.
FLYBALL_INLINE void to_words(std::uint64_t (&words)[draw_groups], const Kept& kept) {
#if defined(__AVX512F__)
#pragma GCC unroll 8
  for (int group = 0; group < draw_groups; ++group) {
    words[group] = GroupBytes(kept.drawn.pair[group], kept.threshold).bits();
  }
#else
#pragma GCC unroll 64
  for (int i = 0; i < draw_vectors; ++i) {
    const int bit = i * static_cast<int>(lanes<float>);
    const std::uint64_t before = bit % 64 == 0 ? 0 : words[bit / 64];
    words[bit / 64] = before | static_cast<std::uint64_t>(bits_of(kept.vector(i))) << bit % 64;
  }
#endif
}

FLYBALL_INLINE void store_bits(std::uint8_t* mask, const Kept& kept) {
  std::uint64_t words[draw_groups];
  to_words(words, kept);
  __builtin_memcpy(mask, words, sizeof(words));  // little-endian, as everything flyball runs on is
}

// Stores the mask of n elements, n < draw_size; the bits behind the last are 0.
template <MaskLayout layout>
FLYBALL_INLINE void store_rest(std::uint8_t* mask, const Kept& kept, Index n) {
  std::uint8_t last[draw_size];
  if constexpr (layout == MaskLayout::bytes) {
    store_bytes(last, kept);
    __builtin_memcpy(mask, last, static_cast<std::size_t>(n));
  } else {
    store_bits(last, kept);
    if (n % 8 != 0) last[n / 8] = static_cast<std::uint8_t>(last[n / 8] & ((1u << n % 8) - 1u));
    __builtin_memcpy(mask, last, static_cast<std::size_t>((n + 7) / 8));
  }
}

template <MaskLayout layout>
FLYBALL_INLINE void store_mask(std::uint8_t* mask, const Kept& kept, Index i, Index n) {
  if (n < draw_size) return store_rest<layout>(mask + (layout == MaskLayout::bytes ? i : i / 8), kept, n);
  if constexpr (layout == MaskLayout::bytes) {
    store_bytes(mask + i, kept);
  } else {
    store_bits(mask + i / 8, kept);
  }
}

// Calls body<layout>() for the layout of a mask.
template <class Body>
FLYBALL_INLINE void with_layout(MaskLayout layout, Body body) {
  if (layout == MaskLayout::bits) return body.template operator()<MaskLayout::bits>();
  body.template operator()<MaskLayout::bytes>();
}

void dropout_mask(Mask mask, Index begin, Index count, Keep keep, RandomKey key) {
  with_layout(mask.layout, [&]<MaskLayout layout>() {
    if (keep.half()) {
      return for_each_coins(begin, count, key,
                            [&](const Coins& coins, Index i, Index n) { store_coins<layout>(mask.data, coins, i, n); });
    }
    for_each_kept(begin, count, keep, key,
                  [&](const Kept& kept, Index i, Index n) { store_mask<layout>(mask.data, kept, i, n); });
  });
}

void dropout_mask_columns(std::uint8_t* mask, Index begin, Index rows, Index columns, Index width, Keep keep,
                          RandomKey key) {
  if (keep.half()) return coins_of_columns(mask, begin, rows, columns, width, key);
  const Index of_row = columns / elements_per_group;
  const Index apart = width / elements_per_group;
  const Index total = rows * of_row;
  const Index first = begin / elements_per_group;
  const Index high = first / groups_of_half;
  if ((first + rows * apart) / groups_of_half != high) {  // some rows need another Philox
    for (Index row = 0; row < rows; ++row) {
      dropout_mask({mask + row * columns, MaskLayout::bytes}, begin + row * width, columns, keep, key);
    }
    return;
  }
  const Philox philox(key, static_cast<std::uint64_t>(high));
  const std::int32_t threshold = static_cast<std::int32_t>(keep.threshold);
  Index of_this_row = 0;
  Index group = first;
  for (Index i = 0; i < total; i += draw_groups) {
    std::uint64_t groups[draw_groups];
    for (int g = 0; g < draw_groups; ++g) {  // behind the last row, some that are not stored
      groups[g] = static_cast<std::uint64_t>(group++);
      if (++of_this_row < of_row) continue;
      of_this_row = 0;
      group += apart - of_row;
    }
    const Index rest = (total - i) * elements_per_group;
    store_mask<MaskLayout::bytes>(mask, Kept{philox.draw(groups), threshold}, i * elements_per_group,
                                  rest < draw_size ? rest : draw_size);
  }
}

// The part that belongs to the vector of T at element `i`.
template <class T>
FLYBALL_INLINE IntVec<T> mask_at(const Kept& kept, Index i) {
  const IntVec<float> vector = kept.vector(static_cast<int>(i / lanes<float>));
  if constexpr (sizeof(T) == sizeof(float)) {
    return vector;
  } else {
    std::int32_t narrow[lanes<float>];
    __builtin_memcpy(narrow, &vector, sizeof(narrow));
    typename Bits<T>::Signed wide[lanes<T>];
    for (Index l = 0; l < lanes<T>; ++l) wide[l] = narrow[i % lanes<float> + l];
    IntVec<T> result;
    __builtin_memcpy(&result, wide, sizeof(result));
    return result;
  }
}

// A DropoutMap in T. AFFINE says whether there is more to it than a scale: -0 + 0 would be +0.
template <class T, bool AFFINE>
struct Map {
  T scale, shift, dropped;

  explicit Map(const DropoutMap& map)
      : scale(static_cast<T>(map.scale)), shift(static_cast<T>(map.shift)), dropped(static_cast<T>(map.dropped)) {}

  FLYBALL_INLINE Vec<T> operator()(IntVec<T> kept, Vec<T> x) const {
    if constexpr (AFFINE) {
      return select<T>(kept, x * scale + shift, broadcast(dropped));
    } else {
      return select<T>(kept, x * scale, zero<T>());
    }
  }
};

template <class T, class Body>
FLYBALL_INLINE void with_map(const DropoutMap& map, Body body) {
  if (map.shift != 0 || map.dropped != 0) return body(Map<T, true>(map));
  body(Map<T, false>(map));
}

template <class T, class M>
FLYBALL_INLINE void apply_kept(T* y, const T* x, const Kept& kept, const M& map) {
#pragma GCC unroll 64
  for (Index i = 0; i < draw_size; i += lanes<T>) store(y + i, map(mask_at<T>(kept, i), load(x + i)));
}

// Drawing and applying in one loop: the rounds of one group fill the time in which the elements of others come.
template <class T, class M>
FLYBALL_INLINE void draw_with(T* y, Mask mask, const T* x, Index begin, Index count, Keep keep, const M& map,
                              RandomKey key) {
  for_each_kept(begin, count, keep, key, [&](const Kept& kept, Index i, Index n) {
    if (mask.data != nullptr) {
      with_layout(mask.layout, [&]<MaskLayout layout>() { store_mask<layout>(mask.data, kept, i, n); });
    }
    if (n == draw_size) return apply_kept(y + i, x + i, kept, map);
    T last[draw_size] = {};
    __builtin_memcpy(last, x + i, static_cast<std::size_t>(n) * sizeof(T));
    apply_kept(last, last, kept, map);
    __builtin_memcpy(y + i, last, static_cast<std::size_t>(n) * sizeof(T));
  });
}

template <class T, class M>
FLYBALL_INLINE void draw_with_coins(T* y, Mask mask, const T* x, Index begin, Index count, const M& map,
                                    RandomKey key) {
  for_each_coins(begin, count, key, [&](const Coins& coins, Index i, Index n) {
    if (mask.data != nullptr) {
      with_layout(mask.layout, [&]<MaskLayout layout>() { store_coins<layout>(mask.data, coins, i, n); });
    }
    for_each_vector<T>(n, [&](auto part, Index l) {
      part.store(y + i + l, map(load_bits<T>(part, coins.bytes(), l), part.load(x + i + l)));
    });
  });
}

template <class T>
void dropout_draw(T* y, Mask mask, const T* x, Index begin, Index count, Keep keep, DropoutMap map, RandomKey key) {
  with_map<T>(map, [&](const auto& mapped) {
    if (keep.half()) return draw_with_coins(y, mask, x, begin, count, mapped, key);
    draw_with(y, mask, x, begin, count, keep, mapped, key);
  });
}

template <class T>
void dropout_apply(T* y, const T* x, ConstMask mask, Index count, DropoutMap map) {
  with_map<T>(map, [&](const auto& mapped) {
    with_layout(mask.layout, [&]<MaskLayout layout>() {
      for_each_vector<T>(count, [&](auto part, Index i) {
        if constexpr (layout == MaskLayout::bits) {
          part.store(y + i, mapped(load_bits<T>(part, mask.data, i), part.load(x + i)));
        } else {
          part.store(y + i, mapped(load_mask<T>(part, mask.data + i), part.load(x + i)));
        }
      });
    });
  });
}

template <class T>
void dropout_apply_to_all(T* y, const T* x, bool kept, Index count, DropoutMap map) {
  const IntVec<T> mask = IntVec<T>{} - static_cast<typename Bits<T>::Signed>(kept);
  with_map<T>(map, [&](const auto& mapped) {
    for_each_vector<T>(count, [&](auto part, Index i) { part.store(y + i, mapped(mask, part.load(x + i))); });
  });
}

template <class T>
void add_scaled(T* y, const T* x, const T* branch, Index count, double scale) {
  const T factor = static_cast<T>(scale);
  for_each_vector<T>(count,
                     [&](auto part, Index i) { part.store(y + i, part.load(x + i) + factor * part.load(branch + i)); });
}

template <class T>
constexpr DropoutKernels<T> dropout_kernels = {dropout_mask,     dropout_mask_columns,    dropout_draw<T>,
                                               dropout_apply<T>, dropout_apply_to_all<T>, add_scaled<T>};

}  // namespace
}  // namespace flyball
