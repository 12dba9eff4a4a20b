/* SPDX-License-Identifier: BSD-3-Clause */
/* bits: fields of hardware words, named as specifications name them: highest bit first. */
#ifndef IOMMU_BITS_H
#define IOMMU_BITS_H

#include <stdbool.h>
#include <stdint.h>

static inline uint64_t bits_mask(unsigned high, unsigned low)
{
	return (~UINT64_C(0) >> (63 - high)) & (~UINT64_C(0) << low);
}

/* The field high:low of `word`. */
static inline uint64_t bits_get(uint64_t word, unsigned high, unsigned low)
{
	return (word & bits_mask(high, low)) >> low;
}

static inline bool bit_get(uint64_t word, unsigned bit)
{
	return word >> bit & 1;
}

/* `value` in the field high:low; what does not fit is cut off. */
static inline uint64_t bits_put(uint64_t value, unsigned high, unsigned low)
{
	return value << low & bits_mask(high, low);
}

static inline uint64_t bit_put(bool value, unsigned bit)
{
	return (uint64_t)value << bit;
}

/* An address of a page stands where it is: bits 51:12 are the widest there are. */
#define BITS_PAGE (bits_mask(51, 12))

#endif
