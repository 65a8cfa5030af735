#include "flyball/program.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>

#include "program/operations.h"
#include "runtime/team.h"

namespace flyball {
namespace {

// A step has a few dozen barriers, so a thread must bring more than it would for one operation.
constexpr double barriers_worth = 8.0;

}  // namespace

Program::Program(std::vector<Buffer> buffers) : buffers_(std::move(buffers)) {}

void Program::add(const std::string& op, const std::vector<int>& buffers, std::vector<Scalar> scalars,
                  std::vector<Activation> activations) {
  const Operation& operation = find_operation(op);
  if (buffers.size() != operation.arrays || scalars.size() != operation.scalars ||
      activations.size() != operation.activations) {
    throw std::invalid_argument(op + " must have " + std::to_string(operation.arrays) + " arrays, " +
                                std::to_string(operation.scalars) + " scalars and " +
                                std::to_string(operation.activations) + " activations");
  }
  Instruction instruction;
  for (const int i : buffers)
    instruction.buffers.push_back(i < 0 ? nullptr : &buffers_.at(static_cast<std::size_t>(i)));
  instruction.scalars = std::move(scalars);
  instruction.activations = std::move(activations);
  const Buffer* typed = instruction.buffers[operation.typed];
  if (typed == nullptr) throw std::invalid_argument(op + " must be given its array " + std::to_string(operation.typed));
  instruction.execute = typed->type == SourceType::float64 ? operation.f64 : operation.f32;
  step_cost_ += operation.cost(instruction);
  if (operation.workspace != nullptr) {
    workspace_bytes_ = std::max(workspace_bytes_, operation.workspace(instruction));
  }
  instructions_.push_back(std::move(instruction));
}

Index Program::run(const Index* bounds, const double* learning_rates, std::uint64_t first, Index begin, Index end,
                   double seconds) {
  using Clock = std::chrono::steady_clock;
  if (begin >= end) return 0;
  const auto deadline =
      Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  Index done = begin;
  bool stop = false;
  run_team(team_size(step_cost_ / barriers_worth), workspace_bytes_, [&](Team& team) {
    for (Index s = begin; s < end; ++s) {
      const Step step{bounds[s], bounds[s + 1] - bounds[s], first + static_cast<std::uint64_t>(s),
                      learning_rates == nullptr ? 0.0 : learning_rates[s]};
      for (const Instruction& instruction : instructions_) {
        instruction.execute(team, step, instruction);
        team.barrier();
      }
      // One thread decides for all, so that all stop after the same step.
      if (team.rank() == 0) {
        done = s + 1;
        stop = Clock::now() >= deadline;
      }
      team.barrier();
      if (stop) return;
    }
  });
  return done - begin;
}

}  // namespace flyball
