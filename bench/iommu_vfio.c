/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the kernel takes to map and unmap 16 GiB of I/O addresses for a device on vfio-pci: the same
 * rows as the walker's, of what a VM's start and memory hot plug pay. Most of it is the kernel
 * finding and pinning pages; the tables are the smaller part.
 *
 *     iommu_vfio WHO ADDRESS    WHO, and the backend, name the rows
 *
 * The host need not have 16 GiB: the same memory is mapped again and again, at other I/O addresses.
 * The pages behind it are what the row says: ordinary ones, or hugepages, which are taken from what
 * was set aside (nr_hugepages). A row ends early when its time is up, and then shows the range it
 * came to.
 */
#include "bench/iommu_row.h"

#include <errno.h>
#include <linux/mman.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/util.h"
#include "iommu/iommu.h"

#define RANGE	  (16 * GIB)
#define START	  (4 * GIB) /* above the interrupt window */
#define MEMORY	  (512 * MIB)
#define BUDGET_NS 30e9
#define ENTRIES	  32768u /* of 65535 that a container takes */

struct bench {
	struct iommu_domain *domain;
	int device; /* what is attached to it */
	const char *address;
	char who[48];
};

/* Pages that hold page tables of an IOMMU; kernels since 6.11 tell. */
static int64_t table_pages(void)
{
	/* To be read once, so that every processor adds what it has counted
	 * (admin-guide/sysctl/vm). */
	FILE *file = fopen("/proc/sys/vm/stat_refresh", "re");
	long long count = -1;
	char line[128];

	if (file) {
		(void)fgetc(file);
		fclose(file);
	}
	file = fopen("/proc/vmstat", "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "nr_iommu_pages %lld", &count) == 1)
			break;
	if (file)
		fclose(file);
	return count;
}

static char *memory_of(uint64_t page, uint64_t size)
{
	unsigned flags = MAP_PRIVATE | MAP_ANONYMOUS;

	if (page == 2 * MIB)
		flags |= MAP_HUGETLB | MAP_HUGE_2MB;
	if (page == GIB)
		flags |= MAP_HUGETLB | MAP_HUGE_1GB;
	char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, (int)flags, -1, 0);
	if (at == MAP_FAILED)
		return NULL;
	if (page == 4 * KIB)
		madvise(at, size, MADV_NOHUGEPAGE);
	for (uint64_t i = 0; i < size; i += 4 * KIB)
		at[i] = 1;
	return at;
}

/* Maps until `range` or the time is used up; how far it came. */
static uint64_t map_all(struct bench *bench, char *memory, uint64_t size, uint64_t call,
			uint64_t range)
{
	double end = row_now() + BUDGET_NS;
	uint64_t at = 0;

	for (; at < range && row_now() < end; at += call)
		row_must(iommu_map(bench->domain, START + at, call, memory + at % size,
				   IOMMU_READ | IOMMU_WRITE),
			 "map");
	return at;
}

static void measure(struct bench *bench, uint64_t page, char *memory, uint64_t size, uint64_t call)
{
	uint64_t range = MIN(RANGE, call * ENTRIES);
	struct row row = {.who = bench->who, .page = page, .call = call, .lookup = -1};

	/* Every row begins with empty tables. */
	row_must(iommu_domain_attach(bench->domain, bench->device, bench->address), "attach");
	int64_t before = table_pages();
	double start = row_now();
	row.range = map_all(bench, memory, size, call, range);
	row.map = row_now() - start;
	row.tables = before < 0 ? -1 : (table_pages() - before) * 4096;
	start = row_now();
	for (uint64_t at = 0; at < row.range; at += call)
		row_must(iommu_unmap(bench->domain, START + at, call), "unmap");
	row.unmap = row_now() - start;
	iommu_domain_detach(bench->domain, bench->device);
	row_print(&row);
}

static void measure_pages(struct bench *bench, uint64_t page)
{
	char text[PARSE_SIZE_TEXT];
	uint64_t size = MAX(page, MEMORY);
	char *memory = memory_of(page, size);

	if (!memory) {
		printf("%-18s %-8s not measured: no hugepages of that size set aside (%s)\n",
		       bench->who, format_size(page, text), strerror(errno));
		return;
	}
	measure(bench, page, memory, size, size);
	if (page != size)
		measure(bench, page, memory, size, page);
	munmap(memory, size);
}

static void open_domain(struct bench *bench, const char *who, const char *address)
{
	struct iommu_group *group;
	struct iommu_info info;
	struct sysfs fs;
	struct bdf bdf;

	row_must(bdf_parse(address, &bdf), address);
	row_must(sysfs_open(&fs, "/sys"), "/sys");
	row_must(iommu_group_read(&fs, bdf, &group), "group");
	int container = iommu_open("bench");
	bench->device = iommu_open_group("bench", group->id);
	bench->address = address;
	if (container < 0 || bench->device < 0)
		exit(1);
	row_must(iommu_domain_create(container, &bench->domain), "domain");
	row_must(iommu_domain_attach(bench->domain, bench->device, address), "attach");
	row_must(iommu_domain_info(bench->domain, &info), "info");
	iommu_domain_detach(bench->domain, bench->device);
	snprintf(bench->who, sizeof(bench->who), "%s%s", who, iommu_domain_backend(bench->domain));
	if (!(info.page_sizes & GIB))
		printf("%-18s the unit has no pages of 1 GiB: smaller ones take their place\n",
		       bench->who);
	free(group);
	sysfs_close(&fs);
}

int main(int argc, char **argv)
{
	struct bench bench = {0};

	if (argc != 3)
		return 2;
	open_domain(&bench, argv[1], argv[2]);
	measure_pages(&bench, 4 * KIB);
	measure_pages(&bench, 2 * MIB);
	measure_pages(&bench, GIB);
	iommu_domain_destroy(bench.domain);
	return 0;
}
