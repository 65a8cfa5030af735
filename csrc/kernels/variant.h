// What a family's source, kernels/<family>.cpp, exports to the table: FLYBALL_EXPORT(norm) makes v3_norm_float and
// v3_norm_double of norm_kernels<T> at level v3.
//
// CMake compiles these sources once per level (see csrc/cmake/levels.cmake) with FLYBALL_LEVEL set to its name. They
// export these constants and nothing else: everything else is anonymous.
#pragma once

#define FLYBALL_JOIN_(level, family, dtype) level##_##family##_##dtype
#define FLYBALL_JOIN(level, family, dtype) FLYBALL_JOIN_(level, family, dtype)

#define FLYBALL_EXPORT_(family, dtype)                                                 \
  extern decltype(family##_kernels<dtype>) FLYBALL_JOIN(FLYBALL_LEVEL, family, dtype); \
  decltype(family##_kernels<dtype>) FLYBALL_JOIN(FLYBALL_LEVEL, family, dtype) = family##_kernels<dtype>;

#define FLYBALL_EXPORT(family)    \
  namespace flyball {             \
  FLYBALL_EXPORT_(family, float)  \
  FLYBALL_EXPORT_(family, double) \
  }
