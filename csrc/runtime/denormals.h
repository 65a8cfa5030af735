// Numbers too small for a full mantissa, taken for zero while an object of this kind lives, on its thread.
#pragma once

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

#include <cstdint>

namespace flyball {

#if defined(__SSE2__)
class NoDenormals {
 public:
  NoDenormals() : before_(_mm_getcsr()) { _mm_setcsr(before_ | inputs_are_zero | results_are_zero); }
  ~NoDenormals() { _mm_setcsr(before_); }
  NoDenormals(const NoDenormals&) = delete;
  NoDenormals& operator=(const NoDenormals&) = delete;

 private:
  static constexpr unsigned inputs_are_zero = 0x0040;
  static constexpr unsigned results_are_zero = 0x8000;
  unsigned before_;
};
#elif defined(__aarch64__) && (defined(__GNUC__) || defined(__clang__))
class NoDenormals {
 public:
  NoDenormals() {
    asm volatile("mrs %0, fpcr" : "=r"(before_));
    asm volatile("msr fpcr, %0" : : "r"(before_ | both_are_zero));
  }
  ~NoDenormals() { asm volatile("msr fpcr, %0" : : "r"(before_)); }
  NoDenormals(const NoDenormals&) = delete;
  NoDenormals& operator=(const NoDenormals&) = delete;

 private:
  static constexpr std::uint64_t both_are_zero = std::uint64_t{1} << 24;
  std::uint64_t before_;
};
#else
class NoDenormals {
 public:
  NoDenormals() {}
};
#endif

}  // namespace flyball
