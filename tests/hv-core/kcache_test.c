/* SPDX-License-Identifier: BSD-3-Clause */
/* Unit tests of hv-core/kcache.c and xxh64.c: a round trip, and every kind of damage found. */
#include "hv-core/kcache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/xxh64.h"
#include "tests/hv-core/kernel_image.h"

struct rig {
	char path[32];
	int dir;
	uint8_t file[KI_ELF_LEN + 64];
	struct hv_vmlinux image;
	struct hv_kcache_key key;
};

static const char *why;

static void sums_as_the_specification_says(void **state)
{
	(void)state;
	assert_true(xxh64("", 0, 0) == UINT64_C(0xef46db3751d8e999));
	assert_true(xxh64("a", 1, 0) == UINT64_C(0xd24ec4f1a98c6e5b));
	assert_true(xxh64("abc", 3, 0) == UINT64_C(0x44bc2cf5ad770999));
	assert_true(xxh64("The quick brown fox jumps over the lazy dog", 43, 0) ==
		    UINT64_C(0x0b242d361fda71bc));
}

static void store(struct rig *r)
{
	assert_int_equal(hv_kcache_store(r->dir, &r->key, &r->image), 0);
}

static int read_back(struct rig *r, uint8_t *memory)
{
	struct hv_kcache entry;
	int err = hv_kcache_open(r->dir, &r->key, &entry);

	if (err < 0)
		return err;
	assert_int_equal(entry.image.span, KI_SPAN);
	assert_int_equal(entry.image.load, KI_LOAD);
	assert_int_equal(entry.image.entry, KI_ENTRY);
	err = hv_kcache_read(&entry, memory);
	if (err == 0) /* the table came along, too */
		assert_int_equal(hv_vmlinux_relocate(&entry.image, memory, 0), 0);
	assert_int_equal(entry.image.relocs[HV_RELOC_INVERSE], 1);
	hv_kcache_close(&entry);
	return err;
}

static void gives_back_what_was_stored(void **state)
{
	struct rig *r = *state;
	uint8_t *memory = calloc(1, KI_SPAN);

	assert_int_equal(read_back(r, memory), -ENOENT);
	store(r);
	assert_int_equal(read_back(r, memory), 0);
	assert_memory_equal(memory, r->file + KI_SEG0_OFFSET, KI_SEG0_LEN);
	assert_memory_equal(memory + KI_SEG1_AT, r->file + KI_SEG1_OFFSET, KI_SEG1_FILE);
	free(memory);
}

static int open_entry(struct rig *r, size_t *size)
{
	char name[HV_KCACHE_NAME];
	struct stat st;
	int fd;

	hv_kcache_name(&r->key, name);
	fd = openat(r->dir, name, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	*size = (size_t)st.st_size;
	return fd;
}

/* One bit anywhere that matters; the padding in front of the data does not. */
static void finds_a_flipped_bit(void **state)
{
	static const off_t at[] = {0, 9, 47, 60, 80, 95, 100, 119, 120, 140, 170, 4096, 5000, 8192};
	struct rig *r = *state;
	uint8_t *memory = calloc(1, KI_SPAN), byte;
	size_t size;

	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		int fd;

		store(r);
		fd = open_entry(r, &size);
		assert_int_equal(pread(fd, &byte, 1, at[i]), 1);
		byte ^= 0x10;
		assert_int_equal(pwrite(fd, &byte, 1, at[i]), 1);
		close(fd);
		assert_int_equal(read_back(r, memory), -EBADMSG);
	}
	free(memory);
}

static void finds_truncation(void **state)
{
	struct rig *r = *state;
	uint8_t *memory = calloc(1, KI_SPAN);
	size_t size, lens[] = {0, 50, 121, 4096, 9000, 0};

	store(r);
	close(open_entry(r, &size));
	lens[5] = size - 1;
	for (size_t i = 0; i < 6; i++) {
		int fd;

		store(r);
		fd = open_entry(r, &size);
		assert_int_equal(ftruncate(fd, (off_t)lens[i]), 0);
		close(fd);
		assert_int_equal(read_back(r, memory), -EBADMSG);
	}
	free(memory);
}

/* An entry under the name of another key: names are hashes and may meet. */
static void refuses_another_kernels_entry(void **state)
{
	struct rig *r = *state;
	char from[HV_KCACHE_NAME], to[HV_KCACHE_NAME];
	struct hv_kcache entry;

	store(r);
	hv_kcache_name(&r->key, from);
	r->key.mtime_ns++;
	hv_kcache_name(&r->key, to);
	assert_string_not_equal(from, to);
	assert_int_equal(hv_kcache_open(r->dir, &r->key, &entry), -ENOENT);
	assert_int_equal(renameat(r->dir, from, r->dir, to), 0);
	assert_int_equal(hv_kcache_open(r->dir, &r->key, &entry), -EBADMSG);
}

static unsigned count_files(struct rig *r)
{
	int fd = openat(r->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fdopendir(fd);
	unsigned count = 0;
	struct dirent *e;

	while ((e = readdir(d)) != NULL)
		count += e->d_name[0] != '.';
	closedir(d);
	return count;
}

static void keeps_the_newest(void **state)
{
	struct rig *r = *state;
	struct hv_kcache entry;

	for (unsigned i = 0; i < HV_KCACHE_KEEP + 3; i++) {
		char name[HV_KCACHE_NAME];
		const struct timespec when[2] = {{1000 + i, 0}, {1000 + i, 0}};

		r->key.ino = i;
		store(r);
		hv_kcache_name(&r->key, name);
		assert_int_equal(utimensat(r->dir, name, when, 0), 0);
	}
	assert_int_equal(count_files(r), HV_KCACHE_KEEP);
	assert_int_equal(hv_kcache_open(r->dir, &r->key, &entry), 0);
	hv_kcache_close(&entry);
	r->key.ino = 0;
	assert_int_equal(hv_kcache_open(r->dir, &r->key, &entry), -ENOENT);
}

static void leaves_nothing_where_it_may_not_write(void **state)
{
	struct rig *r = *state;
	int proc = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(hv_kcache_store(proc, &r->key, &r->image) < 0);
	close(proc);
}

static int setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));

	*state = r;
	if (!r)
		return -1;
	strcpy(r->path, "/tmp/kcache-XXXXXX");
	if (!mkdtemp(r->path))
		return -1;
	r->dir = open(r->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ki_elf(r->file);
	r->key = (struct hv_kcache_key){1, 2, 3, 4, 5};
	return hv_vmlinux_parse(r->file, KI_ELF_LEN + ki_relocs(r->file + KI_ELF_LEN, 1), &r->image,
				&why);
}

static int teardown(void **state)
{
	struct rig *r = *state;
	DIR *d = fdopendir(r->dir);
	struct dirent *e;

	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			unlinkat(r->dir, e->d_name, 0);
	closedir(d);
	rmdir(r->path);
	hv_vmlinux_finish(&r->image);
	free(r);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_as_the_specification_says),
		cmocka_unit_test_setup_teardown(gives_back_what_was_stored, setup, teardown),
		cmocka_unit_test_setup_teardown(finds_a_flipped_bit, setup, teardown),
		cmocka_unit_test_setup_teardown(finds_truncation, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses_another_kernels_entry, setup, teardown),
		cmocka_unit_test_setup_teardown(keeps_the_newest, setup, teardown),
		cmocka_unit_test_setup_teardown(leaves_nothing_where_it_may_not_write, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
