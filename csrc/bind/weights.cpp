#include <pybind11/stl.h>

#include "bind/arrays.h"
#include "bind/register.h"
#include "flyball/ops.h"

namespace flyball::bind {
namespace {

void bind_squared_norm(const Array& total, const Array& g, const OptionalArray& w, double l1, double l2) {
  require_ndim("g", g, 1);
  visit_float("g", g, [&]<class T>() {
    const Index count = size(g, 0);
    double* total_data = out<double>("total", total, {1});
    const T* g_data = in<T>("g", g, {count});
    const T* w_data = in<T>("w", w, {count});
    refuse_overlap({{"total", total}}, {{"g", g}, {"w", w}}, InPlace::no);
    run(squared_norm_cost(count), squared_norm_workspace(count),
        [=](Team& team) { squared_norm(team, total_data, g_data, w_data, count, l1, l2); });
  });
}

void bind_clip_scale(const Array& scale, const Array& total, double max_norm) {
  double* scale_data = out<double>("scale", scale, {1});
  double* total_data = out<double>("total", total, {1});
  refuse_overlap({{"scale", scale}, {"total", total}}, {}, InPlace::no);
  run(1.0, 0, [=](Team& team) { clip_scale(team, scale_data, total_data, max_norm); });
}

void bind_constrain_norm(const Array& w, double min_value, double max_value, double rate) {
  require_ndim("w", w, 2);
  visit_float("w", w, [&]<class T>() {
    const Index n = size(w, 0);
    const Index c = size(w, 1);
    T* w_data = out<T>("w", w, {n, c});
    const NormBounds bounds{min_value, max_value, rate};
    run(constrain_norm_cost(n * c), 0, [=](Team& team) { constrain_norm(team, w_data, n, c, bounds); });
  });
}

void bind_accumulate(const Array& y, const Array& x, double keep, double scale) {
  require_ndim("y", y, 1, 2);
  visit_float("y", y, [&]<class T>() {
    const bool flat = y.ndim() == 1;
    const Index n = flat ? 1 : size(y, 0);
    const Index c = size(y, flat ? 0 : 1);
    const Rows<T> to = flat ? Rows<T>{out<T>("y", y, {c}), c} : out_rows<T>("y", y, n, c);
    const Rows<const T> from = flat ? Rows<const T>{in<T>("x", x, {c}), c} : in_rows<T>("x", x, n, c);
    refuse_overlap({{"y", y}}, {{"x", x}}, InPlace::no);
    run(accumulate_cost(n * c), 0,
        [=](Team& team) { accumulate(team, to.data, to.stride, from.data, from.stride, n, c, keep, scale); });
  });
}

void bind_average_update(const Array& average, const Array& w, double decay, std::int64_t step) {
  require_ndim("average", average, 1);
  visit_float("average", average, [&]<class T>() {
    const Index count = size(average, 0);
    T* average_data = out<T>("average", average, {count});
    const T* w_data = in<T>("w", w, {count});
    refuse_overlap({{"average", average}}, {{"w", w}}, InPlace::no);
    run(accumulate_cost(count), 0, [=](Team& team) { average_update(team, average_data, w_data, count, decay, step); });
  });
}

void bind_orthogonal_penalty(const Array& penalty, const OptionalArray& dw, const Array& w, double factor,
                             bool columns) {
  require_ndim("w", w, 2);
  visit_float("w", w, [&]<class T>() {
    const Index n = size(w, 0);
    const Index c = size(w, 1);
    double* penalty_data = out<double>("penalty", penalty, {1});
    T* dw_data = out<T>("dw", dw, {n, c});
    const T* w_data = in<T>("w", w, {n, c});
    refuse_overlap({{"penalty", penalty}, {"dw", dw}}, {{"w", w}}, InPlace::no);
    run(orthogonal_penalty_cost(n, c, columns, dw_data != nullptr), orthogonal_penalty_workspace<T>(n, c, columns),
        [=](Team& team) { orthogonal_penalty(team, penalty_data, dw_data, w_data, n, c, factor, columns); });
  });
}

}  // namespace

void register_weights(py::module_& module) {
  module.def("squared_norm", bind_squared_norm, py::arg("total"), py::arg("g"), py::arg("w").none(true), py::arg("l1"),
             py::arg("l2"));
  module.def("clip_scale", bind_clip_scale, py::arg("scale"), py::arg("total"), py::arg("max_norm"));
  module.def("constrain_norm", bind_constrain_norm, py::arg("w"), py::arg("min_value"), py::arg("max_value"),
             py::arg("rate"));
  module.def("accumulate", bind_accumulate, py::arg("y"), py::arg("x"), py::arg("keep"), py::arg("scale"));
  module.def("average_update", bind_average_update, py::arg("average"), py::arg("w"), py::arg("decay"),
             py::arg("step"));
  module.def("orthogonal_penalty", bind_orthogonal_penalty, py::arg("penalty"), py::arg("dw").none(true), py::arg("w"),
             py::arg("factor"), py::arg("columns"));
}

}  // namespace flyball::bind
