// What two threads pay for each other's cache lines, by where the system has put them: run it several times.
//
//   g++ -O2 -std=c++20 -mavx2 bench/exchange.cpp -o exchange -pthread && ./exchange
//
// Linux, x86-64 with AVX2. Medians of 21 turns of 1024 lines of 64 bytes, in order.
#include <immintrin.h>
#include <pthread.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <functional>
#include <thread>
#include <vector>

namespace {

constexpr int lines = 1024;
constexpr int turns = 21;

struct alignas(64) Line {
  float values[16];
};

std::vector<Line> memory(lines);
std::atomic<int> turn{0};  // 0: mine; 1: the other's; 2: the end
std::function<void()> others;

void stay_on(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

double nanoseconds() {
  using namespace std::chrono;
  return duration<double, std::nano>(steady_clock::now().time_since_epoch()).count();
}

void other_turn() {
  turn = 1;
  while (turn.load() != 0) _mm_pause();
}

void read_all() {
  __m256 sum = _mm256_setzero_ps();
  for (const Line& line : memory) sum = _mm256_add_ps(sum, _mm256_load_ps(line.values));
  volatile float result = sum[0];
  (void)result;
}

// Asks for a line so many lines ahead, to write to it; 0: does not.
template <int ahead>
void write_all() {
  const __m256 value = _mm256_set1_ps(1.0F);
  for (int i = 0; i < lines; ++i) {
    if (ahead > 0 && i + ahead < lines) __builtin_prefetch(&memory[static_cast<std::size_t>(i + ahead)], 1);
    float* to = memory[static_cast<std::size_t>(i)].values;
    _mm256_store_ps(to, value);
    _mm256_store_ps(to + 8, value);
  }
  _mm_mfence();
}

void stream_all() {
  const __m256 value = _mm256_set1_ps(1.0F);
  for (Line& line : memory) {
    _mm256_stream_ps(line.values, value);
    _mm256_stream_ps(line.values + 8, value);
  }
  _mm_mfence();
}

// Nanoseconds a line of `mine`, each after a turn of the other thread.
double after(const std::function<void()>& what_others_do, const std::function<void()>& mine) {
  std::array<double, turns> took{};
  others = what_others_do;
  for (double& each : took) {
    other_turn();
    const double began = nanoseconds();
    mine();
    each = (nanoseconds() - began) / lines;
  }
  std::sort(took.begin(), took.end());
  return took[turns / 2];
}

double round_trip() {
  constexpr int trips = 200;
  others = [] {};
  double least = 1e9;  // of some parts: others run on these cores as well
  for (int part = 0; part < 20; ++part) {
    const double began = nanoseconds();
    for (int i = 0; i < trips; ++i) other_turn();
    least = std::min(least, (nanoseconds() - began) / trips);
  }
  return least;
}

}  // namespace

int main() {
  std::thread other([] {
    stay_on(1);
    for (int now = 0; now != 2; now = turn.load()) {
      if (now != 1) {
        _mm_pause();
        continue;
      }
      others();
      turn = 0;
    }
  });
  stay_on(0);
  const std::function<void()> nothing = [] {};
  std::printf("there and back %.0f ns; a line, ns:\n", round_trip());
  std::printf("  written, which nobody else had       %5.1f\n", after(nothing, write_all<0>));
  std::printf("  read, which the other had written    %5.1f\n", after(write_all<0>, read_all));
  std::printf("  written, which the other had written %5.1f\n", after(write_all<0>, write_all<0>));
  std::printf("  written, which the other had read    %5.1f\n", after(read_all, write_all<0>));
  std::printf("    asked for 8 lines ahead            %5.1f\n", after(read_all, write_all<8>));
  std::printf("    asked for 32 lines ahead           %5.1f\n", after(read_all, write_all<32>));
  std::printf("    past the caches                    %5.1f\n", after(read_all, stream_all));
  std::printf("  read, which has gone past the caches %5.1f\n", after(stream_all, read_all));
  turn = 2;
  other.join();
}
