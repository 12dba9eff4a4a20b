/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The audit over a made-up host: a few megabytes of memory with root, context, page and interrupt
 * tables made by the formats' own encoders, two VMs with a device each, and one fault planted at a
 * time. Every fault must be found and named, every faultless host must pass, and a snapshot must
 * say the same.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"
#include "iommu/audit.h"
#include "iommu/pagetable.h"
#include "iommu/vtd_format.h"

#define BASE	  UINT64_C(0x100000) /* where made-up memory begins */
#define PAGES	  512u
#define LEFT	  0x0180 /* 01:10.0 */
#define RIGHT	  0x0182 /* 01:10.2 */
#define NIC	  0x0100 /* 01:00.0, the host's */
#define IDLE	  0x0184 /* 01:10.4, on vfio-pci and nobody's */
#define IOAPIC	  0xf0f8
#define LEFT_RAM  UINT64_C(0x40000000)
#define RIGHT_RAM UINT64_C(0x80000000)
#define RMRR	  UINT64_C(0x7d000000)

struct host {
	uint64_t memory[PAGES][512];
	unsigned used;
	uint64_t root, context, irt;
	bool scalable, first_stage;
	struct pagetable_format format;
	struct pagetable_memory access;
	struct pagetable left, right, nic;
	struct audit audit;
	struct audit_verdict verdict;
};

/* ---- memory ---- */

static uint64_t *page_of(void *opaque, uint64_t phys)
{
	struct host *h = opaque;

	return phys >= BASE && phys < BASE + PAGES * 4096 ? h->memory[(phys - BASE) / 4096] : NULL;
}

static uint64_t *alloc_page(void *opaque, uint64_t *phys)
{
	struct host *h = opaque;

	assert_true(h->used < PAGES);
	*phys = BASE + h->used++ * UINT64_C(4096);
	return page_of(h, *phys);
}

static void free_page(void *opaque, uint64_t phys)
{
	(void)opaque, (void)phys;
}

static int fetch(void *opaque, uint64_t phys, void *page)
{
	const uint64_t *at = page_of(opaque, phys);

	if (!at)
		return -ENXIO;
	memcpy(page, at, 4096);
	return 0;
}

static uint64_t new_page(struct host *h)
{
	uint64_t phys;

	alloc_page(h, &phys);
	return phys;
}

/* ---- tables ---- */

static void set_context(struct host *h, uint16_t rid, const struct vtd_context *context)
{
	struct vtd_context_raw raw = vtd_context_encode(context);

	memcpy(page_of(h, h->context) + (rid & 255) * 2, &raw, sizeof(raw));
}

/* Root and context entries to PASID 0 of a directory and table of the function's own. */
static void set_pasid(struct host *h, uint16_t rid, const struct pagetable *pt, uint16_t domain,
		      enum vtd_pasid_type type)
{
	struct vtd_scontext context = {.present = true, .directory_entries = 128};
	struct vtd_pasid_dir dir = {.present = true, .table = new_page(h)};
	struct vtd_pasid entry = {.present = true,
				  .type = type,
				  .domain = domain,
				  .second_levels = 4,
				  .first_levels = 4};

	if (type == VTD_PGTT_FIRST_STAGE)
		entry.first_table = pt->root;
	else
		entry.second_table = pt->root;
	context.directory = new_page(h);
	page_of(h, context.directory)[0] = vtd_pasid_dir_encode(&dir);
	struct vtd_pasid_raw pasid = vtd_pasid_encode(&entry);
	memcpy(page_of(h, dir.table), &pasid, sizeof(pasid));
	struct vtd_scontext_raw raw = vtd_scontext_encode(&context);
	memcpy(page_of(h, h->context) + (rid & 127) * 4, &raw, sizeof(raw));
}

static void enter(struct host *h, uint16_t rid, const struct pagetable *pt, uint16_t domain)
{
	if (h->scalable)
		set_pasid(h, rid, pt, domain,
			  h->first_stage ? VTD_PGTT_FIRST_STAGE : VTD_PGTT_SECOND_STAGE);
	else
		set_context(h, rid,
			    &(struct vtd_context){.present = true,
						  .type = VTD_TT_SECOND_STAGE,
						  .table = pt->root,
						  .levels = 4,
						  .domain = domain});
}

static void set_interrupt(struct host *h, unsigned index, const struct vtd_irte *irte)
{
	struct vtd_irte_raw raw = vtd_irte_encode(irte);

	memcpy(page_of(h, h->irt) + index * 2, &raw, sizeof(raw));
}

static void interrupt(struct host *h, unsigned index, uint16_t rid, uint8_t vector)
{
	set_interrupt(h, index,
		      &(struct vtd_irte){.present = true,
					 .vector = vector,
					 .destination = 0x100,
					 .check = VTD_SVT_REQUESTER,
					 .source = rid});
}

static void map(struct host *h, struct pagetable *pt, uint64_t iova, uint64_t phys, uint64_t size,
		unsigned attrs)
{
	(void)h;
	assert_int_equal(pagetable_map(pt, iova, phys, size, attrs), 0);
}

static void make_tables(struct host *h)
{
	const struct vtd_root root = {.lower_present = true,
				      .lower = h->context = new_page(h),
				      .upper_present = h->scalable,
				      .upper = h->scalable ? new_page(h) : 0};
	struct vtd_root_raw raw = vtd_root_encode(&root);

	if (h->scalable) /* devices 16 … 31 have the upper table */
		h->context = root.upper;
	h->root = new_page(h);
	h->irt = new_page(h);
	memcpy(page_of(h, h->root) + 2, &raw, sizeof(raw)); /* bus 1 */
	h->format = h->first_stage ? vtd_first_stage(4, 39, 4 * KIB | 2 * MIB, 0)
				   : vtd_second_stage(4, 39, 4 * KIB | 2 * MIB, 0);
	h->access = (struct pagetable_memory){page_of, alloc_page, free_page, NULL, h};
	struct pagetable *tables[] = {&h->left, &h->right, &h->nic};
	for (unsigned i = 0; i < ARRAY_SIZE(tables); i++)
		assert_int_equal(pagetable_create(&h->format, &h->access, tables[i]), 0);
	/* 4 MiB of RAM each, and left's BAR */
	map(h, &h->left, 0, LEFT_RAM, 4 * MIB, PAGETABLE_READ | PAGETABLE_WRITE);
	map(h, &h->left, 0xfe000000, 0xd0000000, 16 * KIB, PAGETABLE_READ | PAGETABLE_WRITE);
	map(h, &h->right, 0, RIGHT_RAM, 2 * MIB, PAGETABLE_READ | PAGETABLE_WRITE);
	map(h, &h->right, 2 * MIB, RIGHT_RAM + 8 * MIB, 2 * MIB, PAGETABLE_READ | PAGETABLE_WRITE);
	map(h, &h->nic, 0x1000, 0x5000, 4 * KIB, PAGETABLE_READ);
	enter(h, LEFT, &h->left, 7);
	enter(h, RIGHT, &h->right, 8);
	if (!h->scalable)
		enter(h, NIC, &h->nic, 9);
	interrupt(h, 0, IOAPIC, 0x30);
	interrupt(h, 1, LEFT, 0x41), interrupt(h, 2, LEFT, 0x42);
	interrupt(h, 3, RIGHT, 0x43);
	interrupt(h, 4, NIC, 0x44);
}

/* ---- facts ---- */

static void make_facts(struct host *h)
{
	struct audit *a = &h->audit;
	const struct vtd_irta irta = {.table = h->irt, .entries = 256};
	const struct vtd_rtaddr at = {.table = h->root,
				      .mode = h->scalable ? VTD_MODE_SCALABLE : VTD_MODE_LEGACY};
	const struct audit_unit unit = {.base = 0xfed90000,
					.cap = UINT64_C(0x80d2008c222f0686),
					.ecap = 0xf00f5a,
					.rtaddr = vtd_rtaddr_encode(&at),
					.irta = vtd_irta_encode(&irta),
					.version = 0x10,
					.gsts = VTD_GS_TE | VTD_GS_IRE,
					.host_width = 39};
	const struct audit_owner owners[] = {{"vm left", 10, 1}, {"vm right", 11, 1}};
	const struct audit_device devices[] = {
		{0, NIC, AUDIT_HOST, 0, 0, 1, "igb"},
		{0, LEFT, 0, 0, 1, 2, "vfio-pci"},
		{0, RIGHT, 1, 0, 1, 1, "vfio-pci"},
		{0, IDLE, AUDIT_HOST, 0, 1, 0, "vfio-pci"},
	};
	const struct audit_run runs[] = {
		{2 * MIB, RIGHT_RAM + 8 * MIB, 2 * MIB, 1, 1}, {0, RIGHT_RAM, 2 * MIB, 1, 1},
		{0xfe000000, 0xd0000000, 16 * KIB, 1, 0},      {0, LEFT_RAM, MIB, 1, 0},
		{MIB, LEFT_RAM + MIB, 3 * MIB, 1, 0},
	};

	assert_int_equal(audit_add_unit(a, &unit), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(owners); i++)
		assert_int_equal(audit_add_owner(a, &owners[i]), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(devices); i++)
		assert_int_equal(audit_add_device(a, &devices[i]), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(runs); i++)
		assert_int_equal(audit_add_run(a, &runs[i]), 0);
	assert_int_equal(audit_add_reserved(a, (struct range){RMRR, RMRR + 0xffff}), 0);
	assert_int_equal(audit_add_other(a, IOAPIC), 0);
	assert_int_equal(audit_ready(a), 0);
	assert_int_equal(a->run_count, 4); /* left's RAM joined */
	a->fetch = fetch;
	a->opaque = h;
}

static struct host *make(bool scalable, bool first_stage)
{
	struct host *h = calloc(1, sizeof(*h));

	assert_non_null(h);
	h->scalable = scalable;
	h->first_stage = first_stage;
	make_tables(h);
	make_facts(h);
	return h;
}

static void drop(struct host *h)
{
	audit_verdict_free(&h->verdict);
	audit_finish(&h->audit);
	free(h);
}

/* ---- verdicts ---- */

static const struct audit_finding *find(const struct audit_verdict *v, enum audit_kind kind)
{
	for (size_t i = 0; i < v->finding_count; i++)
		if (v->findings[i].kind == kind)
			return &v->findings[i];
	return NULL;
}

static void same(const struct audit_verdict *a, const struct audit_verdict *b)
{
	assert_int_equal(a->faults, b->faults);
	assert_int_equal(a->finding_count, b->finding_count);
	assert_int_equal(a->reach_count, b->reach_count);
	for (size_t i = 0; i < a->finding_count; i++)
		assert_string_equal(a->findings[i].text, b->findings[i].text);
}

/* Runs the audit, and again on a snapshot of it. */
static void judge(struct host *h)
{
	struct audit copy;
	struct audit_verdict again;
	int fd = memfd_create("snapshot", 0);

	assert_int_equal(audit_run_all(&h->audit, &h->verdict), 0);
	assert_int_equal(audit_save(&h->audit, fd), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(audit_load(fd, "snapshot", &copy), 0);
	assert_int_equal(audit_run_all(&copy, &again), 0);
	same(&h->verdict, &again);
	audit_verdict_free(&again);
	audit_finish(&copy);
	close(fd);
}

static const struct audit_reach *reach(const struct host *h, uint16_t rid)
{
	for (size_t i = 0; i < h->verdict.reach_count; i++)
		if (h->verdict.reaches[i].device->rid == rid)
			return &h->verdict.reaches[i];
	return NULL;
}

/* Exactly one fault, of that kind and function, whose text has that part. */
static void one_fault(struct host *h, enum audit_kind kind, uint16_t rid, const char *part)
{
	judge(h);
	for (size_t i = 0; i < h->verdict.finding_count; i++)
		print_message("  %s: %s\n", audit_kind_name(h->verdict.findings[i].kind),
			      h->verdict.findings[i].text);
	const struct audit_finding *f = find(&h->verdict, kind);
	assert_non_null(f);
	assert_false(f->note);
	assert_int_equal(f->rid, rid);
	assert_non_null(strstr(f->text, part));
	assert_int_equal(h->verdict.faults, 1);
	drop(h);
}

static void test_clean(void **state)
{
	(void)state;
	for (unsigned mode = 0; mode < 3; mode++) {
		struct host *h = make(mode > 0, mode > 1);
		judge(h);
		assert_int_equal(h->verdict.faults, 0);
		assert_int_equal(h->verdict.finding_count, 0);
		assert_int_equal(h->verdict.reach_count, 3);
		const struct audit_reach *left = reach(h, LEFT);
		assert_int_equal(left->readable, 4 * MIB + 16 * KIB);
		assert_int_equal(left->writable, left->expected);
		assert_int_equal(left->domain, 7);
		assert_int_equal(left->span_count, 2);
		assert_int_equal(left->spans[0].iova.last, 4 * MIB - 1);
		assert_int_equal(left->interrupts, 2);
		assert_int_equal(reach(h, RIGHT)->span_count, 1); /* joined by address */
		assert_false(reach(h, IDLE)->present);
		assert_int_equal(h->verdict.interrupts, 5);
		drop(h);
	}
}

static void test_extra(void **state)
{
	(void)state;
	struct host *h = make(false, false);
	map(h, &h->left, 0x100000000, 0x12345000, 4 * KIB, PAGETABLE_READ);
	one_fault(
		h, AUDIT_EXTRA, LEFT,
		"reads 0x100000000-0x100000fff (4 KiB) at physical 0x12345000, memory of the host");

	h = make(true, true);
	map(h, &h->left, 4 * MIB, RIGHT_RAM + 4096, 8 * KIB, PAGETABLE_READ | PAGETABLE_WRITE);
	one_fault(h, AUDIT_EXTRA, LEFT, "memory of vm right");

	h = make(false, false); /* the firmware's own is told, and no fault */
	map(h, &h->left, RMRR, RMRR, 64 * KIB, PAGETABLE_READ | PAGETABLE_WRITE);
	judge(h);
	assert_int_equal(h->verdict.faults, 0);
	assert_true(find(&h->verdict, AUDIT_EXTRA)->note);
	drop(h);
}

static void test_missing(void **state)
{
	(void)state;
	struct host *h = make(false, false);
	assert_int_equal(pagetable_unmap(&h->left, MIB, 4 * KIB, NULL), 0);
	one_fault(h, AUDIT_MISSING, LEFT, "does not reach 0x100000-0x100fff (4 KiB)");

	h = make(false, false);
	assert_int_equal(pagetable_unmap(&h->left, 0xfe000000, 16 * KIB, NULL), 0);
	one_fault(h, AUDIT_MISSING, LEFT, "0xfe000000-0xfe003fff");

	h = make(false, false); /* no context entry at all: both maps */
	set_context(h, RIGHT, &(struct vtd_context){0});
	one_fault(h, AUDIT_MISSING, RIGHT, "vm right has mapped");
}

static void test_elsewhere(void **state)
{
	(void)state;
	struct host *h = make(false, false);
	assert_int_equal(pagetable_unmap(&h->left, 8 * KIB, 4 * KIB, NULL), 0);
	map(h, &h->left, 8 * KIB, RIGHT_RAM, 4 * KIB, PAGETABLE_READ | PAGETABLE_WRITE);
	one_fault(h, AUDIT_ELSEWHERE, LEFT,
		  "0x2000-0x2fff leads to physical 0x80000000, memory of vm right");

	h = make(false, false);
	for (size_t i = 0; i < h->audit.run_count; i++)
		if (h->audit.runs[i].iova == 0xfe000000)
			h->audit.runs[i].write = 0;
	one_fault(h, AUDIT_RIGHTS, LEFT, "may write 0xfe000000");
}

static void test_pass_through(void **state)
{
	(void)state;
	struct host *h = make(false, false);
	set_context(
		h, LEFT,
		&(struct vtd_context){
			.present = true, .type = VTD_TT_PASS_THROUGH, .levels = 4, .domain = 3});
	one_fault(h, AUDIT_PASS_THROUGH, LEFT, "all of the host's memory");

	h = make(true, false);
	set_pasid(h, RIGHT, &h->right, 3, VTD_PGTT_PASS_THROUGH);
	one_fault(h, AUDIT_PASS_THROUGH, RIGHT, "all of the host's memory");

	h = make(false, false); /* the host's own may */
	set_context(
		h, NIC,
		&(struct vtd_context){
			.present = true, .type = VTD_TT_PASS_THROUGH, .levels = 4, .domain = 3});
	judge(h);
	assert_int_equal(h->verdict.faults, 0);
	assert_int_equal(h->verdict.pass_throughs, 1);
	drop(h);
}

static void test_shared(void **state)
{
	(void)state;
	struct host *h = make(false, false); /* one id, two tables */
	enter(h, RIGHT, &h->right, 7);
	one_fault(h, AUDIT_SHARED, LEFT,
		  "of vm left shares the domain id 7 with 0000:01:10.2 of vm right");

	h = make(false, false); /* the host's NIC in left's domain */
	enter(h, NIC, &h->left, 7);
	one_fault(h, AUDIT_SHARED, NIC,
		  "of the host shares the page table of domain 7 with 0000:01:10.0");
}

static void test_leftover(void **state)
{
	(void)state;
	struct host *h = make(false, false);
	enter(h, 0x0190, &h->nic, 20);
	one_fault(h, AUDIT_LEFTOVER, 0x0190, "no such function exists");

	h = make(false, false); /* given back, and still reaching */
	enter(h, IDLE, &h->nic, 20);
	one_fault(h, AUDIT_LEFTOVER, IDLE, "reads 0x1000-0x1fff (4 KiB) at physical 0x5000");

	h = make(false, false);
	interrupt(h, 9, 0x0190, 0x55);
	one_fault(h, AUDIT_LEFTOVER, 0x0190, "source of interrupt entry 9");
}

static void test_interrupts(void **state)
{
	(void)state;
	struct host *h = make(false, false);
	set_interrupt(h, 9,
		      &(struct vtd_irte){.present = true, .vector = 0x55, .destination = 0x100});
	one_fault(h, AUDIT_INTERRUPT, 0, "does not check who sends it");

	h = make(false, false); /* the source of right's entry is left: one more than left has */
	interrupt(h, 3, LEFT, 0x43);
	one_fault(h, AUDIT_INTERRUPT, LEFT,
		  "more entries carry its source id than it has interrupts (2)");

	h = make(false, false);
	interrupt(h, 3, RIGHT, 0x44); /* the NIC's vector */
	one_fault(h, AUDIT_INTERRUPT, RIGHT, "which is also that of entry 4 of 0000:01:00.0");

	h = make(false, false);
	interrupt(h, 3, RIGHT, 14);
	one_fault(h, AUDIT_INTERRUPT, RIGHT, "an exception of the processor");

	h = make(false, false);
	set_interrupt(h, 3,
		      &(struct vtd_irte){.present = true,
					 .vector = 0x43,
					 .delivery = 4,
					 .destination = 0x100,
					 .check = VTD_SVT_REQUESTER,
					 .source = RIGHT});
	one_fault(h, AUDIT_INTERRUPT, RIGHT, "delivery mode 4");

	h = make(false, false); /* parked ones share a vector, posted ones have none of the host */
	interrupt(h, 2, LEFT, 0xef), interrupt(h, 3, RIGHT, 0xef);
	set_interrupt(h, 1,
		      &(struct vtd_irte){.present = true,
					 .posted = true,
					 .vector = 0x44,
					 .descriptor = 0x5000,
					 .check = VTD_SVT_REQUESTER,
					 .source = LEFT});
	judge(h);
	assert_int_equal(h->verdict.faults, 0);
	assert_int_equal(reach(h, LEFT)->posted, 1);
	drop(h);
}

static void test_off(void **state)
{
	(void)state;
	struct host *h = make(false, false);
	h->audit.units[0].gsts = VTD_GS_IRE;
	judge(h);
	assert_int_equal(h->verdict.faults, 2); /* each VM's device */
	assert_non_null(strstr(find(&h->verdict, AUDIT_OFF)->text, "reaches all memory"));
	drop(h);
	h = make(false, false);
	h->audit.units[0].gsts = VTD_GS_TE;
	judge(h);
	assert_int_equal(h->verdict.faults, 2);
	drop(h);
	h = make(false, false);
	h->audit.units[0].gsts |= VTD_GS_CFI;
	judge(h);
	assert_int_equal(h->verdict.faults, 2);
	drop(h);
}

static void test_broken_tables(void **state)
{
	(void)state;
	struct host *h = make(false, false);
	page_of(h, h->left.root)[5] = UINT64_C(0x7000000000) | 3; /* no memory there */
	one_fault(h, AUDIT_TABLE, LEFT, "level 4 entry 5");

	h = make(false, false);
	page_of(h, h->context)[(LEFT & 255) * 2] |= 0xc; /* TT 3 is reserved */
	judge(h);
	assert_non_null(find(&h->verdict, AUDIT_TABLE));
	drop(h);

	h = make(false, false);
	h->audit.units[0].rtaddr = UINT64_C(0x7000000000);
	judge(h);
	assert_non_null(find(&h->verdict, AUDIT_TABLE));
	assert_true(h->verdict.faults >= 1);
	drop(h);

	h = make(false, false);
	h->audit.units[0].irta = UINT64_C(0x7000000007);
	one_fault(h, AUDIT_TABLE, 0, "interrupt remapping table");

	h = make(false, false); /* more than can be told is counted */
	for (unsigned i = 0; i < 200; i++)
		map(h, &h->left, GIB + i * 8 * KIB, 0x10000000 + i * 16 * KIB, 4 * KIB,
		    PAGETABLE_READ);
	judge(h);
	assert_int_equal(h->verdict.faults, 200);
	assert_int_equal(h->verdict.suppressed, 200 - AUDIT_FINDINGS_MAX);
	drop(h);
}

static void test_foreign(void **state)
{
	const struct audit_owner qemu = {"qemu (pid 812)", 812, 0};
	struct pagetable own;
	(void)state;
	struct host *h = make(false, false);
	assert_int_equal(audit_add_owner(&h->audit, &qemu), 0);
	h->audit.devices[3].owner = 2;
	assert_int_equal(pagetable_create(&h->format, &h->access, &own), 0);
	enter(h, IDLE, &own, 20);
	judge(h);
	assert_int_equal(h->verdict.faults, 0);
	const struct audit_finding *found = find(&h->verdict, AUDIT_UNKNOWN);
	assert_true(found && strstr(found->text, "qemu (pid 812)"));
	drop(h);
}

static void test_overlap(void **state)
{
	const struct audit_run run = {0x1000, 0x5000, 0x2000, 1, 0};
	struct host *h = make(false, false);
	(void)state;
	assert_int_equal(audit_add_run(&h->audit, &run), 0);
	assert_int_equal(audit_ready(&h->audit), -EINVAL);
	drop(h);
}

/* ---- looking ---- */

struct seen {
	unsigned lines;
	char all[16384];
};

static void see(void *opaque, const char *text)
{
	struct seen *s = opaque;

	s->lines++;
	strncat(s->all, text, sizeof(s->all) - strlen(s->all) - 2);
	strcat(s->all, "\n");
}

static void test_walk(void **state)
{
	(void)state;
	struct host *h = make(false, false);
	const struct audit_unit *unit = h->audit.units;
	struct seen s = {0};
	assert_int_equal(audit_walk(&h->audit, unit, LEFT, 0x200123, see, &s), 0);
	assert_non_null(strstr(s.all, "0000:01:10.0: domain 7, second stage of 4 levels"));
	assert_non_null(strstr(s.all, "0x200123 → physical 0x40200123 (rw, page of 2048 KiB)"));
	assert_int_equal(s.lines, 5); /* context, three levels, the end */
	s = (struct seen){0};
	assert_int_equal(audit_walk(&h->audit, unit, LEFT, GIB, see, &s), -ENOENT);
	assert_non_null(strstr(s.all, "absent"));
	assert_int_equal(audit_walk(&h->audit, unit, LEFT, UINT64_MAX, see, &s), -ENOENT);
	assert_int_equal(audit_walk(&h->audit, unit, IDLE, 0, see, &s), -ENOENT);
	page_of(h, h->left.root)[1] = UINT64_C(0x7000000000) | 3;
	audit_finish(&h->audit);
	make_facts(h);
	assert_int_equal(audit_walk(&h->audit, h->audit.units, LEFT, UINT64_C(1) << 39, see, &s),
			 -EUCLEAN);
	drop(h);
}

static void test_dump(void **state)
{
	(void)state;
	struct host *h = make(false, false);
	struct seen s = {0};
	set_interrupt(h, 5,
		      &(struct vtd_irte){.present = true,
					 .posted = true,
					 .vector = 0x44,
					 .descriptor = 0x5000,
					 .check = VTD_SVT_BUS,
					 .source = 0x0105});
	set_interrupt(h, 6, &(struct vtd_irte){.present = true, .vector = 0x60});
	set_context(
		h, NIC,
		&(struct vtd_context){
			.present = true, .type = VTD_TT_PASS_THROUGH, .levels = 4, .domain = 3});
	struct audit_entry entries[1];
	assert_int_equal(audit_entries_of(&h->audit, h->audit.units, LEFT, entries, 1), 2);
	assert_int_equal(entries[0].index, 1);
	assert_int_equal(entries[0].vector, 0x41);
	assert_int_equal(audit_dump(&h->audit, see, &s), 0);
	assert_non_null(strstr(s.all, "unit 0xfed90000, segment 0, version 1.0"));
	assert_non_null(strstr(s.all, "translation on, interrupt remapping on"));
	assert_non_null(strstr(s.all, "0000:01:10.2: domain 8"));
	assert_non_null(strstr(s.all, "0000:01:00.0: domain 3, passes through"));
	assert_non_null(strstr(s.all, "interrupt 1: from 0000:01:10.0, remapped: vector 0x41"));
	assert_non_null(strstr(s.all, "from buses 01-05, posted"));
	assert_non_null(strstr(s.all, "interrupt 6: from anybody"));
	h->audit.units[0].irta = UINT64_C(0x7000000007);
	assert_int_equal(audit_dump(&h->audit, see, &s), -EUCLEAN);
	drop(h);
}

/* ---- snapshots that are none ---- */

static int load_bytes(const char *bytes, size_t len)
{
	struct audit audit;
	int fd = memfd_create("snapshot", 0);

	assert_int_equal(write(fd, bytes, len), len);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	int err = audit_load(fd, "snapshot", &audit);
	if (!err)
		audit_finish(&audit);
	close(fd);
	return err;
}

static void test_bad_snapshots(void **state)
{
	(void)state;
	struct host *h = make(false, false);
	int fd = memfd_create("snapshot", 0);
	assert_int_equal(audit_run_all(&h->audit, &h->verdict), 0);
	h->audit.devices[1].owner = 77; /* nobody */
	assert_int_equal(audit_save(&h->audit, fd), 0);
	size_t len = (size_t)lseek(fd, 0, SEEK_END);
	char *bytes = malloc(len);
	assert_int_equal(pread(fd, bytes, len, 0), len);
	assert_int_equal(load_bytes(bytes, len), -EINVAL); /* checksum good, sense none */
	for (size_t cut = 0; cut < len; cut += len / 40)
		assert_int_equal(load_bytes(bytes, cut), -EINVAL);
	bytes[8] ^= 2; /* version */
	assert_int_equal(load_bytes(bytes, len), -EINVAL);
	bytes[8] ^= 2, bytes[len / 2] ^= 1;
	assert_int_equal(load_bytes(bytes, len), -EINVAL);
	free(bytes);
	close(fd);
	drop(h);
}

/* ---- this process's own pages ---- */

static void test_own_memory(void **state)
{
	const struct audit_owner self = {"vm self", 0, 1};
	struct audit audit = {0};
	uint64_t total = 0;
	(void)state;

	char *ram = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(ram, 1, MIB / 2);
	assert_int_equal(audit_add_owner(&audit, &self), 0);
	int err = audit_add_memory(&audit, 0, getpid(), (uintptr_t)ram, 0x10000, MIB / 2, true);
	if (geteuid() != 0 || err == -ENODATA) {
		audit_finish(&audit);
		print_message("frame numbers are hidden from this process\n");
		skip();
	}
	assert_int_equal(err, 0);
	for (size_t i = 0; i < audit.run_count; i++)
		total += audit.runs[i].size;
	assert_int_equal(total, MIB / 2);
	assert_int_equal(audit.runs[0].iova, 0x10000);
	munmap(ram, MIB);
	assert_int_equal(audit_add_memory(&audit, 0, getpid(), (uintptr_t)ram, 0, MIB, true),
			 -ENODATA);
	assert_int_equal(audit_add_memory(&audit, 0, -1, 0, 0, MIB, true), -ENOENT);
	audit_finish(&audit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean),	      cmocka_unit_test(test_extra),
		cmocka_unit_test(test_missing),	      cmocka_unit_test(test_elsewhere),
		cmocka_unit_test(test_pass_through),  cmocka_unit_test(test_shared),
		cmocka_unit_test(test_leftover),      cmocka_unit_test(test_interrupts),
		cmocka_unit_test(test_off),	      cmocka_unit_test(test_broken_tables),
		cmocka_unit_test(test_foreign),	      cmocka_unit_test(test_overlap),
		cmocka_unit_test(test_walk),	      cmocka_unit_test(test_dump),
		cmocka_unit_test(test_bad_snapshots), cmocka_unit_test(test_own_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
