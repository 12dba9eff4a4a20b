/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The audit of tables that anybody may have written: root, context, PASID, page and interrupt
 * tables in a handful of pages, and snapshots of any content whose checksum is good. Bounded work,
 * no access outside of the pages, a verdict in any case; and a snapshot of what was seen says the
 * same.
 *
 * The first byte chooses. 0xff: the rest is a snapshot. Else it is the mode of the unit, and every
 * 12 bytes are one entry: page, index, and what it says.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/util.h"
#include "iommu/audit.h"
#include "iommu/vtd_format.h"

#define PAGES	  8u
#define BASE	  UINT64_C(0x40000000)
#define UNITS_MAX 2u /* each costs a look at 65536 functions */
#define LEFT	  0x0008
#define RIGHT	  0x0010

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t pages[PAGES][512];

static int fetch(void *opaque, uint64_t phys, void *page)
{
	(void)opaque;
	if (phys < BASE || (phys - BASE) / 4096 >= PAGES)
		return -ENXIO;
	memcpy(page, pages[(phys - BASE) / 4096], 4096);
	return 0;
}

static void line(void *opaque, const char *text)
{
	*(size_t *)opaque += strlen(text);
}

/* Everything that looks at tables. */
static size_t look(struct audit *audit)
{
	struct audit_verdict verdict;
	size_t faults, told = 0;

	if (audit_run_all(audit, &verdict))
		abort();
	faults = verdict.faults;
	if (verdict.finding_count + verdict.suppressed < faults)
		abort();
	audit_verdict_free(&verdict);
	audit_dump(audit, line, &told);
	for (size_t i = 0; i < audit->device_count && i < 8; i++) {
		const struct audit_device *d = &audit->devices[i];
		audit_walk(audit, &audit->units[d->unit], d->rid, 0x200123, line, &told);
	}
	return faults;
}

static void fill(const uint8_t *data, size_t size)
{
	memset(pages, 0, sizeof(pages));
	for (; size >= 12; data += 12, size -= 12) {
		uint64_t raw;
		memcpy(&raw, data + 4, sizeof(raw));
		/* Half of the pointers stay at home: elsewhere is found soon enough. */
		if (data[1] & 1)
			raw = (raw & ~UINT64_C(0xffffffffff000)) |
			      (BASE + (uint64_t)(data[1] >> 1) % PAGES * 4096);
		pages[data[0] % PAGES][(data[2] | (unsigned)data[3] << 8) % 512] = raw;
	}
}

static void put_facts(struct audit *audit, uint8_t mode)
{
	const struct audit_unit unit = {
		.base = 0xfed90000,
		.cap = UINT64_C(0x80d2038c222f0606),
		.ecap = UINT64_C(0x00c80000f00f5a),
		.rtaddr = BASE | (uint64_t)(mode & 3) << 10,
		.irta = (BASE + 4096) | (mode >> 2 & 7),
		.gsts = VTD_GS_TE | VTD_GS_IRE,
		.host_width = 46,
	};
	const struct audit_owner owners[] = {{"vm left", 1, 1}, {"vm right", 2, 1}};
	const struct audit_device devices[] = {
		{.rid = LEFT, .owner = 0, .vfio = 1, .vectors = 2},
		{.rid = RIGHT, .owner = 1, .vfio = 1, .vectors = 2},
	};
	const struct audit_run runs[] = {{0, BASE, 4 * MIB, 1, 0}, {0, 2 * BASE, 4 * MIB, 0, 1}};
	int err = audit_add_unit(audit, &unit);

	for (size_t i = 0; i < 2 && !err; i++) {
		err = audit_add_owner(audit, &owners[i]);
		err = err ? err : audit_add_device(audit, &devices[i]);
		err = err ? err : audit_add_run(audit, &runs[i]);
	}
	if (err || audit_ready(audit))
		abort();
}

static void try_tables(const uint8_t *data, size_t size)
{
	struct audit audit = {.fetch = fetch}, again;
	int fd = memfd_create("snapshot", 0);

	fill(data + 1, size - 1);
	put_facts(&audit, data[0]);
	size_t faults = look(&audit);
	if (audit_save(&audit, fd) || lseek(fd, 0, SEEK_SET))
		abort();
	if (audit_load(fd, "snapshot", &again) || look(&again) != faults)
		abort();
	audit_finish(&again);
	audit_finish(&audit);
	close(fd);
}

static uint64_t checksum(const uint8_t *bytes, size_t len)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ bytes[i]) * UINT64_C(0x100000001b3);
	return sum;
}

static void try_snapshot(const uint8_t *data, size_t size)
{
	static const struct {
		char magic[8];
		uint32_t version;
	} head = {"SLUICEIO", 1};
	struct audit audit;
	uint8_t *bytes = malloc(size + 20);
	int fd = memfd_create("snapshot", 0);

	memcpy(bytes, &head, 12);
	memcpy(bytes + 12, data, size);
	uint64_t sum = checksum(bytes, size + 12);
	memcpy(bytes + 12 + size, &sum, 8);
	if (write(fd, bytes, size + 20) != (ssize_t)size + 20 || lseek(fd, 0, SEEK_SET))
		abort();
	free(bytes);
	if (!audit_load(fd, "snapshot", &audit)) {
		if (audit.unit_count <= UNITS_MAX)
			look(&audit);
		audit_finish(&audit);
	}
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size && data[0] == 0xff)
		try_snapshot(data + 1, size - 1);
	else if (size)
		try_tables(data, size);
	return 0;
}
