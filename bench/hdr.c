/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hdr: a histogram whose buckets are as wide as 1/64 of what they hold. Values up to 64 have a
 * bucket each; above, each doubling has 64.
 */
#include "bench/bench.h"

/* Where a value is counted. */
static unsigned place(uint64_t ns)
{
	unsigned shift = 0;

	while (ns >> shift >= 2 * BENCH_HDR_SUB)
		shift++;
	unsigned at = shift * BENCH_HDR_SUB + (unsigned)(ns >> shift);
	return at < BENCH_HDR_BUCKETS ? at : BENCH_HDR_BUCKETS - 1;
}

/* The largest value that is counted there. */
static uint64_t upper(unsigned at)
{
	unsigned shift = at < 2 * BENCH_HDR_SUB ? 0 : at / BENCH_HDR_SUB - 1;
	uint64_t top = at - shift * BENCH_HDR_SUB;

	return ((top + 1) << shift) - 1;
}

void bench_hdr_add(struct bench_hdr *hdr, uint64_t ns)
{
	hdr->bucket[place(ns)]++;
	hdr->count++;
	hdr->sum += ns;
	if (ns > hdr->max)
		hdr->max = ns;
}

uint64_t bench_hdr_at(const struct bench_hdr *hdr, double share)
{
	double wanted = share * (double)hdr->count;
	uint64_t seen = 0;

	for (unsigned i = 0; i < BENCH_HDR_BUCKETS && hdr->count; i++) {
		seen += hdr->bucket[i];
		if (seen && (double)seen >= wanted)
			return upper(i) < hdr->max ? upper(i) : hdr->max;
	}
	return hdr->max;
}
