#include <pybind11/stl.h>

#include "bind/arrays.h"
#include "bind/register.h"
#include "runtime/cpu.h"

namespace flyball::bind {
namespace {

py::dict build_info() {
  py::dict info;
  info["version"] = FLYBALL_VERSION;
  info["compiler"] = FLYBALL_COMPILER;
  info["levels"] = compiled_levels();
  info["detected_level"] = detected_level();
  info["active_level"] = active_level();
  info["team"] = team_kind();
  info["threads"] = num_threads();
  return info;
}

void set_isa(const std::string& level) {
  if (!set_level(level)) {
    throw py::value_error("level must be one this CPU can run, got '" + level + "'");
  }
}

}  // namespace

void register_runtime(py::module_& module) {
  module.def("build_info", build_info);
  module.def("level_warning", level_warning);
  module.def("set_level", set_isa, py::arg("level"));
  module.def("get_num_threads", num_threads);
  module.def("set_num_threads", set_num_threads, py::arg("threads"));
}

}  // namespace flyball::bind
