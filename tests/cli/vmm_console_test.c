/* SPDX-License-Identifier: BSD-3-Clause */
/* vmm_console: late, slow, deaf and too many clients; the guest must never wait for any of them. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/rpc.h"
#include "cli/vmm_console.h"
#include "tests/fakes/served.h"

struct fixture {
	struct served served;
	struct vmm_console *console;
	pthread_mutex_t lock; /* guards the rest */
	char typed[4096];
	size_t typed_len, room;
};

/* A guest's FIFO with `room` bytes left. */
static size_t guest_in(void *opaque, const uint8_t *bytes, size_t len)
{
	struct fixture *f = opaque;

	pthread_mutex_lock(&f->lock);
	size_t n = len < f->room ? len : f->room;
	memcpy(f->typed + f->typed_len, bytes, n);
	f->typed_len += n;
	f->room -= n;
	pthread_mutex_unlock(&f->lock);
	return n;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	served_open(&f->served);
	pthread_mutex_init(&f->lock, NULL);
	assert_int_equal(vmm_console_create(f->served.loop, f->served.listen, &f->console), 0);
	vmm_console_connect(f->console, guest_in, f);
	served_start(&f->served);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	served_stop(&f->served);
	vmm_console_destroy(f->console);
	served_close(&f->served);
	pthread_mutex_destroy(&f->lock);
	free(f);
	return 0;
}

static int dial(const struct fixture *f)
{
	return served_dial(&f->served);
}

static void guest_says(const struct fixture *f, const char *text)
{
	vmm_console_out(f->console, (const uint8_t *)text, strlen(text));
}

/* Reads until `text` has come; returns everything read, to be freed. */
static char *read_until(int fd, const char *text)
{
	char *all = calloc(1, 1 << 20);
	size_t used = 0;

	while (!memmem(all, used, text, strlen(text))) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		if (poll(&p, 1, 5000) != 1)
			fail_msg("no '%s' within 5 s", text);
		ssize_t n = recv(fd, all + used, (1 << 20) - 1 - used, 0);
		if (n <= 0)
			fail_msg("closed before '%s'", text);
		used += (size_t)n;
	}
	return all;
}

static void expect(int fd, const char *text)
{
	char *all = read_until(fd, text + (strlen(text) > 8 ? strlen(text) - 8 : 0));

	assert_string_equal(all, text);
	free(all);
}

static void test_two_clients(void **state)
{
	struct fixture *f = *state;
	int early = dial(f);

	guest_says(f, "hello ");
	guest_says(f, "world\r\n");
	expect(early, "hello world\r\n");
	int late = dial(f);
	expect(late, "hello world\r\n");
	guest_says(f, "again\r\n");
	expect(early, "again\r\n");
	expect(late, "again\r\n");
	io_close(&early);
	guest_says(f, "more\r\n");
	expect(late, "more\r\n");
	io_close(&late);
}

/* Nobody reads for a while: the ring keeps the newest, and says how much is gone. */
static void test_slow(void **state)
{
	struct fixture *f = *state;
	int slow = dial(f);
	char block[1001];

	guest_says(f, "first\r\n");
	free(read_until(slow, "first"));
	memset(block, 'x', 1000);
	block[1000] = '\0';
	for (int i = 0; i < 4000; i++) {
		guest_says(f, block);
		if (i % 100 == 0)
			usleep(2000); /* lets the loop fill the socket */
	}
	guest_says(f, "last\r\n");
	char *all = read_until(slow, "last\r\n");
	assert_non_null(strstr(all, "bytes lost]"));
	free(all);
	io_close(&slow);
	/* One that comes now was not there then: it lost nothing. */
	int late = dial(f);
	all = read_until(late, "last\r\n");
	assert_null(strstr(all, "lost"));
	assert_int_equal(strlen(all), VMM_CONSOLE_RING);
	free(all);
	io_close(&late);
}

static size_t typed(struct fixture *f)
{
	pthread_mutex_lock(&f->lock);
	size_t n = f->typed_len;
	pthread_mutex_unlock(&f->lock);
	return n;
}

static void give_room(struct fixture *f, size_t room)
{
	pthread_mutex_lock(&f->lock);
	f->room = room;
	pthread_mutex_unlock(&f->lock);
	vmm_console_room(f->console);
}

/* A guest that takes three bytes at a time gets all of them, in order. */
static void test_typing(void **state)
{
	struct fixture *f = *state;
	char text[1500];
	int fd = dial(f);

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i % 26);
	assert_int_equal(send(fd, text, sizeof(text), MSG_NOSIGNAL), sizeof(text));
	for (int i = 0; i < 2000 && typed(f) < sizeof(text); i++) {
		give_room(f, 3);
		usleep(4000);
	}
	assert_int_equal(typed(f), sizeof(text));
	assert_memory_equal(f->typed, text, sizeof(text));
	io_close(&fd);
}

/* A client that only types, and has said all it will, still hears the guest. */
static void test_half(void **state)
{
	struct fixture *f = *state;
	int fd = dial(f);

	give_room(f, 100);
	assert_int_equal(send(fd, "ls\n", 3, MSG_NOSIGNAL), 3);
	shutdown(fd, SHUT_WR);
	for (int i = 0; i < 500 && typed(f) < 3; i++)
		usleep(4000);
	assert_memory_equal(f->typed, "ls\n", 3);
	guest_says(f, "bin etc\r\n");
	expect(fd, "bin etc\r\n");
	io_close(&fd);
}

static void test_too_many(void **state)
{
	struct fixture *f = *state;
	int fds[VMM_CONSOLE_CLIENTS + 4];
	char byte;

	guest_says(f, "hello\r\n");
	for (unsigned i = 0; i < VMM_CONSOLE_CLIENTS; i++) {
		fds[i] = dial(f);
		expect(fds[i], "hello\r\n");
	}
	for (unsigned i = VMM_CONSOLE_CLIENTS; i < VMM_CONSOLE_CLIENTS + 4; i++) {
		fds[i] = dial(f);
		assert_int_equal(recv(fds[i], &byte, 1, 0), 0); /* turned away */
	}
	for (unsigned i = 0; i < VMM_CONSOLE_CLIENTS + 4; i++)
		io_close(&fds[i]);
	for (int i = 0; i < 100; i++) { /* places are free again */
		int fd = dial(f);
		bool in = recv(fd, &byte, 1, 0) == 1;
		io_close(&fd);
		if (in)
			return;
		usleep(10000);
	}
	fail_msg("no place became free");
}

/* The end comes before the loop has run once: what was said still gets out. */
static void test_drain(void **state)
{
	struct fixture *f = *state;
	char byte;

	served_stop(&f->served);
	int fd = dial(f), deaf = dial(f);
	char *block = calloc(1, 60001);
	memset(block, 'y', 60000);
	guest_says(f, block);
	guest_says(f, "bye\r\n");
	vmm_console_drain(f->console, 200);
	char *all = read_until(fd, "bye\r\n");
	assert_int_equal(strlen(all), 60005);
	free(all);
	free(block);
	assert_int_equal(recv(deaf, &byte, 1, 0), 1);
	io_close(&fd);
	io_close(&deaf);
	served_start(&f->served);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_two_clients, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow, setup, teardown),
		cmocka_unit_test_setup_teardown(test_typing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_half, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_drain, setup, teardown),
	};

	return cmocka_run_group_tests_name("vmm_console", tests, NULL, NULL);
}
