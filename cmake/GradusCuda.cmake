# libgradus_cuda.so, which the library loads when a program asks for a GPU: the kernels of src/kernels/gpu, compiled by
# nvcc, with the runtime linked in. Nothing else here needs CUDA. GRADUS_CUDA is ON, OFF, or AUTO: where nvcc is found.
set(GRADUS_CUDA AUTO CACHE STRING "Build libgradus_cuda.so with nvcc: ON, OFF or AUTO")
set(GRADUS_CUDA_ARCHITECTURES "80;90a" CACHE STRING
  "Compute capabilities to compile for; the first one also as PTX, for GPUs that came later")
if(NOT GRADUS_CUDA)
  return()
endif()
find_program(GRADUS_NVCC nvcc PATHS /usr/local/cuda/bin)
if(NOT GRADUS_NVCC)
  if(NOT GRADUS_CUDA STREQUAL "AUTO")
    message(FATAL_ERROR "GRADUS_CUDA is ON, and there is no nvcc: install CUDA 12.4 or newer, or set GRADUS_NVCC")
  endif()
  return()
endif()
execute_process(COMMAND "${GRADUS_NVCC}" --version OUTPUT_VARIABLE nvcc_says)
string(REGEX MATCH "release ([0-9.]+)" nvcc_release "${nvcc_says}")
if(NOT nvcc_release OR CMAKE_MATCH_1 VERSION_LESS 12.4)
  if(NOT GRADUS_CUDA STREQUAL "AUTO")
    message(FATAL_ERROR "GRADUS_CUDA is ON and needs nvcc of CUDA 12.4 or newer, got '${nvcc_release}' of ${GRADUS_NVCC}")
  endif()
  return()
endif()

set(cuda_flags -x cu -std=c++20 --expt-relaxed-constexpr -diag-suppress=1675 -O3 -Xcompiler=-fPIC,-fvisibility=hidden
  "-I${PROJECT_SOURCE_DIR}/include" "-I${PROJECT_SOURCE_DIR}/src")
foreach(architecture ${GRADUS_CUDA_ARCHITECTURES})
  list(APPEND cuda_flags -gencode=arch=compute_${architecture},code=sm_${architecture})
endforeach()
list(GET GRADUS_CUDA_ARCHITECTURES 0 architecture)
list(APPEND cuda_flags -gencode=arch=compute_${architecture},code=compute_${architecture})

file(GLOB cuda_sources CONFIGURE_DEPENDS
  "${PROJECT_SOURCE_DIR}/src/kernels/gpu/*.cpp" "${PROJECT_SOURCE_DIR}/src/kernels/gpu/elementwise/*.cpp"
  "${PROJECT_SOURCE_DIR}/src/kernels/cuda/*.cpp")
set(cuda_objects "")
foreach(source ${cuda_sources})
  file(RELATIVE_PATH name "${PROJECT_SOURCE_DIR}/src/kernels" "${source}")
  string(REPLACE "/" "_" name "${name}")
  set(object "${PROJECT_BINARY_DIR}/cuda/${name}.o")
  # Fused products would give other random numbers than the CPU's.
  set(own_flags "")
  if(name STREQUAL "gpu_random.cpp")
    set(own_flags -fmad=false)
  endif()
  add_custom_command(OUTPUT "${object}"
    COMMAND "${GRADUS_NVCC}" ${cuda_flags} ${own_flags} -MD -MF "${object}.d" -c "${source}" -o "${object}"
    DEPENDS "${source}" DEPFILE "${object}.d" VERBATIM COMMENT "nvcc ${name}")
  list(APPEND cuda_objects "${object}")
endforeach()
file(MAKE_DIRECTORY "${PROJECT_BINARY_DIR}/cuda")

get_filename_component(cuda_root "${GRADUS_NVCC}" REALPATH)
cmake_path(GET cuda_root PARENT_PATH cuda_root)
cmake_path(GET cuda_root PARENT_PATH cuda_root)
find_library(GRADUS_CUDART cudart_static PATHS "${cuda_root}/lib64" /usr/local/cuda/lib64 REQUIRED)

# What the kernels need of the library they have of their own: shapes, names of types, and errors.
add_library(gradus_cuda MODULE ${cuda_objects}
  "${PROJECT_SOURCE_DIR}/src/core/dtype.cpp" "${PROJECT_SOURCE_DIR}/src/core/shape.cpp"
  "${PROJECT_SOURCE_DIR}/src/core/memory/out_of_memory.cpp" "${PROJECT_SOURCE_DIR}/src/kernels/index.cpp"
  "${PROJECT_SOURCE_DIR}/src/kernels/recurrent.cpp" "${PROJECT_SOURCE_DIR}/src/text/units.cpp")
set_target_properties(gradus_cuda PROPERTIES CXX_VISIBILITY_PRESET hidden LINKER_LANGUAGE CXX
  LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}")
target_compile_features(gradus_cuda PRIVATE cxx_std_20)
target_include_directories(gradus_cuda PRIVATE "${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}/src")
target_link_libraries(gradus_cuda PRIVATE gradus_flags "${GRADUS_CUDART}" Threads::Threads fmt::fmt
  ${CMAKE_DL_LIBS} rt)
target_link_options(gradus_cuda PRIVATE LINKER:-Bsymbolic LINKER:--no-undefined LINKER:-z,nodelete)
install(TARGETS gradus_cuda LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/gradus COMPONENT cuda)
