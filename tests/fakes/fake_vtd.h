/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fake_vtd: a VT-d unit without hardware: registers, an invalidation queue that it reads out of
 * memory, and caches.
 *
 * The caches are the point. It translates through what it remembers, and forgets only what it is
 * told to forget, so that a driver which changes a table without invalidating, or which frees a
 * page too early, is caught by a wrong translation. With caching mode it remembers absence, too.
 */
#ifndef TESTS_FAKES_FAKE_VTD_H
#define TESTS_FAKES_FAKE_VTD_H

#include "iommu/vtd.h"

/* Chunks at made-up physical addresses, neighbours in the order in which they are asked for. */
struct fake_chunks {
	struct vtd_mem_source source;
	char *arena;
	void *at[16];
	size_t count, limit, released;
	uint64_t moved; /* what find adds: a page that did not stay */
};
#define FAKE_CHUNKS_BASE UINT64_C(0x200000000)
void fake_chunks_init(struct fake_chunks *chunks);

struct fake_context {
	bool known;
	uint8_t fault; /* 0: it translates */
	uint16_t domain;
	bool pass_through, first;
	unsigned levels;
	uint64_t root;
};

struct fake_iotlb {
	bool known, present, first;
	uint16_t domain;
	uint64_t iova, phys;
	unsigned attrs;
};

struct fake_vtd {
	struct vtd_io io;
	struct vtd_mem *mem;
	uint64_t cap, ecap;
	uint32_t gsts, fsts, pmen;
	uint64_t rtaddr, iqa, iqh, iqt, irta, iqercd;
	uint64_t root_in_use, irta_in_use;
	struct vtd_fault_raw records[4];
	/* caches */
	struct fake_context contexts[65536];
	struct fake_iotlb iotlb[512];
	unsigned iotlb_next;
	struct vtd_irte irtes[65536];
	bool irte_known[65536];
	/* what went through the queue */
	struct vtd_inv log[4096];
	size_t log_count;
	/* how it misbehaves */
	uint32_t stuck;		  /* bits of GSTS that do not change any more */
	bool silent;		  /* waits are not answered */
	enum vtd_inv_type refuse; /* IQE at the next of this type */
	uint32_t error_at_wait;	  /* ICE, ITE */
	unsigned write_flushes;
};

/* 4 fault records, 65536 domains, tables of 3 and 4 levels, no caching mode. */
#define FAKE_CAP  UINT64_C(0x80d2038c222f0606)
#define FAKE_CM	  (UINT64_C(1) << 7)
#define FAKE_RWBF (UINT64_C(1) << 4)
#define FAKE_PSI  (UINT64_C(1) << 39)
/* Scalable mode with both stages. */
#define FAKE_ECAP UINT64_C(0x00c80000f00f5a)

void fake_vtd_init(struct fake_vtd *fake, struct vtd_mem *mem, uint64_t cap, uint64_t ecap);

/* A request of a device: 0 and where it goes, or the reason it is blocked for, recorded. */
uint8_t fake_vtd_dma(struct fake_vtd *fake, uint16_t source, uint64_t iova, bool write,
		     uint64_t *phys);
/* An interrupt: 0 and its vector, or the reason, recorded. */
uint8_t fake_vtd_interrupt(struct fake_vtd *fake, uint16_t source, unsigned index, uint8_t *vector);

#endif
