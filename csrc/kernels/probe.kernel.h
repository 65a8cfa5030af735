// Compiled once per instruction set: see variant.h.
#include "kernels/probe.h"
#include "kernels/simd.h"

namespace flyball {
namespace {

template <class T>
double multiply_adds(T* sink, Index rounds) {
  constexpr int chains = 12;  // more than latency times ports of any CPU this runs on
  Vec<T> sums[chains];
  for (int i = 0; i < chains; ++i) sums[i] = broadcast(T(0.1) * static_cast<T>(i + 1));
  // Volatile, lest the compiler sees that 1 * 0.999 + 0.001 is 1 and leaves a chain out: eleven counted as twelve.
  const volatile T factors[] = {T(0.999), T(0.001)};
  const Vec<T> factor = broadcast(T(factors[0]));
  const Vec<T> term = broadcast(T(factors[1]));
  for (Index round = 0; round < rounds; ++round) {
    for (int i = 0; i < chains; ++i) sums[i] = sums[i] * factor + term;
  }
  Vec<T> total = sums[0];
  for (int i = 1; i < chains; ++i) total += sums[i];
  store(sink, total);
  return 2.0 * chains * static_cast<double>(rounds) * static_cast<double>(lanes<T>);
}

template <class T>
void stream(T* y, const T* x, T a, Index count) {
  for_each_vector<T>(count, [&](auto part, Index i) { part.store(y + i, a * part.load(x + i) + part.load(y + i)); });
}

template <class T>
constexpr ProbeKernels<T> probe_kernels = {multiply_adds<T>, stream<T>};

}  // namespace
}  // namespace flyball
