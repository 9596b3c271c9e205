# GRADUS_SMALL: what works element by element is vectorised, but without the copies of loops that -O3 makes; all else is
# as small as it can be. Every function is in a section of its own, so that a linker can leave out what is not called.
set(gradus_optimised "$<NOT:$<CONFIG:Debug>>")
target_compile_options(gradus_objects PRIVATE -ffunction-sections -fdata-sections)
set(gradus_loops kernels/ ops/elementwise/ nn/loss/ optim/rules/ optim/averages/
  ops/index/further.cpp ops/norm/normalize.cpp ops/product/linear.cpp ops/reduce/sum_mean.cpp ops/reduce/variance.cpp)
foreach(path IN LISTS gradus_loops)
  if(NOT EXISTS "${PROJECT_SOURCE_DIR}/src/${path}")
    message(FATAL_ERROR "gradus_loops names src/${path}, which is not there")
  endif()
endforeach()
list(JOIN gradus_loops "|" gradus_loops)
string(REPLACE "." "\\." gradus_loops "/src/(${gradus_loops})")
foreach(source IN LISTS gradus_sources)
  if(source MATCHES "${gradus_loops}")
    set(flags -O2 $<$<CXX_COMPILER_ID:GNU>:-fvect-cost-model=dynamic>)
  else()
    # With -Os, GCC takes what an empty std::optional does not hold for a variable that is read before it is set.
    set(flags -Os $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  endif()
  set_property(SOURCE "${source}" APPEND PROPERTY COMPILE_OPTIONS "$<${gradus_optimised}:${flags}>")
endforeach()
# fmt's numbers without those of a locale, which would bring all of the C++ library's.
target_compile_definitions(gradus_objects PRIVATE FMT_STATIC_THOUSANDS_SEPARATOR=',')

check_linker_flag(CXX LINKER:--gc-sections GRADUS_LINKER_TAKES_GC_SECTIONS)
if(GRADUS_LINKER_TAKES_GC_SECTIONS)
  set(gradus_small_link_options LINKER:--gc-sections)
endif()
