/* SPDX-License-Identifier: BSD-3-Clause */
/* vtd_priv: what the files of the driver share about a unit. See vtd.h. */
#ifndef IOMMU_VTD_PRIV_H
#define IOMMU_VTD_PRIV_H

#include <time.h>

#include "base/bitmap.h"
#include "iommu/vtd.h"

#define VTD_PAGE 4096u

/* Domain ids with a fixed use. Hardware with caching mode tags absent entries with 0 (6.1). */
#define VTD_DOMAIN_NONE		0u
#define VTD_DOMAIN_PASS_THROUGH 1u
#define VTD_DOMAIN_FIRST	2u

/* The queue is one page, of descriptors of 128 or 256 bits; a page behind it takes the status. */
struct vtd_queue {
	uint64_t phys, status_phys;
	char *at;
	volatile uint32_t *status;
	unsigned descriptor; /* bytes of one */
	unsigned tail;	     /* bytes into the page */
	uint32_t number;     /* of the last wait */
};

struct vtd_faults {
	struct vtd_fault_counts counts;
	time_t window;	     /* when the present ten seconds began */
	unsigned in_window;  /* lines in them */
	uint64_t suppressed; /* since the last line */
};

/* A page of context entries that is one bus's own; other buses share one. */
struct vtd_bus {
	uint64_t context[2]; /* pages; [1] for devices 16 … 31 in scalable mode */
};

struct vtd_unit {
	struct vtd_config config;
	char *name;
	struct vtd_cap cap;
	struct vtd_ecap ecap;
	bool broken;
	uint64_t root;
	struct vtd_bus shared;		      /* of every bus without attached functions */
	struct vtd_bus buses[256];	      /* own pages; 0 where shared */
	uint64_t pass_directory, pass_pasids; /* scalable: of functions that pass through */
	struct vtd_space *owners[65536];      /* by source id */
	struct bitmap domains;
	struct vtd_queue queue;
	uint64_t irt;
	unsigned irt_pages;
	struct bitmap interrupts;
	struct vtd_faults faults;
};

struct vtd_space {
	struct vtd_unit *unit;
	enum vtd_stage stage;
	uint16_t domain;
	struct pagetable_format format;
	struct pagetable table;
	uint64_t directory, pasids; /* scalable mode: PASID directory and table, of PASID 0 alone */
};

/* ---- vtd_unit.c ---- */

/* Sets or clears `bit` in GCMD and waits until GSTS says so; -ETIMEDOUT, logged. */
int vtd_command(const struct vtd_io *io, const char *name, unsigned timeout_ms, uint32_t bit,
		bool on);
uint64_t vtd_now_ms(void);
/* Written tables are visible to the unit, also where nothing is invalidated (RWBF, 11.4). */
int vtd_flush_writes(struct vtd_unit *unit);

/* ---- vtd_space.c ---- */

/* vtd_map and vtd_unmap without a word about what the table refuses: who asks knows more. */
int vtd_space_map(struct vtd_space *space, uint64_t iova, uint64_t phys, uint64_t size,
		  unsigned attrs);
int vtd_space_unmap(struct vtd_space *space, uint64_t iova, uint64_t size, uint64_t *unmapped);

/* ---- vtd_queue.c ---- */

int vtd_queue_start(struct vtd_unit *unit);
void vtd_queue_finish(struct vtd_unit *unit);
/* Submits `count` descriptors (up to 8) and waits until the unit is through with them. */
int vtd_queue_run(struct vtd_unit *unit, const struct vtd_inv *list, size_t count);

/* ---- vtd_context.c ---- */

int vtd_context_start(struct vtd_unit *unit);
void vtd_context_finish(struct vtd_unit *unit);
/* What the root and context caches may hold of everything. */
int vtd_context_forget_all(struct vtd_unit *unit);
/* Points the context entry of a function at `space`; from then on it translates. */
int vtd_context_set(struct vtd_unit *unit, uint16_t source, const struct vtd_space *space);
/* Blocks the function, which was in `domain`, and has the unit forget it. */
int vtd_context_clear(struct vtd_unit *unit, uint16_t source, uint16_t domain);
/* A PASID directory that holds PASID 0 alone, as `pasid`; its two pages. */
int vtd_directory_create(struct vtd_unit *unit, const struct vtd_pasid *pasid, uint64_t *directory,
			 uint64_t *table);
void vtd_directory_destroy(struct vtd_unit *unit, uint64_t directory, uint64_t table);
/* Levels of the largest second-stage table the unit walks, which pass-through entries name. */
unsigned vtd_largest_levels(const struct vtd_unit *unit);

/* ---- vtd_interrupt.c ---- */

int vtd_interrupt_start(struct vtd_unit *unit);
void vtd_interrupt_finish(struct vtd_unit *unit);

#endif
