#include <pybind11/stl.h>

#include "bind/arrays.h"
#include "bind/register.h"
#include "runtime/cpu.h"
#include "runtime/lease.h"
#include "runtime/probe.h"

namespace flyball::bind {
namespace {

py::dict build_info() {
  py::dict info;
  info["version"] = FLYBALL_VERSION;
  info["compiler"] = FLYBALL_COMPILER;
  info["levels"] = compiled_levels();
  info["detected_level"] = detected_level();
  info["active_level"] = active_level();
  info["second_level_bytes"] = second_level_bytes();
  info["team"] = team_kind();
  info["threads"] = num_threads();
  info["busy_threads"] = leased_threads();
  return info;
}

void set_isa(const std::string& level) {
  if (!set_level(level)) {
    throw py::value_error("level must be one this CPU can run, got '" + level + "'");
  }
}

void set_cache(Index size) {
  if (size < 1) throw py::value_error("size must be an integer >= 1, got " + std::to_string(size));
  set_second_level_bytes(size);
}

double multiply_adds(const std::string& dtype, int threads, int trials) {
  if (dtype != "float32" && dtype != "float64") {
    throw py::value_error("dtype must be 'float32' or 'float64', got '" + dtype + "'");
  }
  if (trials < 1) throw py::value_error("trials must be an integer >= 1, got " + std::to_string(trials));
  py::gil_scoped_release nogil;
  return dtype == "float32" ? measure_multiply_adds<float>(threads, trials)
                            : measure_multiply_adds<double>(threads, trials);
}

double bandwidth(int threads, Index size) {
  py::gil_scoped_release nogil;
  return measure_bandwidth(threads, size);
}

}  // namespace

void register_runtime(py::module_& module) {
  module.def("build_info", build_info);
  module.def("level_warning", level_warning);
  module.def("set_level", set_isa, py::arg("level"));
  module.def("set_second_level_bytes", set_cache, py::arg("size"));
  module.def("get_num_threads", num_threads);
  module.def("set_num_threads", set_num_threads, py::arg("threads"));
  module.def("measure_multiply_adds", multiply_adds, py::arg("dtype"), py::arg("threads"), py::arg("trials") = 25);
  module.def("measure_bandwidth", bandwidth, py::arg("threads"), py::arg("size"));
}

}  // namespace flyball::bind
