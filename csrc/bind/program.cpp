#include "flyball/program.h"

#include <pybind11/stl.h>

#include "bind/arrays.h"
#include "bind/register.h"

namespace flyball::bind {
namespace {

// A view; the caller keeps the array alive.
Buffer view(const Array& array, Kind kind) {
  if (array.ndim() < 1 || array.ndim() > 2) {
    throw py::value_error("a Program's arrays must have 1 or 2 dimensions, got " + std::to_string(array.ndim()));
  }
  const auto byteorder = array.dtype().byteorder();
  const auto item = static_cast<Index>(array.itemsize());
  const bool is_matrix = array.ndim() == 2;
  const bool contiguous_rows = !is_matrix || array.shape(1) <= 1 || array.strides(1) == item;
  if (byteorder == '>' || !contiguous_rows || reinterpret_cast<std::uintptr_t>(array.data()) % array.itemsize() != 0) {
    throw py::value_error("a Program's arrays must be aligned, of native byte order and contiguous in a row");
  }
  return {const_cast<void*>(array.data()),
          source_type(array),
          kind,
          static_cast<Index>(array.ndim()),
          static_cast<Index>(array.shape(0)),
          is_matrix ? static_cast<Index>(array.shape(1)) : 1,
          static_cast<Index>(array.strides(0))};
}

constexpr std::pair<const char*, Dynamic> dynamics[] = {{"learning_rate", Dynamic::learning_rate},
                                                        {"step", Dynamic::step},
                                                        {"count", Dynamic::count},
                                                        {"inverse_rows", Dynamic::inverse_rows}};

Scalar scalar_of(const py::handle& value) {
  if (py::isinstance<py::tuple>(value)) {
    const auto name = value[py::int_(1)].cast<std::string>();
    for (const auto& [known, dynamic] : dynamics) {
      if (name == known) return {0, 0, dynamic};
    }
    throw py::value_error("dynamic scalar must be a known one, got '" + name + "'");
  }
  Scalar scalar;
  scalar.number = value.cast<double>();
  if (py::isinstance<py::int_>(value)) scalar.integer = value.cast<std::uint64_t>();
  return scalar;
}

using Row = std::tuple<std::string, std::vector<int>, std::vector<py::object>>;

// A Program together with the arrays its buffers point into.
class PyProgram {
 public:
  PyProgram(const std::vector<std::pair<Array, int>>& buffers, const std::vector<Row>& rows)
      : program_(views(buffers)) {
    for (const auto& [array, kind] : buffers) arrays_.push_back(array);
    for (const auto& [op, indices, values] : rows) {
      std::vector<Scalar> scalars;
      std::vector<Activation> activations;
      for (const py::object& value : values) {
        if (!py::isinstance<py::str>(value)) {
          scalars.push_back(scalar_of(value));
        } else if (const auto found = find_loss(value.cast<std::string>())) {
          scalars.push_back({0, static_cast<std::uint64_t>(*found)});
        } else {
          activations.push_back(activation(value.cast<std::string>()));
        }
      }
      program_.add(op, indices, std::move(scalars), std::move(activations));
    }
  }

  void bind(std::size_t i, const Array& array) {
    const Buffer old = program_.buffer(i);
    const Buffer buffer = view(array, old.kind);
    if (buffer.ndim != old.ndim || buffer.columns != old.columns || buffer.type != old.type) {
      throw py::value_error("a Program's array must be replaced by one of the same dtype and columns");
    }
    program_.bind(i, buffer);
    arrays_.at(i) = array;
  }

  // What _loop drives; it borrows the Program, which must outlive it.
  py::capsule runner() { return py::capsule(static_cast<StepRunner*>(&program_), "flyball.StepRunner"); }

 private:
  static std::vector<Buffer> views(const std::vector<std::pair<Array, int>>& arrays) {
    std::vector<Buffer> buffers;
    for (const auto& [array, kind] : arrays) buffers.push_back(view(array, static_cast<Kind>(kind)));
    return buffers;
  }

  std::vector<Array> arrays_;
  Program program_;
};

}  // namespace

void register_program(py::module_& module) {
  py::class_<PyProgram>(module, "Program")
      .def(py::init<const std::vector<std::pair<Array, int>>&, const std::vector<Row>&>(), py::arg("buffers"),
           py::arg("instructions"))
      .def("bind", &PyProgram::bind, py::arg("index"), py::arg("array"))
      .def("runner", &PyProgram::runner);
}

}  // namespace flyball::bind
