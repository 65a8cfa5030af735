// Which instruction set this process runs on: compiled, found, chosen. And the cache next to it.
#pragma once

#include <string>
#include <vector>

#include "kernels/table.h"

namespace flyball {

// Names of the levels this build contains, lowest first, e.g. {"v2", "v3", "v4"} or {"arm64"}.
std::vector<std::string> compiled_levels();

// The highest compiled level this CPU can run.
std::string detected_level();

// The level in use: the detected one, or a lower one named by FLYBALL_ISA.
std::string active_level();

// The text of a warning about FLYBALL_ISA, or nothing.
std::string level_warning();

// Chooses a level for the whole process; false if it is unknown or above what the CPU can run. For tests and
// benchmarks: must not be called while operations run.
bool set_level(const std::string& level);

// Bytes of the second-level cache of a core, 512 KiB where the system does not tell. For tests it can be set, under the
// same condition.
Index second_level_bytes();
void set_second_level_bytes(Index bytes);

// The kernels of the active level.
template <class T>
const Kernels<T>& kernels();

}  // namespace flyball
