// The Program on the native side: a flat list of instructions over a table of buffers, run for whole epochs by one
// team.
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "flyball/pace.h"
#include "flyball/params.h"

namespace flyball {

class Team;

// Which part of a buffer a step that covers rows [start, start + rows) sees; flyball.program.instructions.Kind.
enum class Kind : int { whole, batch, window };

inline constexpr std::size_t max_dimensions = 5;

// An array whose rows are contiguous inside: a row is all that the first axis has one of.
struct Buffer {
  void* data;
  SourceType type;
  Kind kind;
  Index ndim;
  Index rows;
  Index columns;  // elements of a row; 1 for a vector
  Index element_bytes;
  Index row_bytes;                // from one row to the next
  Index rows_per_sample;          // of a batch or a window: more than 1 where a sample is a matrix
  Index extents[max_dimensions];  // of the axes; 1 beyond ndim
  Index most_rows = 0;            // that a step sees of it, of the largest step; the Program fills it in
};

// Scalars that the step decides; flyball.program.instructions.Dynamic.
enum class Dynamic : int { none, learning_rate, step, count, inverse_rows, inverse_positions };

struct Scalar {
  double number = 0;
  std::uint64_t integer = 0;  // the same value where it is whole: seeds need all 64 bits
  Dynamic dynamic = Dynamic::none;
};

struct Step {
  Index start;
  Index rows;
  std::uint64_t count;    // steps done before this one
  std::uint64_t updates;  // updates done before this step
  double learning_rate;
};

// Steps in which an instruction runs; flyball.program.instructions.Turn.
struct Turn {
  std::uint64_t period = 1;
  std::uint64_t begin = 0;
  std::uint64_t end = 1;

  bool includes(const Step& step) const {
    if (period == 1) return true;
    const std::uint64_t place = step.count % period;
    return begin <= place && place < end;
  }
  double share() const { return static_cast<double>(end - begin) / static_cast<double>(period); }
};

// Which half of the threads runs an instruction, while the other runs another;
// flyball.program.instructions.Instruction.
inline constexpr int no_lane = -1;

// What an instruction waits for before it begins: what came before and touches the same memory.
enum class Wait : int { none, lane, all };

struct Instruction;
using Execute = void (*)(Team& team, const Step& step, const Instruction& instruction);

struct Instruction {
  Execute execute = nullptr;
  std::vector<const Buffer*> buffers;  // null where an optional array is absent
  std::size_t outputs = 0;             // how many of them, from the first, are written
  bool uses_workspace = false;
  Wait waits = Wait::all;
  int lane = no_lane;
  std::vector<Scalar> scalars;
  std::vector<Activation> activations;  // scalars that are names of activations, in order
  Turn turn;
};

// What drives a Program; the Cython loop sees no more than this.
class StepRunner {
 public:
  virtual ~StepRunner() = default;

  // Around a sequence of runs: threads are shared with the other Programs that are running.
  virtual void enter() = 0;
  virtual void leave() = 0;

  // Runs steps [begin, end) of an epoch until `seconds` have passed; returns how many it ran: at least one, or none if
  // other Programs had all threads for as long.
  // bounds and learning_rates are the epoch's; `first` steps were done before it.
  virtual Index run(const Index* bounds, const double* learning_rates, std::uint64_t first, Index begin, Index end,
                    double seconds) = 0;
};

class Program final : public StepRunner {
 public:
  // An update has `steps_per_update` steps, and a step `batch_rows` rows at most.
  Program(std::vector<Buffer> buffers, std::uint64_t steps_per_update, Index batch_rows);

  // Appends an instruction; throws std::invalid_argument if the operation or its arguments are unknown.
  void add(const std::string& op, const std::vector<int>& buffers, std::vector<Scalar> scalars,
           std::vector<Activation> activations, Turn turn, int lane = no_lane);

  // Puts another array in the place of buffer i.
  void bind(std::size_t i, const Buffer& buffer) { buffers_.at(i) = with_most_rows(buffer); }
  const Buffer& buffer(std::size_t i) const { return buffers_.at(i); }

  void enter() override;
  void leave() override;
  Index run(const Index* bounds, const double* learning_rates, std::uint64_t first, Index begin, Index end,
            double seconds) override;

  // Runs steps [0, count) with a barrier after every instruction, of its lane if it has one; returns the seconds of
  // each, steps by instructions.
  std::vector<double> profile(const Index* bounds, const double* learning_rates, std::uint64_t first, Index count);

  std::size_t size() const { return instructions_.size(); }

  // Threads that steps of `rows` rows are worth where nothing else runs; by default of the largest number.
  int threads(Index rows = -1) const;

  // What a step of `rows` rows is predicted to take.
  double nanoseconds(int threads, Index rows) const;

 private:
  Buffer with_most_rows(Buffer buffer) const;
  // Memory that instructions touch, and by which lanes, a bit each; kept until the Program is complete.
  struct Touched {
    const Buffer* buffer;
    bool written;
    unsigned lanes;
  };
  void note_touched(const Buffer& buffer, bool written, int lane);
  Wait wait_of(const Instruction& instruction) const;
  template <class Body>
  void run_lanes(int threads, Body body) const;
  double exchanged() const;
  Step step_of(const Index* bounds, const double* learning_rates, std::uint64_t first, Index s) const;

  std::vector<Buffer> buffers_;
  std::vector<Instruction> instructions_;
  std::uint64_t steps_per_update_;
  Index batch_rows_;            // of the largest step
  double step_cost_ = 0;        // nanoseconds of such a step on one thread
  int barriers_ = 0;            // that it has, beside the one at its end
  int lane_barriers_ = 0;       // of one lane or the other
  double exchanged_bytes_ = 0;  // that change cores
  std::vector<Touched> touched_;
  bool has_lanes_ = false;
  std::size_t workspace_bytes_ = 0;  // the most that an instruction needs
  Pace pace_{process_calm()};
};

}  // namespace flyball
