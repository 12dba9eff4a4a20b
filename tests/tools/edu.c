/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * edu: our VT-d driver and QEMU's teaching device, on the emulated host. Speaks TAP.
 *
 *     edu run BDF legacy|scalable second|first       takes the unit in front of the device, has the
 *                                                    device do DMA and raise interrupts, allowed
 *                                                    and not
 *     edu domain BDF legacy|scalable second|first    DMA through maps made with iommu_map
 *     edu hold BDF legacy|scalable second|first      sets everything up and waits to be killed
 *     edu state BDF                                  base and GSTS of the unit, as numbers
 *
 * Where the unit is, and how wide addresses are, comes from the firmware's table.
 *
 * The device (QEMU: docs/specs/edu.rst) has 4 KiB of its own memory at 0x40000 and copies between
 * that and the addresses of a DMA mask of 28 bits, so every I/O address here is below 256 MiB.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/io.h"
#include "base/util.h"
#include "iommu/iommu.h"
#include "iommu/vtd_backend.h"
#include "iommu/vtd_driver.h"
#include "iommu/vtd_place.h"

#define RUN_DIR	  "/run/sluice"
#define HUGETLBFS "/dev/hugepages"
#define RW	  (PAGETABLE_READ | PAGETABLE_WRITE)

#define EDU_RAISE   0x60
#define EDU_DMA_SRC 0x80
#define EDU_DMA_DST 0x88
#define EDU_DMA_LEN 0x90
#define EDU_DMA_CMD 0x98
#define EDU_START   1u
#define EDU_TO_RAM  2u
#define EDU_BUFFER  0x40000u
#define EDU_LENGTH  256u

/* Where things are mapped: a small page, a large one, one to be read, nothing. */
#define IOVA_SMALL    0x100000u
#define IOVA_LARGE    0x200000u
#define IOVA_READONLY 0x401000u
#define IOVA_NOTHING  0x800000u

#define VECTOR 0xd5 /* that the kernel gave to nobody */

struct rig {
	struct vtd_driver *driver;
	struct vtd_unit *unit;
	struct vtd_space *space; /* ours, or the domain's */
	struct vtd_backend backend;
	struct iommu_domain *domain;
	struct sysfs fs;
	struct vtd_place place;
	struct bdf bdf;
	uint16_t source;
	bool scalable, first;
	volatile char *bar;
	int config;
	char *small, *large, *readonly;
	uint64_t small_phys, large_phys, readonly_phys;
	struct vtd_fault fault; /* the last one */
	unsigned faults;
	int failed;
};

static void say(struct rig *rig, bool good, const char *fmt, ...)
{
	va_list args;

	printf("%s - ", good ? "ok" : "not ok");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	rig->failed |= !good;
}

static void must(int err, const char *what)
{
	if (err >= 0)
		return;
	printf("not ok - %s: %s\n", what, strerror(-err));
	exit(1);
}

/* ---- the device ---- */

static void edu_open(struct rig *rig)
{
	char path[128], text[BDF_TEXT];
	uint16_t command;

	bdf_format(rig->bdf, text);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/config", text);
	rig->config = open(path, O_RDWR | O_CLOEXEC);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource0", text);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	must(fd < 0 || rig->config < 0 ? -errno : 0, path);
	/* Memory space and bus master. */
	must(io_pread_full(rig->config, &command, 2, 4), "command register");
	command |= 6;
	must(pwrite(rig->config, &command, 2, 4) == 2 ? 0 : -EIO, "command register");
	rig->bar = mmap(NULL, 1u << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must(rig->bar == MAP_FAILED ? -errno : 0, "resource0");
	io_close(&fd);
}

static void edu_write64(struct rig *rig, unsigned reg, uint64_t value)
{
	*(volatile uint64_t *)(volatile void *)(rig->bar + reg) = value;
}

static void edu_dma(struct rig *rig, uint64_t iova, unsigned direction)
{
	unsigned rounds = 200;

	edu_write64(rig, EDU_DMA_SRC, direction & EDU_TO_RAM ? EDU_BUFFER : iova);
	edu_write64(rig, EDU_DMA_DST, direction & EDU_TO_RAM ? iova : EDU_BUFFER);
	edu_write64(rig, EDU_DMA_LEN, EDU_LENGTH);
	edu_write64(rig, EDU_DMA_CMD, direction | EDU_START);
	while (*(volatile uint64_t *)(volatile void *)(rig->bar + EDU_DMA_CMD) & EDU_START &&
	       rounds--)
		usleep(10000);
	say(rig, rounds != 0, "the device is through with its DMA at 0x%" PRIx64, iova);
	vtd_unit_poll(rig->unit);
}

/* Its MSI capability is the first of its kind in the list (PCI 6.8.1), with 64-bit addresses. */
static void edu_msi(struct rig *rig, struct vtd_msi msi)
{
	uint8_t at = 0, header[4] = {0};
	const uint32_t high = 0;
	uint16_t control;

	must(io_pread_full(rig->config, &at, 1, 0x34), "capabilities");
	for (;;) {
		must(at ? io_pread_full(rig->config, header, 4, at) : -ENOENT, "MSI");
		if (header[0] == 5)
			break;
		at = header[1];
	}
	control = (uint16_t)(header[2] | header[3] << 8 | 1);
	bool good = pwrite(rig->config, &msi.address, 4, at + 4) == 4 &&
		    pwrite(rig->config, &high, 4, at + 8) == 4 &&
		    pwrite(rig->config, &msi.data, 2, at + 12) == 2 &&
		    pwrite(rig->config, &control, 2, at + 2) == 2;
	must(good ? 0 : -EIO, "MSI");
}

static void edu_raise(struct rig *rig)
{
	*(volatile uint32_t *)(volatile void *)(rig->bar + EDU_RAISE) = 1;
	usleep(100000);
	vtd_unit_poll(rig->unit);
}

/* ---- the unit ---- */

static void take_fault(void *opaque, const struct vtd_fault *fault)
{
	struct rig *rig = opaque;

	rig->fault = *fault;
	rig->faults++;
}

static void unit_open(struct rig *rig)
{
	const struct vtd_driver_config config = {
		.base = rig->place.base,
		.size = rig->place.size,
		.fs = &rig->fs,
		.run_dir = RUN_DIR,
		.hugetlbfs = HUGETLBFS,
		.unit =
			{
				.host_width = rig->place.host_width,
				.scalable = rig->scalable,
				.pass_through = true,
				.interrupts = 256,
				.fault = take_fault,
				.opaque = rig,
			},
	};

	must(vtd_driver_open(&config, &rig->driver), "the unit is taken");
	rig->unit = vtd_driver_unit(rig->driver);
	struct vtd_mem *mem = vtd_driver_mem(rig->driver);
	rig->large = vtd_mem_alloc(mem, VTD_CHUNK_PAGES, &rig->large_phys);
	rig->small = vtd_mem_alloc(mem, 1, &rig->small_phys);
	rig->readonly = vtd_mem_alloc(mem, 1, &rig->readonly_phys);
	must(rig->large && rig->small && rig->readonly ? 0 : -ENOMEM, "memory for DMA");
}

static void space_open(struct rig *rig)
{
	must(vtd_space_create(rig->unit, rig->first ? VTD_FIRST_STAGE : VTD_SECOND_STAGE,
			      &rig->space),
	     "an address space");
	must(vtd_attach(rig->space, rig->bdf), "the device is attached");
	must(vtd_map(rig->space, IOVA_SMALL, rig->small_phys, 4096, RW), "map 4 KiB");
	must(vtd_map(rig->space, IOVA_LARGE, rig->large_phys, VTD_CHUNK, RW), "map 2 MiB");
	must(vtd_map(rig->space, IOVA_READONLY, rig->readonly_phys, 4096, PAGETABLE_READ),
	     "map 4 KiB to be read");
	say(rig, true, "the unit is taken, and translates for the device");
}

static uint64_t page_size_at(const struct rig *rig, uint64_t iova)
{
	struct pagetable_trouble trouble;
	struct pagetable_span span;

	return pagetable_lookup(vtd_space_table(rig->space), iova, &span, &trouble) == 0
		       ? span.page_size
		       : 0;
}

/* ---- checks ---- */

static bool all_of(const char *at, char value)
{
	for (unsigned i = 0; i < EDU_LENGTH; i++)
		if (at[i] != value)
			return false;
	return true;
}

/* A copy RAM → device → RAM; `to` must hold what was in `from`. */
static void check_copy(struct rig *rig, uint64_t from, char *from_at, uint64_t to, char *to_at,
		       char value)
{
	memset(from_at, value, EDU_LENGTH);
	memset(to_at, 0, EDU_LENGTH);
	rig->faults = 0;
	edu_dma(rig, from, 0);
	edu_dma(rig, to, EDU_TO_RAM);
	say(rig, all_of(to_at, value) && !rig->faults,
	    "DMA from 0x%" PRIx64 " (%" PRIu64 " KiB page) to 0x%" PRIx64 " (%" PRIu64
	    " KiB page) reaches exactly that memory",
	    from, page_size_at(rig, from) / 1024, to, page_size_at(rig, to) / 1024);
}

static void check_blocked(struct rig *rig, uint64_t iova, unsigned direction, const char *what)
{
	enum vtd_request request = direction ? VTD_REQUEST_WRITE : VTD_REQUEST_READ;
	char text[VTD_FAULT_TEXT] = "nothing";

	rig->faults = 0;
	edu_dma(rig, iova, direction);
	if (rig->faults)
		vtd_fault_text(&rig->fault, text);
	say(rig,
	    rig->faults && rig->fault.source == rig->source && rig->fault.request == request &&
		    rig->fault.address == ALIGN_DOWN(iova, UINT64_C(4096)),
	    "%s: told: %s", what, text);
}

static void dma_checks(struct rig *rig)
{
	say(rig, page_size_at(rig, IOVA_SMALL) == 4 * KIB, "one page of 4 KiB");
	say(rig, page_size_at(rig, IOVA_LARGE) == 2 * MIB, "one page of 2 MiB");
	check_copy(rig, IOVA_SMALL, rig->small, IOVA_LARGE + 0x123000, rig->large + 0x123000, 0x5a);
	check_copy(rig, IOVA_LARGE + 0x1ff000, rig->large + 0x1ff000, IOVA_SMALL, rig->small, 0x3c);

	check_blocked(rig, IOVA_NOTHING, EDU_TO_RAM, "a write outside of the map");
	check_blocked(rig, IOVA_NOTHING, 0, "a read outside of the map");
	memset(rig->readonly, 0x11, EDU_LENGTH);
	check_blocked(rig, IOVA_READONLY, EDU_TO_RAM, "a write to what may be read");
	say(rig, all_of(rig->readonly, 0x11), "and the page is as it was");
	/* Last: QEMU records no fault for an access that its IOTLB already knows to be refused. */
	check_copy(rig, IOVA_READONLY, rig->readonly, IOVA_SMALL + 0x800, rig->small + 0x800, 0x77);
}

static void unmap_checks(struct rig *rig)
{
	uint64_t bytes = 0, hole = IOVA_LARGE + 0x123000;

	must(vtd_unmap(rig->space, IOVA_SMALL, 4096, &bytes), "unmap 4 KiB");
	memset(rig->small, 0x22, EDU_LENGTH);
	check_blocked(rig, IOVA_SMALL, EDU_TO_RAM, "a write to what is mapped no more");
	say(rig, all_of(rig->small, 0x22), "and the page is as it was");
	/* Out of the middle of a large page. */
	must(vtd_unmap(rig->space, hole, 4096, &bytes), "unmap 4 KiB of 2 MiB");
	say(rig, bytes == 4096 && page_size_at(rig, hole + 4096) == 4096,
	    "a large page with a hole is small pages");
	check_blocked(rig, hole, EDU_TO_RAM, "a write into the hole");
	check_copy(rig, hole + 4096, rig->large + 0x124000, hole - 4096, rig->large + 0x122000,
		   0x66);
	must(vtd_map(rig->space, hole, rig->large_phys + 0x123000, 4096, RW), "fill the hole");
	say(rig, page_size_at(rig, hole) == 2 * MIB, "filled, it is one large page again");
	check_copy(rig, hole, rig->large + 0x123000, hole - 4096, rig->large + 0x122000, 0x67);
}

/* The kernel says so of a vector that it gave to nobody. */
static bool kernel_saw_vector(int kmsg)
{
	char line[1024], vector[16];
	ssize_t got;

	snprintf(vector, sizeof(vector), ".%d", VECTOR);
	while ((got = read(kmsg, line, sizeof(line) - 1)) > 0) {
		line[got] = '\0';
		if (strstr(line, "No irq handler for") && strstr(line, vector))
			return true;
	}
	return false;
}

static void check_irq_blocked(struct rig *rig, unsigned index, uint8_t reason, const char *what)
{
	char text[VTD_FAULT_TEXT] = "nothing";

	rig->faults = 0;
	edu_raise(rig);
	if (rig->faults)
		vtd_fault_text(&rig->fault, text);
	say(rig,
	    rig->faults && rig->fault.source == rig->source && rig->fault.reason == reason &&
		    rig->fault.index == index,
	    "%s: told: %s", what, text);
}

static void interrupt_checks(struct rig *rig)
{
	int kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	int index = vtd_interrupt_alloc(rig->unit, 1);
	struct vtd_irte irte = {
		.present = true,
		.vector = VECTOR,
		.check = VTD_SVT_REQUESTER,
		.source = (uint16_t)(rig->source ^ 8),
	};

	must(kmsg < 0 ? -errno : index, "an interrupt entry");
	lseek(kmsg, 0, SEEK_END);
	edu_msi(rig, vtd_msi_encode((uint16_t)index, false));
	check_irq_blocked(rig, (unsigned)index, 0x22, "an interrupt with an absent entry");
	must(vtd_interrupt_set(rig->unit, (unsigned)index, &irte), "an entry of another device");
	check_irq_blocked(rig, (unsigned)index, 0x26, "an interrupt through another's entry");
	say(rig, !kernel_saw_vector(kmsg), "no processor has seen either");
	irte.source = rig->source;
	must(vtd_interrupt_set(rig->unit, (unsigned)index, &irte), "its entry");
	rig->faults = 0;
	edu_raise(rig);
	say(rig, !rig->faults && kernel_saw_vector(kmsg),
	    "an interrupt through its own entry reaches a processor");
	vtd_interrupt_free(rig->unit, (unsigned)index, 1);
	check_irq_blocked(rig, (unsigned)index, 0x22, "an interrupt with its entry freed");
	close(kmsg);
}

/* ---- the same through a domain ---- */

static void domain_open(struct rig *rig)
{
	char text[BDF_TEXT];

	rig->backend = (struct vtd_backend){
		.unit = rig->unit,
		.mem = vtd_driver_mem(rig->driver),
		.stage = rig->first ? VTD_FIRST_STAGE : VTD_SECOND_STAGE,
		.reserved = rig->place.reserved,
		.reserved_count = rig->place.reserved_count,
	};
	must(iommu_domain_create_on(&iommu_backend_vtd, &rig->backend, &rig->domain), "a domain");
	must(iommu_domain_attach(rig->domain, rig->source, bdf_format(rig->bdf, text)),
	     "the device is attached");
	rig->space = rig->backend.space;
	must(iommu_map(rig->domain, IOVA_SMALL, 4096, rig->small, IOMMU_READ | IOMMU_WRITE),
	     "map 4 KiB");
	must(iommu_map(rig->domain, IOVA_LARGE, VTD_CHUNK, rig->large, IOMMU_READ | IOMMU_WRITE),
	     "map 2 MiB");
	must(iommu_map(rig->domain, IOVA_READONLY, 4096, rig->readonly, IOMMU_READ),
	     "map 4 KiB to be read");
	say(rig, !strcmp(iommu_domain_backend(rig->domain), "vtd"),
	    "a domain on our own driver has the device");
}

static void domain_checks(struct rig *rig)
{
	char *foreign = aligned_alloc(4096, 4096);
	struct iommu_info info;

	must(foreign ? 0 : -ENOMEM, "memory");
	dma_checks(rig);
	must(iommu_domain_info(rig->domain, &info), "info");
	say(rig, info.usable_count >= 2 && info.page_sizes & 2 * MIB,
	    "%zu usable ranges, pages of 0x%" PRIx64, info.usable_count, info.page_sizes);
	say(rig, iommu_map(rig->domain, IOVA_NOTHING, 4096, foreign, IOMMU_READ) == -EFAULT,
	    "memory that may move is not mapped");
	say(rig, iommu_map(rig->domain, 0xfee00000, 4096, rig->small, IOMMU_READ) == -EINVAL,
	    "nor anything where interrupts are sent");
	must(iommu_unmap(rig->domain, IOVA_SMALL, 4096), "unmap 4 KiB");
	memset(rig->small, 0x22, EDU_LENGTH);
	check_blocked(rig, IOVA_SMALL, EDU_TO_RAM, "a write to what is mapped no more");
	say(rig, all_of(rig->small, 0x22), "and the page is as it was");
	must(iommu_unmap(rig->domain, IOVA_LARGE, VTD_CHUNK), "unmap 2 MiB");
	check_blocked(rig, IOVA_LARGE + 0x5000, 0, "a read of what is mapped no more");
	must(iommu_map(rig->domain, IOVA_SMALL, 4096, rig->readonly, IOMMU_READ | IOMMU_WRITE),
	     "map another page there");
	must(iommu_map(rig->domain, IOVA_LARGE, VTD_CHUNK, rig->large, IOMMU_READ | IOMMU_WRITE),
	     "map 2 MiB again");
	check_copy(rig, IOVA_SMALL, rig->readonly, IOVA_LARGE, rig->large, 0x44);
	iommu_domain_detach(rig->domain, rig->source);
	check_blocked(rig, IOVA_LARGE, EDU_TO_RAM, "a write after the device was detached");
	iommu_domain_destroy(rig->domain);
	vtd_driver_close(rig->driver);
	free(foreign);
}

static void run(struct rig *rig)
{
	struct vtd_fault_counts counts;

	dma_checks(rig);
	unmap_checks(rig);
	interrupt_checks(rig);
	must(vtd_detach(rig->space, rig->bdf), "detach");
	check_blocked(rig, IOVA_LARGE, EDU_TO_RAM, "a write after the device was detached");
	counts = vtd_unit_faults(rig->unit);
	say(rig, counts.taken >= 9 && counts.told <= counts.taken,
	    "%" PRIu64 " faults taken, %" PRIu64 " told", counts.taken, counts.told);
	vtd_space_destroy(rig->space);
	vtd_driver_close(rig->driver);
}

static uint32_t state_of(uint64_t base)
{
	struct vtd_window *window;
	struct vtd_io io;

	must(vtd_window_open(VTD_MEMORY, base, VTD_REGS_MIN_SIZE, &window, &io), "registers");
	uint32_t state = io.read32(io.opaque, VTD_GSTS);
	vtd_window_close(window);
	return state;
}

static int by_verb(struct rig *rig, const char *verb)
{
	unit_open(rig);
	edu_open(rig);
	if (!strcmp(verb, "domain")) {
		domain_open(rig);
		domain_checks(rig);
		return rig->failed;
	}
	space_open(rig);
	if (!strcmp(verb, "hold")) {
		printf("holding\n");
		pause();
		return 1;
	}
	run(rig);
	return rig->failed;
}

int main(int argc, char **argv)
{
	struct rig rig = {0};

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 3 || bdf_parse(argv[2], &rig.bdf) < 0)
		return 2;
	must(sysfs_open(&rig.fs, "/sys"), "/sys");
	must(vtd_place_find(&rig.fs, rig.bdf, &rig.place), "the unit in front of the device");
	if (!strcmp(argv[1], "state")) {
		printf("0x%" PRIx64 " 0x%08x\n", rig.place.base, state_of(rig.place.base));
		return 0;
	}
	if (argc < 5)
		return 2;
	rig.source = (uint16_t)(rig.bdf.bus << 8 | rig.bdf.dev << 3 | rig.bdf.fn);
	rig.scalable = !strcmp(argv[3], "scalable");
	rig.first = !strcmp(argv[4], "first");
	return by_verb(&rig, argv[1]);
}
