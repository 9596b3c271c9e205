# Finds rapidcheck and defines RapidCheck::rapidcheck (the glue header rapidcheck/gtest.h comes with it).
# By hand, because the packaged configuration exports a target per test framework, installed or not.
find_path(RapidCheck_INCLUDE_DIR rapidcheck/gtest.h)
find_library(RapidCheck_LIBRARY rapidcheck)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(RapidCheck REQUIRED_VARS RapidCheck_LIBRARY RapidCheck_INCLUDE_DIR)
mark_as_advanced(RapidCheck_INCLUDE_DIR RapidCheck_LIBRARY)

if(RapidCheck_FOUND AND NOT TARGET RapidCheck::rapidcheck)
  add_library(RapidCheck::rapidcheck UNKNOWN IMPORTED)
  set_target_properties(RapidCheck::rapidcheck PROPERTIES
    IMPORTED_LOCATION "${RapidCheck_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${RapidCheck_INCLUDE_DIR}")
endif()
