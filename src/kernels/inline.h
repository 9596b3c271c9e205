// What code within loops is marked with: it is compiled into each of them, for its instruction set or device.
#pragma once

#if defined(__CUDACC__)
#define GRADUS_INLINE __host__ __device__ __forceinline__
#define GRADUS_LAMBDA __host__ __device__
#else
#define GRADUS_INLINE [[gnu::always_inline]] inline
#define GRADUS_LAMBDA __attribute__((always_inline))
#endif
