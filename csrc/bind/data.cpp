#include "bind/arrays.h"
#include "bind/register.h"
#include "flyball/ops.h"

namespace flyball::bind {
namespace {

[[noreturn]] void refuse_source(const Array& x) {
  throw py::value_error(
      "x must have rows of consecutive, aligned elements of an integer or float dtype (float32, "
      "float64, 8 to 64 bits, bool), got " +
      py::str(x.dtype()).cast<std::string>() + " with strides (" + std::to_string(x.strides(0)) + ", " +
      std::to_string(x.strides(1)) + ")");
}

SourceType source_type(const Array& x) {
  const auto bytes = x.itemsize();
  const auto one_of = [&](SourceType b1, SourceType b2, SourceType b4, SourceType b8) {
    return bytes == 1 ? b1 : bytes == 2 ? b2 : bytes == 4 ? b4 : b8;
  };
  const bool native = py::detail::array_descriptor_proxy(x.dtype().ptr())->byteorder != '>';
  switch (native ? x.dtype().kind() : 'V') {
    case 'i':
      return one_of(SourceType::int8, SourceType::int16, SourceType::int32, SourceType::int64);
    case 'u':
      return one_of(SourceType::uint8, SourceType::uint16, SourceType::uint32, SourceType::uint64);
    case 'b':
      return SourceType::uint8;
    case 'f':
      if (bytes == 4) return SourceType::float32;
      if (bytes == 8) return SourceType::float64;
      [[fallthrough]];
    default:
      refuse_source(x);
  }
}

// Rows may be any distance apart, as those of a memory-mapped file or of a slice are.
Source source(const Array& x) {
  const SourceType type = source_type(x);
  const auto item = x.itemsize();
  const bool consecutive = x.shape(1) <= 1 || x.strides(1) == item;
  const bool aligned = reinterpret_cast<std::uintptr_t>(x.data()) % item == 0 && x.strides(0) % item == 0;
  if (x.size() > 0 && !(consecutive && aligned)) refuse_source(x);
  return {x.data(), static_cast<Index>(x.strides(0)), type};
}

void bind_gather(const Array& output, const Array& x, const Array& rows) {
  require_ndim("x", x, 2);
  require_ndim("rows", rows, 1);
  visit_float("out", output, [&]<class T>() {
    const Index n = size(rows, 0);
    const Index c = size(x, 1);
    T* out_data = out<T>("out", output, {n, c});
    const Source x_data = source(x);
    const Index* rows_data = in<Index>("rows", rows, {n});
    refuse_overlaps({{"out", &output}}, {{"x", &x}, {"rows", &rows}});
    require_indices("rows", "position", rows_data, n, size(x, 0));
    run(gather_cost(n, c), 0, [=](Team& team) { gather(team, out_data, x_data, rows_data, n, c); });
  });
}

void bind_add_total(const Array& total, const Array& values) {
  require_ndim("values", values, 1);
  const Index n = size(values, 0);
  const double* values_data = in<double>("values", values, {n});
  double* total_data = out<double>("total", total, {1});
  refuse_overlap("total", total, "values", values);
  run(static_cast<double>(n), 0, [=](Team& team) { add_total(team, total_data, values_data, n); });
}

}  // namespace

void register_data(py::module_& module) {
  module.def("gather", bind_gather, py::arg("out"), py::arg("x"), py::arg("rows"));
  module.def("add_total", bind_add_total, py::arg("total"), py::arg("values"));
}

}  // namespace flyball::bind
