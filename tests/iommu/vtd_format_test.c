/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every VT-d layout against vectors written down by hand from the specification's bit positions:
 * what is encoded is that number, what is decoded from it are those fields, and each reserved bit
 * is refused. Section numbers are of revision 4.x.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"
#include "iommu/vtd_format.h"

#define SIZES (4 * KIB | 2 * MIB | GIB)

/* Structs are compared whole, so they are cleared whole first: padding counts. */
#define assert_fields(got, wanted) assert_memory_equal(&(got), &(wanted), sizeof(got))

static void assert_words(const void *got, const uint64_t *wanted, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_int_equal(((const uint64_t *)got)[i], wanted[i]);
}

/* 11.4: RTADDR and IRTA. */
static void pointers_to_tables(void **state)
{
	const struct vtd_rtaddr rt = {0x123456789000, VTD_MODE_SCALABLE};
	const struct vtd_irta ir = {0xabcd000, 65536, true}, small = {0x1000, 2, false};
	struct vtd_rtaddr rt_out;
	struct vtd_irta ir_out;

	(void)state;
	assert_int_equal(vtd_rtaddr_encode(&rt), 0x123456789400);
	assert_null(vtd_rtaddr_decode(0x123456789400, &rt_out));
	assert_int_equal(rt_out.table, rt.table);
	assert_int_equal(rt_out.mode, VTD_MODE_SCALABLE);
	assert_null(vtd_rtaddr_decode(0xc00, &rt_out));
	assert_int_equal(rt_out.mode, VTD_MODE_ABORT);
	assert_non_null(vtd_rtaddr_decode(0x800, &rt_out));
	assert_non_null(vtd_rtaddr_decode(0x1001, &rt_out));
	assert_int_equal(vtd_irta_encode(&ir), 0xabcd80f);
	assert_int_equal(vtd_irta_encode(&small), 0x1000);
	assert_null(vtd_irta_decode(0xabcd80f, &ir_out));
	assert_int_equal(ir_out.table, 0xabcd000);
	assert_int_equal(ir_out.entries, 65536);
	assert_true(ir_out.x2apic);
	assert_non_null(vtd_irta_decode(0x1010, &ir_out));
}

/* 9.1, 9.2 */
static void root_entries(void **state)
{
	const struct vtd_root legacy = {.lower_present = true, .lower = 0x5000};
	const struct vtd_root both = {true, true, 0x5000, 0x6000};
	struct vtd_root out;

	(void)state;
	struct vtd_root_raw raw = vtd_root_encode(&legacy);
	assert_words(&raw, (const uint64_t[]){0x5001, 0}, 2);
	assert_null(vtd_root_decode(&raw, VTD_MODE_LEGACY, &out));
	assert_true(out.lower_present && !out.upper_present && out.lower == 0x5000);
	raw = vtd_root_encode(&both);
	assert_words(&raw, (const uint64_t[]){0x5001, 0x6001}, 2);
	assert_non_null(vtd_root_decode(&raw, VTD_MODE_LEGACY, &out));
	assert_null(vtd_root_decode(&raw, VTD_MODE_SCALABLE, &out));
	assert_true(out.upper_present && out.upper == 0x6000);
	raw.hi |= 2;
	assert_non_null(vtd_root_decode(&raw, VTD_MODE_SCALABLE, &out));
	raw = (struct vtd_root_raw){0};
	assert_null(vtd_root_decode(&raw, VTD_MODE_SCALABLE, &out));
	assert_false(out.lower_present);
}

/* 9.3 */
static void legacy_context_entries(void **state)
{
	const struct vtd_context in = {true,	true, VTD_TT_SECOND_STAGE_DEVICE_TLB,
				       0x7f000, 4,    0xbeef};
	const struct vtd_context absent = {0};
	struct vtd_context out;

	(void)state;
	struct vtd_context_raw raw = vtd_context_encode(&in);
	assert_words(&raw, (const uint64_t[]){0x7f007, 0xbeef02}, 2);
	assert_null(vtd_context_decode(&raw, &out));
	assert_true(out.present && out.fault_disable && out.table == 0x7f000 && out.levels == 4);
	assert_int_equal(out.type, VTD_TT_SECOND_STAGE_DEVICE_TLB);
	assert_int_equal(out.domain, 0xbeef);
	raw = vtd_context_encode(&absent);
	assert_words(&raw, (const uint64_t[]){0, 0}, 2);
	assert_null(vtd_context_decode(&raw, &out));
	assert_int_equal(out.levels, 0);
	static const struct vtd_context_raw bad[] = {
		{0xd, 2},
		{0x11, 2},
		{1, 1 << 7},
		{1, 1 << 24 | 2},
		{1, 0},
		{1, 4},
		{UINT64_C(1) << 52 | 1, 2},
	};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_non_null(vtd_context_decode(&bad[i], &out));
}

/* 9.4 */
static void scalable_context_entries(void **state)
{
	const struct vtd_scontext in = {
		.present = true,
		.pasid_enable = true,
		.page_requests = true,
		.directory_entries = 1024,
		.directory = 0x44000,
		.rid_pasid = 0xfedcb,
		.rid_privileged = true,
	};
	struct vtd_scontext out;

	(void)state;
	struct vtd_scontext_raw raw = vtd_scontext_encode(&in);
	assert_words(&raw, (const uint64_t[]){0x44619, 0x1fedcb, 0, 0}, 4);
	assert_null(vtd_scontext_decode(&raw, &out));
	assert_true(out.present && out.pasid_enable && out.page_requests && !out.device_tlb);
	assert_int_equal(out.directory_entries, 1024);
	assert_int_equal(out.directory, 0x44000);
	assert_int_equal(out.rid_pasid, 0xfedcb);
	assert_true(out.rid_privileged);
	for (unsigned q = 0; q < 4; q++) {
		struct vtd_scontext_raw bad = raw;
		bad.q[q] |= q ? 1u << 21 : 1u << 5;
		assert_non_null(vtd_scontext_decode(&bad, &out));
	}
	raw.q[0] = 0;
	raw.q[3] = 1;
	assert_null(vtd_scontext_decode(&raw, &out));
}

/* 9.5, 9.6 */
static void pasid_entries(void **state)
{
	const struct vtd_pasid_dir dir = {true, false, 0x9000};
	struct vtd_pasid_dir dir_out;
	const struct vtd_pasid first = {
		.present = true,
		.type = VTD_PGTT_FIRST_STAGE,
		.domain = 0x1234,
		.first_levels = 5,
		.first_table = 0x66000,
		.write_protect = true,
		.walk_snoop = true,
	};
	const struct vtd_pasid second = {
		.present = true,
		.fault_disable = true,
		.type = VTD_PGTT_SECOND_STAGE,
		.domain = 7,
		.second_levels = 4,
		.second_table = 0x77000,
		.second_accessed_dirty = true,
		.page_snoop = true,
		.memory_type = true,
		.pat = 0x01020304,
	};
	struct vtd_pasid out;

	(void)state;
	assert_int_equal(vtd_pasid_dir_encode(&dir), 0x9001);
	assert_null(vtd_pasid_dir_decode(0x9003, &dir_out));
	assert_true(dir_out.present && dir_out.fault_disable && dir_out.table == 0x9000);
	assert_non_null(vtd_pasid_dir_decode(0x9005, &dir_out));
	assert_int_equal(vtd_pasid_dir_index(0x12345u), 0x48d);
	assert_int_equal(vtd_pasid_index(0x12345u), 5);

	struct vtd_pasid_raw raw = vtd_pasid_encode(&first);
	assert_words(&raw, (const uint64_t[]){0x41, 0x801234, 0x66014, 0, 0, 0, 0, 0}, 8);
	assert_null(vtd_pasid_decode(&raw, &out));
	assert_int_equal(out.type, VTD_PGTT_FIRST_STAGE);
	assert_int_equal(out.domain, 0x1234);
	assert_int_equal(out.first_levels, 5);
	assert_int_equal(out.first_table, 0x66000);
	assert_true(out.write_protect && out.walk_snoop && !out.page_snoop);

	raw = vtd_pasid_encode(&second);
	assert_words(&raw, (const uint64_t[]){0x7728b, 0x0102030405000007, 0, 0, 0, 0, 0, 0}, 8);
	assert_null(vtd_pasid_decode(&raw, &out));
	assert_int_equal(out.second_levels, 4);
	assert_int_equal(out.second_table, 0x77000);
	assert_int_equal(out.pat, 0x01020304);
	assert_true(out.memory_type && out.page_snoop && out.second_accessed_dirty);

	static const struct vtd_pasid_raw bad[] = {
		{{0x1}},	  /* no type */
		{{0x141}},	  /* type 5 */
		{{0x81}},	  /* second stage without a width */
		{{0x41, 0, 0x8}}, /* paging mode 2 */
		{{0x101, 1 << 16}},
		{{0x101 | 1 << 10}},
		{{0x101, 0, 1 << 8}},
		{{0x101, 0, 0, 1}},
	};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_non_null(vtd_pasid_decode(&bad[i], &out));
	raw = (struct vtd_pasid_raw){{0x101}};
	assert_null(vtd_pasid_decode(&raw, &out));
	assert_int_equal(out.type, VTD_PGTT_PASS_THROUGH);
}

/* 9.8 */
static void second_stage_entries(void **state)
{
	const struct pagetable_format plain = vtd_second_stage(4, 39, SIZES, 0);
	const struct pagetable_format full = vtd_second_stage(
		4, 39, SIZES, VTD_PAGING_SNOOP | VTD_PAGING_EXECUTE | VTD_PAGING_ACCESSED_DIRTY);
	const unsigned all = PAGETABLE_READ | PAGETABLE_WRITE | PAGETABLE_EXEC | PAGETABLE_SNOOP |
			     PAGETABLE_ACCESSED | PAGETABLE_DIRTY;
	struct pagetable_entry entry;

	(void)state;
	assert_int_equal(plain.input_bits, 48);
	assert_int_equal(plain.leaf(&plain, 1, 0x5000, all), 0x5003);
	assert_int_equal(plain.leaf(&plain, 2, 0x600000, PAGETABLE_WRITE), 0x600082);
	assert_int_equal(plain.table(&plain, 0x7000), 0x7003);
	assert_int_equal(full.leaf(&full, 3, 0x40000000, all), 0x40000b87);
	assert_int_equal(full.table(&full, 0x7000), 0x7007);
	assert_null(full.decode(&full, 3, 0x40000b87, &entry));
	assert_int_equal(entry.kind, PAGETABLE_LEAF);
	assert_int_equal(entry.phys, 0x40000000);
	assert_int_equal(entry.attrs, all);
	assert_null(full.decode(&full, 1, 4, &entry)); /* X alone is present with SSEE … */
	assert_int_equal(entry.kind, PAGETABLE_LEAF);
	assert_null(plain.decode(&plain, 1, 4, &entry)); /* … and not without */
	assert_int_equal(entry.kind, PAGETABLE_ABSENT);
	assert_null(plain.decode(&plain, 4, 0x7003, &entry));
	assert_int_equal(entry.kind, PAGETABLE_TABLE);
	assert_non_null(plain.decode(&plain, 1, 0x5803, &entry)); /* SNP without SC */
	assert_non_null(full.decode(&full, 2, 0x5803, &entry));	  /* SNP of a table */
	assert_non_null(plain.decode(&plain, 2, 0x201083, &entry));
	assert_non_null(plain.decode(&plain, 4, 0x83, &entry));
	assert_non_null(plain.decode(&plain, 1, UINT64_C(1) << 39 | 3, &entry));
	const struct pagetable_format small = vtd_second_stage(3, 39, 4 * KIB | 2 * MIB, 0);
	assert_non_null(small.decode(&small, 3, 0x40000083, &entry));
}

/* 9.7 */
static void first_stage_entries(void **state)
{
	const struct pagetable_format plain = vtd_first_stage(4, 39, SIZES, 0);
	const struct pagetable_format nx = vtd_first_stage(5, 39, SIZES, VTD_PAGING_EXECUTE);
	struct pagetable_entry entry;

	(void)state;
	assert_int_equal(plain.input_bits, 47);
	assert_int_equal(nx.input_bits, 56);
	assert_int_equal(plain.leaf(&plain, 1, 0x5000, PAGETABLE_READ), 0x5025);
	assert_int_equal(plain.leaf(&plain, 2, 0x600000, PAGETABLE_READ | PAGETABLE_WRITE),
			 0x6000e7);
	assert_int_equal(plain.table(&plain, 0x7000), 0x7027);
	assert_int_equal(nx.leaf(&nx, 1, 0x5000, PAGETABLE_READ), UINT64_C(1) << 63 | 0x5025);
	assert_int_equal(nx.leaf(&nx, 1, 0x5000, PAGETABLE_READ | PAGETABLE_EXEC), 0x5025);
	assert_null(plain.decode(&plain, 2, 0x6010e7, &entry)); /* bit 12 of 2 MiB is PAT */
	assert_int_equal(entry.phys, 0x600000);
	assert_int_equal(entry.attrs,
			 PAGETABLE_READ | PAGETABLE_WRITE | PAGETABLE_ACCESSED | PAGETABLE_DIRTY);
	assert_null(nx.decode(&nx, 1, 0x5005, &entry));
	assert_int_equal(entry.attrs, PAGETABLE_READ | PAGETABLE_EXEC);
	assert_null(plain.decode(&plain, 1, 0x5006, &entry));
	assert_int_equal(entry.kind, PAGETABLE_ABSENT);
	assert_non_null(plain.decode(&plain, 1, 0x5003, &entry));
	assert_non_null(plain.decode(&plain, 1, UINT64_C(1) << 63 | 0x5005, &entry));
	assert_non_null(plain.decode(&plain, 2, 0x602087, &entry));
	assert_non_null(plain.decode(&plain, 5, 0x87, &entry));
}

/* 9.10 */
static void remapped_interrupts(void **state)
{
	const struct vtd_irte in = {
		.present = true,
		.vector = 0x41,
		.logical = true,
		.hint = true,
		.level = true,
		.delivery = 1,
		.destination = 0x10203,
		.available = 5,
		.check = VTD_SVT_REQUESTER,
		.qualifier = 2,
		.source = 0x0108,
	};
	struct vtd_irte out;

	(void)state;
	struct vtd_irte_raw raw = vtd_irte_encode(&in);
	assert_words(&raw, (const uint64_t[]){0x000102030041053d, 0x60108}, 2);
	assert_null(vtd_irte_decode(&raw, &out));
	assert_true(out.present && !out.posted && out.logical && out.hint && out.level);
	assert_int_equal(out.vector, 0x41);
	assert_int_equal(out.delivery, 1);
	assert_int_equal(out.destination, 0x10203);
	assert_int_equal(out.available, 5);
	assert_int_equal(out.source, 0x0108);
	assert_int_equal(out.qualifier, 2);
	static const struct vtd_irte_raw bad[] = {
		{1 << 12 | 1, 0}, {1 << 24 | 1, 0}, {1, 1 << 20},
		{1, 3 << 18},	  {0x61, 0},	    {0xc1, 0},
	};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_non_null(vtd_irte_decode(&bad[i], &out));
	const struct vtd_irte_raw absent = {1 << 12, 0};
	assert_null(vtd_irte_decode(&absent, &out));
}

static void source_checks(void **state)
{
	struct vtd_irte irte = {.check = VTD_SVT_NONE};

	(void)state;
	assert_true(vtd_irte_accepts(&irte, 0xffff));
	irte = (struct vtd_irte){.check = VTD_SVT_REQUESTER, .source = 0x0100};
	assert_true(vtd_irte_accepts(&irte, 0x0100));
	assert_false(vtd_irte_accepts(&irte, 0x0104));
	irte.qualifier = 1;
	assert_true(vtd_irte_accepts(&irte, 0x0104));
	assert_false(vtd_irte_accepts(&irte, 0x0102));
	irte.qualifier = 3;
	assert_true(vtd_irte_accepts(&irte, 0x0107));
	assert_false(vtd_irte_accepts(&irte, 0x0108));
	irte = (struct vtd_irte){.check = VTD_SVT_BUS, .source = 0x0204};
	assert_true(vtd_irte_accepts(&irte, 0x03ff));
	assert_false(vtd_irte_accepts(&irte, 0x0500));
	irte.check = (enum vtd_source_check)3;
	assert_false(vtd_irte_accepts(&irte, 0));
}

/* 9.11, 9.12 */
static void posted_interrupts(void **state)
{
	const struct vtd_irte in = {
		.present = true,
		.posted = true,
		.urgent = true,
		.vector = 0xec,
		.descriptor = 0x123456789c0,
		.check = VTD_SVT_REQUESTER,
		.source = 0x0200,
	};
	const struct vtd_pid pid = {{1, 0, 0, UINT64_C(1) << 63}, true, true, 0xf2, 0xff00};
	struct vtd_irte out;
	struct vtd_pid pid_out;

	(void)state;
	struct vtd_irte_raw raw = vtd_irte_encode(&in);
	assert_words(&raw, (const uint64_t[]){0x456789c000ecc001, 0x0000012300040200}, 2);
	assert_null(vtd_irte_decode(&raw, &out));
	assert_true(out.posted && out.urgent);
	assert_int_equal(out.descriptor, 0x123456789c0);
	raw.lo |= 4;
	assert_non_null(vtd_irte_decode(&raw, &out));
	struct vtd_pid_raw pid_raw = vtd_pid_encode(&pid);
	assert_words(&pid_raw,
		     (const uint64_t[]){1, 0, 0, UINT64_C(1) << 63, 0x0000ff0000f20003, 0, 0, 0},
		     8);
	assert_null(vtd_pid_decode(&pid_raw, &pid_out));
	assert_true(pid_out.outstanding && pid_out.suppress);
	assert_int_equal(pid_out.vector, 0xf2);
	assert_int_equal(pid_out.destination, 0xff00);
	assert_int_equal(pid_out.requests[3], UINT64_C(1) << 63);
	pid_raw.reserved[2] = 1;
	assert_non_null(vtd_pid_decode(&pid_raw, &pid_out));
}

/* 5.1.5.2 */
static void messages(void **state)
{
	struct vtd_msi msi = vtd_msi_encode(0x8123, false);
	uint32_t index;

	(void)state;
	assert_int_equal(msi.address, 0xfee02474);
	assert_int_equal(msi.data, 0);
	assert_true(vtd_msi_decode(msi, &index));
	assert_int_equal(index, 0x8123);
	msi = vtd_msi_encode(0x20, true);
	msi.data = 3;
	assert_int_equal(msi.address, 0xfee00418);
	assert_true(vtd_msi_decode(msi, &index));
	assert_int_equal(index, 0x23);
	assert_false(vtd_msi_decode((struct vtd_msi){0xfee00000, 0x41}, &index));
	assert_false(vtd_msi_decode((struct vtd_msi){0xfed00010, 0}, &index));
}

/* 6.5.2.1 – 6.5.2.8 */
static const struct {
	struct vtd_inv in;
	uint64_t q0, q1;
} invs[] = {
	{{.type = VTD_INV_CONTEXT, .scope = VTD_SCOPE_GLOBAL}, 0x11, 0},
	{{.type = VTD_INV_CONTEXT,
	  .scope = VTD_SCOPE_DEVICE,
	  .domain = 0x1234,
	  .source = 0x0108,
	  .function_mask = 2},
	 0x0002010812340031,
	 0},
	{{.type = VTD_INV_PASID_CACHE, .scope = VTD_SCOPE_DOMAIN, .domain = 5}, 0x50007, 0},
	{{.type = VTD_INV_PASID_CACHE, .scope = VTD_SCOPE_PASID, .domain = 5, .pasid = 0xabcde},
	 0x000abcde00050017,
	 0},
	{{.type = VTD_INV_PASID_CACHE, .scope = VTD_SCOPE_GLOBAL}, 0x37, 0},
	{{.type = VTD_INV_IOTLB,
	  .scope = VTD_SCOPE_DOMAIN,
	  .domain = 9,
	  .drain_reads = true,
	  .drain_writes = true},
	 0x900e2,
	 0},
	{{.type = VTD_INV_IOTLB,
	  .scope = VTD_SCOPE_PAGES,
	  .domain = 9,
	  .address = 0x7fe00000,
	  .mask = 9,
	  .leaf_only = true},
	 0x90032,
	 0x7fe00049},
	{{.type = VTD_INV_PASID_IOTLB, .scope = VTD_SCOPE_PASID, .domain = 3, .pasid = 1},
	 0x0000000100030026,
	 0},
	{{.type = VTD_INV_PASID_IOTLB,
	  .scope = VTD_SCOPE_PAGES,
	  .domain = 3,
	  .pasid = 1,
	  .address = 0x5000},
	 0x0000000100030036,
	 0x5000},
	{{.type = VTD_INV_DEVICE_TLB,
	  .scope = VTD_SCOPE_PAGES,
	  .source = 0x0110,
	  .pf_source = 0x0102,
	  .max_pending = 16,
	  .address = 0x7000,
	  .size = true},
	 0x0100011000102003,
	 0x7001},
	{{.type = VTD_INV_PASID_DEVICE_TLB,
	  .scope = VTD_SCOPE_PAGES,
	  .source = 0x0110,
	  .pasid = 2,
	  .max_pending = 1,
	  .address = 0x1000,
	  .size = true},
	 0x0000000201100018,
	 0x1800},
	{{.type = VTD_INV_INTERRUPT, .scope = VTD_SCOPE_GLOBAL}, 0x4, 0},
	{{.type = VTD_INV_INTERRUPT, .scope = VTD_SCOPE_INDEX, .index = 0x120, .mask = 5},
	 0x0000012028000014,
	 0},
	{{.type = VTD_INV_WAIT,
	  .scope = VTD_SCOPE_GLOBAL,
	  .write_status = true,
	  .fence = true,
	  .status = 0xcafe,
	  .address = 0x1004},
	 0x0000cafe00000065,
	 0x1004},
};

static void invalidations(void **state)
{
	struct vtd_inv_raw raw;
	struct vtd_inv out;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(invs); i++) {
		assert_int_equal(vtd_inv_encode(&invs[i].in, &raw), 0);
		assert_words(&raw, (const uint64_t[]){invs[i].q0, invs[i].q1, 0, 0}, 4);
		assert_null(vtd_inv_decode(&raw, &out));
		assert_fields(out, invs[i].in);
		assert_non_null(vtd_inv_name(out.type));
		raw.q[3] = 1;
		assert_non_null(vtd_inv_decode(&raw, &out));
	}
	static const struct vtd_inv bad[] = {
		{.type = VTD_INV_CONTEXT, .scope = VTD_SCOPE_PAGES},
		{.type = VTD_INV_IOTLB, .scope = VTD_SCOPE_PAGES, .address = 0x1000, .mask = 1},
		{.type = VTD_INV_IOTLB, .scope = VTD_SCOPE_PAGES, .address = 0x1001},
		{.type = VTD_INV_INTERRUPT, .scope = VTD_SCOPE_INDEX, .index = 1, .mask = 1},
		{.type = VTD_INV_PASID_IOTLB, .scope = VTD_SCOPE_PASID, .pasid = 1 << 20},
		{.type = VTD_INV_WAIT, .address = 2},
	};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(vtd_inv_encode(&bad[i], &raw), -EINVAL);
	static const struct vtd_inv_raw unknown[] = {{{0}}, {{0x9}}, {{0x1}}, {{0x202}}, {{0x2}}};
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++)
		assert_non_null(vtd_inv_decode(&unknown[i], &out));
	assert_string_equal(vtd_inv_name((enum vtd_inv_type)99), "unknown invalidation");
}

/* 9.9, chapter 7.1 */
static void faults(void **state)
{
	const struct vtd_fault dma = {
		.fault = true,
		.address = 0x123456000,
		.source = 0x0010,
		.reason = 0x05,
		.request = VTD_REQUEST_WRITE,
	};
	const struct vtd_fault pasid = {
		.fault = true,
		.address = 0x1000,
		.source = 0x0010,
		.reason = 0x71,
		.request = VTD_REQUEST_ATOMIC,
		.address_type = 1,
		.has_pasid = true,
		.execute = true,
		.privileged = true,
		.pasid = 0x12345,
	};
	const struct vtd_fault irq = {.fault = true,
				      .index = 0x55,
				      .source = 0x10,
				      .reason = 0x22,
				      .request = VTD_REQUEST_READ};
	struct vtd_fault out;
	char text[VTD_FAULT_TEXT];

	(void)state;
	struct vtd_fault_raw raw = vtd_fault_encode(&dma);
	assert_words(&raw, (const uint64_t[]){0x123456000, 0x8000000500000010}, 2);
	vtd_fault_decode(&raw, &out);
	assert_fields(out, dma);
	assert_string_equal(
		vtd_fault_text(&out, text),
		"write to 0x123456000 blocked: nothing is mapped there for writing (0x05)");
	raw = vtd_fault_encode(&pasid);
	assert_words(&raw, (const uint64_t[]){0x1000, 0xd1234571f0000010}, 2);
	vtd_fault_decode(&raw, &out);
	assert_fields(out, pasid);
	assert_non_null(
		strstr(vtd_fault_text(&out, text), "atomic access to 0x1000 with PASID 74565"));
	raw = vtd_fault_encode(&irq);
	assert_words(&raw, (const uint64_t[]){UINT64_C(0x55) << 48, 0xc000002200000010}, 2);
	vtd_fault_decode(&raw, &out);
	assert_fields(out, irq);
	assert_string_equal(
		vtd_fault_text(&out, text),
		"interrupt through entry 85 blocked: the interrupt entry is not present (0x22)");
	assert_true(vtd_fault_is_interrupt(0x28));
	assert_false(vtd_fault_is_interrupt(0x30));
	for (unsigned reason = 0; reason < 256; reason++)
		assert_non_null(vtd_fault_reason((uint8_t)reason));
}

/* ---- capabilities: of the emulated unit, as read there ---- */

struct words {
	size_t count;
	char text[4096];
};

static void add_words(void *opaque, const char *field, const char *what, const char *value)
{
	struct words *words = opaque;
	size_t used = strlen(words->text);

	words->count++;
	snprintf(words->text + used, sizeof(words->text) - used, "%s %s: %s\n", field, what, value);
}

static void capabilities(void **state)
{
	struct words words = {0};
	struct vtd_ecap ecap;
	struct vtd_cap cap;

	(void)state;
	vtd_cap_decode(0x80d2008c222f0686, &cap);
	assert_int_equal(cap.domains, 65536);
	assert_false(cap.write_buffer_flush);
	assert_true(cap.caching_mode);
	assert_int_equal(cap.agaw, 6); /* 3 and 4 levels */
	assert_int_equal(cap.guest_width, 48);
	assert_int_equal(cap.fault_offset, 0x220);
	assert_int_equal(cap.fault_records, 1);
	assert_true(cap.second_2m && cap.second_1g && cap.page_selective);
	assert_int_equal(cap.max_mask, 18);
	assert_true(cap.drain_reads && cap.drain_writes && cap.self_flush_rtp);
	assert_int_equal(vtd_second_stage_sizes(&cap), SIZES);
	assert_int_equal(vtd_first_stage_sizes(&cap), 4 * KIB | 2 * MIB);
	vtd_ecap_decode(0x480080f00f5a, &ecap);
	assert_true(ecap.queued && ecap.interrupt_remapping && ecap.x2apic && ecap.pass_through);
	assert_false(ecap.coherent);
	assert_true(ecap.scalable && ecap.second_stage && !ecap.first_stage && ecap.supervisor);
	assert_int_equal(ecap.iotlb_offset, 0xf0);
	assert_int_equal(ecap.max_handle_mask, 15);
	assert_int_equal(ecap.pasid_bits, 0);
	vtd_ecap_decode(0x880000f00f5a, &ecap);
	assert_true(ecap.first_stage && !ecap.second_stage);
	vtd_cap_words(&cap, add_words, &words);
	vtd_ecap_words(&ecap, add_words, &words);
	assert_int_equal(words.count, 44);
	assert_non_null(strstr(words.text, "ND domain ids: 65536\n"));
	assert_non_null(strstr(words.text, "SSLPS second-stage pages: 4K 2M 1G\n"));
	assert_non_null(strstr(words.text, "QI queued invalidation: yes\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pointers_to_tables),
		cmocka_unit_test(root_entries),
		cmocka_unit_test(legacy_context_entries),
		cmocka_unit_test(scalable_context_entries),
		cmocka_unit_test(pasid_entries),
		cmocka_unit_test(second_stage_entries),
		cmocka_unit_test(first_stage_entries),
		cmocka_unit_test(remapped_interrupts),
		cmocka_unit_test(source_checks),
		cmocka_unit_test(posted_interrupts),
		cmocka_unit_test(messages),
		cmocka_unit_test(invalidations),
		cmocka_unit_test(faults),
		cmocka_unit_test(capabilities),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
