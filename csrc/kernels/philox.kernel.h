// Philox4x32-10 (Salmon, Moraes, Dror and Shaw 2011), vectorised. Included by *.kernel.h only: see variant.h.
//
// A lane of 64 bits holds one 32-bit word of one block's state: the product of two words fits it, and its upper half
// may hold rubbish, because the next multiplication reads the lower half only.
#pragma once

#if defined(__SSE4_1__)
#include <immintrin.h>
#endif

#include "flyball/params.h"
#include "kernels/simd.h"

namespace flyball {
namespace {

using Words = Vec<std::uint64_t>;

// Product of the lower halves of the lanes. GCC 12 makes a 64 x 64 multiplication (vpmullq, or three multiplications
// and shifts) of the generic expression: with AVX2 drawing took 3.4 times as long.
FLYBALL_INLINE Words multiply(Words a, Words b) {
#if defined(__AVX512F__)
  // Masked, all lanes on: GCC 12 warns of the undefined lanes that its plain form is made of.
  return (Words)_mm512_maskz_mul_epu32(0xff, (__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
  return (Words)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined(__SSE4_1__)
  return (Words)_mm_mul_epu32((__m128i)a, (__m128i)b);
#else
  return (a & 0xffffffffu) * (b & 0xffffffffu);
#endif
}

// The ten rounds, on COUNT vectors of blocks at once: those of one fill the latencies of the others'.
template <int COUNT>
FLYBALL_INLINE void philox_rounds(Words (&x0)[COUNT], Words (&x1)[COUNT], Words (&x2)[COUNT], Words (&x3)[COUNT],
                                  const std::uint32_t (&keys)[10][2]) {
  const Words m0 = Words{} + 0xD2511F53u;
  const Words m1 = Words{} + 0xCD9E8D57u;
#pragma GCC unroll 10
  for (int round = 0; round < 10; ++round) {
    const Words k0 = Words{} + keys[round][0];
    const Words k1 = Words{} + keys[round][1];
#pragma GCC unroll 8
    for (int u = 0; u < COUNT; ++u) {
      const Words p0 = multiply(x0[u], m0);
      const Words p1 = multiply(x2[u], m1);
      x0[u] = (p1 >> 32) ^ x1[u] ^ k0;
      x1[u] = p1;
      x2[u] = (p0 >> 32) ^ x3[u] ^ k1;
      x3[u] = p0;
    }
  }
}

// The keys of each round.
FLYBALL_INLINE void philox_keys(std::uint32_t (&keys)[10][2], std::uint64_t seed) {
  std::uint32_t k0 = static_cast<std::uint32_t>(seed);
  std::uint32_t k1 = static_cast<std::uint32_t>(seed >> 32);
  for (auto& round_key : keys) {
    round_key[0] = k0;
    round_key[1] = k1;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
}

// A group is 64 elements, which 8 blocks decide, 16 bits each. Two groups are drawn at once: the rounds of one fill the
// latencies of the other's (drawing took 25 % less time with AVX-512, 10 % less with AVX2).
constexpr Index group_size = 64;
constexpr Index group_blocks = 8;
constexpr int groups = 2;
constexpr Index draw_size = groups * group_size;

constexpr int group_vectors = static_cast<int>(group_size / lanes<float>);

// Which of draw_size elements are kept, in order: -1 or 0 in lanes of 32 bits.
struct Kept {
  IntVec<float> vectors[groups * group_vectors];
};

// What stays the same for all groups of a call.
struct Generator {
  Words step_and_stream[2];   // words 2 and 3 of the counter
  std::uint64_t step_high;    // upper half of word 1
  std::uint32_t keys[10][2];  // of each round
  IntVec<float> threshold;

  FLYBALL_INLINE Generator(Keep keep, RandomKey key) {
    step_and_stream[0] = Words{} + (key.step & 0xffffffffu);
    step_and_stream[1] = Words{} + key.stream;
    step_high = (key.step >> 32) << 16;
    philox_keys(keys, key.seed);
    threshold = IntVec<float>{} + static_cast<std::int32_t>(keep.threshold);
  }

  // Elements [64 * group, 64 * group + draw_size). In each group, with l a lane of 16 across the 8 blocks: pair p of
  // words of block l / 2 decides, with the lower halves of word l % 2, element 16 * p + l, and with the upper halves
  // element 32 + 16 * p + l. Two states interleaved in 64-bit lanes, (word 0 | word 1 << 32), are just these 32-bit
  // lanes in order.
  FLYBALL_INLINE Kept draw(std::uint64_t group) const {
    constexpr int per_group = static_cast<int>(group_blocks / lanes<std::uint64_t>);
    constexpr int chunks = groups * per_group;
    const std::uint64_t block = group * group_blocks;
    const std::uint64_t word_1 =
        ((block >> 32) & 0xffffu) | step_high;  // the same for all: carries meet group boundaries
    Words iota;
    for (int q = 0; q < lanes<std::uint64_t>; ++q) iota[q] = static_cast<std::uint64_t>(q);
    Words x0[chunks], x1[chunks], x2[chunks], x3[chunks];
#pragma GCC unroll 8
    for (int u = 0; u < chunks; ++u) {
      x0[u] = iota + (block + static_cast<std::uint64_t>(u) * lanes<std::uint64_t>);
      x1[u] = Words{} + word_1;
      x2[u] = step_and_stream[0];
      x3[u] = step_and_stream[1];
    }
    philox_rounds(x0, x1, x2, x3, keys);
    Kept result;
#pragma GCC unroll 8
    for (int u = 0; u < chunks; ++u) {
      const IntVec<float> pair_0 = (IntVec<float>)((x0[u] & 0xffffffffu) | (x1[u] << 32));
      const IntVec<float> pair_1 = (IntVec<float>)((x2[u] & 0xffffffffu) | (x3[u] << 32));
      IntVec<float>* kept = result.vectors + u / per_group * group_vectors + u % per_group;
      kept[0] = (pair_0 & 0xffff) < threshold;
      kept[per_group] = (pair_1 & 0xffff) < threshold;
      kept[2 * per_group] = ((pair_0 >> 16) & 0xffff) < threshold;
      kept[3 * per_group] = ((pair_1 >> 16) & 0xffff) < threshold;
    }
    return result;
  }
};

}  // namespace
}  // namespace flyball
