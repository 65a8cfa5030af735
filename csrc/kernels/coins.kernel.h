// Masks that keep and drop an element alike: a random bit decides, where other probabilities take 16. One half is what
// most dropout has, and drawing what its masks cost. Included by *.kernel.h only: see variant.h.
#pragma once

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "kernels/philox.kernel.h"

namespace flyball {
namespace {

// What a group of random numbers decides: bit i as its vectors lie in memory is 1 where element i is kept.
struct Coins {
  static constexpr Index size = 1024;
  std::uint64_t words[size / 64];

  FLYBALL_INLINE const std::uint8_t* bytes() const { return reinterpret_cast<const std::uint8_t*>(words); }
};

// Draws the coins of one group after another, or of any. Not inline: drawn in place, in five loops, they made the
// library 65 KB larger, compressed, and were 1.7 times as fast where masks have bits, elsewhere not.
class Purse {
 public:
  FLYBALL_INLINE explicit Purse(RandomKey key) : key_(key), philox_(key, 0) {}

  __attribute__((noinline)) void toss(Coins& coins, Index group) {
    if (group / groups_of_half != high_) {
      high_ = group / groups_of_half;
      philox_ = Philox(key_, static_cast<std::uint64_t>(high_));
    }
    const Drawn<1> drawn = philox_.draw<1>(static_cast<std::uint64_t>(group));
    static_assert(sizeof(coins.words) == sizeof(drawn.pair));
    __builtin_memcpy(coins.words, drawn.pair, sizeof(drawn.pair));
  }

 private:
  RandomKey key_;
  Index high_ = 0;
  Philox philox_;
};

// Calls body(coins, i, n) for elements [i, i + n) of a call that begins at element `begin`, a multiple of Coins::size;
// n is Coins::size but for the last.
template <class Body>
FLYBALL_INLINE void for_each_coins(Index begin, Index count, RandomKey key, Body body) {
  Purse purse(key);
  Coins coins;
  for (Index i = 0; i < count; i += Coins::size) {
    purse.toss(coins, (begin + i) / Coins::size);
    body(coins, i, count - i < Coins::size ? count - i : Coins::size);
  }
}

// Stores 64 bits as bytes, 0 or 1.
FLYBALL_INLINE void store_as_bytes(std::uint8_t* mask, std::uint64_t bits) {
#if defined(__AVX512F__)
  _mm512_storeu_si512(mask, _mm512_maskz_set1_epi8(bits, 1));
#elif defined(__AVX2__)
  const __m256i place = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
  const __m256i own_bit = _mm256_set1_epi64x(static_cast<long long>(0x8040201008040201));
  for (int half = 0; half < 2; ++half) {
    const __m256i copies = _mm256_set1_epi32(static_cast<int>(bits >> (32 * half)));
    const __m256i set = _mm256_and_si256(_mm256_shuffle_epi8(copies, place), own_bit);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(mask) + half, _mm256_min_epu8(set, _mm256_set1_epi8(1)));
  }
#else
  for (int i = 0; i < 8; ++i) {
    // Byte j is 1 << j where bit j is set; the sum carries it into the highest bit of the byte.
    const std::uint64_t set = (bits >> (8 * i) & 0xff) * 0x0101010101010101 & 0x8040201008040201;
    const std::uint64_t eight = (set + 0x7f7f7f7f7f7f7f7f) >> 7 & 0x0101010101010101;
    __builtin_memcpy(mask + 8 * i, &eight, sizeof(eight));  // little-endian, as everything flyball runs on is
  }
#endif
}

// Stores the mask of elements [i, i + n) of a call; bits behind the last are 0.
template <MaskLayout layout>
FLYBALL_INLINE void store_coins(std::uint8_t* mask, const Coins& coins, Index i, Index n) {
  const Index whole = n / 64, rest = n % 64;
  if constexpr (layout == MaskLayout::bytes) {
    for (Index w = 0; w < whole; ++w) store_as_bytes(mask + i + 64 * w, coins.words[w]);
    if (rest == 0) return;
    std::uint8_t last[64];
    store_as_bytes(last, coins.words[whole]);
    __builtin_memcpy(mask + i + 64 * whole, last, static_cast<std::size_t>(rest));
  } else {
    __builtin_memcpy(mask + i / 8, coins.words, static_cast<std::size_t>(8 * whole));
    if (rest == 0) return;
    const std::uint64_t last = coins.words[whole] & ((std::uint64_t{1} << rest) - 1);
    __builtin_memcpy(mask + i / 8 + 8 * whole, &last, static_cast<std::size_t>((rest + 7) / 8));
  }
}

// See dropout_mask_columns. Groups are drawn whole, also for rows that have some of their elements only.
FLYBALL_INLINE void coins_of_columns(std::uint8_t* mask, Index begin, Index rows, Index columns, Index width,
                                     RandomKey key) {
  Purse purse(key);
  Coins coins;
  Index group = -1;
  for (Index row = 0; row < rows; ++row) {
    const Index end = begin + row * width + columns;
    for (Index element = end - columns; element < end; element += 64, mask += 64) {
      if (element / Coins::size != group) {
        group = element / Coins::size;
        purse.toss(coins, group);
      }
      store_as_bytes(mask, coins.words[element % Coins::size / 64]);
    }
  }
}

}  // namespace
}  // namespace flyball
