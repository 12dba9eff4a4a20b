/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hugepages of a file. The file lies on an ordinary file system here, which says that it is a
 * hugetlbfs, and a made-up pagemap tells where its pages lie; the lab has the real ones.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cmocka.h>

#include "iommu/vtd_mem.h"

#define PRESENT (UINT64_C(1) << 63)

/* What the kernel says here; one test at a time. */
static struct kernel {
	int pagemap;	   /* our pagemap, or -1 */
	uint64_t word;	   /* what it says of the next map */
	long magic, block; /* of the file system */
	int no_space, no_map, no_lock;
} kernel;

int __real_fstatfs(int fd, struct statfs *fs);
int __wrap_fstatfs(int fd, struct statfs *fs);
int __wrap_fallocate(int fd, int mode, off_t offset, off_t len);
void *__real_mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset);
int __wrap_mlock(const void *at, size_t len);

int __wrap_fstatfs(int fd, struct statfs *fs)
{
	int result = __real_fstatfs(fd, fs);

	fs->f_type = kernel.magic;
	fs->f_bsize = kernel.block;
	return result;
}

int __wrap_fallocate(int fd, int mode, off_t offset, off_t len)
{
	assert_int_equal(mode, 0);
	errno = kernel.no_space;
	return errno ? -1 : ftruncate(fd, offset + len);
}

static void tell(const void *at, uint64_t word)
{
	assert_int_equal(pwrite(kernel.pagemap, &word, 8, (off_t)((uintptr_t)at / 4096 * 8)), 8);
}

void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset)
{
	assert_int_equal(len, VTD_CHUNK);
	assert_int_equal(flags & MAP_SHARED, MAP_SHARED);
	errno = kernel.no_map;
	void *map =
		errno ? MAP_FAILED : __real_mmap(at, len, prot, flags & ~MAP_POPULATE, fd, offset);
	if (map != MAP_FAILED && kernel.pagemap >= 0)
		tell(map, kernel.word);
	return map;
}

int __wrap_mlock(const void *at, size_t len)
{
	(void)at, (void)len;
	errno = kernel.no_lock;
	return errno ? -1 : 0;
}

struct rig {
	char dir[32], path[48], pagemap[48];
	struct vtd_hugefile *file;
	struct vtd_mem_source source;
};

static int setup(void **state)
{
	static struct rig rig;

	strcpy(rig.dir, "/tmp/vtd-hugefile-XXXXXX");
	assert_non_null(mkdtemp(rig.dir));
	snprintf(rig.path, sizeof(rig.path), "%s/pages", rig.dir);
	snprintf(rig.pagemap, sizeof(rig.pagemap), "%s/pagemap", rig.dir);
	kernel = (struct kernel){.magic = HUGETLBFS_MAGIC, .block = VTD_CHUNK};
	kernel.pagemap = open(rig.pagemap, O_RDWR | O_CREAT, 0600);
	kernel.word = PRESENT | 0x200000; /* 8 GiB, in frames */
	*state = &rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	close(kernel.pagemap);
	unlink(rig->path);
	unlink(rig->pagemap);
	return rmdir(rig->dir);
}

static void open_it(struct rig *rig)
{
	assert_int_equal(vtd_hugefile_open(rig->path, rig->pagemap, &rig->file, &rig->source), 0);
}

static void pages_with_an_address(void **state)
{
	struct rig *rig = *state;
	uint64_t phys, other;
	void *one, *two;

	open_it(rig);
	assert_int_equal(rig->source.grow(rig->source.opaque, &one, &phys), 0);
	assert_int_equal(phys, UINT64_C(0x200000000));
	kernel.word += 512 * 7;
	assert_int_equal(rig->source.grow(rig->source.opaque, &two, &other), 0);
	assert_int_equal(other, UINT64_C(0x200000000) + 7 * VTD_CHUNK);
	memset(one, 1, VTD_CHUNK); /* two pieces of one file */
	assert_int_equal(*(char *)two, 0);
	assert_int_equal(rig->source.find(rig->source.opaque, one, &phys), 0);
	assert_int_equal(phys, UINT64_C(0x200000000));
	tell(one, PRESENT | 0x400000); /* moved: that is found */
	assert_int_equal(rig->source.find(rig->source.opaque, one, &phys), 0);
	assert_int_equal(phys, UINT64_C(0x400000000));
	rig->source.release(rig->source.opaque, one);
	rig->source.release(rig->source.opaque, two);
	vtd_hugefile_close(rig->file);
	assert_int_equal(access(rig->path, F_OK), 0); /* for whoever comes after a kill -9 */
}

static void pages_without(void **state)
{
	static const struct {
		uint64_t word;
		int err;
	} cases[] = {
		{0x200000, -EFAULT},	       /* not in memory */
		{PRESENT, -EPERM},	       /* hidden */
		{PRESENT | 0x200001, -EFAULT}, /* no hugepage */
	};
	struct rig *rig = *state;
	uint64_t phys;
	void *at;

	open_it(rig);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		kernel.word = cases[i].word;
		assert_int_equal(rig->source.grow(rig->source.opaque, &at, &phys), cases[i].err);
	}
	assert_int_equal(ftruncate(kernel.pagemap, 0), 0);
	assert_int_equal(rig->source.find(rig->source.opaque, rig, &phys), -EPIPE);
	vtd_hugefile_close(rig->file);
}

static void what_the_kernel_refuses(void **state)
{
	struct rig *rig = *state;
	uint64_t phys;
	void *at;

	open_it(rig);
	kernel.no_space = ENOSPC;
	assert_int_equal(rig->source.grow(rig->source.opaque, &at, &phys), -ENOSPC);
	kernel.no_space = 0;
	kernel.no_map = ENOMEM;
	assert_int_equal(rig->source.grow(rig->source.opaque, &at, &phys), -ENOMEM);
	kernel.no_map = 0;
	kernel.no_lock = EPERM;
	assert_int_equal(rig->source.grow(rig->source.opaque, &at, &phys), -EPERM);
	kernel.no_lock = 0;
	assert_int_equal(rig->source.grow(rig->source.opaque, &at, &phys), 0);
	rig->source.release(rig->source.opaque, at);
	vtd_hugefile_close(rig->file);
}

static void files_that_are_none(void **state)
{
	struct rig *rig = *state;
	struct vtd_hugefile *file;

	kernel.magic = TMPFS_MAGIC;
	assert_int_equal(vtd_hugefile_open(rig->path, rig->pagemap, &file, &rig->source), -EINVAL);
	kernel.magic = HUGETLBFS_MAGIC;
	kernel.block = 1 << 30; /* pages of 1 GiB */
	assert_int_equal(vtd_hugefile_open(rig->path, rig->pagemap, &file, &rig->source), -EINVAL);
	assert_int_equal(access(rig->path, F_OK), -1);
	kernel.block = VTD_CHUNK;
	assert_int_equal(vtd_hugefile_open("/nowhere/at/all", rig->pagemap, &file, &rig->source),
			 -ENOENT);
	assert_int_equal(vtd_hugefile_open(rig->path, "/nowhere", &file, &rig->source), -EPERM);
	assert_int_equal(access(rig->path, F_OK), -1);
	open_it(rig); /* never one that is there already */
	assert_int_equal(vtd_hugefile_open(rig->path, rig->pagemap, &file, &rig->source), -EEXIST);
	vtd_hugefile_close(rig->file);
	vtd_hugefile_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(pages_with_an_address, setup, teardown),
		cmocka_unit_test_setup_teardown(pages_without, setup, teardown),
		cmocka_unit_test_setup_teardown(what_the_kernel_refuses, setup, teardown),
		cmocka_unit_test_setup_teardown(files_that_are_none, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
