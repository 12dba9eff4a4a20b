/* SPDX-License-Identifier: BSD-3-Clause */
/* vm_request_test: the texts of vm run's options, and the exit codes they promise. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"
#include "cli/vm_request.h"

static void test_exit_port_text(void **state)
{
	static const char *const bad[] = {
		"", "0", "-1", "0x", "0xf4 ", "65533", "0xffffffffffffffff1", "nothing", "12q"};
	char why[VF_SPEC_WHY];
	int port = 7;
	(void)state;

	assert_int_equal(vm_request_port("0xf4", &port, why), 0);
	assert_int_equal(port, 0xf4);
	assert_int_equal(vm_request_port("1281", &port, why), 0);
	assert_int_equal(port, 0x501);
	assert_int_equal(vm_request_port("none", &port, why), 0);
	assert_int_equal(port, 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(vm_request_port(bad[i], &port, why), -EINVAL);
	assert_non_null(strstr(why, "exit port '12q'"));
}

static void test_cpus_text(void **state)
{
	static const char *const bad[] = {"",	      "0",	 "65",	     "2,",
					  "2,max=",   "2,max=1", "2,max=65", "2,maximum=3",
					  "2 ,max=3", ",max=3"};
	char why[VF_SPEC_WHY];
	unsigned cpus, max;
	(void)state;

	assert_int_equal(vm_request_cpus("3", &cpus, &max, why), 0);
	assert_int_equal(cpus, 3);
	assert_int_equal(max, 0);
	assert_int_equal(vm_request_cpus("2,max=8", &cpus, &max, why), 0);
	assert_int_equal(cpus, 2);
	assert_int_equal(max, 8);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(vm_request_cpus(bad[i], &cpus, &max, why), -EINVAL);
	assert_non_null(strstr(why, "cpus ',max=3'"));
}

static int kernel(const uint32_t *words, size_t size)
{
	int fd = memfd_create("kernel", MFD_CLOEXEC);

	assert_int_equal(write(fd, words, size), (ssize_t)size);
	return fd;
}

static void test_exit_port_by_kernel(void **state)
{
	const uint32_t multiboot[] = {0x1badb002, 0, 0u - 0x1badb002}, other[] = {0, 0, 0};
	struct vm_request r = {.exit_port = EXIT_PORT_BY_KERNEL};
	int fd = kernel(multiboot, sizeof(multiboot)), plain = kernel(other, sizeof(other));
	(void)state;

	vm_request_exit_port(&r, fd);
	assert_int_equal(r.exit_port, 0xf4);
	assert_int_equal(vm_failed(&r), CLI_NO_STATUS);
	r.exit_port = 0; /* none was wanted */
	vm_request_exit_port(&r, fd);
	assert_int_equal(r.exit_port, 0);
	assert_int_equal(vm_failed(&r), CLI_FAILED);
	r.exit_port = EXIT_PORT_BY_KERNEL;
	vm_request_exit_port(&r, plain);
	assert_int_equal(r.exit_port, 0);
	close(fd);
	close(plain);
}

static void test_pins(void **state)
{
	char why[VF_SPEC_WHY];
	int pin[2] = {-1, -1};
	(void)state;

	assert_int_equal(vm_request_pin("0:3,1:2", 2, pin, why), 0);
	assert_int_equal(pin[0], 3);
	assert_int_equal(pin[1], 2);
	assert_int_equal(vm_request_pin("0:1", 2, pin, why), -EINVAL); /* twice */
	pin[0] = -1;
	assert_int_equal(vm_request_pin("2:1", 2, pin, why), -EINVAL);
	assert_int_equal(vm_request_pin("0-1", 2, pin, why), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exit_port_text),
		cmocka_unit_test(test_cpus_text),
		cmocka_unit_test(test_exit_port_by_kernel),
		cmocka_unit_test(test_pins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
