# Installation and packages. Components: library (libgradus.so.N), development (headers, CMake and pkg-config
# files), tools (the command, its documents) and distributed (plug-ins). `cpack -G DEB` makes a Debian package of each.
include(CMakePackageConfigHelpers)
set(gradus_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/gradus)

install(TARGETS gradus EXPORT gradusTargets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library NAMELINK_COMPONENT development
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
install(DIRECTORY include/gradus DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)

# find_package(gradus): the targets, and the versions with which this one is compatible. Below 1.0, a minor release may
# change the interface.
install(EXPORT gradusTargets FILE gradusTargets.cmake NAMESPACE gradus:: DESTINATION ${gradus_cmake_dir}
  COMPONENT development)
# A shared library hides its dependencies; a program that links a static one needs them, too.
set(gradus_find_dependencies "")
if(gradus_kind STREQUAL STATIC)
  foreach(package Threads ZLIB DNNL CBLAS PNG JPEG OpenSSL)
    if(gradus_dependencies MATCHES "(^|;)${package}::")
      string(APPEND gradus_find_dependencies "find_dependency(${package})\n")
    endif()
  endforeach()
  install(FILES cmake/FindDNNL.cmake cmake/FindCBLAS.cmake DESTINATION ${gradus_cmake_dir} COMPONENT development)
endif()
configure_package_config_file(cmake/gradusConfig.cmake.in "${CMAKE_CURRENT_BINARY_DIR}/gradusConfig.cmake"
  INSTALL_DESTINATION ${gradus_cmake_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file("${CMAKE_CURRENT_BINARY_DIR}/gradusConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/gradusConfig.cmake" "${CMAKE_CURRENT_BINARY_DIR}/gradusConfigVersion.cmake"
  DESTINATION ${gradus_cmake_dir} COMPONENT development)

# pkg-config gradus: paths are relative to the file itself, so that an installed tree may be moved.
cmake_path(ABSOLUTE_PATH CMAKE_INSTALL_LIBDIR BASE_DIRECTORY "${CMAKE_INSTALL_PREFIX}" OUTPUT_VARIABLE lib_path)
cmake_path(ABSOLUTE_PATH CMAKE_INSTALL_INCLUDEDIR BASE_DIRECTORY "${CMAKE_INSTALL_PREFIX}" OUTPUT_VARIABLE include_path)
file(RELATIVE_PATH gradus_pc_prefix "${lib_path}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
file(RELATIVE_PATH gradus_pc_lib "${CMAKE_INSTALL_PREFIX}" "${lib_path}")
file(RELATIVE_PATH gradus_pc_include "${CMAKE_INSTALL_PREFIX}" "${include_path}")
set(gradus_pc_private "")
if(gradus_kind STREQUAL STATIC)
  set(gradus_pc_private "Requires.private: zlib")
  if(GRADUS_IMAGES)
    string(APPEND gradus_pc_private " libpng libjpeg")
  endif()
  string(APPEND gradus_pc_private "\nLibs.private: -pthread")
  if(gradus_small_link_options)
    string(APPEND gradus_pc_private " -Wl,--gc-sections")
  endif()
  foreach(library ${DNNL_LIBRARY} ${CBLAS_LIBRARY} ${SLEEF_LIBRARY}
      ${gradus_tokenizer_libraries})
    string(APPEND gradus_pc_private " ${library}")
  endforeach()
endif()
configure_file(cmake/gradus.pc.in "${CMAKE_CURRENT_BINARY_DIR}/gradus.pc" @ONLY)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/gradus.pc" DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
  COMPONENT development)

if(TARGET gradus_cli)
  install(TARGETS gradus_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT tools)
  include(GradusShellFiles)
  install(DIRECTORY recipes DESTINATION ${CMAKE_INSTALL_DATADIR}/gradus COMPONENT tools)
endif()

if(NOT PROJECT_IS_TOP_LEVEL)
  return()
endif()

set(CPACK_PACKAGE_NAME gradus)
set(CPACK_PACKAGE_VENDOR "The Gradus authors")
set(CPACK_PACKAGE_CONTACT "The Gradus authors <gradus@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_RESOURCE_FILE_LICENSE "${PROJECT_SOURCE_DIR}/LICENSE")
set(CPACK_PACKAGE_DIRECTORY "${CMAKE_BINARY_DIR}/packages")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_GENERATOR TGZ DEB)
set(CPACK_COMPONENTS_ALL library development)
if(TARGET gradus_cli)
  list(APPEND CPACK_COMPONENTS_ALL tools)
endif()
if(gradus_plugins)
  list(APPEND CPACK_COMPONENTS_ALL distributed)
endif()

# Debian: the names and dependencies that its policy requires of a library.
set(so_package libgradus${PROJECT_VERSION_MAJOR})
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
foreach(part library:${so_package} development:libgradus-dev tools:gradus-tools distributed:gradus-distributed)
  string(REPLACE ":" ";" part ${part})
  list(GET part 0 component)
  list(GET part 1 package)
  install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${package} RENAME copyright COMPONENT ${component})
endforeach()
set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME ${so_package})
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_LIBRARY_DESCRIPTION
  "The shared library. Tensors, automatic differentiation, modules and optimizers, with PyTorch's names and numerics.")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libgradus-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "${so_package} (= ${PROJECT_VERSION})")
set(CPACK_DEBIAN_DEVELOPMENT_DESCRIPTION "For building programs. The headers, and files for CMake and pkg-config.")
set(CPACK_DEBIAN_DISTRIBUTED_PACKAGE_NAME gradus-distributed)
set(CPACK_DEBIAN_DISTRIBUTED_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_DISTRIBUTED_DESCRIPTION "What connects processes. Plug-ins for OpenMPI, MPICH and Gloo.")
set(CPACK_DEBIAN_TOOLS_PACKAGE_NAME gradus-tools)
set(CPACK_DEBIAN_TOOLS_PACKAGE_SECTION science)
set(CPACK_DEBIAN_TOOLS_DESCRIPTION "The gradus command trains networks, plots their training and works on checkpoints.")
include(CPack)
