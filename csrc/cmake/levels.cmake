# The instruction-set levels and the flags that make them. One object library per level is built from
# kernels/*.cpp, one source a family; runtime/cpu.cpp learns their names from the generated flyball_levels.h.
#
# Adding a level: a row here, and its condition in cpu_has() of runtime/cpu.cpp.
include(CheckCXXCompilerFlag)

string(TOLOWER "${CMAKE_SYSTEM_PROCESSOR}" FLYBALL_PROCESSOR)
if(CMAKE_OSX_ARCHITECTURES)
  string(TOLOWER "${CMAKE_OSX_ARCHITECTURES}" FLYBALL_PROCESSOR)
endif()

# All of them by default; fewer make a faster build, for a check that is not about kernels.
set(FLYBALL_LEVELS "" CACHE STRING "Instruction-set levels to compile, lowest first; empty for all of the processor's")

if(FLYBALL_PROCESSOR MATCHES "^(x86_64|amd64)$")
  if(NOT FLYBALL_LEVELS)
    set(FLYBALL_LEVELS v2 v3 v4)
  endif()
  foreach(level IN LISTS FLYBALL_LEVELS)
    if(CMAKE_CXX_COMPILER_FRONTEND_VARIANT STREQUAL "MSVC")
      set(FLYBALL_FLAGS_${level} "/clang:-march=x86-64-${level}")
    else()
      set(FLYBALL_FLAGS_${level} -march=x86-64-${level})
      if(NOT level STREQUAL "v2") # every processor with AVX2 has it, though the level does not name it
        list(APPEND FLYBALL_FLAGS_${level} -mprfchw)
      endif()
    endif()
  endforeach()
elseif(FLYBALL_PROCESSOR MATCHES "^(aarch64|arm64)$")
  set(FLYBALL_LEVELS arm64)
else()
  set(FLYBALL_LEVELS generic)
endif()

# errno and floating-point traps are nobody's interface here, and forbid vectorised square roots. Nothing else of
# -ffast-math is wanted: no reassociation, no flush-to-zero, nan and inf as IEEE has them.
set(FLYBALL_KERNEL_FLAGS -O3 -fno-math-errno -fno-trapping-math -ffp-contract=fast)
if(CMAKE_CXX_COMPILER_FRONTEND_VARIANT STREQUAL "MSVC")
  list(TRANSFORM FLYBALL_KERNEL_FLAGS PREPEND "/clang:")
endif()

file(GLOB FLYBALL_KERNEL_SOURCES CONFIGURE_DEPENDS kernels/*.cpp)
set(FLYBALL_ROWS "")
foreach(level IN LISTS FLYBALL_LEVELS)
  string(APPEND FLYBALL_ROWS " X(${level})")
  add_library(flyball_${level} OBJECT ${FLYBALL_KERNEL_SOURCES})
  target_include_directories(flyball_${level} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR} include)
  target_compile_definitions(flyball_${level} PRIVATE FLYBALL_LEVEL=${level})
  target_compile_options(flyball_${level} PRIVATE ${FLYBALL_WARNINGS} ${FLYBALL_KERNEL_FLAGS} ${FLYBALL_FLAGS_${level}})
endforeach()
file(CONFIGURE OUTPUT "${CMAKE_CURRENT_BINARY_DIR}/flyball_levels.h"
     CONTENT "#define FLYBALL_FOR_EACH_LEVEL(X)@FLYBALL_ROWS@\n" @ONLY)
