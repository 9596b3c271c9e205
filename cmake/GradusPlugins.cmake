# What connects processes: a plug-in for each of OpenMPI, MPICH and Gloo that is installed, loaded when a program that
# was started for it calls distributed::init(). The library itself depends on none of them.
find_package(PkgConfig QUIET)
set(gradus_plugins "")

function(gradus_plugin name)
  add_library(gradus_${name} MODULE ${ARGN})
  set_target_properties(gradus_${name} PROPERTIES CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}")
  target_compile_features(gradus_${name} PRIVATE cxx_std_20)
  target_include_directories(gradus_${name} PRIVATE "${PROJECT_SOURCE_DIR}/src")
  target_link_libraries(gradus_${name} PRIVATE gradus_flags Threads::Threads)
  install(TARGETS gradus_${name} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/gradus COMPONENT distributed)
  set(gradus_plugins ${gradus_plugins} gradus_${name} PARENT_SCOPE)
endfunction()

if(PKG_CONFIG_FOUND)
  foreach(mpi openmpi:ompi-c mpich:mpich)
    string(REPLACE ":" ";" mpi ${mpi})
    list(GET mpi 0 name)
    list(GET mpi 1 package)
    pkg_check_modules(${name} QUIET IMPORTED_TARGET ${package})
    if(${name}_FOUND)
      gradus_plugin(${name} "${PROJECT_SOURCE_DIR}/src/distributed/plugins/mpi.cpp")
      # Their C++ interfaces are obsolete.
      target_compile_definitions(gradus_${name} PRIVATE OMPI_SKIP_MPICXX MPICH_SKIP_MPICXX)
      target_link_libraries(gradus_${name} PRIVATE PkgConfig::${name})
    endif()
  endforeach()
endif()

find_package(Gloo QUIET)
if(TARGET gloo)
  file(GLOB gloo_sources "${PROJECT_SOURCE_DIR}/src/distributed/plugins/*.cpp")
  list(REMOVE_ITEM gloo_sources "${PROJECT_SOURCE_DIR}/src/distributed/plugins/mpi.cpp")
  gradus_plugin(gloo ${gloo_sources})
  target_link_libraries(gradus_gloo PRIVATE gloo)
endif()
