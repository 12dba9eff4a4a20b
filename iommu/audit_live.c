/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * audit_live: the facts of the machine that runs, and its memory.
 *
 * Registers lie in device memory: /dev/mem shows them to root, unless the kernel keeps what a
 * driver has claimed to itself (CONFIG_IO_STRICT_DEVMEM, undone by iomem=relaxed) or is locked
 * down. Tables lie in RAM: /proc/kcore, an ELF core file whose segments say which physical
 * addresses they show (fs/proc/kcore.c), lets root read all of it. Which pages a process has is in
 * /proc/PID/pagemap (Documentation/admin-guide/mm/pagemap.rst).
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/sysfs.h"
#include "base/util.h"
#include "iommu/audit_priv.h"
#include "iommu/dmar.h"

#define PAGE 4096u

/* A file of /dev or /proc. `path` is what messages call it. */
static int open_door(const char *root, const char *path, int flags)
{
	char whole[PATH_MAX];

	if (snprintf(whole, sizeof(whole), "%s%s", root ? root : "", path) >= (int)sizeof(whole))
		return -ENAMETOOLONG;
	int fd = open(whole, O_RDONLY | O_CLOEXEC | flags);
	return fd < 0 ? -errno : fd;
}

/* ---- memory ---- */

struct kcore {
	int fd;
	size_t count;
	Elf64_Phdr segments[];
};

static int kcore_page(void *opaque, uint64_t phys, void *page)
{
	const struct kcore *core = opaque;

	for (size_t i = 0; i < core->count; i++) {
		const Elf64_Phdr *s = &core->segments[i];
		/* Segments that are no memory have no physical address: 0 or -1. */
		if (s->p_type != PT_LOAD || s->p_paddr == UINT64_MAX ||
		    phys - s->p_paddr >= s->p_memsz || s->p_memsz - (phys - s->p_paddr) < PAGE)
			continue;
		if (!s->p_paddr && s->p_vaddr < UINT64_C(0xffff800000000000))
			continue;
		return io_pread_full(core->fd, page, PAGE,
				     (off_t)(s->p_offset + (phys - s->p_paddr)));
	}
	return -ENXIO;
}

static void kcore_close(void *opaque)
{
	struct kcore *core = opaque;

	close(core->fd);
	free(core);
}

static int kcore_open(const char *root, struct kcore **out)
{
	int fd = open_door(root, "/proc/kcore", 0);
	Elf64_Ehdr head;

	if (fd < 0)
		return log_fail(
			fd, "iommu",
			"table pages cannot be read: /proc/kcore: %s; run as root, on a kernel "
			"that is not locked down",
			strerror(-fd));
	int err = io_pread_full(fd, &head, sizeof(head), 0);
	struct kcore *core =
		err ? NULL : calloc(1, sizeof(*core) + head.e_phnum * sizeof(Elf64_Phdr));
	if (!err && !core)
		err = -ENOMEM;
	if (!err) {
		core->fd = fd;
		core->count = head.e_phnum;
		err = io_pread_full(fd, core->segments, core->count * sizeof(Elf64_Phdr),
				    (off_t)head.e_phoff);
	}
	if (err) {
		free(core);
		close(fd);
		return log_fail(err, "iommu", "table pages cannot be read: /proc/kcore: %s",
				strerror(-err));
	}
	*out = core;
	return 0;
}

/* ---- registers ---- */

static int read_unit(int mem, const struct dmar *dmar, const struct dmar_entry *drhd,
		     struct audit *out)
{
	volatile const char *regs =
		mmap(NULL, PAGE, PROT_READ, MAP_SHARED, mem, (off_t)drhd->range.start);

	if (regs == MAP_FAILED)
		return log_fail(-errno, "iommu",
				"registers of the unit at 0x%" PRIx64
				" cannot be read: /dev/mem: %m; boot with iomem=relaxed, on a "
				"kernel that is not locked down",
				drhd->range.start);
	const struct audit_unit unit = {
		.base = drhd->range.start,
		.cap = *(volatile const uint64_t *)(regs + VTD_CAP),
		.ecap = *(volatile const uint64_t *)(regs + VTD_ECAP),
		.rtaddr = *(volatile const uint64_t *)(regs + VTD_RTADDR),
		.irta = *(volatile const uint64_t *)(regs + VTD_IRTA),
		.version = *(volatile const uint32_t *)(regs + VTD_VER),
		.gsts = *(volatile const uint32_t *)(regs + VTD_GSTS),
		.segment = drhd->segment,
		.host_width = MIN(dmar->host_width, 52u),
	};
	munmap((void *)(uintptr_t)regs, PAGE);
	return audit_add_unit(out, &unit);
}

static int read_units(const struct dmar *dmar, struct audit *out)
{
	int err = 0, mem = open_door(out->root, "/dev/mem", O_SYNC);

	if (mem < 0)
		return log_fail(mem, "iommu",
				"registers cannot be read: /dev/mem: %s; run as root, on a kernel "
				"that is not locked down",
				strerror(-mem));
	for (size_t i = 0; i < dmar->count && !err; i++)
		if (dmar->entries[i].type == DMAR_DRHD)
			err = read_unit(mem, dmar, &dmar->entries[i], out);
	io_close(&mem);
	return err;
}

/* ---- functions ---- */

struct listing {
	const struct sysfs *fs;
	const struct dmar *dmar;
	struct audit *out;
	uint32_t count;
};

static int count_one(const char *name, void *opaque)
{
	(void)name;
	++*(uint32_t *)opaque;
	return 0;
}

static uint32_t unit_index(const struct audit *audit, uint64_t base)
{
	uint32_t i = 0;

	while (i < audit->unit_count && audit->units[i].base != base)
		i++;
	return i;
}

static int add_function(const char *name, void *opaque)
{
	struct listing *l = opaque;
	struct bdf bdf;

	if (bdf_parse(name, &bdf))
		return 0;
	const struct dmar_entry *unit = dmar_unit_of(l->dmar, l->fs, bdf);
	struct audit_device device = {
		.segment = bdf.domain,
		.rid = (uint16_t)(bdf.bus << 8 | bdf.dev << 3 | bdf.fn),
		.owner = AUDIT_HOST,
	};
	if (!unit)
		return 0;
	device.unit = unit_index(l->out, unit->range.start);
	if (sysfs_link_name(l->fs, device.driver, sizeof(device.driver),
			    "bus/pci/devices/%s/driver", name))
		device.driver[0] = '\0';
	device.vfio = strstr(device.driver, "vfio") != NULL;
	/* Absent without message interrupts. */
	if (sysfs_list(l->fs, count_one, &device.vectors, "bus/pci/devices/%s/msi_irqs", name))
		device.vectors = 0;
	return audit_add_device(l->out, &device);
}

/* I/O APICs and HPETs send interrupts with the requester ids that firmware gave them. */
static int add_scopes(const struct dmar_entry *entry, struct audit *out)
{
	int err = 0;

	for (size_t i = 0; i < entry->scope_count && !err; i++) {
		const struct dmar_scope *s = &entry->scopes[i];
		if (s->type == DMAR_SCOPE_IOAPIC || s->type == DMAR_SCOPE_HPET)
			err = audit_add_other(
				out, (uint16_t)(s->bus << 8 | s->path[0].dev << 3 | s->path[0].fn));
	}
	return err;
}

static int add_facts(const struct sysfs *fs, const struct dmar *dmar, struct audit *out)
{
	struct listing l = {.fs = fs, .dmar = dmar, .out = out};
	int err = read_units(dmar, out);

	for (size_t i = 0; i < dmar->count && !err; i++) {
		if (dmar->entries[i].type == DMAR_RMRR)
			err = audit_add_reserved(out, dmar->entries[i].range);
		if (dmar->entries[i].type == DMAR_DRHD)
			err = add_scopes(&dmar->entries[i], out);
	}
	return err ? err : sysfs_list(fs, add_function, &l, "bus/pci/devices");
}

int audit_open_live(const struct sysfs *fs, const char *root, struct audit *out)
{
	struct kcore *core = NULL;
	struct dmar *dmar = NULL;
	int err = dmar_read(fs, &dmar);

	*out = (struct audit){.root = root};
	if (!err)
		err = add_facts(fs, dmar, out);
	dmar_destroy(dmar);
	if (!err)
		err = kcore_open(root, &core);
	if (err) {
		audit_finish(out);
		return err;
	}
	out->fetch = kcore_page;
	out->close = kcore_close;
	out->opaque = core;
	return 0;
}

/* ---- pages of a process ---- */

#define PAGEMAP_PRESENT (UINT64_C(1) << 63)
#define PAGEMAP_FRAME	((UINT64_C(1) << 55) - 1)
#define BATCH		4096u

static int add_batch(struct audit *audit, const uint64_t *entries, size_t count,
		     struct audit_run *run, uint64_t iova)
{
	for (size_t i = 0; i < count; i++, iova += PAGE) {
		uint64_t phys = (entries[i] & PAGEMAP_FRAME) * PAGE;
		if (!(entries[i] & PAGEMAP_PRESENT) || !phys)
			return -ENODATA;
		if (run->size && phys == run->phys + run->size) {
			run->size += PAGE;
			continue;
		}
		int err = run->size ? audit_add_run(audit, run) : 0;
		if (err)
			return err;
		run->iova = iova;
		run->phys = phys;
		run->size = PAGE;
	}
	return 0;
}

int audit_add_memory(struct audit *audit, int owner, int pid, uint64_t hva, uint64_t iova,
		     uint64_t size, bool write)
{
	struct audit_run run = {.owner = owner, .write = write};
	uint64_t entries[BATCH];
	char path[48];
	int err = 0;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	int fd = open_door(audit->root, path, 0);
	if (fd < 0)
		return log_fail(fd, audit->owners[owner].name, "%s not opened: %s", path,
				strerror(-fd));
	for (uint64_t done = 0; done < size && !err; done += BATCH * (uint64_t)PAGE) {
		size_t count = (size_t)MIN((size - done) / PAGE, (uint64_t)BATCH);
		err = io_pread_full(fd, entries, count * sizeof(*entries),
				    (off_t)((hva + done) / PAGE * sizeof(*entries)));
		if (!err)
			err = add_batch(audit, entries, count, &run, iova + done);
	}
	io_close(&fd);
	if (!err && run.size)
		err = audit_add_run(audit, &run);
	return err;
}
