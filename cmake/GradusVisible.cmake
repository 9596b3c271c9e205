# The shared library exports what the public headers declare, and nothing else. Everything is compiled with
# -fvisibility=hidden. gradus_visible is a folder with a stand-in for each public header, which includes the header with
# its declarations made visible. So neither the headers nor the sources need marks.
set(gradus_visible_folder "${CMAKE_CURRENT_BINARY_DIR}/visible")
file(GLOB_RECURSE gradus_public_headers CONFIGURE_DEPENDS RELATIVE "${PROJECT_SOURCE_DIR}/include"
  "${PROJECT_SOURCE_DIR}/include/gradus/*.h")
file(GLOB_RECURSE gradus_stand_ins RELATIVE "${gradus_visible_folder}" "${gradus_visible_folder}/*.h")
foreach(header IN LISTS gradus_stand_ins)
  if(NOT header IN_LIST gradus_public_headers)
    file(REMOVE "${gradus_visible_folder}/${header}")
  endif()
endforeach()
foreach(header IN LISTS gradus_public_headers)
  # A system header, since include_next is an extension. The text is the same everywhere, for ccache.
  file(CONFIGURE OUTPUT "${gradus_visible_folder}/${header}" @ONLY CONTENT "#pragma once
#pragma GCC system_header
#pragma GCC visibility push(default)
#include_next <@header@>
#pragma GCC visibility pop
")
endforeach()
add_library(gradus_visible INTERFACE)
target_include_directories(gradus_visible INTERFACE "${gradus_visible_folder}")

# If the linker accepts such a file (ELF), it drops what `map` does not name.
include(CheckLinkerFlag)
function(gradus_export_only target map)
  check_linker_flag(CXX "LINKER:--version-script=${map}" GRADUS_LINKER_TAKES_VERSION_SCRIPTS)
  if(GRADUS_LINKER_TAKES_VERSION_SCRIPTS)
    target_link_options(${target} PRIVATE "LINKER:--version-script=${map}")
    set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS "${map}")
  endif()
endfunction()
