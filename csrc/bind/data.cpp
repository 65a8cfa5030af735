#include "bind/arrays.h"
#include "bind/register.h"
#include "flyball/ops.h"

namespace flyball::bind {
namespace {

// Rows may be any distance apart, as those of a memory-mapped file or of a slice are.
Source source(const Array& x) {
  const SourceType type = source_type(x);
  const auto item = x.itemsize();
  const bool consecutive = has_consecutive_rows(x);
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
    refuse_overlap({{"out", output}}, {{"x", x}, {"rows", rows}}, InPlace::no);
    require_indices("rows", "position", rows_data, n, size(x, 0));
    run(gather_cost(n, c), 0, [=](Team& team) { gather(team, out_data, x_data, rows_data, n, c); });
  });
}

void bind_gather_labels(const Array& output, const Array& labels, const Array& rows) {
  require_ndim("labels", labels, 1, 2);
  require_ndim("rows", rows, 1);
  const Index n = size(rows, 0);
  const Index c = labels.ndim() == 2 ? size(labels, 1) : 1;
  Index* out_data = out<Index>("out", output, labels.ndim() == 2 ? Shape{n, c} : Shape{n});
  const Index* labels_data = in<Index>("labels", labels, Shape(labels));
  const Index* rows_data = in<Index>("rows", rows, {n});
  refuse_overlap({{"out", output}}, {{"labels", labels}, {"rows", rows}}, InPlace::no);
  require_indices("rows", "position", rows_data, n, size(labels, 0));
  run(elementwise_cost(n * c), 0, [=](Team& team) { gather_labels(team, out_data, labels_data, rows_data, n, c); });
}

void bind_swap_axes(const Array& y, const Array& x, Index first, Index second) {
  constexpr int bits = 30;
  require_ndim("x", x, 2);
  const Index square = extent("first", first, bits) * extent("second", second, bits);
  visit_float("x", x, [&]<class T>() {
    const Index n = size(x, 0);
    const Index rest = size(x, 1) / square;
    T* y_data = out<T>("y", y, Shape(x));
    const T* x_data = in<T>("x", x, {n, rest * square});
    refuse_overlap({{"y", y}}, {{"x", x}}, InPlace::no);
    run(swap_axes_cost(x.size()), 0, [=](Team& team) { swap_axes(team, y_data, x_data, n, first, second, rest); });
  });
}

void bind_find_not_finite(const Array& position, const Array& x) {
  require_ndim("x", x, 2);
  visit_float("x", x, [&]<class T>() {
    const Index n = size(x, 0);
    const Index c = size(x, 1);
    Index* position_data = out<Index>("position", position, {1});
    const Source x_data = source(x);
    const Index row_stride = x_data.row_bytes / static_cast<Index>(sizeof(T));
    refuse_overlap({{"position", position}}, {{"x", x}}, InPlace::no);
    run(find_not_finite_cost(static_cast<Index>(x.nbytes())), find_not_finite_workspace(), [=](Team& team) {
      find_not_finite(team, position_data, static_cast<const T*>(x_data.data), row_stride, n, c);
    });
  });
}

void bind_add_total(const Array& total, const Array& values, double scale) {
  require_ndim("values", values, 1);
  const Index n = size(values, 0);
  const double* values_data = in<double>("values", values, {n});
  double* total_data = out<double>("total", total, {1});
  refuse_overlap({{"total", total}}, {{"values", values}}, InPlace::no);
  run(static_cast<double>(n), 0, [=](Team& team) { add_total(team, total_data, values_data, n, scale); });
}

}  // namespace

void register_data(py::module_& module) {
  module.def("gather", bind_gather, py::arg("out"), py::arg("x"), py::arg("rows"));
  module.def("gather_labels", bind_gather_labels, py::arg("out"), py::arg("labels"), py::arg("rows"));
  module.def("swap_axes", bind_swap_axes, py::arg("y"), py::arg("x"), py::arg("first"), py::arg("second"));
  module.def("find_not_finite", bind_find_not_finite, py::arg("position"), py::arg("x"));
  module.def("add_total", bind_add_total, py::arg("total"), py::arg("values"), py::arg("scale"));
}

}  // namespace flyball::bind
