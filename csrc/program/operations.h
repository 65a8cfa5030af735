// The operations a Program can contain, by the names of flyball.backend.Backend.
#pragma once

#include <string>

#include "flyball/program.h"

namespace flyball {

struct Operation {
  const char* name;
  std::size_t arrays;   // in the operation's order
  std::size_t scalars;  // without the names of activations
  std::size_t activations;
  std::size_t outputs;  // how many of the arrays, from the first, are written
  std::size_t typed;    // the array (never absent) whose dtype decides between the two
  Execute f32;
  Execute f64;
  double (*cost)(const Instruction&);            // nanoseconds on one thread, for the largest batch
  std::size_t (*workspace)(const Instruction&);  // bytes, for the largest batch; null if none
};

// Throws std::invalid_argument if there is none of that name.
const Operation& find_operation(const std::string& name);

}  // namespace flyball
