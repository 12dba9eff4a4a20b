/* SPDX-License-Identifier: BSD-3-Clause */
/* xxh64: four lanes over stripes of 32 bytes, then the rest, then the avalanche. */
#include "base/xxh64.h"

#include <string.h>

#define P1 UINT64_C(0x9e3779b185ebca87)
#define P2 UINT64_C(0xc2b2ae3d27d4eb4f)
#define P3 UINT64_C(0x165667b19e3779f9)
#define P4 UINT64_C(0x85ebca77c2b2ae63)
#define P5 UINT64_C(0x27d4eb2f165667c5)

static uint64_t rotate(uint64_t x, unsigned by)
{
	return x << by | x >> (64 - by);
}

static uint64_t load64(const uint8_t *p)
{
	uint64_t x;

	memcpy(&x, p, sizeof(x));
	return x;
}

static uint64_t load32(const uint8_t *p)
{
	uint32_t x;

	memcpy(&x, p, sizeof(x));
	return x;
}

static uint64_t lane_round(uint64_t lane, uint64_t input)
{
	return rotate(lane + input * P2, 31) * P1;
}

static uint64_t merge(uint64_t acc, uint64_t lane)
{
	return (acc ^ lane_round(0, lane)) * P1 + P4;
}

static uint64_t stripes(const uint8_t **at, size_t *left, uint64_t seed)
{
	uint64_t a = seed + P1 + P2, b = seed + P2, c = seed, d = seed - P1, acc;

	for (; *left >= 32; *at += 32, *left -= 32) {
		a = lane_round(a, load64(*at));
		b = lane_round(b, load64(*at + 8));
		c = lane_round(c, load64(*at + 16));
		d = lane_round(d, load64(*at + 24));
	}
	acc = rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18);
	return merge(merge(merge(merge(acc, a), b), c), d);
}

uint64_t xxh64(const void *data, size_t len, uint64_t seed)
{
	const uint8_t *at = data;
	size_t left = len;
	uint64_t acc = (left >= 32 ? stripes(&at, &left, seed) : seed + P5) + len;

	for (; left >= 8; at += 8, left -= 8)
		acc = rotate(acc ^ lane_round(0, load64(at)), 27) * P1 + P4;
	if (left >= 4) {
		acc = rotate(acc ^ load32(at) * P1, 23) * P2 + P3;
		at += 4;
		left -= 4;
	}
	for (; left > 0; at++, left--)
		acc = rotate(acc ^ *at * P5, 11) * P1;
	acc = (acc ^ acc >> 33) * P2;
	acc = (acc ^ acc >> 29) * P3;
	return acc ^ acc >> 32;
}
