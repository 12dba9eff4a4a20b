/* SPDX-License-Identifier: BSD-3-Clause */
/* console: what is typed reaches the guest, what it says is shown, and when both are at their end.
 */
#include "cli/console.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"

#define PATIENCE_MS 20u

enum { CLOSED = 1, SILENT, TIMED_OUT };

struct fixture {
	struct loop *loop;
	int guest; /* the VM's side of the line */
	int in[2], out[2];
	struct console_config config;
};

static void closed(void *opaque)
{
	struct fixture *f = opaque;

	loop_stop(f->loop, CLOSED);
}

static void silent(void *opaque)
{
	struct fixture *f = opaque;

	loop_stop(f->loop, SILENT);
}

static void timed_out(void *opaque, uint32_t events)
{
	struct fixture *f = opaque;

	(void)events;
	loop_stop(f->loop, TIMED_OUT);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int line[2];

	assert_int_equal(loop_create(&f->loop), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line), 0);
	assert_int_equal(pipe2(f->in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(f->out, O_CLOEXEC), 0);
	f->guest = line[1];
	f->config = (struct console_config){.loop = f->loop,
					    .sock = line[0],
					    .in = f->in[0],
					    .out = f->out[1],
					    .closed = closed,
					    .silent = silent,
					    .patience_ms = PATIENCE_MS,
					    .opaque = f};
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	loop_destroy(f->loop);
	io_close(&f->guest);
	for (int i = 0; i < 2; i++) {
		io_close(&f->in[i]);
		io_close(&f->out[i]);
	}
	free(f);
	return 0;
}

static void type(struct fixture *f, const char *text)
{
	assert_int_equal(write(f->in[1], text, strlen(text)), strlen(text));
	io_close(&f->in[1]); /* and nothing more */
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void answer_comes_after_the_inputs_end(void **state)
{
	struct fixture *f = *state;
	struct console *console;
	double begin = now();
	char text[16];

	/* A file, which is at its end before the line is listened to. */
	f->config.in = memfd_create("input", MFD_CLOEXEC);
	assert_int_equal(pwrite(f->config.in, "uptime\n", 7, 0), 7);
	assert_int_equal(write(f->guest, "up 3\n", 5), 5);
	assert_int_equal(console_open(&f->config, &console), 0);
	assert_int_equal(loop_run(f->loop), SILENT);
	assert_true(now() - begin > 2 * PATIENCE_MS / 1e3); /* what was heard began it anew */
	assert_int_equal(read(f->guest, text, sizeof(text)), 7);
	assert_memory_equal(text, "uptime\n", 7);
	assert_int_equal(read(f->out[0], text, sizeof(text)), 5);
	assert_memory_equal(text, "up 3\n", 5);
	console_close(console);
	io_close(&f->config.in);
}

static void input_may_be_a_pipe(void **state)
{
	struct fixture *f = *state;
	struct console *console;
	char text[16];

	type(f, "uptime\n");
	assert_int_equal(console_open(&f->config, &console), 0);
	assert_int_equal(loop_run(f->loop), SILENT);
	assert_int_equal(read(f->guest, text, sizeof(text)), 7);
	assert_memory_equal(text, "uptime\n", 7);
	console_close(console);
}

static void guest_that_takes_nothing_is_waited_for(void **state)
{
	struct fixture *f = *state;
	struct loop_source *timer;
	struct console *console;
	char bytes[4096] = {0};
	size_t filled = 0, seen = 0;
	ssize_t n;

	while ((n = send(f->config.sock, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		filled += (size_t)n;
	type(f, "late\n");
	assert_int_equal(console_open(&f->config, &console), 0);
	assert_int_equal(loop_timer(f->loop, 10 * PATIENCE_MS, timed_out, f, &timer), 0);
	assert_int_equal(loop_run(f->loop), TIMED_OUT);
	while (seen < filled && (n = read(f->guest, bytes, sizeof(bytes))) > 0)
		seen += (size_t)n;
	assert_int_equal(loop_run(f->loop), SILENT);
	assert_int_equal(read(f->guest, bytes, sizeof(bytes)), 5);
	assert_memory_equal(bytes, "late\n", 5);
	console_close(console);
}

static void follows_until_the_vm_ends(void **state)
{
	struct fixture *f = *state;
	struct loop_source *timer;
	struct console *console;

	f->config.patience_ms = 0;
	type(f, "x");
	assert_int_equal(console_open(&f->config, &console), 0);
	assert_int_equal(loop_timer(f->loop, 5 * PATIENCE_MS, timed_out, f, &timer), 0);
	assert_int_equal(loop_run(f->loop), TIMED_OUT);
	io_close(&f->guest);
	assert_int_equal(loop_run(f->loop), CLOSED);
	console_close(console);
}

/* Whoever has the terminal open is not at the end of anything. */
static void open_input_is_no_end(void **state)
{
	struct fixture *f = *state;
	struct loop_source *timer;
	struct console *console;

	assert_int_equal(console_open(&f->config, &console), 0);
	assert_int_equal(loop_timer(f->loop, 5 * PATIENCE_MS, timed_out, f, &timer), 0);
	assert_int_equal(loop_run(f->loop), TIMED_OUT);
	console_close(console);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(answer_comes_after_the_inputs_end),
		TEST(input_may_be_a_pipe),
		TEST(guest_that_takes_nothing_is_waited_for),
		TEST(follows_until_the_vm_ends),
		TEST(open_input_is_no_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
