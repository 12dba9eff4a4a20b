/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * audit: what the tables of the VT-d units in use let devices do, held against what they should.
 *
 * Three things that do not know of each other meet here:
 *
 *     facts      the units' registers, the functions of the machine and who owns them, and for
 * every VM its own list of maps with the physical pages behind them memory     table pages, as they
 * are in the host's memory; every page read is kept the core   walks the tables, compares, and
 * tells findings
 *
 * The core does no I/O. Facts and pages together are a snapshot: it can be written to a file, and
 * the same core gives the same verdict on it elsewhere (audit_save, audit_load). Physical addresses
 * throughout; the section numbers are the VT-d specification's.
 */
#ifndef IOMMU_AUDIT_H
#define IOMMU_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bdf.h"
#include "base/range.h"

/* ---- facts; also the records of a snapshot, so of fixed size ---- */

struct audit_unit {
	uint64_t base, cap, ecap, rtaddr, irta;
	uint32_t version, gsts;
	uint32_t segment, host_width;
};
_Static_assert(sizeof(struct audit_unit) == 56, "a record of a snapshot");

/* A VM, or a program that is none of ours and has a group open. */
struct audit_owner {
	char name[56]; /* "vm web", "qemu (pid 812)" */
	uint32_t pid;
	uint32_t known; /* its maps are: what its devices reach can be judged */
};
_Static_assert(sizeof(struct audit_owner) == 64, "a record of a snapshot");

#define AUDIT_HOST (-1) /* instead of an owner */

struct audit_device {
	uint16_t segment, rid; /* rid: bus << 8 | device << 3 | function */
	int32_t owner;
	uint32_t unit;
	uint32_t vfio;	  /* on vfio-pci, so not the host's own */
	uint32_t vectors; /* interrupts that the host has for it */
	char driver[44];  /* "" for none */
};
_Static_assert(sizeof(struct audit_device) == 64, "a record of a snapshot");

/* Memory that an owner's devices may reach. */
struct audit_run {
	uint64_t iova, phys, size;
	uint32_t write; /* reading always */
	int32_t owner;
};
_Static_assert(sizeof(struct audit_run) == 32, "a record of a snapshot");

struct audit_pages;
struct audit {
	struct audit_unit *units;
	struct audit_owner *owners;
	struct audit_device *devices;
	struct audit_run *runs; /* sorted by owner, then iova; of one owner disjoint */
	struct range *reserved; /* RMRRs: memory that firmware uses by DMA */
	uint16_t *others; /* requester ids of interrupts without a PCI function: I/O APICs, HPETs */
	size_t unit_count, owner_count, device_count, run_count, reserved_count, other_count;
	struct audit_pages *pages;
	const char *root; /* what stands before /dev and /proc; NULL for nothing */
	/* Reads 4096 bytes at `phys` that are not among `pages` yet; 0 or a negative errno. NULL: a
	 * snapshot, where what is not there cannot be had. */
	int (*fetch)(void *opaque, uint64_t phys, void *page);
	void (*close)(void *opaque); /* NULL: nothing to close */
	void *opaque;
};

/* Adds one record to an array of the above. -ENOMEM. */
int audit_add_unit(struct audit *audit, const struct audit_unit *unit);
int audit_add_owner(struct audit *audit, const struct audit_owner *owner);
int audit_add_device(struct audit *audit, const struct audit_device *device);
int audit_add_run(struct audit *audit, const struct audit_run *run);
int audit_add_reserved(struct audit *audit, struct range range);
int audit_add_other(struct audit *audit, uint16_t rid);
/* After the last record: sorts and joins. -EINVAL: runs of an owner overlap. */
int audit_ready(struct audit *audit);
void audit_finish(struct audit *audit);
/* The table page at `phys`, from `pages` or fetched into it; NULL when it cannot be had. */
uint64_t *audit_page(struct audit *audit, uint64_t phys);

/* ---- the verdict ---- */

enum audit_kind {
	AUDIT_OFF,	    /* the unit does not translate, or not remap interrupts */
	AUDIT_PASS_THROUGH, /* everything is reachable */
	AUDIT_EXTRA,	    /* reaches what is not its VM's */
	AUDIT_MISSING,	    /* does not reach what its VM mapped */
	AUDIT_ELSEWHERE,    /* the VM's address leads to another page than the VM's */
	AUDIT_RIGHTS,	    /* may write where its VM allows reading only */
	AUDIT_SHARED,	    /* one domain or table serves two owners */
	AUDIT_LEFTOVER,	    /* an entry of a function that nobody holds any more */
	AUDIT_INTERRUPT,    /* an interrupt entry that is wrong */
	AUDIT_TABLE,	    /* a table that hardware could not follow */
	AUDIT_UNKNOWN,	    /* what an owner that is not a VM of ours may reach cannot be judged */
};
const char *audit_kind_name(enum audit_kind kind); /* "extra mapping" */

struct audit_finding {
	enum audit_kind kind;
	bool note; /* for information: no fault by itself */
	uint16_t segment, rid;
	struct range iova; /* of the memory kinds */
	uint64_t phys;
	char text[320]; /* the whole in words, without the device */
};

/* What one assigned function reaches. */
struct audit_reach {
	const struct audit_device *device;
	uint16_t domain;
	uint64_t table;
	bool present, pass_through;
	uint64_t readable, writable; /* bytes */
	uint64_t expected;	     /* bytes its VM mapped */
	size_t span_count;
	struct {
		struct range iova;
		bool write;
	} spans[16];	     /* of neighbours joined; the first ones */
	unsigned interrupts; /* entries with its source id */
	unsigned posted;
	unsigned faults; /* findings that are faults */
};

struct audit_verdict {
	struct audit_reach *reaches; /* of functions that are on vfio-pci, or have an owner */
	size_t reach_count;
	struct audit_finding *findings;
	size_t finding_count, finding_room;
	size_t faults;	   /* findings that are faults: 0 is the only pass */
	size_t suppressed; /* beyond AUDIT_FINDINGS_MAX of one device; faults among them count */
	size_t contexts, pass_throughs, interrupts, tables;
};
#define AUDIT_FINDINGS_MAX 32

/* -ENOMEM; what is wrong with tables are findings. */
int audit_run_all(struct audit *audit, struct audit_verdict *out);
void audit_verdict_free(struct audit_verdict *verdict);

/* ---- looking ---- */

/* How requests of a function are translated. */
struct audit_context {
	bool present, pass_through, first_stage;
	uint16_t domain;
	unsigned levels;
	uint64_t table;	 /* root of the page table */
	uint64_t entry;	 /* where the context entry lies */
	const char *why; /* not NULL: hardware would refuse it, and why */
};
int audit_context_of(struct audit *audit, const struct audit_unit *unit, uint16_t rid,
		     struct audit_context *out);
/* Calls `each` with every function that has a present entry. */
int audit_contexts(struct audit *audit, const struct audit_unit *unit,
		   int (*each)(void *opaque, uint16_t rid, const struct audit_context *context),
		   void *opaque);

struct vtd_irte;
/* Every present interrupt entry. */
int audit_interrupts(struct audit *audit, const struct audit_unit *unit,
		     int (*each)(void *opaque, unsigned index, const struct vtd_irte *irte,
				 const char *why),
		     void *opaque);

/* Interrupt entries that carry the source id of one function, ascending; returns how many there
 * are, of which at most `room` are filled in. 0 too when the table cannot be read. */
struct audit_entry {
	uint16_t index;
	uint8_t vector;
	bool posted;
};
size_t audit_entries_of(struct audit *audit, const struct audit_unit *unit, uint16_t rid,
			struct audit_entry *out, size_t room);

#define AUDIT_TEXT 160
/* One line for a step of the walk behind `iova`; returns 0, -ENOENT where it ends unmapped (said in
 * the last line), or -EUCLEAN. */
int audit_walk(struct audit *audit, const struct audit_unit *unit, uint16_t rid, uint64_t iova,
	       void (*line)(void *opaque, const char *text), void *opaque);
/* Registers, tables, contexts, interrupt entries, in lines. */
int audit_dump(struct audit *audit, void (*line)(void *opaque, const char *text), void *opaque);

const struct audit_device *audit_find_device(const struct audit *audit, uint16_t segment,
					     uint16_t rid);

/* ---- snapshots: versioned, with a checksum ---- */

int audit_save(const struct audit *audit, int fd);
/* -EINVAL with the reason: no snapshot, another version, cut off, damaged. */
int audit_load(int fd, const char *name, struct audit *out);

/* ---- the live machine ---- */

struct sysfs;
/* Units, their registers, functions and reserved memory; table pages are fetched on demand. One
 * line says which door is closed (-EPERM) when one is. `root`: a directory with a made-up /dev and
 * /proc, which stays the caller's; NULL outside tests. `audit_finish` closes all. */
int audit_open_live(const struct sysfs *fs, const char *root, struct audit *out);

/* Physical pages behind [hva, hva + size) of a process, as runs at `iova` of `owner`. -ENODATA when
 * a page is not there. Needs CAP_SYS_ADMIN. */
int audit_add_memory(struct audit *audit, int owner, int pid, uint64_t hva, uint64_t iova,
		     uint64_t size, bool write);

#endif
