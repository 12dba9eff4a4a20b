/* SPDX-License-Identifier: BSD-3-Clause */
/* A domain on our own driver of a made-up unit (fakes/fake_vtd.h), in every mode: what is mapped
 * through iommu.h is what the device reaches, and nothing else. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/util.h"
#include "iommu/iommu.h"
#include "iommu/vtd_backend.h"
#include "tests/fakes/fake_vtd.h"

#define PAGE  UINT64_C(4096)
#define RW    (IOMMU_READ | IOMMU_WRITE)
#define DEV   0x0018 /* 00:03.0 */
#define OTHER 0x0101 /* 01:00.1 */

struct rig {
	struct fake_chunks chunks;
	struct vtd_mem *mem;
	struct fake_vtd fake;
	struct vtd_backend backend;
	struct iommu_domain *domain;
	char *large, *page; /* a chunk, and a page of another one */
	uint64_t large_phys, page_phys;
};

static struct rig *rig_make(uint64_t cap, bool scalable, enum vtd_stage stage)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	fake_chunks_init(&rig->chunks);
	assert_int_equal(vtd_mem_create(&rig->chunks.source, false, &rig->mem), 0);
	fake_vtd_init(&rig->fake, rig->mem, cap, FAKE_ECAP);
	const struct vtd_config config = {
		.name = "iommu fake",
		.io = rig->fake.io,
		.mem = rig->mem,
		.host_width = 46,
		.timeout_ms = 20,
		.scalable = scalable,
	};
	rig->backend.mem = rig->mem;
	rig->backend.stage = stage;
	assert_int_equal(vtd_unit_create(&config, &rig->backend.unit), 0);
	rig->large = vtd_mem_alloc(rig->mem, VTD_CHUNK_PAGES, &rig->large_phys);
	rig->page = vtd_mem_alloc(rig->mem, 1, &rig->page_phys);
	assert_int_equal(iommu_domain_create_on(&iommu_backend_vtd, &rig->backend, &rig->domain),
			 0);
	return rig;
}

/* When the domain has ended, every page that it took is back. */
static void rig_free(struct rig *rig, bool all_back)
{
	uint64_t phys;

	iommu_domain_destroy(rig->domain);
	assert_null(rig->backend.space);
	vtd_unit_destroy(rig->backend.unit);
	vtd_mem_free(rig->mem, rig->large_phys, VTD_CHUNK_PAGES);
	vtd_mem_free(rig->mem, rig->page_phys, 1);
	rig->chunks.limit = rig->chunks.count;
	if (all_back)
		for (size_t i = 0; i < rig->chunks.count; i++)
			assert_non_null(vtd_mem_alloc(rig->mem, VTD_CHUNK_PAGES, &phys));
	vtd_mem_destroy(rig->mem);
	free(rig);
}

static void assert_reaches(struct rig *rig, uint16_t source, uint64_t iova, uint64_t wanted)
{
	uint64_t phys = 0;

	assert_int_equal(fake_vtd_dma(&rig->fake, source, iova, false, &phys), 0);
	assert_int_equal(phys, wanted);
}

static void assert_blocked(struct rig *rig, uint16_t source, uint64_t iova, bool write)
{
	uint64_t phys;

	assert_int_not_equal(fake_vtd_dma(&rig->fake, source, iova, write, &phys), 0);
	assert_int_equal(vtd_unit_poll(rig->backend.unit), 1);
}

static void life(uint64_t cap, bool scalable, enum vtd_stage stage)
{
	struct rig *rig = rig_make(cap, scalable, stage);
	struct iommu_domain *domain = rig->domain;
	const struct iommu_map_entry *maps;
	struct iommu_info info;

	assert_string_equal(iommu_domain_backend(domain), "vtd");
	assert_int_equal(iommu_map(domain, 0, PAGE, rig->page, RW), -EINVAL); /* nobody attached */
	assert_int_equal(iommu_domain_attach(domain, DEV, "0000:00:03.0"), 0);
	assert_int_equal(iommu_domain_attach(domain, DEV, "0000:00:03.0"), 0);
	assert_int_equal(iommu_domain_info(domain, &info), 0);
	assert_int_equal(info.page_sizes & (PAGE | 2 * MIB), PAGE | 2 * MIB);
	assert_int_equal(info.maps_left, UINT32_MAX);
	assert_blocked(rig, DEV, 0x1000, false);
	/* A page, and a large one that is one entry of the table. */
	assert_int_equal(iommu_map(domain, 0x1000, PAGE, rig->page, IOMMU_READ), 0);
	assert_int_equal(iommu_map(domain, 4 * MIB, 2 * MIB, rig->large, RW), 0);
	assert_int_equal(iommu_map(domain, 4 * MIB, 2 * MIB, rig->large, RW), 0); /* the same */
	assert_int_equal(iommu_map(domain, 4 * MIB, PAGE, rig->page, RW), -EEXIST);
	assert_int_equal(iommu_domain_maps(domain, &maps), 2);
	assert_reaches(rig, DEV, 0x1234, rig->page_phys + 0x234);
	assert_reaches(rig, DEV, 4 * MIB + 0x12345, rig->large_phys + 0x12345);
	assert_blocked(rig, DEV, 0x1000, true);
	/* A second function in the same domain, which others do not reach. */
	assert_blocked(rig, OTHER, 0x1000, false);
	assert_int_equal(iommu_domain_attach(domain, OTHER, "0000:01:00.1"), 0);
	assert_reaches(rig, OTHER, 0x1000, rig->page_phys);
	iommu_domain_detach(domain, OTHER);
	assert_blocked(rig, OTHER, 0x1000, false);
	/* Memory that goes while the device runs, and comes back elsewhere. */
	assert_int_equal(iommu_unmap(domain, 4 * MIB, 2 * MIB), 0);
	assert_blocked(rig, DEV, 4 * MIB, false);
	assert_int_equal(iommu_unmap(domain, 4 * MIB, 2 * MIB), -ENOENT);
	assert_int_equal(iommu_map(domain, GIB, 2 * MIB, rig->large, RW), 0);
	assert_reaches(rig, DEV, GIB, rig->large_phys);
	/* The last function takes all with it. */
	iommu_domain_detach(domain, DEV);
	assert_int_equal(iommu_domain_maps(domain, &maps), 0);
	assert_blocked(rig, DEV, GIB, false);
	assert_int_equal(iommu_domain_attach(domain, DEV, "0000:00:03.0"), 0);
	assert_blocked(rig, DEV, GIB, false);
	assert_int_equal(iommu_map(domain, 0, PAGE, rig->page, RW), 0);
	assert_reaches(rig, DEV, 0, rig->page_phys);
	rig_free(rig, true);
}

static void in_every_mode(void **state)
{
	(void)state;
	life(FAKE_CAP, false, VTD_SECOND_STAGE);
	life(FAKE_CAP | FAKE_CM, false, VTD_SECOND_STAGE);
	life(FAKE_CAP, true, VTD_SECOND_STAGE);
	life(FAKE_CAP | FAKE_CM, true, VTD_FIRST_STAGE);
}

/* What firmware keeps and where interrupts are sent is nobody's to map. */
static void usable_addresses(void **state)
{
	static const struct range reserved[] = {{0x7d000000, 0x7dffffff},
						{0xfed00000, 0xfeefffff},
						{UINT64_C(1) << 47, UINT64_MAX}};
	struct rig *rig = rig_make(FAKE_CAP, false, VTD_SECOND_STAGE);
	struct iommu_info info;

	(void)state;
	assert_int_equal(iommu_domain_attach(rig->domain, DEV, "0000:00:03.0"), 0);
	assert_int_equal(iommu_domain_info(rig->domain, &info), 0);
	assert_int_equal(info.usable_count, 2);
	assert_int_equal(info.usable[0].last, 0xfedfffff);
	assert_int_equal(info.usable[1].start, 0xfef00000);
	assert_int_equal(info.usable[1].last, (UINT64_C(1) << 48) - 1);
	rig->backend.reserved = reserved;
	rig->backend.reserved_count = ARRAY_SIZE(reserved);
	assert_int_equal(iommu_domain_info(rig->domain, &info), 0);
	assert_int_equal(info.usable_count, 3);
	assert_int_equal(info.usable[0].last, 0x7cffffff);
	assert_int_equal(info.usable[1].start, 0x7e000000);
	assert_int_equal(info.usable[1].last, 0xfecfffff);
	assert_int_equal(info.usable[2].start, 0xfef00000);
	assert_int_equal(info.usable[2].last, (UINT64_C(1) << 47) - 1);
	assert_int_equal(iommu_map(rig->domain, 0xfee00000, PAGE, rig->page, RW), -EINVAL);
	assert_int_equal(iommu_map(rig->domain, 0x7d000000, PAGE, rig->page, RW), -EINVAL);
	assert_int_equal(iommu_map(rig->domain, UINT64_C(1) << 48, PAGE, rig->page, RW), -EINVAL);
	rig_free(rig, true);
}

static void only_pinned_memory(void **state)
{
	struct rig *rig = rig_make(FAKE_CAP, false, VTD_SECOND_STAGE);
	const struct iommu_map_entry *maps;
	char *foreign = aligned_alloc(PAGE, PAGE);

	(void)state;
	assert_int_equal(iommu_domain_attach(rig->domain, DEV, "0000:00:03.0"), 0);
	assert_int_equal(iommu_map(rig->domain, 0, PAGE, foreign, RW), -EFAULT);
	/* Beginning in our memory, and reaching beyond. */
	assert_int_equal(iommu_map(rig->domain, 0, 4 * MIB, rig->large, RW), -EFAULT);
	assert_blocked(rig, DEV, 0, false);
	rig->chunks.moved = 2 * MIB;
	assert_int_equal(iommu_map(rig->domain, 0, PAGE, rig->page, RW), -EFAULT);
	rig->chunks.moved = 0;
	assert_int_equal(iommu_domain_maps(rig->domain, &maps), 0);
	assert_int_equal(iommu_map(rig->domain, 0, PAGE, rig->page, RW), 0);
	free(foreign);
	rig_free(rig, true);
}

static void an_error_of_the_unit(void **state)
{
	struct rig *rig = rig_make(FAKE_CAP | FAKE_CM, false, VTD_SECOND_STAGE);
	const struct iommu_map_entry *maps;

	(void)state;
	assert_int_equal(iommu_domain_attach(rig->domain, DEV, "0000:00:03.0"), 0);
	rig->fake.refuse = VTD_INV_IOTLB;
	assert_int_equal(iommu_map(rig->domain, 0, 2 * MIB, rig->large, RW), -EIO);
	assert_blocked(rig, DEV, 0, false);
	assert_int_equal(iommu_domain_maps(rig->domain, &maps), 0);
	assert_int_equal(iommu_map(rig->domain, 0, 2 * MIB, rig->large, RW), 0);
	assert_reaches(rig, DEV, 0, rig->large_phys);
	rig_free(rig, true);
}

/* A map of two pieces on both sides of 1 GiB, so each with a table of its own, while memory for
 * tables has one page more each time: what fails at the second piece has left nothing of the first.
 */
static void all_or_nothing(void **state)
{
	struct rig *rig = rig_make(FAKE_CAP, false, VTD_SECOND_STAGE);
	uint64_t taken[16 * VTD_CHUNK_PAGES], phys, iova = GIB - 2 * MIB;
	const struct iommu_map_entry *maps;
	unsigned failures = 0;
	size_t count = 0;
	int err = -ENOMEM;

	(void)state;
	char *more = vtd_mem_alloc(rig->mem, VTD_CHUNK_PAGES, &phys); /* the third chunk */
	char *both = vtd_mem_alloc(rig->mem, VTD_CHUNK_PAGES, &phys); /* the fourth */
	assert_ptr_equal(both, more + VTD_CHUNK);
	assert_int_equal(iommu_domain_attach(rig->domain, DEV, "0000:00:03.0"), 0);
	rig->chunks.limit = rig->chunks.count;
	while (vtd_mem_alloc(rig->mem, 1, &taken[count]))
		count++;
	while ((err = iommu_map(rig->domain, iova, 4 * MIB, more, RW)) == -ENOMEM) {
		failures++;
		assert_int_equal(iommu_domain_maps(rig->domain, &maps), 0);
		assert_int_equal(vtd_space_info(rig->backend.space).tables, 1);
		assert_blocked(rig, DEV, iova, false);
		vtd_mem_free(rig->mem, taken[--count], 1);
	}
	assert_int_equal(err, 0);
	assert_true(failures >= 3);
	assert_reaches(rig, DEV, iova, phys - 2 * MIB);
	assert_reaches(rig, DEV, GIB, phys);
	while (count)
		vtd_mem_free(rig->mem, taken[--count], 1);
	vtd_mem_free(rig->mem, phys, VTD_CHUNK_PAGES);
	vtd_mem_free(rig->mem, phys - VTD_CHUNK, VTD_CHUNK_PAGES);
	rig_free(rig, true);
}

static void what_cannot_be_attached(void **state)
{
	struct rig *rig = rig_make(FAKE_CAP, false, VTD_FIRST_STAGE);
	struct iommu_domain *second;
	struct vtd_backend backend;

	(void)state;
	/* No first stage outside of scalable mode. */
	assert_int_equal(iommu_domain_attach(rig->domain, DEV, "0000:00:03.0"), -EOPNOTSUPP);
	rig->backend.stage = VTD_SECOND_STAGE;
	assert_int_equal(iommu_domain_attach(rig->domain, -1, "?"), -EINVAL);
	assert_int_equal(iommu_domain_attach(rig->domain, 0x10000, "?"), -EINVAL);
	assert_int_equal(iommu_domain_attach(rig->domain, DEV, "0000:00:03.0"), 0);
	assert_int_equal(iommu_device_open(rig->domain, DEV, "0000:00:03.0"), -EOPNOTSUPP);
	assert_int_equal(iommu_dirty_start(rig->domain), -EOPNOTSUPP);
	/* In one domain at a time. */
	backend = rig->backend;
	backend.space = NULL;
	assert_int_equal(iommu_domain_create_on(&iommu_backend_vtd, &backend, &second), 0);
	assert_int_equal(iommu_domain_attach(second, DEV, "0000:00:03.0"), -EBUSY);
	assert_null(backend.space);
	assert_int_equal(iommu_domain_attach(second, OTHER, "0000:01:00.1"), 0);
	iommu_domain_destroy(second);
	rig_free(rig, true);
}

/* A unit that does not answer any more keeps what it may still walk. */
static void a_broken_unit(void **state)
{
	struct rig *rig = rig_make(FAKE_CAP | FAKE_CM, false, VTD_SECOND_STAGE);

	(void)state;
	assert_int_equal(iommu_domain_attach(rig->domain, DEV, "0000:00:03.0"), 0);
	assert_int_equal(iommu_map(rig->domain, 0, PAGE, rig->page, RW), 0);
	rig->fake.silent = true;
	assert_int_equal(iommu_unmap(rig->domain, 0, PAGE), -ETIMEDOUT);
	assert_int_equal(iommu_map(rig->domain, GIB, PAGE, rig->page, RW), -EIO);
	rig_free(rig, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_every_mode),      cmocka_unit_test(usable_addresses),
		cmocka_unit_test(only_pinned_memory), cmocka_unit_test(an_error_of_the_unit),
		cmocka_unit_test(all_or_nothing),     cmocka_unit_test(what_cannot_be_attached),
		cmocka_unit_test(a_broken_unit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
