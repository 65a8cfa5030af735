// Prints the multiply-adds of this machine, in GFLOP/s of float32, on the number of threads given.
// Twelve independent chains: more than latency times ports of any CPU this runs on.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#if defined(__AVX512F__)
constexpr int bytes = 64;
#elif defined(__AVX__)
constexpr int bytes = 32;
#else
constexpr int bytes = 16;
#endif
typedef float Vector __attribute__((vector_size(bytes)));
constexpr int chains = 12;
constexpr long steps = 10'000'000;

float work() {
  Vector sums[chains];
  for (int i = 0; i < chains; ++i) sums[i] = Vector{} + 0.1f * static_cast<float>(i + 1);
  // Volatile, lest the compiler sees that 1 * 0.999 + 0.001 is 1 and leaves a chain out: eleven counted as twelve.
  const volatile float factors[] = {0.999f, 0.001f};
  const Vector factor = Vector{} + factors[0];
  const Vector term = Vector{} + factors[1];
  for (long k = 0; k < steps; ++k) {
    for (int i = 0; i < chains; ++i) sums[i] = sums[i] * factor + term;
  }
  float total = 0;
  for (int i = 0; i < chains; ++i) total += sums[i][0];
  return total;
}

int main(int count, char** arguments) {
  const int threads = count > 1 ? std::atoi(arguments[1]) : 1;
  double best = 1e9;
  volatile float sink = 0;
  for (int round = 0; round < 5; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    std::vector<std::thread> pool;
    std::vector<float> results(static_cast<std::size_t>(threads));
    for (auto& result : results) pool.emplace_back([&result] { result = work(); });
    for (auto& thread : pool) thread.join();
    for (const float result : results) sink = sink + result;
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    if (seconds < best) best = seconds;
  }
  constexpr double operations = 2.0 * chains * steps * (bytes / sizeof(float));
  std::printf("%.1f\n", operations * threads / best / 1e9);
}
