/* SPDX-License-Identifier: BSD-3-Clause */
/* Whole reads and writes, early ends, bounds, and close that keeps errno. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"

static int file_of(size_t len)
{
	int fd = memfd_create("io_test", MFD_CLOEXEC);
	char *bytes = malloc(len + 1);

	assert_true(fd >= 0);
	memset(bytes, 'a', len);
	assert_int_equal(io_write_full(fd, bytes, len), 0);
	free(bytes);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void test_whole_file(void **state)
{
	static const size_t sizes[] = {0, 1, 4095, 4096, 100000};
	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char *text;
		size_t len;
		int fd = file_of(sizes[i]);
		assert_int_equal(io_read_file(fd, sizes[i], &text, &len), 0);
		assert_int_equal(len, sizes[i]);
		assert_int_equal(strlen(text), sizes[i]);
		free(text);
		io_close(&fd);
	}
	int fd = file_of(11);
	char *text;
	assert_int_equal(io_read_file(fd, 10, &text, NULL), -EFBIG);
	io_close(&fd);
}

static void test_early_end(void **state)
{
	char buf[8];
	int fd = file_of(4);
	(void)state;
	assert_int_equal(io_read_full(fd, buf, 8), -EPIPE);
	assert_int_equal(io_pread_full(fd, buf, 4, 0), 0);
	assert_int_equal(io_pread_full(fd, buf, 4, 1), -EPIPE);
	io_close(&fd);
	assert_int_equal(fd, -1);
	errno = ENOENT;
	io_close(&fd); /* again: nothing happens */
	assert_int_equal(errno, ENOENT);
	assert_int_equal(io_read_full(-1, buf, 1), -EBADF);
}

static void test_flags(void **state)
{
	int fd = file_of(1);
	(void)state;
	assert_int_equal(io_set_cloexec(fd, 0), 0);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	assert_int_equal(io_set_cloexec(fd, 1), 0);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(io_set_nonblock(fd, 1), 0);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	io_close(&fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_file),
		cmocka_unit_test(test_early_end),
		cmocka_unit_test(test_flags),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
