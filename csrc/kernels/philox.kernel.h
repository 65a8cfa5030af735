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

using Wide = Vec<std::uint64_t>;

// Product of the lower halves of the lanes. GCC 12 makes a 64 x 64 multiplication (vpmullq, or three multiplications
// and shifts) of the generic expression: with AVX2 drawing took 3.4 times as long.
FLYBALL_INLINE Wide multiply(Wide a, Wide b) {
#if defined(__AVX512F__)
  // Masked, all lanes on: GCC 12 warns of the undefined lanes that its plain form is made of.
  return (Wide)_mm512_maskz_mul_epu32(0xff, (__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
  return (Wide)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined(__SSE4_1__)
  return (Wide)_mm_mul_epu32((__m128i)a, (__m128i)b);
#else
  return (a & 0xffffffffu) * (b & 0xffffffffu);
#endif
}

// Random numbers come in groups of 8 consecutive blocks, 32 words of 32 bits.
constexpr Index group_blocks = 8;
constexpr int group_vectors = static_cast<int>(group_blocks / lanes<std::uint64_t>);

// The words of GROUPS groups. Lane l of 16 across the vectors of pair[group][p] is word 2 * p + l % 2 of block l / 2:
// as lanes of 64 bits, (word 2 * p | word 2 * p + 1 << 32) of block l.
template <int GROUPS>
struct Drawn {
  Wide pair[GROUPS][2][group_vectors];
};

// What is the same for all blocks with one upper half of their number. Counter: (block, step, stream) in 48, 48 and 32
// bits, key: seed.
class Philox {
 public:
  static constexpr int rounds = 10;
  static constexpr std::uint32_t multipliers[2] = {0xD2511F53u, 0xCD9E8D57u};
  static constexpr std::uint32_t key_bumps[2] = {0x9E3779B9u, 0xBB67AE85u};

  // The first two rounds see one word that differs between blocks: what they make of the others is made here, once.
  FLYBALL_INLINE Philox(RandomKey key, std::uint64_t block_high) {
    const std::uint32_t seed[2] = {static_cast<std::uint32_t>(key.seed), static_cast<std::uint32_t>(key.seed >> 32)};
    for (std::uint32_t round = 0; round < rounds; ++round) {
      for (int i = 0; i < 2; ++i) keys_[round][i] = seed[i] + round * key_bumps[i];  // modulo 2^32
    }
    const std::uint32_t word_1 = static_cast<std::uint32_t>((block_high & 0xffffu) | (key.step >> 32 << 16));
    const std::uint64_t product_1 = (key.step & 0xffffffffu) * multipliers[1];
    const std::uint64_t x0 = (product_1 >> 32) ^ word_1 ^ keys_[0][0];
    const std::uint64_t product_0 = x0 * multipliers[0];
    round_0_word_2_ = key.stream ^ keys_[0][1];
    round_1_word_0_ = static_cast<std::uint32_t>(product_1) ^ keys_[1][0];
    round_1_word_2_ = static_cast<std::uint32_t>(product_0 >> 32) ^ keys_[1][1];
    round_2_word_2_ = static_cast<std::uint32_t>(product_0) ^ keys_[2][1];
  }

  // GROUPS groups from `group` on.
  template <int GROUPS>
  FLYBALL_INLINE Drawn<GROUPS> draw(std::uint64_t group) const {
    std::uint64_t groups[GROUPS];
    for (int g = 0; g < GROUPS; ++g) groups[g] = group + static_cast<std::uint64_t>(g);
    return draw(groups);
  }

  // Any groups. The rounds of one vector fill the latencies of the others'.
  template <int GROUPS>
  FLYBALL_INLINE Drawn<GROUPS> draw(const std::uint64_t (&groups)[GROUPS]) const {
    constexpr int vectors = GROUPS * group_vectors;
    Wide iota;
    for (int q = 0; q < lanes<std::uint64_t>; ++q) iota[q] = static_cast<std::uint64_t>(q);
    const Wide m0 = Wide{} + multipliers[0];
    const Wide m1 = Wide{} + multipliers[1];
    Wide x0[vectors], x1[vectors], x2[vectors], x3[vectors];
#pragma GCC unroll 8
    for (int u = 0; u < vectors; ++u) {
      const std::uint64_t first = groups[u / group_vectors] * group_blocks;
      const Wide block = iota + (first + static_cast<std::uint64_t>(u % group_vectors) * lanes<std::uint64_t>);
      const Wide p0 = multiply(block, m0);
      const Wide p1 = multiply((p0 >> 32) ^ round_0_word_2_, m1);
      x0[u] = (p1 >> 32) ^ round_1_word_0_;
      x1[u] = p1;
      x2[u] = p0 ^ round_1_word_2_;
    }
#pragma GCC unroll 8
    for (int u = 0; u < vectors; ++u) {
      const Wide p0 = multiply(x0[u], m0);
      const Wide p1 = multiply(x2[u], m1);
      x0[u] = (p1 >> 32) ^ x1[u] ^ std::uint64_t{keys_[2][0]};
      x1[u] = p1;
      x2[u] = (p0 >> 32) ^ round_2_word_2_;
      x3[u] = p0;
    }
#pragma GCC unroll 10
    for (int round = 3; round < rounds; ++round) {
      const Wide k0 = Wide{} + keys_[round][0];
      const Wide k1 = Wide{} + keys_[round][1];
#pragma GCC unroll 8
      for (int u = 0; u < vectors; ++u) {
        const Wide p0 = multiply(x0[u], m0);
        const Wide p1 = multiply(x2[u], m1);
        x0[u] = (p1 >> 32) ^ x1[u] ^ k0;
        x1[u] = p1;
        x2[u] = (p0 >> 32) ^ x3[u] ^ k1;
        x3[u] = p0;
      }
    }
    Drawn<GROUPS> drawn;
#pragma GCC unroll 8
    for (int u = 0; u < vectors; ++u) {
      drawn.pair[u / group_vectors][0][u % group_vectors] = (x0[u] & 0xffffffffu) | (x1[u] << 32);
      drawn.pair[u / group_vectors][1][u % group_vectors] = (x2[u] & 0xffffffffu) | (x3[u] << 32);
    }
    return drawn;
  }

 private:
  std::uint64_t keys_[rounds][2];  // in lanes of 64 bits, ready to be broadcast
  std::uint64_t round_0_word_2_, round_1_word_0_, round_1_word_2_, round_2_word_2_;
};

// Groups of one Philox: those of blocks whose numbers have the same upper half.
constexpr Index groups_of_half = (Index{1} << 32) / group_blocks;

// Calls body(drawn, i, n) for elements [i, i + n) of a call that begins at element `begin`, a multiple of
// `group_elements`; n is GROUPS * group_elements but for the last.
template <int GROUPS, Index group_elements, class Body>
FLYBALL_INLINE void for_each_draw(Index begin, Index count, RandomKey key, Body body) {
  constexpr Index size = GROUPS * group_elements;
  for (Index i = 0; i < count;) {
    Index group = (begin + i) / group_elements;
    const Index high = group / groups_of_half;
    const Philox philox(key, static_cast<std::uint64_t>(high));
    const Index rest = (high + 1) * groups_of_half * group_elements - begin;
    const Index end = rest < count ? rest : count;
    for (; i + size <= end; i += size, group += GROUPS)
      body(philox.draw<GROUPS>(static_cast<std::uint64_t>(group)), i, size);
    if (i < end) body(philox.draw<GROUPS>(static_cast<std::uint64_t>(group)), i, end - i);
    i = end;
  }
}

}  // namespace
}  // namespace flyball
