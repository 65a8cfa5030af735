#include "flyball/program.h"

#include <pybind11/stl.h>

#include <algorithm>
#include <iterator>
#include <memory>

#include "bind/arrays.h"
#include "bind/register.h"

namespace flyball::bind {
namespace {

// Whether the elements of each row lie one after the other.
bool contiguous_rows(const Array& array) {
  Index stride = array.itemsize();
  for (py::ssize_t axis = array.ndim() - 1; axis > 0; --axis) {
    if (array.shape(axis) > 1 && array.strides(axis) != stride) return false;
    stride *= array.shape(axis);
  }
  return true;
}

// A view; the caller keeps the array alive.
Buffer view(const Array& array, Kind kind, Index rows_per_sample) {
  if (array.ndim() < 1 || array.ndim() > static_cast<py::ssize_t>(max_dimensions)) {
    throw py::value_error("a Program's arrays must have 1 to " + std::to_string(max_dimensions) + " dimensions, got " +
                          std::to_string(array.ndim()));
  }
  if (array.dtype().byteorder() == '>' || !contiguous_rows(array) ||
      reinterpret_cast<std::uintptr_t>(array.data()) % array.itemsize() != 0) {
    throw py::value_error("a Program's arrays must be aligned, of native byte order and contiguous in a row");
  }
  Buffer buffer{const_cast<void*>(array.data()),
                source_type(array),
                kind,
                static_cast<Index>(array.ndim()),
                static_cast<Index>(array.shape(0)),
                1,
                static_cast<Index>(array.itemsize()),
                static_cast<Index>(array.strides(0)),
                rows_per_sample,
                {}};
  std::fill(std::begin(buffer.extents), std::end(buffer.extents), 1);
  std::copy(array.shape(), array.shape() + array.ndim(), buffer.extents);
  for (std::size_t axis = 1; axis < max_dimensions; ++axis) buffer.columns *= buffer.extents[axis];
  return buffer;
}

constexpr std::pair<const char*, Dynamic> dynamics[] = {{"learning_rate", Dynamic::learning_rate},
                                                        {"step", Dynamic::step},
                                                        {"count", Dynamic::count},
                                                        {"inverse_rows", Dynamic::inverse_rows},
                                                        {"inverse_positions", Dynamic::inverse_positions}};

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

// An array, its Kind, and its rows a sample.
using Part = std::tuple<Array, int, Index>;

// An operation, its arrays, its scalars, its turn, and its lane.
using Place = std::tuple<std::uint64_t, std::uint64_t, std::uint64_t>;
using Row = std::tuple<std::string, std::vector<int>, std::vector<py::object>, Place, int>;

// A Program together with the arrays its buffers point into.
class PyProgram {
 public:
  PyProgram(const std::vector<Part>& buffers, const std::vector<Row>& rows, std::uint64_t steps_per_update,
            Index batch_rows)
      : program_(views(buffers), steps_per_update, batch_rows) {
    for (const auto& [array, kind, rows_per_sample] : buffers) arrays_.push_back(array);
    for (const auto& [op, indices, values, place, lane] : rows) {
      std::vector<Scalar> scalars;
      std::vector<Activation> activations;
      for (const py::object& value : values) {
        if (!py::isinstance<py::str>(value)) {
          scalars.push_back(scalar_of(value));
        } else if (const auto found = find_loss(value.cast<std::string>())) {
          scalars.push_back({0, static_cast<std::uint64_t>(*found)});
        } else if (const auto row_loss = find_row_loss(value.cast<std::string>())) {
          scalars.push_back({0, static_cast<std::uint64_t>(*row_loss)});
        } else {
          activations.push_back(activation(value.cast<std::string>()));
        }
      }
      program_.add(op, indices, std::move(scalars), std::move(activations),
                   {std::get<0>(place), std::get<1>(place), std::get<2>(place)}, lane);
    }
  }

  void bind(std::size_t i, const Array& array) {
    const Buffer old = program_.buffer(i);
    const Buffer buffer = view(array, old.kind, old.rows_per_sample);
    if (buffer.ndim != old.ndim || buffer.type != old.type ||
        !std::equal(buffer.extents + 1, std::end(buffer.extents), old.extents + 1)) {
      throw py::value_error("a Program's array must be replaced by one of the same dtype and rows of the same shape");
    }
    program_.bind(i, buffer);
    arrays_.at(i) = array;
  }

  // Puts `samples` rows at `array`, laid out as those of buffer i are, in the place of these.
  void bind_rows(std::size_t i, const Array& array, Index samples) {
    Buffer buffer = program_.buffer(i);
    buffer.data = const_cast<void*>(array.data());
    buffer.rows = buffer.extents[0] = samples * buffer.rows_per_sample;
    buffer.row_bytes = buffer.columns * buffer.element_bytes;
    program_.bind(i, buffer);
    arrays_.at(i) = array;
  }

  // Seconds (steps, instructions) of all steps of `bounds`; for flyball.program.profile.
  py::array_t<double> profile(const py::array_t<Index>& bounds, const py::array_t<double>& learning_rates,
                              std::uint64_t first) {
    const Index count = size(learning_rates, 0);
    std::vector<double> seconds;
    {
      const Index* bound_data = in<Index>("bounds", bounds, {count + 1});
      const double* rate_data = in<double>("learning_rates", learning_rates, {count});
      py::gil_scoped_release nogil;
      seconds = program_.profile(bound_data, rate_data, first, count);
    }
    return py::array_t<double>({count, static_cast<Index>(program_.size())}, seconds.data());
  }

  int threads(Index rows) const { return program_.threads(rows); }
  double predicted_seconds(int threads, Index rows) const { return 1e-9 * program_.nanoseconds(threads, rows); }

  // What _loop drives; it borrows the Program, which must outlive it.
  py::capsule runner() { return py::capsule(static_cast<StepRunner*>(&program_), "flyball.StepRunner"); }

 private:
  static std::vector<Buffer> views(const std::vector<Part>& parts) {
    std::vector<Buffer> buffers;
    for (const auto& [array, kind, rows_per_sample] : parts) {
      buffers.push_back(view(array, static_cast<Kind>(kind), rows_per_sample));
    }
    return buffers;
  }

  std::vector<Array> arrays_;
  Program program_;
};

// flyball.program.runners.Exchange: one call for what a single row would spend more time on than on its products.
class Exchange {
 public:
  using Places = std::vector<std::size_t>;  // of a buffer and its views
  using Extents = std::vector<py::ssize_t>;

  Exchange(PyProgram& program, Places x, Places out, py::dtype dtype, py::dtype out_dtype, Extents sample_shape,
           Extents shape)
      : program_(program),
        x_(std::move(x)),
        out_(std::move(out)),
        dtype_(std::move(dtype)),
        out_dtype_(std::move(out_dtype)),
        sample_shape_(std::move(sample_shape)),
        out_shape_(std::move(shape)) {
    out_shape_.insert(out_shape_.begin(), 0);
  }

  py::object exchange(const py::object& given) {
    if (Py_TYPE(given.ptr()) != py::detail::npy_api::get().PyArray_Type_) return py::none();
    const auto x = py::reinterpret_borrow<Array>(given);
    if (!fits(x)) return py::none();
    const auto samples = static_cast<Index>(x.shape(0));
    out_shape_[0] = x.shape(0);
    const Array out(out_dtype_, out_shape_);
    for (const std::size_t i : x_) program_.bind_rows(i, x, samples);
    for (const std::size_t i : out_) program_.bind_rows(i, out, samples);
    return out;
  }

 private:
  bool fits(const Array& x) const {
    constexpr int flags = int{Array::c_style} | int{py::detail::npy_api::NPY_ARRAY_ALIGNED_};
    return x.ndim() == static_cast<py::ssize_t>(sample_shape_.size()) + 1 && x.shape(0) > 0 &&
           std::equal(sample_shape_.begin(), sample_shape_.end(), x.shape() + 1) && (x.flags() & flags) == flags &&
           py::detail::array_proxy(x.ptr())->descr == dtype_.ptr();
  }

  PyProgram& program_;
  Places x_, out_;
  py::dtype dtype_, out_dtype_;
  Extents sample_shape_, out_shape_;
};

}  // namespace

void register_program(py::module_& module) {
  py::class_<PyProgram>(module, "Program")
      .def(py::init<const std::vector<Part>&, const std::vector<Row>&, std::uint64_t, Index>(), py::arg("buffers"),
           py::arg("instructions"), py::arg("steps_per_update"), py::arg("batch_rows"))
      .def("bind", &PyProgram::bind, py::arg("index"), py::arg("array"))
      .def("profile", &PyProgram::profile, py::arg("bounds"), py::arg("learning_rates"), py::arg("first"))
      .def("threads", &PyProgram::threads, py::arg("rows"))
      .def("predicted_seconds", &PyProgram::predicted_seconds, py::arg("threads"), py::arg("rows"))
      .def("runner", &PyProgram::runner);
  using Places = const Exchange::Places&;
  using Extents = const Exchange::Extents&;
  py::class_<Exchange>(module, "Exchange")
      .def(py::init<PyProgram&, Places, Places, py::dtype, py::dtype, Extents, Extents>(), py::arg("program"),
           py::arg("x"), py::arg("out"), py::arg("dtype"), py::arg("out_dtype"), py::arg("sample_shape"),
           py::arg("shape"), py::keep_alive<1, 2>())
      .def("__call__", &Exchange::exchange, py::arg("x"));
  py::class_<Calm>(module, "Calm").def(py::init([] { return std::make_unique<Calm>(least_calm); }));
  py::class_<Pace>(module, "Pace")
      .def(py::init<Calm&>(), py::arg("calm"), py::keep_alive<1, 2>())
      .def("threads", &Pace::threads, py::arg("wanted"))
      .def("slice", &Pace::slice, py::arg("seconds"))
      .def("note", &Pace::note, py::arg("one"), py::arg("rows"), py::arg("seconds"), py::arg("predicted"));
}

}  // namespace flyball::bind
