if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  set(gradus_is_x86_64 ON)
else()
  set(gradus_is_x86_64 OFF)
endif()
# The compile flags of all our code, as gradus_flags. They are neither installed nor passed on to users.
add_library(gradus_flags INTERFACE)
target_compile_features(gradus_flags INTERFACE cxx_std_20)
target_compile_options(gradus_flags INTERFACE
  # A project that contains this one may have made errors of warnings for its own code.
  $<$<NOT:$<BOOL:${PROJECT_IS_TOP_LEVEL}>>:-w>
  -Wall -Wextra -Wpedantic $<$<CXX_COMPILER_ID:GNU>:-Wshadow=local>
  # From 13 on, GCC takes every reference that a function with a temporary argument returns for one to that argument.
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_GREATER_EQUAL:$<CXX_COMPILER_VERSION>,13>>:-Wno-dangling-reference>
  # Hints to GCC alone, `&` of conditions that keeps a loop without branches, and names that only some instances use.
  $<$<CXX_COMPILER_ID:Clang>:-Wno-unknown-pragmas -Wno-bitwise-instead-of-logical -Wno-unused-lambda-capture
    -Wno-unused-const-variable>
  $<$<BOOL:${GRADUS_WERROR}>:-Werror>
  # What GCC's analysis of data flow takes for a fault depends on what it inlines, so with versions other than the one that
  # this is developed with, its findings are warnings.
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_GREATER_EQUAL:$<CXX_COMPILER_VERSION>,13>>:-Wno-error=maybe-uninitialized
    -Wno-error=array-bounds -Wno-error=stringop-overflow -Wno-error=stringop-overread -Wno-error=dangling-pointer
    -Wno-error=restrict -Wno-error=free-nonheap-object -Wno-error=use-after-free>
  # A project that contains this one and chose no build type still gets a fast library.
  $<$<CONFIG:>:-O2>
  # Square roots and divisions are vectorised only without errno and traps.
  -fno-math-errno -fno-trapping-math -fopenmp-simd
  # x86-64 has no fused products but in loops of their own, which portable mode does not use.
  $<$<NOT:$<BOOL:${gradus_is_x86_64}>>:-ffp-contract=off>
  # Line tables in releases too, without paths of the machine that builds.
  $<$<CONFIG:Release>:-g1> -ffile-prefix-map=${PROJECT_SOURCE_DIR}=.)

if(NOT GRADUS_WERROR)
  set(CMAKE_COMPILE_WARNING_AS_ERROR OFF)
endif()

# Sanitizers must cover everything that is compiled and linked here.
if(GRADUS_SANITIZE)
  add_compile_options(-fsanitize=${GRADUS_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${GRADUS_SANITIZE})
endif()

# ccache, set up so that clones of the repository in different folders share what they compile.
find_program(CCACHE_PROGRAM ccache)
mark_as_advanced(CCACHE_PROGRAM)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER AND PROJECT_IS_TOP_LEVEL)
  set(CMAKE_CXX_COMPILER_LAUNCHER
    ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1
    CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE_PROGRAM})
endif()
