# FLYBALL_WARNINGS. CI turns them into errors with -DCMAKE_COMPILE_WARNING_AS_ERROR=ON.
#
# -Wno-psabi: vectors are passed between functions of one translation unit only.
set(FLYBALL_WARNINGS -Wall -Wextra -Wpedantic -Wno-psabi)
if(CMAKE_CXX_COMPILER_FRONTEND_VARIANT STREQUAL "MSVC")
  # clang-cl takes a plain -Wall for -Weverything.
  list(TRANSFORM FLYBALL_WARNINGS PREPEND "/clang:")
endif()
