/* SPDX-License-Identifier: BSD-3-Clause */
/* Connections that a VMM asks for: those on its list, and no others. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/rpc.h"
#include "cli/vm_dial.h"
#include "cli/vm_dial_wire.h"

struct rig {
	struct cli cli;
	char dir[32], mine[64], other[64];
	int listen, listen_other;
	int pair[2]; /* 0: the VMM's */
	pthread_t thread;
};

static void *supervise(void *opaque)
{
	struct rig *rig = opaque;
	struct pollfd wait = {.fd = rig->pair[1], .events = POLLIN};

	while (poll(&wait, 1, -1) >= 0 && vm_dial_serve(&rig->cli, "web", rig->pair[1]) == 0)
		;
	return NULL;
}

static int set_up(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	char path[64];

	strcpy(rig->dir, "/tmp/dial.XXXXXX");
	assert_non_null(mkdtemp(rig->dir));
	snprintf(path, sizeof(path), "%s/vm", rig->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/vm/web", rig->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	rig->cli = (struct cli){.run_dir = rig->dir};
	snprintf(rig->mine, sizeof(rig->mine), "%s/switch.sock", rig->dir);
	snprintf(rig->other, sizeof(rig->other), "%s/other.sock", rig->dir);
	rig->listen = rpc_listen(rig->mine);
	rig->listen_other = rpc_listen(rig->other);
	assert_true(rig->listen >= 0 && rig->listen_other >= 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, rig->pair), 0);
	assert_int_equal(vm_dial_begin(&rig->cli, "web"), 0);
	assert_int_equal(vm_dial_allow(&rig->cli, "web", rig->mine), 0);
	assert_int_equal(pthread_create(&rig->thread, NULL, supervise, rig), 0);
	*state = rig;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *rig = *state;
	char path[96];

	if (rig->pair[0] >= 0)
		close(rig->pair[0]);
	pthread_join(rig->thread, NULL);
	close(rig->pair[1]);
	close(rig->listen);
	close(rig->listen_other);
	unlink(rig->mine);
	unlink(rig->other);
	snprintf(path, sizeof(path), "%s/vm/web/dial", rig->dir);
	unlink(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
	rmdir(rig->dir);
	free(rig);
	return 0;
}

static void test_mine(void **state)
{
	struct rig *rig = *state;
	char byte = 0;

	int fd = vm_dial_ask(rig->pair[0], rig->mine);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	int peer = accept(rig->listen, NULL, NULL);
	assert_true(peer >= 0);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_int_equal(read(peer, &byte, 1), 1);
	assert_int_equal(byte, 'x');
	close(peer);
	close(fd);
	/* It is gone: so is told, and when it is back it can be called again. */
	close(rig->listen);
	assert_int_equal(vm_dial_ask(rig->pair[0], rig->mine), -ECONNREFUSED);
	unlink(rig->mine);
	assert_int_equal(vm_dial_ask(rig->pair[0], rig->mine), -ENOENT);
	rig->listen = rpc_listen(rig->mine);
	fd = vm_dial_ask(rig->pair[0], rig->mine);
	assert_true(fd >= 0);
	close(fd);
}

static void test_not_mine(void **state)
{
	struct rig *rig = *state;
	char path[VM_DIAL_PATH + 8];

	assert_int_equal(vm_dial_ask(rig->pair[0], rig->other), -EACCES);
	assert_int_equal(vm_dial_ask(rig->pair[0], ""), -EACCES);
	snprintf(path, sizeof(path), "%s/../%s/switch.sock", rig->dir, strrchr(rig->dir, '/') + 1);
	assert_int_equal(vm_dial_ask(rig->pair[0], path), -EACCES);
	snprintf(path, sizeof(path), "%s\n%s", rig->mine, rig->other);
	assert_int_equal(vm_dial_ask(rig->pair[0], path), -EACCES);
	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(vm_dial_ask(rig->pair[0], path), -ENAMETOOLONG);
	assert_int_equal(vm_dial_allow(&rig->cli, "web", "/a\n/b"), -EINVAL);
	assert_int_equal(vm_dial_allow(&rig->cli, "web", rig->other), 0);
	int fd = vm_dial_ask(rig->pair[0], rig->other);
	assert_true(fd >= 0);
	close(fd);
}

/* A question without a way to answer, one with a NUL in it, and more than a path. */
static void test_rude(void **state)
{
	struct rig *rig = *state;
	char bytes[2 * VM_DIAL_PATH] = {0};

	assert_int_equal(vm_dial_send(rig->pair[0], rig->mine, strlen(rig->mine), -1), 0);
	assert_int_equal(vm_dial_send(rig->pair[0], bytes, sizeof(bytes), -1), 0);
	snprintf(bytes, sizeof(bytes), "%s", rig->mine);
	assert_int_equal(vm_dial_send(rig->pair[0], bytes, strlen(bytes) + 1, -1), 0);
	int fd = vm_dial_ask(rig->pair[0], rig->mine); /* and it still serves */
	assert_true(fd >= 0);
	close(fd);
}

static void test_gone(void **state)
{
	struct rig *rig = *state;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	close(pair[1]);
	assert_int_equal(vm_dial_ask(pair[0], rig->mine), -EPIPE);
	close(pair[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_mine, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_not_mine, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_rude, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_gone, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
