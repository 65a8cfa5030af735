#include <pybind11/stl.h>

#include "bind/arrays.h"
#include "bind/register.h"
#include "flyball/ops.h"

namespace flyball::bind {
namespace {

void bind_sgd_update(const Array& w, const OptionalArray& velocity, const OptionalArray& penalty, const Array& g,
                     double learning_rate, double momentum, bool nesterov, double l1, double l2, double weight_decay) {
  require_ndim("w", w, 1);
  visit_float("w", w, [&]<class T>() {
    const Index count = size(w, 0);
    T* w_data = out<T>("w", w, {count});
    T* velocity_data = out<T>("velocity", velocity, {count});
    double* penalty_data = out<double>("penalty", penalty, {1});
    const T* g_data = in<T>("g", g, {count});
    refuse_overlap({{"w", w}, {"velocity", velocity}, {"penalty", penalty}}, {{"g", g}}, InPlace::no);
    const SgdParams params{learning_rate, momentum, nesterov, {l1, l2, weight_decay}};
    run(update_cost(count), penalty ? update_workspace(count) : 0,
        [=](Team& team) { sgd_update(team, w_data, velocity_data, penalty_data, g_data, count, params); });
  });
}

void bind_adam_update(const Array& w, const Array& m, const Array& v, const OptionalArray& penalty, const Array& g,
                      double learning_rate, double beta_1, double beta_2, double epsilon, std::int64_t step, double l1,
                      double l2, double weight_decay) {
  require_ndim("w", w, 1);
  visit_float("w", w, [&]<class T>() {
    const Index count = size(w, 0);
    T* w_data = out<T>("w", w, {count});
    T* m_data = out<T>("m", m, {count});
    T* v_data = out<T>("v", v, {count});
    double* penalty_data = out<double>("penalty", penalty, {1});
    const T* g_data = in<T>("g", g, {count});
    refuse_overlap({{"w", w}, {"m", m}, {"v", v}, {"penalty", penalty}}, {{"g", g}}, InPlace::no);
    const AdamParams params{learning_rate, beta_1, beta_2, epsilon, step, {l1, l2, weight_decay}};
    run(update_cost(count), penalty ? update_workspace(count) : 0,
        [=](Team& team) { adam_update(team, w_data, m_data, v_data, penalty_data, g_data, count, params); });
  });
}

}  // namespace

void register_update(py::module_& module) {
  module.def("sgd_update", bind_sgd_update, py::arg("w"), py::arg("velocity").none(true), py::arg("penalty").none(true),
             py::arg("g"), py::arg("learning_rate"), py::arg("momentum"), py::arg("nesterov"), py::arg("l1"),
             py::arg("l2"), py::arg("weight_decay"));
  module.def("adam_update", bind_adam_update, py::arg("w"), py::arg("m"), py::arg("v"), py::arg("penalty").none(true),
             py::arg("g"), py::arg("learning_rate"), py::arg("beta_1"), py::arg("beta_2"), py::arg("epsilon"),
             py::arg("step"), py::arg("l1"), py::arg("l2"), py::arg("weight_decay"));
}

}  // namespace flyball::bind
