/* SPDX-License-Identifier: BSD-3-Clause */
/* vm_file: what is written is read again; every kind of damage is found, and named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "cli/vm_file.h"
#include "hv-core/xxh64.h"

#define LOW  (6 * MIB)
#define HIGH (3 * MIB + 8 * KIB)
#define RAM  (LOW + HIGH)

struct fixture {
	int fd, ram_fd;
	uint8_t *ram;
	struct hv_ram_block block[2];
	atomic_uint_fast64_t done;
	atomic_bool cancel;
	struct vm_file_source source;
};

static struct fixture f;

/* Two blocks of one memfd, as RAM is; a word at the start, one in the middle, one at the end. */
static int setup(void **state)
{
	(void)state;
	f = (struct fixture){.fd = memfd_create("saved", 0), .ram_fd = memfd_create("ram", 0)};
	assert_int_equal(ftruncate(f.ram_fd, RAM), 0);
	f.ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_SHARED, f.ram_fd, 0);
	assert_true(f.ram != MAP_FAILED);
	strcpy((char *)f.ram, "first");
	strcpy((char *)f.ram + LOW - 6, "inner");
	strcpy((char *)f.ram + RAM - 6, "outer");
	f.block[0] = (struct hv_ram_block){.size = LOW, .hva = f.ram, .fd = f.ram_fd};
	f.block[1] = (struct hv_ram_block){
		.gpa = 4 * GIB, .size = HIGH, .hva = f.ram + LOW, .fd = f.ram_fd, .offset = LOW};
	f.source = (struct vm_file_source){.block = f.block,
					   .blocks = 2,
					   .config = "{\"name\":\"web\"}",
					   .state = "{\"a\":\"17\"}",
					   .done = &f.done,
					   .cancel = &f.cancel};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	munmap(f.ram, RAM);
	close(f.ram_fd);
	close(f.fd);
	return 0;
}

static void write_it(void)
{
	assert_int_equal(vm_file_write(f.fd, &f.source), 0);
	assert_int_equal(f.done, RAM);
}

static void is_read_again(void **state)
{
	struct vm_file file;
	struct state *saved;
	json_t *config;
	char text[8];

	(void)state;
	write_it();
	assert_int_equal(vm_file_open("file", f.fd, &file), 0);
	assert_int_equal(file.header.ram_size, RAM);
	assert_int_equal(vm_file_config(&file, &config), 0);
	assert_string_equal(json_string_value(json_object_get(config, "name")), "web");
	assert_int_equal(vm_file_state(&file, &saved), 0);
	assert_int_equal(state_take(saved, "a", 100), 17);
	assert_int_equal(vm_file_verify(&file), 0);
	assert_int_equal(pread(f.fd, text, 6, VM_FILE_RAM_AT), 6);
	assert_string_equal(text, "first");
	assert_int_equal(pread(f.fd, text, 6, (off_t)(VM_FILE_RAM_AT + RAM - 6)), 6);
	assert_string_equal(text, "outer");
	state_free(saved);
	json_decref(config);
}

/* Zeroes take no room, in the file nor in the memory that was looked at. */
static void is_sparse(void **state)
{
	struct stat st;

	(void)state;
	write_it();
	assert_int_equal(fstat(f.fd, &st), 0);
	assert_true((uint64_t)st.st_size > VM_FILE_RAM_AT + RAM);
	assert_true((uint64_t)st.st_blocks * 512 < 64 * KIB);
	off_t hole = (off_t)(2 * MIB);
	assert_true(lseek(f.ram_fd, hole, SEEK_DATA) > hole + (off_t)MIB);
}

static void is_given_up(void **state)
{
	struct vm_file file;

	(void)state;
	f.cancel = true;
	assert_int_equal(vm_file_write(f.fd, &f.source), -ECANCELED);
	assert_int_equal(vm_file_open("file", f.fd, &file), -EINVAL); /* no header: no saved VM */
}

/* ---- damage ---- */

static void poke(uint64_t at, uint8_t flip)
{
	uint8_t byte;

	assert_int_equal(pread(f.fd, &byte, 1, (off_t)at), 1);
	byte ^= flip;
	assert_int_equal(pwrite(f.fd, &byte, 1, (off_t)at), 1);
}

/* What is said meanwhile goes into a file. */
static int said = -1, old_stderr = -1;

static void hear(void)
{
	said = memfd_create("said", 0);
	old_stderr = dup(STDERR_FILENO);
	dup2(said, STDERR_FILENO);
}

static void heard(int err, const char *words)
{
	char text[512] = "";

	dup2(old_stderr, STDERR_FILENO);
	close(old_stderr);
	ssize_t n = pread(said, text, sizeof(text) - 1, 0);
	close(said);
	if (err >= 0 || n <= 0 || !strstr(text, words))
		fail_msg("%d, and not '%s': %s", err, words, text);
	assert_ptr_equal(strchr(text, '\n'), text + n - 1); /* one line */
}

#define REFUSED(words, call)        \
	do {                        \
		hear();             \
		int err_ = (call);  \
		heard(err_, words); \
	} while (0)

static int open_file(struct vm_file *file)
{
	return vm_file_open("web.vm", f.fd, file);
}

static void no_saved_vm(void **state)
{
	struct vm_file file;

	(void)state;
	REFUSED("web.vm: not restored: this is no saved VM", open_file(&file));
	assert_int_equal(ftruncate(f.fd, 4096), 0);
	REFUSED("this is no saved VM", open_file(&file));
}

static void bad_header(void **state)
{
	struct vm_file_header h;
	struct vm_file file;

	(void)state;
	write_it();
	for (uint64_t at = 12; at < sizeof(h); at++) { /* behind magic and version */
		poke(at, 0x40);
		REFUSED("its header does not fit its checksum", open_file(&file));
		poke(at, 0x40);
	}
	poke(3, 1);
	REFUSED("no saved VM", open_file(&file));
	poke(3, 1);
	poke(8, 2);
	REFUSED("saved in format 3, and this sluice reads format 1", open_file(&file));
	poke(8, 2);
	assert_int_equal(open_file(&file), 0);
}

/* A header that somebody made, with a checksum that fits. */
static void forge(struct vm_file_header h)
{
	h.sum = hv_xxh64(&h, offsetof(struct vm_file_header, sum), 0);
	assert_int_equal(pwrite(f.fd, &h, sizeof(h), 0), sizeof(h));
}

static void forged_header(void **state)
{
	struct vm_file file;

	(void)state;
	write_it();
	assert_int_equal(open_file(&file), 0);
	const struct vm_file_header good = file.header;
	for (int i = 0; i < 10; i++) {
		struct vm_file_header h = good;

		switch (i) {
		case 0:
			h.chunk = 4096;
			break;
		case 1:
			h.ram_offset = 4096;
			break;
		case 2:
			h.ram_size = UINT64_MAX - 4095;
			break;
		case 3:
			h.ram_size = 0;
			break;
		case 4:
			h.state.offset = 0;
			break;
		case 5:
			h.state.offset = UINT64_MAX;
			break;
		case 6:
			h.state.size = UINT64_MAX;
			break;
		case 7:
			h.config.size = h.file_size;
			break;
		case 8:
			h.sums.size -= 8;
			break;
		case 9:
			h.ram_size += 12345;
			break;
		}
		forge(h);
		REFUSED("its header contradicts itself", open_file(&file));
	}
	forge(good);
	assert_int_equal(open_file(&file), 0);
}

static void another_length(void **state)
{
	struct vm_file file;
	struct stat st;

	(void)state;
	write_it();
	assert_int_equal(fstat(f.fd, &st), 0);
	assert_int_equal(ftruncate(f.fd, st.st_size - 1), 0);
	REFUSED("the file is cut off", open_file(&file));
	assert_int_equal(ftruncate(f.fd, st.st_size + 1), 0);
	REFUSED("the file is longer than it was", open_file(&file));
}

static void bad_parts(void **state)
{
	struct vm_file file;
	struct state *saved;
	json_t *config;

	(void)state;
	write_it();
	assert_int_equal(open_file(&file), 0);
	poke(file.header.config.offset + 3, 1);
	REFUSED("its configuration does not fit", vm_file_config(&file, &config));
	poke(file.header.state.offset + 3, 1);
	REFUSED("its state does not fit its checksum", vm_file_state(&file, &saved));
	assert_int_equal(vm_file_verify(&file), 0);
	poke(file.header.sums.offset, 1);
	REFUSED("the table of memory's checksums does not fit", vm_file_verify(&file));
}

static void bad_memory(void **state)
{
	static const uint64_t places[] = {0, 3 * MIB, LOW, RAM - 1}; /* the second is a hole */
	struct vm_file file;

	(void)state;
	write_it();
	assert_int_equal(open_file(&file), 0);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		char words[64];

		poke(VM_FILE_RAM_AT + places[i], 1);
		snprintf(words, sizeof(words), "memory at 0x%llx does not fit",
			 (unsigned long long)ALIGN_DOWN(places[i], VM_FILE_CHUNK));
		REFUSED(words, vm_file_verify(&file));
		poke(VM_FILE_RAM_AT + places[i], 1);
	}
	assert_int_equal(vm_file_verify(&file), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(is_read_again),  TEST(is_sparse),	TEST(is_given_up),
		TEST(no_saved_vm),    TEST(bad_header), TEST(forged_header),
		TEST(another_length), TEST(bad_parts),	TEST(bad_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
