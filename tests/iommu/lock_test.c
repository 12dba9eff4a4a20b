/* SPDX-License-Identifier: BSD-3-Clause */
/* The locked-memory check against real limits, in a child without privilege. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"
#include "iommu/iommu.h"

/* Exit status of a child that may lock `limit` bytes, has locked `locked`, and asks for `ram`. */
static int ask(rlim_t limit, size_t locked, uint64_t ram)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct rlimit r = {limit, limit};
		if (geteuid() == 0 && setresuid(65534, 65534, 65534))
			_exit(99); /* nobody: no CAP_IPC_LOCK */
		if (setrlimit(RLIMIT_MEMLOCK, &r))
			_exit(98);
		void *p = mmap(NULL, 4096 + locked, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		/* not mlock(): under AddressSanitizer that does nothing */
		if (locked && syscall(SYS_mlock, p, locked))
			_exit(97);
		_exit(-iommu_locked_check("vm web", ram));
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_limit(void **state)
{
	(void)state;
	assert_int_equal(ask(MIB, 0, MIB), 0);
	assert_int_equal(ask(MIB, 0, MIB + 1), ENOMEM);
	assert_int_equal(ask(0, 0, 4096), ENOMEM);
	assert_int_equal(ask(MIB, 0, UINT64_MAX), ENOMEM);
}

static void test_already_locked(void **state)
{
	(void)state;
	assert_int_equal(ask(64 * KIB, 16 * KIB, 48 * KIB), 0);
	assert_int_equal(ask(64 * KIB, 16 * KIB, 52 * KIB), ENOMEM);
}

static void test_privileged(void **state)
{
	(void)state;
	if (geteuid())
		skip();
	assert_int_equal(iommu_locked_check("vm web", UINT64_MAX), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_already_locked),
		cmocka_unit_test(test_privileged),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
