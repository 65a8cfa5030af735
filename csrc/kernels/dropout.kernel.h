// Dropout. Compiled once per instruction set: see variant.cpp.
//
// A dropped element is +0 whatever it was, also inf and nan: masks select, they do not multiply.
#include "kernels/dropout.h"
#include "kernels/mask.kernel.h"
#include "kernels/philox.kernel.h"

namespace flyball {
namespace {

FLYBALL_INLINE void store_group(std::uint8_t* mask, const KeptGroup& group) {
  std::int32_t wide[group_size];
  __builtin_memcpy(wide, group.kept, sizeof(wide));
  for (Index i = 0; i < group_size; ++i) mask[i] = static_cast<std::uint8_t>(wide[i] & 1);
}

// The part of a group that belongs to the vector of T at element `i`.
template <class T>
FLYBALL_INLINE IntVec<T> mask_at(const KeptGroup& group, Index i) {
  if constexpr (sizeof(T) == sizeof(float)) {
    return group.kept[i / lanes<T>];
  } else {
    const IntVec<float> both = group.kept[i / lanes<float>];
    std::int32_t narrow[lanes<float>];
    __builtin_memcpy(narrow, &both, sizeof(narrow));
    std::int64_t wide[lanes<T>];
    for (Index l = 0; l < lanes<T>; ++l) wide[l] = narrow[i % lanes<float> + l];
    IntVec<T> vector;
    __builtin_memcpy(&vector, wide, sizeof(vector));
    return vector;
  }
}

template <class T>
FLYBALL_INLINE void apply_group(T* y, const T* x, const KeptGroup& group, T scale) {
#pragma GCC unroll 32
  for (Index i = 0; i < group_size; i += lanes<T>) {
    store(y + i, select<T>(mask_at<T>(group, i), load(x + i) * scale, zero<T>()));
  }
}

template <class T>
void dropout_mask(std::uint8_t* mask, Index begin, Index count, Keep keep, RandomKey key) {
  const Generator generator(keep, key);
  std::uint64_t group = static_cast<std::uint64_t>(begin / group_size);
  Index i = 0;
  for (; i + group_size <= count; i += group_size) store_group(mask + i, generator.draw(group++));
  if (i < count) {
    std::uint8_t last[group_size];
    store_group(last, generator.draw(group));
    __builtin_memcpy(mask + i, last, static_cast<std::size_t>(count - i));
  }
}

template <bool STORE, class T>
FLYBALL_INLINE void dropout_draw(T* y, std::uint8_t* mask, const T* x, Index begin, Index count, Keep keep,
                                 RandomKey key) {
  const Generator generator(keep, key);
  const T scale = static_cast<T>(keep.scale());
  std::uint64_t number = static_cast<std::uint64_t>(begin / group_size);
  Index i = 0;
  for (; i + group_size <= count; i += group_size) {
    const KeptGroup group = generator.draw(number++);
    if constexpr (STORE) store_group(mask + i, group);
    apply_group(y + i, x + i, group, scale);
  }
  if (i < count) {
    const KeptGroup group = generator.draw(number);
    const std::size_t rest = static_cast<std::size_t>(count - i);
    T last[group_size] = {};
    __builtin_memcpy(last, x + i, rest * sizeof(T));
    apply_group(last, last, group, scale);
    __builtin_memcpy(y + i, last, rest * sizeof(T));
    if constexpr (STORE) {
      std::uint8_t bytes[group_size];
      store_group(bytes, group);
      __builtin_memcpy(mask + i, bytes, rest);
    }
  }
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
