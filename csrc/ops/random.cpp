#include <cmath>
#include <numeric>
#include <utility>

#include "flyball/ops.h"
#include "ops/elementwise.h"
#include "runtime/cpu.h"

namespace flyball {
namespace {

__extension__ typedef unsigned __int128 Wide;

// floor(word / 2^64 * range): Lemire's multiply-shift without rejection. A value's probability is off by less than
// 2^-64.
std::uint64_t scaled(std::uint64_t word, std::uint64_t range) {
  return static_cast<std::uint64_t>(static_cast<Wide>(word) * range >> 64);
}

}  // namespace

double random_cost(Index count) { return 1.5 * static_cast<double>(count); }
double permutation_cost(Index count) { return 3.0 * static_cast<double>(count); }
double gaussian_dropout_std(double rate) { return std::sqrt(rate / (1.0 - rate)); }

template <class T>
void random_uniform(Team& team, T* out, Index count, double low, double high, RandomKey key) {
  for_blocks(team, count, [&](Index i, Index n) { kernels<T>().random.uniform(out + i, i, n, low, high, key); });
}

template <class T>
void random_normal(Team& team, T* out, Index count, double mean, double std, RandomKey key) {
  for_blocks(team, count,
             [&](Index i, Index n) { kernels<T>().random.normal(out + i, nullptr, i, n, mean, std, key); });
}

template <class T>
void random_truncated_normal(Team& team, T* out, Index count, double mean, double std, double bound, RandomKey key) {
  for_blocks(team, count,
             [&](Index i, Index n) { kernels<T>().random.truncated_normal(out + i, i, n, mean, std, bound, key); });
}

template <class T>
void gaussian_noise_forward(Team& team, T* y, const T* x, Index count, double std, RandomKey key) {
  for_blocks(team, count, [&](Index i, Index n) { kernels<T>().random.normal(y + i, x + i, i, n, 0.0, std, key); });
}

template <class T>
void gaussian_dropout(Team& team, T* y, const T* x, Index count, double std, RandomKey key) {
  for_blocks(team, count,
             [&](Index i, Index n) { kernels<T>().random.gaussian_dropout(y + i, x + i, i, n, std, key); });
}

void random_integers(Team& team, Index* out, Index count, Index low, Index high, RandomKey key) {
  const std::uint64_t range = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low);
  std::uint64_t* words = reinterpret_cast<std::uint64_t*>(out);
  for_blocks(team, count, [&](Index begin, Index n) {
    kernels<double>().random.words(words + begin, begin, n, key);
    for (Index i = begin; i < begin + n; ++i) words[i] = static_cast<std::uint64_t>(low) + scaled(words[i], range);
  });
}

// Fisher and Yates: from the last element on, each changes places with one up to it, which its own word chooses. The
// choices of a block are known before its exchanges, so that the elements, scattered over memory, can be asked for.
void random_permutation(Team& team, Index* out, Index count, RandomKey key) {
  if (team.rank() != 0) return;
  std::iota(out, out + count, Index{0});
  constexpr Index block = 64;
  std::uint64_t places[block];
  for (Index begin = (count - 1) / block * block; begin >= 0 && count > 0; begin -= block) {
    const Index n = count - begin < block ? count - begin : block;
    kernels<double>().random.words(places, begin, n, key);
    for (Index i = 0; i < n; ++i) {
      places[i] = scaled(places[i], static_cast<std::uint64_t>(begin + i + 1));
      __builtin_prefetch(out + places[i], 1);
    }
    for (Index i = n; i-- > 0;) std::swap(out[begin + i], out[places[i]]);
  }
}

#define FLYBALL_INSTANTIATE(T)                                                                \
  template void random_uniform(Team&, T*, Index, double, double, RandomKey);                  \
  template void random_normal(Team&, T*, Index, double, double, RandomKey);                   \
  template void random_truncated_normal(Team&, T*, Index, double, double, double, RandomKey); \
  template void gaussian_noise_forward(Team&, T*, const T*, Index, double, RandomKey);        \
  template void gaussian_dropout(Team&, T*, const T*, Index, double, RandomKey);
FLYBALL_INSTANTIATE(float)
FLYBALL_INSTANTIATE(double)
#undef FLYBALL_INSTANTIATE

}  // namespace flyball
