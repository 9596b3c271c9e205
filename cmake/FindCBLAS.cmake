# Finds BLIS, or else OpenBLAS, with its C interface; defines CBLAS::CBLAS, and GRADUS_BLIS if it is BLIS.
# The OpenMP build of a library is preferred, because its number of threads can be set to one for the calling thread.
find_library(CBLAS_LIBRARY NAMES blis openblas PATH_SUFFIXES blis-openmp openblas-openmp blis openblas)
set(cblas_is_blis OFF)
if(CBLAS_LIBRARY MATCHES "blis[^/]*$")
  set(cblas_is_blis ON)
endif()
if(cblas_is_blis)
  find_path(CBLAS_INCLUDE_DIR cblas.h PATH_SUFFIXES blis-openmp blis)
else()
  find_path(CBLAS_INCLUDE_DIR cblas.h PATH_SUFFIXES openblas-openmp openblas)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(CBLAS REQUIRED_VARS CBLAS_LIBRARY CBLAS_INCLUDE_DIR)
mark_as_advanced(CBLAS_INCLUDE_DIR CBLAS_LIBRARY)

if(CBLAS_FOUND AND NOT TARGET CBLAS::CBLAS)
  add_library(CBLAS::CBLAS UNKNOWN IMPORTED)
  set_target_properties(CBLAS::CBLAS PROPERTIES
    IMPORTED_LOCATION "${CBLAS_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${CBLAS_INCLUDE_DIR}"
    INTERFACE_COMPILE_DEFINITIONS "$<$<BOOL:${cblas_is_blis}>:GRADUS_BLIS>")
endif()
