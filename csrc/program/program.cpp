#include "flyball/program.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <string>

#include "program/operations.h"
#include "runtime/lease.h"
#include "runtime/team.h"

namespace flyball {
namespace {

// What threads cost, measured on two cores of a Xeon (AVX-512) under a hypervisor: waiting for each other, and an array
// that one writes and others read and that is written again, 2.6 and 4 to 5 ns a line of 64 bytes.
constexpr double nanoseconds_per_barrier = 500.0;
constexpr double nanoseconds_per_byte_exchanged = 0.1;

// More threads must be faster by this factor: predictions are rough, and the others have use for their cores.
constexpr double worthwhile = 0.9;

// Whether the two share memory: arrays may be views of one flat array. Of a window any part may be meant.
bool overlap(const Buffer* a, const Buffer* b) {
  if (a == nullptr || b == nullptr) return false;
  const auto begin = [](const Buffer* x) { return static_cast<const char*>(x->data); };
  const auto end = [&](const Buffer* x) { return begin(x) + x->rows * x->row_bytes; };
  return a == b || (begin(a) < end(b) && begin(b) < end(a));
}

// Whether `second` must not begin before all threads have finished `first`.
bool conflict(const Instruction& first, const Instruction& second) {
  if (first.uses_workspace && second.uses_workspace) return true;
  for (std::size_t i = 0; i < first.buffers.size(); ++i) {
    for (std::size_t j = 0; j < second.buffers.size(); ++j) {
      const bool written = i < first.outputs || j < second.outputs;
      if (written && overlap(first.buffers[i], second.buffers[j])) return true;
    }
  }
  return false;
}

}  // namespace

Program::Program(std::vector<Buffer> buffers, std::uint64_t steps_per_update, Index batch_rows)
    : buffers_(std::move(buffers)), steps_per_update_(steps_per_update), batch_rows_(batch_rows) {
  if (steps_per_update == 0) throw std::invalid_argument("steps_per_update must be at least 1, got 0");
  if (batch_rows < 1) throw std::invalid_argument("batch_rows must be at least 1, got " + std::to_string(batch_rows));
  for (Buffer& buffer : buffers_) buffer = with_most_rows(buffer);
}

// Costs and workspaces are those of the largest step, however many rows a window has at the moment.
Buffer Program::with_most_rows(Buffer buffer) const {
  buffer.most_rows = buffer.kind == Kind::window ? batch_rows_ * buffer.rows_per_sample : buffer.rows;
  return buffer;
}

void Program::add(const std::string& op, const std::vector<int>& buffers, std::vector<Scalar> scalars,
                  std::vector<Activation> activations, Turn turn) {
  const Operation& operation = find_operation(op);
  if (buffers.size() != operation.arrays || scalars.size() != operation.scalars ||
      activations.size() != operation.activations) {
    throw std::invalid_argument(op + " must have " + std::to_string(operation.arrays) + " arrays, " +
                                std::to_string(operation.scalars) + " scalars and " +
                                std::to_string(operation.activations) + " activations");
  }
  if (turn.begin >= turn.end || turn.end > turn.period) {
    throw std::invalid_argument(op + " must have its turn in a part of a period");
  }
  Instruction instruction;
  instruction.turn = turn;
  for (const int i : buffers)
    instruction.buffers.push_back(i < 0 ? nullptr : &buffers_.at(static_cast<std::size_t>(i)));
  instruction.scalars = std::move(scalars);
  instruction.activations = std::move(activations);
  const Buffer* typed = instruction.buffers[operation.typed];
  if (typed == nullptr) throw std::invalid_argument(op + " must be given its array " + std::to_string(operation.typed));
  instruction.execute = typed->type == SourceType::float64 ? operation.f64 : operation.f32;
  step_cost_ += operation.cost(instruction) * turn.share();
  instruction.outputs = operation.outputs;
  for (std::size_t i = 0; i < instruction.outputs; ++i) {
    if (instruction.buffers[i] != nullptr) note_written(*instruction.buffers[i]);
  }
  if (operation.workspace != nullptr) {
    const std::size_t bytes = operation.workspace(instruction);
    instruction.uses_workspace = bytes > 0;
    workspace_bytes_ = std::max(workspace_bytes_, bytes);
  }
  instruction.waits = depends(instruction);
  barriers_ += instruction.waits ? 1 : 0;
  instructions_.push_back(std::move(instruction));
}

Step Program::step_of(const Index* bounds, const double* learning_rates, std::uint64_t first, Index s) const {
  const std::uint64_t count = first + static_cast<std::uint64_t>(s);
  return {bounds[s], bounds[s + 1] - bounds[s], count, count / steps_per_update_,
          learning_rates == nullptr ? 0.0 : learning_rates[s]};
}

// Looks back as far as the last instruction that waited: what came before that one has been finished by all.
bool Program::depends(const Instruction& instruction) const {
  for (auto before = instructions_.rbegin(); before != instructions_.rend(); ++before) {
    if (conflict(*before, instruction)) return true;
    if (before->waits) return false;
  }
  return false;
}

// Memory that several instructions write changes cores about as often as what is written once.
void Program::note_written(const Buffer& buffer) {
  const auto same = [&](const Buffer* other) { return overlap(other, &buffer); };
  if (std::any_of(written_.begin(), written_.end(), same)) return;
  written_.push_back(&buffer);
  exchanged_bytes_ += static_cast<double>(buffer.most_rows) * static_cast<double>(buffer.row_bytes);
}

double Program::nanoseconds(int threads, Index rows) const {
  const double share = std::min(1.0, static_cast<double>(rows) / static_cast<double>(batch_rows_));
  const double count = threads;
  if (threads == 1) return share * step_cost_;
  const double exchanged = share * exchanged_bytes_ * nanoseconds_per_byte_exchanged * (1.0 - 1.0 / count);
  return share * step_cost_ / count + static_cast<double>(barriers_ + 1) * nanoseconds_per_barrier + exchanged;
}

int Program::threads(Index rows) const {
  const Index step_rows = rows < 0 ? batch_rows_ : rows;
  int best = 1;
  double least = nanoseconds(1, step_rows);
  for (int threads = 2; threads <= num_threads(); ++threads) {
    const double predicted = nanoseconds(threads, step_rows);
    if (predicted > worthwhile * least) continue;
    best = threads;
    least = predicted;
  }
  return best;
}

void Program::enter() { register_tenant(); }

void Program::leave() { dismiss_tenant(); }

Index Program::run(const Index* bounds, const double* learning_rates, std::uint64_t first, Index begin, Index end,
                   double seconds) {
  using Clock = std::chrono::steady_clock;
  if (begin >= end) return 0;
  const Index first_rows = bounds[begin + 1] - bounds[begin];
  const int wanted = threads(first_rows);
  const Lease lease(pace_.threads(wanted), seconds);
  if (lease.threads() == 0) return 0;
  if (wanted > 1) seconds = pace_.slice(seconds);
  const auto began = Clock::now();
  const auto deadline = began + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  Index done = begin;
  bool stop[2] = {false, false};  // of steps with even and odd numbers: one is read while the next is decided
  run_team(lease.threads(), workspace_bytes_, [&](Team& team) {
    for (Index s = begin; s < end; ++s) {
      const Step step = step_of(bounds, learning_rates, first, s);
      for (const Instruction& instruction : instructions_) {
        // Also where it has not its turn: later ones rely on what came before the barrier.
        if (instruction.waits) team.barrier();
        if (instruction.turn.includes(step)) instruction.execute(team, step, instruction);
      }
      // One thread decides for all, so that all stop after the same step.
      if (team.rank() == 0) {
        done = s + 1;
        stop[s % 2] = Clock::now() >= deadline;
      }
      team.barrier();
      if (stop[s % 2]) return;
    }
  });
  if (wanted > 1 && (lease.threads() == 1 || lease.threads() == wanted)) {
    const Index rows = bounds[done] - bounds[begin];
    const double predicted = 1e-9 * nanoseconds(wanted, first_rows) * static_cast<double>(done - begin);
    pace_.note(lease.threads() == 1, rows, std::chrono::duration<double>(Clock::now() - began).count(), predicted);
  }
  return done - begin;
}

std::vector<double> Program::profile(const Index* bounds, const double* learning_rates, std::uint64_t first,
                                     Index count) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> seconds;
  seconds.reserve(static_cast<std::size_t>(count) * instructions_.size());
  run_team(threads(), workspace_bytes_, [&](Team& team) {
    for (Index s = 0; s < count; ++s) {
      const Step step = step_of(bounds, learning_rates, first, s);
      team.barrier();
      auto began = Clock::now();
      for (const Instruction& instruction : instructions_) {
        if (instruction.turn.includes(step)) instruction.execute(team, step, instruction);
        team.barrier();
        if (team.rank() != 0) continue;
        const auto ended = Clock::now();
        seconds.push_back(std::chrono::duration<double>(ended - began).count());
        began = ended;
      }
    }
  });
  return seconds;
}

}  // namespace flyball
