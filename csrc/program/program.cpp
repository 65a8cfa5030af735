#include "flyball/program.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <string>

#include "program/operations.h"
#include "runtime/denormals.h"
#include "runtime/lease.h"
#include "runtime/team.h"

namespace flyball {
namespace {

// What threads cost, measured on two cores of a Xeon (AVX-512) under a hypervisor: waiting for each other, and an array
// that one writes and others read and that is written again, 2.6 and 4 to 5 ns a line of 64 bytes.
constexpr double nanoseconds_per_round = 500.0;  // of a barrier, which has log2(threads) of them
constexpr double nanoseconds_per_byte_exchanged = 0.1;

// More threads must be faster by this factor: predictions are rough, and the others have use for their cores.
constexpr double worthwhile = 0.9;

int rounds_of(int threads) {
  int rounds = 0;
  while (1 << rounds < threads) ++rounds;
  return rounds;
}

// Bytes of a row that are its own: rows may lie further apart.
Index width(const Buffer& x) { return x.columns * x.element_bytes; }

const char* begin(const Buffer& x) { return static_cast<const char*>(x.data); }

// Whether the two share memory: arrays may be views of one flat array. Of a window any part may be meant.
bool overlap(const Buffer* a, const Buffer* b) {
  if (a == nullptr || b == nullptr) return false;
  if (a == b) return true;
  const auto end = [](const Buffer& x) { return begin(x) + (x.rows - 1) * x.row_bytes + width(x); };
  if (a->rows == 0 || b->rows == 0) return false;
  if (begin(*a) >= end(*b) || begin(*b) >= end(*a)) return false;
  // Columns of one matrix beside each other.
  if (a->row_bytes != b->row_bytes || a->row_bytes == width(*a)) return true;
  const Index between = (begin(*b) - begin(*a)) % a->row_bytes;
  const Index offset = between < 0 ? between + a->row_bytes : between;
  return offset < width(*a) || offset + width(*b) > a->row_bytes;
}

// Whether `second` must not begin before all threads have finished `first`.
bool conflict(const Instruction& first, const Instruction& second) {
  if (first.lane == second.lane && first.uses_workspace && second.uses_workspace) return true;
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
                  std::vector<Activation> activations, Turn turn, int lane) {
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
  if (lane < no_lane || lane > 1) throw std::invalid_argument(op + " must be in lane 0, 1 or none (-1)");
  Instruction instruction;
  instruction.turn = turn;
  instruction.lane = lane;
  has_lanes_ = has_lanes_ || lane != no_lane;
  for (const int i : buffers)
    instruction.buffers.push_back(i < 0 ? nullptr : &buffers_.at(static_cast<std::size_t>(i)));
  instruction.scalars = std::move(scalars);
  instruction.activations = std::move(activations);
  const Buffer* typed = instruction.buffers[operation.typed];
  if (typed == nullptr) throw std::invalid_argument(op + " must be given its array " + std::to_string(operation.typed));
  instruction.execute = typed->type == SourceType::float64 ? operation.f64 : operation.f32;
  step_cost_ += operation.cost(instruction) * turn.share();
  instruction.outputs = operation.outputs;
  for (std::size_t i = 0; i < instruction.buffers.size(); ++i) {
    if (instruction.buffers[i] != nullptr) note_touched(*instruction.buffers[i], i < instruction.outputs, lane);
  }
  if (operation.workspace != nullptr) {
    const std::size_t bytes = operation.workspace(instruction);
    instruction.uses_workspace = bytes > 0;
    workspace_bytes_ = std::max(workspace_bytes_, bytes);
  }
  exchanged_bytes_ = exchanged();
  instruction.waits = wait_of(instruction);
  barriers_ += instruction.waits == Wait::all ? 1 : 0;
  lane_barriers_ += instruction.waits == Wait::lane ? 1 : 0;
  instructions_.push_back(std::move(instruction));
}

Step Program::step_of(const Index* bounds, const double* learning_rates, std::uint64_t first, Index s) const {
  const std::uint64_t count = first + static_cast<std::uint64_t>(s);
  return {bounds[s], bounds[s + 1] - bounds[s], count, count / steps_per_update_,
          learning_rates == nullptr ? 0.0 : learning_rates[s]};
}

// Looks back as far as the last instruction that waited for all: what came before that one has been finished by all.
Wait Program::wait_of(const Instruction& instruction) const {
  Wait wait = Wait::none;
  bool finished = false;  // whether what came before in the same lane is finished
  for (auto before = instructions_.rbegin(); before != instructions_.rend(); ++before) {
    const bool beside = before->lane == instruction.lane && before->lane != no_lane;
    if (!(beside && finished) && conflict(*before, instruction)) {
      if (!beside) return Wait::all;
      wait = Wait::lane;
    }
    if (before->waits == Wait::all) break;
    finished = finished || wait == Wait::lane || (beside && before->waits == Wait::lane);
  }
  return wait;
}

void Program::note_touched(const Buffer& buffer, bool written, int lane) {
  unsigned lanes = lane == no_lane ? 3 : 1u << lane;
  bool known = false;
  for (Touched& touched : touched_) {
    if (!overlap(touched.buffer, &buffer)) continue;
    lanes = touched.lanes |= lanes;
    known = known || touched.written || !written;
  }
  if (!known) touched_.push_back({&buffer, written, lanes});
}

// What one thread writes and another reads or writes: not what a lane keeps for itself. Memory that several
// instructions write changes cores about as often as what is written once.
double Program::exchanged() const {
  double bytes = 0;
  for (const Touched& touched : touched_) {
    if (!touched.written || touched.lanes != 3) continue;
    bytes += static_cast<double>(touched.buffer->most_rows) * static_cast<double>(width(*touched.buffer));
  }
  return bytes;
}

double Program::nanoseconds(int threads, Index rows) const {
  const double share = std::min(1.0, static_cast<double>(rows) / static_cast<double>(batch_rows_));
  const double count = threads;
  if (threads == 1) return share * step_cost_;
  const double exchanged = share * exchanged_bytes_ * nanoseconds_per_byte_exchanged * (1.0 - 1.0 / count);
  // Both lanes wait at the same time.
  const double rounds = (barriers_ + 1) * rounds_of(threads) + 0.5 * lane_barriers_ * rounds_of((threads + 1) / 2);
  return share * step_cost_ / count + rounds * nanoseconds_per_round + exchanged;
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

// Runs body(team, half, lane) on a team; `half` runs the instructions of `lane`, and is the team where that is one
// thread, which runs those of both.
template <class Body>
void Program::run_lanes(int threads, Body body) const {
  const std::size_t workspace = (workspace_bytes_ + 63) / 64 * 64;
  Halves halves(threads);
  run_team(threads, has_lanes_ ? 3 * workspace : workspace, [&](Team& team) {
    // Moments of units that are dead for good decay until they are denormals, and stay: an update of 1552 parameters
    // took 22,000 cycles longer with them.
    const NoDenormals no_denormals;
    if (!has_lanes_ || team.size() == 1) return body(team, team, 0);
    TeamState state;
    Team half = halves.of(team, state, workspace);
    body(team, half, Halves::number_of(team));
  });
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
  run_lanes(lease.threads(), [&](Team& team, Team& half, int lane) {
    for (Index s = begin; s < end; ++s) {
      const Step step = step_of(bounds, learning_rates, first, s);
      for (const Instruction& instruction : instructions_) {
        // Also where it has not its turn: later ones rely on what came before the barrier.
        if (instruction.waits == Wait::all) team.barrier();
        if (instruction.lane != no_lane && instruction.lane != lane && team.size() > 1) continue;
        if (instruction.waits == Wait::lane) half.barrier();
        if (instruction.turn.includes(step)) {
          instruction.execute(instruction.lane == no_lane ? team : half, step, instruction);
        }
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
  std::vector<double> seconds(static_cast<std::size_t>(count) * instructions_.size());
  run_lanes(threads(), [&](Team& team, Team& half, int lane) {
    for (Index s = 0; s < count; ++s) {
      const Step step = step_of(bounds, learning_rates, first, s);
      double* place = seconds.data() + static_cast<std::size_t>(s) * instructions_.size();
      for (const Instruction& instruction : instructions_) {
        double* const taken = place++;
        const bool in_lane = instruction.lane != no_lane;
        if (!in_lane || instruction.waits == Wait::all) team.barrier();
        if (in_lane && instruction.lane != lane && team.size() > 1) continue;
        Team& mine = in_lane ? half : team;
        const auto began = Clock::now();
        if (instruction.turn.includes(step)) instruction.execute(mine, step, instruction);
        mine.barrier();
        if (mine.rank() == 0) *taken = std::chrono::duration<double>(Clock::now() - began).count();
      }
      team.barrier();
    }
  });
  return seconds;
}

}  // namespace flyball
