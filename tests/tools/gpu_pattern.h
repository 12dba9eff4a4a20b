/* SPDX-License-Identifier: BSD-3-Clause */
/* gpu_pattern: the picture that a guest draws (gpu_draw.c) and that a test looks for (gpu_check.c):
 * no two seeds, rows or columns look alike. */
#ifndef TESTS_TOOLS_GPU_PATTERN_H
#define TESTS_TOOLS_GPU_PATTERN_H

#include <stdint.h>

/* 0x00RRGGBB */
static inline uint32_t gpu_pattern(uint32_t x, uint32_t y, uint32_t seed)
{
	uint32_t red = (x * 7 + seed * 31) & 255, green = (y * 5 + seed * 17) & 255;

	return red << 16 | green << 8 | (((x ^ y) + seed) & 255);
}

#endif
