#include "runtime/cpu.h"

#include <cstdlib>

#include "flyball_levels.h"  // written by CMake: FLYBALL_FOR_EACH_LEVEL(X)

namespace flyball {

#define FLYBALL_DECLARE(level)               \
  extern const Kernels<float> level##_float; \
  extern const Kernels<double> level##_double;
FLYBALL_FOR_EACH_LEVEL(FLYBALL_DECLARE)
#undef FLYBALL_DECLARE

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
  const Kernels<float>* f32;
  const Kernels<double>* f64;
};

#define FLYBALL_ROW(level) {#level, &level##_float, &level##_double},
constexpr Level levels[] = {FLYBALL_FOR_EACH_LEVEL(FLYBALL_ROW)};
#undef FLYBALL_ROW

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

template <>
const Kernels<float>& kernels<float>() {
  return *active().level->f32;
}

template <>
const Kernels<double>& kernels<double>() {
  return *active().level->f64;
}

}  // namespace flyball
