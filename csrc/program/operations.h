// The operations a Program can contain, by the names of flyball.backend.Backend.
#pragma once

#include <span>
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

// The operations of each family: program/operations/<family>.cpp.
std::span<const Operation> dense_operations();
std::span<const Operation> norm_operations();
std::span<const Operation> dropout_operations();
std::span<const Operation> activation_operations();
std::span<const Operation> loss_operations();
std::span<const Operation> update_operations();
std::span<const Operation> weights_operations();
std::span<const Operation> data_operations();
std::span<const Operation> random_operations();
std::span<const Operation> augment_operations();

// Throws std::invalid_argument if there is none of that name.
const Operation& find_operation(const std::string& name);

}  // namespace flyball
