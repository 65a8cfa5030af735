#include "runtime/cpu.h"

#include <cstdlib>
#include <type_traits>

#include "flyball_levels.h"  // written by CMake: FLYBALL_FOR_EACH_LEVEL(X)
#ifndef _WIN32
#include <unistd.h>
#endif

namespace flyball {

// The families' tables: kernels/variant.h.
#define FLYBALL_DECLARE_FAMILY(level, family)                                                \
  extern std::remove_reference_t<decltype(Kernels<float>::family)> level##_##family##_float; \
  extern std::remove_reference_t<decltype(Kernels<double>::family)> level##_##family##_double;
#define FLYBALL_DECLARE(level) FLYBALL_FOR_EACH_FAMILY(FLYBALL_DECLARE_FAMILY, level)
FLYBALL_FOR_EACH_LEVEL(FLYBALL_DECLARE)
#undef FLYBALL_DECLARE
#undef FLYBALL_DECLARE_FAMILY

namespace {

bool cpu_has(const std::string& level) {
#if defined(__x86_64__) || defined(_M_X64)
  __builtin_cpu_init();
  if (level == "v3") {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
  }
  if (level == "v4") {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
  }
#endif
  return level == "v2" || level == "arm64" || level == "generic";
}

struct Level {
  const char* name;
  Kernels<float> f32;
  Kernels<double> f64;
};

#define FLYBALL_FLOAT(level, family) .family = level##_##family##_float,
#define FLYBALL_DOUBLE(level, family) .family = level##_##family##_double,
#define FLYBALL_ROW(level) \
  {#level, {FLYBALL_FOR_EACH_FAMILY(FLYBALL_FLOAT, level)}, {FLYBALL_FOR_EACH_FAMILY(FLYBALL_DOUBLE, level)}},
constexpr Level levels[] = {FLYBALL_FOR_EACH_LEVEL(FLYBALL_ROW)};
#undef FLYBALL_ROW
#undef FLYBALL_DOUBLE
#undef FLYBALL_FLOAT

const Level* find(const std::string& name) {
  for (const Level& level : levels) {
    if (level.name == name && cpu_has(name)) return &level;
  }
  return nullptr;
}

const Level* highest() {
  const Level* best = &levels[0];
  for (const Level& level : levels) {
    if (cpu_has(level.name)) best = &level;
  }
  return best;
}

struct Choice {
  const Level* level;
  std::string warning;
};

Choice choose() {
  const char* wanted = std::getenv("FLYBALL_ISA");
  if (wanted == nullptr || *wanted == '\0') return {highest(), ""};
  if (const Level* level = find(wanted)) return {level, ""};
  std::string known;
  for (const Level& level : levels) {
    if (cpu_has(level.name)) known += (known.empty() ? "" : ", ") + std::string(level.name);
  }
  return {highest(),
          "FLYBALL_ISA must be one of " + known + ", got '" + wanted + "'; using " + std::string(highest()->name)};
}

Choice& active() {
  static Choice choice = choose();
  return choice;
}

Index found_second_level_bytes() {
  long found = 0;
#if defined(_SC_LEVEL2_CACHE_SIZE)
  found = sysconf(_SC_LEVEL2_CACHE_SIZE);
#endif
  return found > 0 ? found : 512 * 1024;
}

Index cache_bytes = found_second_level_bytes();

}  // namespace

std::vector<std::string> compiled_levels() {
  std::vector<std::string> names;
  for (const Level& level : levels) names.emplace_back(level.name);
  return names;
}

std::string detected_level() { return highest()->name; }

std::string active_level() { return active().level->name; }

std::string level_warning() { return active().warning; }

bool set_level(const std::string& name) {
  const Level* level = find(name);
  if (level == nullptr) return false;
  active().level = level;
  return true;
}

Index second_level_bytes() { return cache_bytes; }

void set_second_level_bytes(Index bytes) { cache_bytes = bytes; }

template <>
const Kernels<float>& kernels<float>() {
  return active().level->f32;
}

template <>
const Kernels<double>& kernels<double>() {
  return active().level->f64;
}

}  // namespace flyball
