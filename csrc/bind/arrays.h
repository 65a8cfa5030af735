// The only header that knows NumPy: checked views of arrays, the dtype visitor, and the one way to let go of the GIL.
//
// A binding reads: visit_float("x", x, [&]<class T>() { ... in<T>("x", x, {n, k}) ... out<T>("y", y, {n, c}) ...;
// run(cost, workspace, [=](Team& team) { operation(team, ...); }); }). The messages are those of
// flyball/reference/_arrays.py, word for word.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "flyball/params.h"
#include "runtime/team.h"

namespace flyball::bind {

namespace py = pybind11;

using Array = py::array;
using OptionalArray = std::optional<py::array>;

// The expected shape of an array.
class Shape {
 public:
  Shape(std::initializer_list<Index> extents) : extents_(extents) {}
  explicit Shape(std::vector<Index> extents) : extents_(std::move(extents)) {}
  explicit Shape(const Array& array) : extents_(array.shape(), array.shape() + array.ndim()) {}

  const std::vector<Index>& extents() const { return extents_; }

 private:
  std::vector<Index> extents_;
};

// As Python writes a tuple.
std::string text_of(const Shape& shape);

// Throws TypeError or ValueError "<name> must be a C-contiguous <dtype> array of shape <shape>, got ...".
[[noreturn]] void refuse(const char* name, const char* dtype, const Shape& shape, const Array& array);
[[noreturn]] void refuse_read_only(const char* name);
[[noreturn]] void refuse_dtype(const char* name, const Array& array);
[[noreturn]] void refuse_ndim(const char* name, const std::string& ndim, const Array& array);

bool matches(const Array& array, int type_number, std::size_t item_size, const Shape& shape);

// The same for matrices that may have any strides: aligned, of the machine's byte order.
[[noreturn]] void refuse_matrix(const char* name, const char* dtype, const Shape& shape, const Array& array);
bool matches_matrix(const Array& array, int type_number, const Shape& shape);

// The same for matrices whose rows are consecutive elements, any distance apart.
[[noreturn]] void refuse_rows(const char* name, const char* dtype, const Shape& shape, const Array& array);
bool matches_rows(const Array& array, int type_number, const Shape& shape);
// Whether the elements of each row of a matrix are consecutive.
inline bool has_consecutive_rows(const Array& array) {
  return array.shape(1) <= 1 || array.strides(1) == array.itemsize();
}

// NumPy's name of T.
template <class T>
constexpr const char* dtype_name();
template <>
constexpr const char* dtype_name<float>() {
  return "float32";
}
template <>
constexpr const char* dtype_name<double>() {
  return "float64";
}
template <>
constexpr const char* dtype_name<bool>() {
  return "bool";
}
template <>
constexpr const char* dtype_name<std::uint8_t>() {
  return "uint8";
}
template <>
constexpr const char* dtype_name<std::int64_t>() {
  return "int64";
}

template <class T>
void check(const char* name, const Array& array, const Shape& shape) {
  if (!matches(array, py::detail::npy_format_descriptor<T>::value, sizeof(T), shape)) {
    refuse(name, dtype_name<T>(), shape, array);
  }
}

// The data of an input, after checking dtype, shape, contiguity and alignment.
template <class T>
const T* in(const char* name, const Array& array, const Shape& shape) {
  check<T>(name, array, shape);
  return static_cast<const T*>(array.data());
}

template <class T>
const T* in(const char* name, const OptionalArray& array, const Shape& shape) {
  return array ? in<T>(name, *array, shape) : nullptr;
}

// The data of an output; it must be writeable as well.
template <class T>
T* out(const char* name, const Array& array, const Shape& shape) {
  check<T>(name, array, shape);
  if (!array.writeable()) refuse_read_only(name);
  return static_cast<T*>(const_cast<void*>(array.data()));
}

template <class T>
T* out(const char* name, const OptionalArray& array, const Shape& shape) {
  return array ? out<T>(name, *array, shape) : nullptr;
}

// An input matrix with any strides.
template <class T>
Matrix<T> in_matrix(const char* name, const Array& array, Index rows, Index columns) {
  const Shape shape{rows, columns};
  if (!matches_matrix(array, py::detail::npy_format_descriptor<T>::value, shape)) {
    refuse_matrix(name, dtype_name<T>(), shape, array);
  }
  // Of an axis of one element the stride says nothing.
  const auto stride = [&](int axis) {
    return array.shape(axis) > 1 ? array.strides(axis) / static_cast<Index>(sizeof(T)) : 1;
  };
  return {static_cast<const T*>(array.data()), stride(0), stride(1)};
}

// The data of a matrix (n, c) whose rows may lie apart, and the elements from one to the next.
template <class T>
struct Rows {
  T* data = nullptr;
  Index stride = 0;
};

template <class T>
Rows<const T> in_rows(const char* name, const Array& array, Index n, Index c) {
  if (!matches_rows(array, py::detail::npy_format_descriptor<T>::value, {n, c})) {
    refuse_rows(name, dtype_name<T>(), {n, c}, array);
  }
  // Of a single row the stride says nothing.
  const Index stride = n > 1 ? static_cast<Index>(array.strides(0)) / static_cast<Index>(sizeof(T)) : c;
  return {static_cast<const T*>(array.data()), stride};
}

template <class T>
Rows<T> out_rows(const char* name, const Array& array, Index n, Index c) {
  const Rows<const T> rows = in_rows<T>(name, array, n, c);
  if (!array.writeable()) refuse_read_only(name);
  return {const_cast<T*>(rows.data), rows.stride};
}

// Booleans as operations take them: bytes, 0 or 1.
inline const std::uint8_t* bytes(const bool* mask) { return reinterpret_cast<const std::uint8_t*>(mask); }
inline std::uint8_t* bytes(bool* mask) { return reinterpret_cast<std::uint8_t*>(mask); }

inline Index size(const Array& array, int axis) { return static_cast<Index>(array.shape(axis)); }

inline void require_ndim(const char* name, const Array& array, Index ndim) {
  if (array.ndim() != ndim) refuse_ndim(name, std::to_string(ndim), array);
}

inline void require_ndim(const char* name, const Array& array, Index low, Index high) {
  if (array.ndim() < low || array.ndim() > high) {
    refuse_ndim(name, std::to_string(low) + " to " + std::to_string(high), array);
  }
}

// Calls body.operator()<T>() for the dtype of `array`, float32 or float64.
template <class Body>
void visit_float(const char* name, const Array& array, Body&& body) {
  const int type = array.dtype().num();
  if (type == py::detail::npy_format_descriptor<float>::value) {
    body.template operator()<float>();
  } else if (type == py::detail::npy_format_descriptor<double>::value) {
    body.template operator()<double>();
  } else {
    refuse_dtype(name, array);
  }
}

// The bytes from an array's first element to its last, under its name; none if it is absent.
struct Extent {
  Extent(const char* array_name, const Array& array);
  Extent(const char* array_name, const OptionalArray& array);

  const char* name;
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
};

enum class InPlace : bool { no, yes };

// Throws ValueError "<output> must not overlap <other>" where an output shares memory with another output or with an
// input. With InPlace::yes the first output may be exactly the first input.
void refuse_overlap(std::initializer_list<Extent> outputs, std::initializer_list<Extent> inputs, InPlace in_place);

Activation activation(const std::string& name);
Loss loss(const std::string& name);
// The loss of that name, if there is one.
std::optional<Loss> find_loss(const std::string& name);
RowLoss row_loss_kind(const std::string& name);
std::optional<RowLoss> find_row_loss(const std::string& name);
// Of the operations that know no other than linear and relu.
Activation rectifier(const std::string& name);

// Runs `body` on a team worth `nanoseconds` of work, without the GIL.
template <class Body>
void run(double nanoseconds, std::size_t workspace_bytes, Body&& body) {
  const int threads = team_size(nanoseconds);
  // Letting go of the GIL costs more than a small operation does.
  constexpr double worth_releasing = 2000.0;
  if (nanoseconds < worth_releasing) {
    run_team(1, workspace_bytes, body);
    return;
  }
  py::gil_scoped_release nogil;
  run_team(threads, workspace_bytes, body);
}

// The value if it is in [1, 2**bits], else ValueError: extents have limits, so that their products do not overflow.
Index extent(const char* name, Index value, int bits = 20);

// Throws ValueError "<name> must be in [0, <limit>), got <value> at <place> <i>" at the first value that is not.
void require_indices(const char* name, const char* place, const Index* values, Index count, Index limit);

// The element type of rows to gather from; refuse_source if there is none.
SourceType source_type(const Array& x);
[[noreturn]] void refuse_source(const Array& x);

}  // namespace flyball::bind
