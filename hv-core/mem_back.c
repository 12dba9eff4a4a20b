/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mem_back: the host memory that guest RAM is made of.
 *
 * A memfd, so that another process can be given the same memory, in pages of the size asked for:
 * from the host's reserve of huge pages, or 4K pages which the kernel may join to 2M ones (THP).
 * For a memfd that last thing needs a switch of the host's; where it is off, RAM that nobody else
 * must see is private memory instead, which has a switch of its own and usually an open one.
 *
 * Both kinds are named "guest-ram" in /proc/PID/smaps, so that a reader can tell what is the
 * guest's from what the monitor itself takes.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/memfd.h>
#include <linux/prctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/util.h"
#include "hv-core/mem.h"
#include "hv-core/numa.h"

#define NAME	     "guest-ram"
#define SHMEM_SWITCH "kernel/mm/transparent_hugepage/shmem_enabled"
#define THP_SWITCH   "kernel/mm/transparent_hugepage/enabled"
#define KSM_SWITCH   "kernel/mm/ksm/run"

/* ---- is there enough? ---- */

static int check_huge(const char *subject, const struct hv_config *config, const struct sysfs *sys)
{
	uint64_t page = hv_mem_page_size(config->pages), needed = config->ram / page;
	unsigned long kib = (unsigned long)(page / KIB);
	const char *unit = config->pages == HV_PAGES_1G ? "1G" : "2M";
	uint64_t total = 0, unused = 0, promised = 0;

	if (sysfs_read_u64(sys, &unused, "kernel/mm/hugepages/hugepages-%lukB/free_hugepages",
			   kib) < 0 ||
	    sysfs_read_u64(sys, &total, "kernel/mm/hugepages/hugepages-%lukB/nr_hugepages", kib) <
		    0)
		return log_fail(-ENOMEM, subject,
				"not created: this host has no huge pages of %s; choose another "
				"page size",
				unit);
	/* Pages that somebody has mapped and not yet touched count as free there. */
	sysfs_read_u64(sys, &promised, "kernel/mm/hugepages/hugepages-%lukB/resv_hugepages", kib);
	unused -= MIN(promised, unused);
	if (unused >= needed)
		return 0;
	return log_fail(-ENOMEM, subject,
			"not created: %" PRIu64 " huge pages of %s are needed and %" PRIu64
			" are free: %" PRIu64 " are missing; reserve them with: echo %" PRIu64
			" > /sys/kernel/mm/hugepages/hugepages-%lukB/nr_hugepages",
			needed, unit, unused, needed - unused, total + needed - unused, kib);
}

/* "MemAvailable:    1234 kB" of /proc/meminfo: what can be had without swapping (proc(5)). */
static int read_available(const struct sysfs *proc, uint64_t *bytes)
{
	int fd = openat(proc->root, "meminfo", O_RDONLY | O_CLOEXEC);
	char *text = NULL;
	size_t len;
	int rc = fd < 0 ? -errno : io_read_file(fd, 64 * KIB, &text, &len);

	io_close(&fd);
	if (rc == 0) {
		const char *line = text ? strstr(text, "\nMemAvailable:") : NULL;
		uint64_t kib;

		rc = line && sscanf(line, " MemAvailable: %" SCNu64 " kB", &kib) == 1 ? 0 : -EPROTO;
		if (rc == 0)
			*bytes = kib * KIB;
	}
	free(text);
	return rc;
}

int hv_mem_check(const char *subject, const struct hv_config *config, const struct sysfs *sys,
		 const struct sysfs *proc)
{
	char wanted[PARSE_SIZE_TEXT], there[PARSE_SIZE_TEXT];
	uint64_t available = 0;

	int nodes = hv_numa_check(subject, config, sys);

	if (nodes < 0)
		return nodes;
	if (config->pages == HV_PAGES_2M || config->pages == HV_PAGES_1G)
		return check_huge(subject, config, sys);
	if (hv_mem_file_mapped(config)) /* it takes what the guest changes, no more */
		return 0;
	int rc = read_available(proc, &available);
	if (rc < 0)
		return log_fail(rc, subject, "not created: /proc/meminfo: %s", strerror(-rc));
	if (config->ram <= available)
		return 0;
	return log_fail(-ENOMEM, subject,
			"not created: it wants %s of memory and the host has %s available; "
			"give it less",
			format_size(config->ram, wanted), format_size(available, there));
}

/* ---- getting it ---- */

struct backing {
	bool memfd;
	bool advise;	  /* ask for transparent huge pages */
	unsigned hugetlb; /* MFD_HUGETLB and its size, or 0 */
};

/* Whether the word in [brackets] is one of the two that mean "no". */
static bool switched_off(const struct sysfs *sys, const char *path)
{
	char text[128];

	if (sysfs_read(sys, text, sizeof(text), "%s", path) < 0)
		return true;
	return strstr(text, "[never]") || strstr(text, "[deny]");
}

static struct backing choose(const char *subject, const struct hv_config *config,
			     const struct sysfs *sys)
{
	if (hv_mem_file_mapped(config))
		return (struct backing){.advise = config->pages == HV_PAGES_THP};
	switch (config->pages) {
	case HV_PAGES_2M:
		return (struct backing){.memfd = true, .hugetlb = MFD_HUGETLB | MFD_HUGE_2MB};
	case HV_PAGES_1G:
		return (struct backing){.memfd = true, .hugetlb = MFD_HUGETLB | MFD_HUGE_1GB};
	case HV_PAGES_4K:
		return (struct backing){.memfd = !config->merge};
	case HV_PAGES_THP:
		break;
	}
	if (config->merge)
		return (struct backing){.advise = !switched_off(sys, THP_SWITCH)};
	if (!switched_off(sys, SHMEM_SWITCH))
		return (struct backing){.memfd = true, .advise = true};
	if (!config->share_ram && !switched_off(sys, THP_SWITCH))
		return (struct backing){.advise = true};
	log_warn(subject, "its memory gets 4K pages: transparent huge pages are off for it; "
			  "echo advise > /sys/" SHMEM_SWITCH " turns them on");
	return (struct backing){.memfd = true};
}

/* The size is sealed: whoever else is handed the descriptor cannot take pages from under us. */
static int open_memfd(uint64_t size, unsigned hugetlb)
{
	int fd = memfd_create(NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING | hugetlb);

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)size) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		int err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

/* Address space first, then memory at an aligned place inside it. */
static int map_aligned(struct hv_mem_back *back, uint64_t align)
{
	int flags = MAP_FIXED | (back->fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS);
	uint64_t reserve = back->size + align;
	void *map =
		mmap(NULL, reserve, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (map == MAP_FAILED)
		return -errno;
	back->map = map;
	back->map_size = reserve;
	uintptr_t at = ALIGN_UP((uintptr_t)map, (uintptr_t)align);
	back->hva = mmap((void *)at, back->size, PROT_READ | PROT_WRITE, flags, back->fd, 0);
	return back->hva == MAP_FAILED ? -errno : 0;
}

static void describe(struct hv_mem_back *back, const struct hv_config *config, struct backing how)
{
	uint64_t page = hv_mem_page_size(config->pages);
	char size[PARSE_SIZE_TEXT];

	format_size(back->size, size);
	if (how.hugetlb)
		snprintf(back->text, sizeof(back->text),
			 "%s in %" PRIu64 " pages of %s (memfd, hugetlb)", size, back->size / page,
			 page == GIB ? "1G" : "2M");
	else
		snprintf(back->text, sizeof(back->text), "%s in pages of 4K%s (%s%s%s)", size,
			 how.advise ? ", 2M where the host can" : "",
			 hv_mem_file_mapped(config) ? "saved file, copy on write"
			 : how.memfd		    ? "memfd"
						    : "private memory",
			 how.advise ? ", THP" : "", config->merge ? ", KSM" : "");
}

/* Hints: guest memory has no place in a core dump, and may be made of large pages. */
static void advise(const struct hv_mem_back *back, struct backing how)
{
	madvise(back->hva, back->size, MADV_DONTDUMP);
	if (how.advise)
		madvise(back->hva, back->size, MADV_HUGEPAGE);
	if (!how.memfd)
		prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, back->hva, back->size, NAME);
}

/* Pages that are equal in this VM and in others become one (KSM), if the host's kernel does so. A
 * process may have inherited the wish (prctl PR_SET_MEMORY_MERGE): RAM has only its own. */
static int set_merge(const char *subject, const struct hv_config *config, const struct sysfs *sys,
		     const struct hv_mem_back *back)
{
	uint64_t run = 0;

	if (!config->merge) {
		madvise(back->hva, back->size, MADV_UNMERGEABLE); /* -EINVAL without KSM */
		return 0;
	}
	if (madvise(back->hva, back->size, MADV_MERGEABLE) < 0)
		return log_fail(-errno, subject,
				"not created: its pages cannot be merged: %m; is the host's kernel "
				"built with KSM?");
	if (sysfs_read_u64(sys, &run, "%s", KSM_SWITCH) < 0 || run != 1)
		log_warn(subject,
			 "its pages may be merged, but the host's kernel does not do so now; echo "
			 "1 > /sys/" KSM_SWITCH " turns it on");
	return 0;
}

/* Where the pages come from, and what goes into them: both before the first is touched, and the
 * former again for what a mapped file has taken the place of. */
static int fill(const char *subject, const struct hv_config *config, const struct sysfs *sys,
		const struct hv_mem_back *back)
{
	int rc = hv_numa_bind(subject, config, back->hva);

	if (rc == 0 && config->ram_file)
		rc = hv_mem_file_fill(subject, config, back->hva);
	if (rc == 0 && hv_mem_file_mapped(config))
		rc = hv_numa_bind(subject, config, back->hva);
	return rc ? rc : set_merge(subject, config, sys, back);
}

int hv_mem_back(const char *subject, const struct hv_config *config, const struct sysfs *sys,
		struct hv_mem_back *out)
{
	struct backing how = choose(subject, config, sys);
	struct hv_mem_back back = {.size = config->ram, .fd = -1};
	int rc = 0;

	if (how.memfd)
		rc = back.fd = open_memfd(config->ram, how.hugetlb);
	if (rc >= 0)
		rc = map_aligned(&back, MAX(2 * MIB, hv_mem_page_size(config->pages)));
	if (rc < 0) {
		hv_mem_unback(&back);
		return log_fail(rc, subject, "not created: no memory for its RAM: %s",
				strerror(-rc));
	}
	advise(&back, how);
	rc = fill(subject, config, sys, &back);
	if (rc < 0) {
		hv_mem_unback(&back);
		return rc;
	}
	describe(&back, config, how);
	*out = back;
	return 0;
}

void hv_mem_unback(struct hv_mem_back *back)
{
	if (back->map)
		munmap(back->map, back->map_size);
	back->map = NULL;
	io_close(&back->fd);
}
