// Dropout. Compiled once per instruction set: see variant.h.
//
// A dropped element is +0 whatever it was, also inf and nan: masks select, they do not multiply.
#include "kernels/dropout.h"
#include "kernels/mask.kernel.h"
#include "kernels/philox.kernel.h"

namespace flyball {
namespace {

FLYBALL_INLINE void store_mask(std::uint8_t* mask, const Kept& kept) {
  std::int32_t wide[draw_size];
  __builtin_memcpy(wide, kept.vectors, sizeof(wide));
  for (Index i = 0; i < draw_size; ++i) mask[i] = static_cast<std::uint8_t>(wide[i] & 1);
}

// The part that belongs to the vector of T at element `i`.
template <class T>
FLYBALL_INLINE IntVec<T> mask_at(const Kept& kept, Index i) {
  const IntVec<float> vector = kept.vectors[i / lanes<float>];
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

template <class T>
FLYBALL_INLINE void apply_kept(T* y, const T* x, const Kept& kept, T scale) {
#pragma GCC unroll 64
  for (Index i = 0; i < draw_size; i += lanes<T>) {
    store(y + i, select<T>(mask_at<T>(kept, i), load(x + i) * scale, zero<T>()));
  }
}

// Calls body(kept, i, n) for elements [i, i + n) of the call; n is draw_size but for the last.
template <class Body>
FLYBALL_INLINE void for_each_draw(Index begin, Index count, Keep keep, RandomKey key, Body body) {
  const Generator generator(keep, key);
  std::uint64_t group = static_cast<std::uint64_t>(begin / group_size);
  Index i = 0;
  for (; i + draw_size <= count; i += draw_size, group += groups) body(generator.draw(group), i, draw_size);
  if (i < count) body(generator.draw(group), i, count - i);
}

template <class T>
void dropout_mask(std::uint8_t* mask, Index begin, Index count, Keep keep, RandomKey key) {
  for_each_draw(begin, count, keep, key, [&](const Kept& kept, Index i, Index n) {
    if (n == draw_size) return store_mask(mask + i, kept);
    std::uint8_t last[draw_size];
    store_mask(last, kept);
    __builtin_memcpy(mask + i, last, static_cast<std::size_t>(n));
  });
}

template <bool STORE, class T>
FLYBALL_INLINE void dropout_draw(T* y, std::uint8_t* mask, const T* x, Index begin, Index count, Keep keep,
                                 RandomKey key) {
  const T scale = static_cast<T>(keep.scale());
  for_each_draw(begin, count, keep, key, [&](const Kept& kept, Index i, Index n) {
    if (n == draw_size) {
      if constexpr (STORE) store_mask(mask + i, kept);
      return apply_kept(y + i, x + i, kept, scale);
    }
    const std::size_t rest = static_cast<std::size_t>(n);
    T last[draw_size] = {};
    __builtin_memcpy(last, x + i, rest * sizeof(T));
    apply_kept(last, last, kept, scale);
    __builtin_memcpy(y + i, last, rest * sizeof(T));
    if constexpr (STORE) {
      std::uint8_t bytes[draw_size];
      store_mask(bytes, kept);
      __builtin_memcpy(mask + i, bytes, rest);
    }
  });
}

template <class T>
void dropout_draw_any(T* y, std::uint8_t* mask, const T* x, Index begin, Index count, Keep keep, RandomKey key) {
  if (mask != nullptr) {
    dropout_draw<true>(y, mask, x, begin, count, keep, key);
  } else {
    dropout_draw<false>(y, mask, x, begin, count, keep, key);
  }
}

template <class T>
void dropout_apply(T* y, const T* x, const std::uint8_t* mask, Index count, Keep keep) {
  const T scale = static_cast<T>(keep.scale());
  for_each_vector<T>(count, [&](auto part, Index i) {
    part.store(y + i, select<T>(load_mask<T>(part, mask + i), part.load(x + i) * scale, zero<T>()));
  });
}

template <class T>
constexpr DropoutKernels<T> dropout_kernels = {dropout_mask<T>, dropout_draw_any<T>, dropout_apply<T>};

}  // namespace
}  // namespace flyball
