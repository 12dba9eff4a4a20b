/* SPDX-License-Identifier: BSD-3-Clause */
/* util: the few macros everything uses. */
#ifndef BASE_UTIL_H
#define BASE_UTIL_H

#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(a)	     (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)	     ((a) < (b) ? (a) : (b))
#define MAX(a, b)	     ((a) > (b) ? (a) : (b))
/* `align` is a power of two, of any type: a mask narrower than x would cut its upper bits off. */
#define ALIGN_MASK(x, align) ((__typeof__((x) + (align)))(align)-1)
#define ALIGN_UP(x, align)   (((x) + ALIGN_MASK(x, align)) & ~ALIGN_MASK(x, align))
#define ALIGN_DOWN(x, align) ((x) & ~ALIGN_MASK(x, align))
#define IS_ALIGNED(x, align) (((x)&ALIGN_MASK(x, align)) == 0)
#ifndef container_of /* DPDK has the same */
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#endif

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

#endif
