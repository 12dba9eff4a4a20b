/* SPDX-License-Identifier: BSD-3-Clause */
/* What sluice-switch gives up, each tried in a process that has given it up. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"
#include "cli/sandbox_build.h"
#include "cli/switch_sandbox.h"

static long run_program(void)
{
	return execl("/bin/true", "true", (char *)NULL);
}

static long trace(void)
{
	return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static long mount_something(void)
{
	return mount("none", "/mnt", "tmpfs", 0, NULL);
}

static long make_namespace(void)
{
	return unshare(CLONE_NEWUSER);
}

static long load_module(void)
{
	return syscall(SYS_finit_module, 0, "", 0);
}

static long change_user(void)
{
	return setresuid(1, 1, 1);
}

static int end_of(long (*try)(void))
{
	int status;

	fflush(stdout);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(switch_sandbox_enter() ? 100 : try() < 0 ? 1 : 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void need_possible(void)
{
	if (!sandbox_possible()) {
		print_message("ok - switch_sandbox # SKIP a sanitizer's build has no sandbox\n");
		skip();
	}
}

static void test_never(void **state)
{
	static long (*const tries[])(void) = {run_program,    trace,	   mount_something,
					      make_namespace, load_module, change_user};

	(void)state;
	need_possible();
	for (size_t i = 0; i < ARRAY_SIZE(tries); i++)
		assert_int_equal(end_of(tries[i]), -SIGSYS);
}

/* What drivers of NICs, and sockets of guests, need. */
static long what_it_needs(void)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	int sock = socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd < 0 || sock < 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return -1;
	/* 21: SYS_ADMIN, for physical addresses; 19: SYS_PTRACE, for nothing */
	return prctl(PR_CAPBSET_READ, 19, 0, 0, 0) != 0 && geteuid() == 0 ? -1 : 0;
}

static void test_needs(void **state)
{
	(void)state;
	need_possible();
	assert_int_equal(end_of(what_it_needs), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_never),
		cmocka_unit_test(test_needs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
