/* SPDX-License-Identifier: BSD-3-Clause */
/* rpc: a real server on its own thread, good clients through rpc_call, bad ones byte by byte. */
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
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/rpc.h"
#include "base/util.h"
#include "tests/fakes/served.h"

#define CALL_MS 5000

struct fixture {
	struct served served;
	struct rpc_server *server;
	int calls; /* of "count"; only the server's thread touches it while that runs */
};

static int method_echo(void *opaque, const json_t *params, json_t **result, char *error)
{
	(void)opaque, (void)error;
	*result = json_deep_copy(params);
	return 0;
}

static int method_fail(void *opaque, const json_t *params, json_t **result, char *error)
{
	(void)opaque, (void)params, (void)result;
	snprintf(error, RPC_ERROR_TEXT, "vm web: busy: it is starting; wait");
	return -EBUSY;
}

static int method_count(void *opaque, const json_t *params, json_t **result, char *error)
{
	struct fixture *f = opaque;

	(void)params, (void)error;
	*result = json_integer(++f->calls);
	return 0;
}

/* Takes one descriptor and writes a word there; the others are left to the server. */
static int method_write(void *opaque, const json_t *params, json_t **result, char *error)
{
	struct fixture *f = opaque;
	int fd = rpc_server_take_fd(f->server);

	(void)params, (void)error, (void)result;
	if (fd < 0)
		return fd;
	int err = write(fd, "word", 4) == 4 ? 0 : -EIO;
	close(fd);
	return err;
}

static int method_subscribe(void *opaque, const json_t *params, json_t **result, char *error)
{
	struct fixture *f = opaque;

	(void)params, (void)error, (void)result;
	return rpc_server_subscribe(f->server);
}

/* Tells all subscribers `count` times, with `size` bytes each, and answers how many were missed. */
static int method_shout(void *opaque, const json_t *params, json_t **result, char *error)
{
	struct fixture *f = opaque;
	int count = (int)json_integer_value(json_object_get(params, "count"));
	size_t size = (size_t)json_integer_value(json_object_get(params, "size"));
	char *text = calloc(1, size + 1);

	(void)error;
	assert_non_null(text);
	memset(text, 'x', size);
	for (int i = 0; i < count; i++)
		rpc_server_notify(f->server, "shout", json_pack("{s:i,s:s}", "n", i, "text", text));
	free(text);
	*result = json_integer((json_int_t)rpc_server_missed(f->server));
	return 0;
}

/* An answer much bigger than a socket's buffer. */
static int method_big(void *opaque, const json_t *params, json_t **result, char *error)
{
	char *text = malloc(900000);

	(void)opaque, (void)params, (void)error;
	memset(text, 'x', 900000);
	*result = json_stringn(text, 900000);
	free(text);
	return 0;
}

static const struct rpc_method methods[] = {
	{"echo", method_echo, NULL},
	{"fail", method_fail, NULL},
	{"count", method_count, NULL},
	{"big", method_big, NULL},
	{"write", method_write, NULL},
	{"subscribe", method_subscribe, ""},
	{"shout", method_shout, "count size"},
	{"pick", method_echo, "colour size? wide?"},
	{0},
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	served_open(&f->served);
	assert_int_equal(
		rpc_server_create(f->served.loop, f->served.listen, methods, f, &f->server), 0);
	f->served.listen = -1;
	served_start(&f->served);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	served_stop(&f->served);
	rpc_server_destroy(f->server);
	served_close(&f->served);
	free(f);
	return 0;
}

static int dial(const struct fixture *f)
{
	return served_dial(&f->served);
}

/* The next line as JSON; NULL when the server has closed. */
static json_t *next_answer(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char line[4096];

	for (size_t used = 0; used < sizeof(line); used++) {
		assert_int_equal(poll(&p, 1, CALL_MS), 1);
		ssize_t n = recv(fd, line + used, 1, 0);
		if (n <= 0)
			return NULL;
		if (line[used] == '\n')
			return json_loadb(line, used, 0, NULL);
	}
	fail_msg("no end of line");
	return NULL;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void expect_error(int fd, json_int_t code)
{
	json_t *answer = next_answer(fd);

	assert_non_null(answer);
	assert_string_equal(json_string_value(json_object_get(answer, "jsonrpc")), "2.0");
	assert_null(json_object_get(answer, "result"));
	json_t *error = json_object_get(answer, "error");
	assert_int_equal(json_integer_value(json_object_get(error, "code")), code);
	assert_non_null(json_string_value(json_object_get(error, "message")));
	json_decref(answer);
}

static void expect_closed(int fd)
{
	assert_null(next_answer(fd));
	io_close(&fd);
}

static void expect_alive(const struct fixture *f)
{
	char error[RPC_ERROR_TEXT];
	json_t *result;

	assert_int_equal(rpc_call(f->served.path, "echo", json_pack("{s:i}", "n", 7), CALL_MS,
				  &result, error),
			 0);
	assert_int_equal(json_integer_value(json_object_get(result, "n")), 7);
	json_decref(result);
}

static void test_call(void **state)
{
	struct fixture *f = *state;
	char error[RPC_ERROR_TEXT];
	json_t *result;

	expect_alive(f);
	assert_int_equal(rpc_call(f->served.path, "echo", NULL, CALL_MS, &result, error), 0);
	assert_int_equal(json_object_size(result), 0);
	json_decref(result);
	assert_int_equal(rpc_call(f->served.path, "fail", NULL, CALL_MS, &result, error), -EBUSY);
	assert_null(result);
	assert_string_equal(error, "vm web: busy: it is starting; wait");
	assert_int_equal(rpc_call(f->served.path, "fly", NULL, CALL_MS, &result, error),
			 -EOPNOTSUPP);
	assert_non_null(strstr(error, "fly"));
	assert_int_equal(rpc_call(f->served.path, "big", NULL, CALL_MS, &result, error), 0);
	assert_int_equal(json_string_length(result), 900000);
	json_decref(result);
}

static void test_nobody_there(void **state)
{
	struct fixture *f = *state;
	char error[RPC_ERROR_TEXT], long_path[200];
	json_t *result;

	assert_int_equal(rpc_call("/nonexistent/sock", "echo", NULL, 100, &result, error), -ENOENT);
	memset(long_path, 'a', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = '\0';
	assert_int_equal(rpc_listen(long_path), -ENAMETOOLONG);
	expect_alive(f);
}

static void test_bad_json(void **state)
{
	static const char *const bad[] = {"{nonsense\n", "\n", "{\"a\":1,\"a\":2}\n", "\xff\xfe\n"};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		int fd = dial(f);
		say(fd, bad[i]);
		expect_error(fd, -32700);
		expect_closed(fd);
	}
	expect_alive(f);
}

static void test_not_a_request(void **state)
{
	static const char *const bad[] = {
		"{\"jsonrpc\":\"1.0\",\"method\":\"echo\",\"id\":1}\n",
		"{\"method\":\"echo\",\"id\":1}\n",
		"{\"jsonrpc\":\"2.0\",\"id\":1}\n",
		"{\"jsonrpc\":\"2.0\",\"method\":5,\"id\":1}\n",
		"{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"id\":{}}\n",
		"[1,2]\n",
		"[]\n",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		int fd = dial(f);
		say(fd, bad[i]);
		expect_error(fd, -32600);
		expect_closed(fd);
	}
	expect_alive(f);
}

/* Mistakes of a peer that does speak the language do not cost it the connection. */
static void test_mistakes(void **state)
{
	struct fixture *f = *state;
	int fd = dial(f);

	say(fd, "{\"jsonrpc\":\"2.0\",\"method\":\"fly\",\"id\":\"a\"}\n");
	expect_error(fd, -32601);
	say(fd, "{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"params\":[1],\"id\":2}\n");
	expect_error(fd, -32602);
	say(fd, "{\"jsonrpc\":\"2.0\",\"method\":\"fail\",\"id\":3}\n");
	expect_error(fd, -EBUSY);
	io_close(&fd);
}

static void test_oversize(void **state)
{
	struct fixture *f = *state;
	char *flood = malloc(2 * RPC_MAX);
	int fd = dial(f);

	memset(flood, 'x', 2 * RPC_MAX);
	for (size_t done = 0; done < 2 * RPC_MAX;) {
		ssize_t n = send(fd, flood + done, 2 * RPC_MAX - done, MSG_NOSIGNAL);
		if (n < 0)
			break; /* the server has had enough, as it should */
		done += (size_t)n;
	}
	expect_error(fd, -32600);
	expect_closed(fd);
	free(flood);
	expect_alive(f);
}

/* Byte by byte, then two in one write, then a notification, which gets no answer. */
static void test_pieces(void **state)
{
	static const char request[] = "{\"jsonrpc\":\"2.0\",\"method\":\"count\",\"id\":1}\n";
	struct fixture *f = *state;
	int fd = dial(f);

	for (size_t i = 0; i < strlen(request); i++) {
		assert_int_equal(send(fd, request + i, 1, MSG_NOSIGNAL), 1);
		usleep(100);
	}
	json_t *answer = next_answer(fd);
	assert_int_equal(json_integer_value(json_object_get(answer, "result")), 1);
	json_decref(answer);
	say(fd, "{\"jsonrpc\":\"2.0\",\"method\":\"count\"}\n"
		"{\"jsonrpc\":\"2.0\",\"method\":\"count\",\"id\":2}\n"
		"{\"jsonrpc\":\"2.0\",\"method\":\"count\",\"id\":3}\n");
	for (int want = 3; want <= 4; want++) {
		answer = next_answer(fd);
		assert_int_equal(json_integer_value(json_object_get(answer, "result")), want);
		assert_int_equal(json_integer_value(json_object_get(answer, "id")), want - 1);
		json_decref(answer);
	}
	/* A peer that has said all it wants still gets its answer. */
	say(fd, request);
	shutdown(fd, SHUT_WR);
	answer = next_answer(fd);
	assert_int_equal(json_integer_value(json_object_get(answer, "result")), 5);
	json_decref(answer);
	expect_closed(fd);
}

/* Asks for much, reads nothing or a little, and leaves. */
static void test_hang_up(void **state)
{
	struct fixture *f = *state;
	char byte[16];

	for (int i = 0; i < 20; i++) {
		int fd = dial(f);
		say(fd, "{\"jsonrpc\":\"2.0\",\"method\":\"big\",\"id\":1}\n"
			"{\"jsonrpc\":\"2.0\",\"method\":\"big\",\"id\":2}\n");
		if (i & 1)
			assert_true(recv(fd, byte, sizeof(byte), 0) > 0);
		io_close(&fd);
		fd = dial(f);
		say(fd, "{\"jsonrpc\":");
		io_close(&fd);
	}
	expect_alive(f);
}

/* One that never reads must not stop the others; more clients than the server holds all get in. */
static void test_many(void **state)
{
	struct fixture *f = *state;
	int stuck = dial(f), fds[150];

	for (int i = 0; i < 5; i++)
		say(stuck, "{\"jsonrpc\":\"2.0\",\"method\":\"big\",\"id\":1}\n");
	for (int i = 0; i < 20; i++)
		expect_alive(f);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = dial(f);
		say(fds[i], "{\"jsonrpc\":\"2.0\",\"method\":\"count\",\"id\":1}\n");
	}
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		json_t *answer = next_answer(fds[i]);
		assert_non_null(json_object_get(answer, "result"));
		json_decref(answer);
		io_close(&fds[i]);
	}
	io_close(&stuck);
	expect_alive(f);
}

static void test_listen(void **state)
{
	struct fixture *f = *state;
	char path[128];
	struct stat st;

	assert_int_equal(stat(f->served.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(rpc_listen(f->served.path), -EADDRINUSE);
	snprintf(path, sizeof(path), "%s/stale", f->served.dir);
	int fd = rpc_listen(path);
	assert_true(fd >= 0);
	io_close(&fd);
	fd = rpc_listen(path);
	assert_true(fd >= 0);
	io_close(&fd);
	unlink(path);
}

/* A server that accepts and then says nothing, or nonsense. */
static void test_bad_server(void **state)
{
	struct fixture *f = *state;
	char path[128], error[RPC_ERROR_TEXT];
	json_t *result;

	snprintf(path, sizeof(path), "%s/mute", f->served.dir);
	int fd = rpc_listen(path);
	assert_int_equal(rpc_call(path, "echo", NULL, 50, &result, error), -ETIMEDOUT);
	int first = accept(fd, NULL, NULL);
	assert_int_equal(send(first, "{\"jsonrpc\":\"2.0\"}\n", 18, MSG_NOSIGNAL), -1);
	io_close(&first);
	io_close(&fd);
	assert_int_equal(rpc_call(path, "echo", NULL, 50, &result, error), -ECONNREFUSED);
	unlink(path);
}

/* Until the other end of the pipe is closed everywhere. */
static void expect_end(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char byte;

	assert_int_equal(poll(&p, 1, CALL_MS), 1);
	assert_int_equal(read(fd, &byte, 1), 0);
	close(fd);
}

static void test_descriptors(void **state)
{
	const struct fixture *f = *state;
	char error[RPC_ERROR_TEXT], word[5] = "";
	json_t *result = NULL;
	int ends[2];

	assert_int_equal(rpc_call(f->served.path, "write", NULL, CALL_MS, &result, error), -ENOENT);
	/* one is taken, the other closed by the server */
	assert_int_equal(pipe(ends), 0);
	int fds[] = {ends[1], ends[1]};
	assert_int_equal(
		rpc_call_fds(f->served.path, "write", NULL, fds, 2, CALL_MS, &result, error), 0);
	json_decref(result);
	close(ends[1]);
	assert_int_equal(read(ends[0], word, 4), 4);
	assert_string_equal(word, "word");
	expect_end(ends[0]);
	/* a method that fails, and one that knows nothing of them */
	static const char *const names[] = {"fail", "echo", "none"};
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_int_equal(pipe(ends), 0);
		rpc_call_fds(f->served.path, names[i], NULL, &ends[1], 1, CALL_MS, &result, error);
		json_decref(result);
		close(ends[1]);
		expect_end(ends[0]);
	}
	assert_int_equal(rpc_call_fds(f->served.path, "echo", NULL, fds, RPC_FDS + 1, CALL_MS,
				      &result, error),
			 -E2BIG);
}

/* Half a call each time: more descriptors than a call may have pile up. */
static void test_many_descriptors(void **state)
{
	const struct fixture *f = *state;
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	int fd = dial(f), ends[2];

	assert_int_equal(pipe(ends), 0);
	for (int i = 0; i <= RPC_FDS; i++) {
		struct iovec part = {.iov_base = (char[]){" "}, .iov_len = 1};
		struct msghdr message = {.msg_iov = &part,
					 .msg_iovlen = 1,
					 .msg_control = &control,
					 .msg_controllen = sizeof(control)};

		control.head = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
						.cmsg_type = SCM_RIGHTS,
						.cmsg_len = CMSG_LEN(sizeof(int))};
		memcpy(CMSG_DATA(&control.head), &ends[1], sizeof(int));
		assert_int_equal(sendmsg(fd, &message, MSG_NOSIGNAL), 1);
		usleep(20000); /* so that the server reads each by itself */
	}
	close(ends[1]);
	expect_closed(fd);
	expect_end(ends[0]);
	expect_alive(f);
}

static int pick(const struct fixture *f, json_t *params, char error[RPC_ERROR_TEXT])
{
	json_t *result;
	int err = rpc_call(f->served.path, "pick", params, CALL_MS, &result, error);

	json_decref(result);
	return err;
}

/* What a method does not name is refused, and so is a call that lacks what it needs. */
static void test_params(void **state)
{
	const struct fixture *f = *state;
	char error[RPC_ERROR_TEXT];

	assert_int_equal(pick(f, json_pack("{s:s}", "colour", "red"), error), 0);
	assert_int_equal(pick(f, json_pack("{s:s,s:i}", "colour", "red", "wide", 1), error), 0);
	assert_int_equal(pick(f, json_pack("{s:s,s:i}", "colour", "red", "wid", 1), error),
			 -EINVAL);
	assert_string_equal(error, "unknown parameter: wid");
	assert_int_equal(pick(f, json_pack("{s:s,s:i}", "colour", "red", "", 1), error), -EINVAL);
	assert_int_equal(pick(f, json_pack("{s:i}", "size", 1), error), -EINVAL);
	assert_string_equal(error, "missing parameter: colour");
	assert_int_equal(pick(f, NULL, error), -EINVAL);
}

static json_int_t shout(const struct fixture *f, int count, int size)
{
	char error[RPC_ERROR_TEXT];
	json_t *result;

	assert_int_equal(rpc_call(f->served.path, "shout",
				  json_pack("{s:i,s:i}", "count", count, "size", size), CALL_MS,
				  &result, error),
			 0);
	json_int_t missed = json_integer_value(result);
	json_decref(result);
	return missed;
}

static json_t *wait_message(struct rpc_stream *stream)
{
	struct pollfd p = {.fd = rpc_stream_fd(stream), .events = POLLIN};
	json_t *message = NULL;
	int rc;

	while ((rc = rpc_stream_next(stream, &message)) == 0)
		assert_int_equal(poll(&p, 1, CALL_MS), 1);
	assert_int_equal(rc, 1);
	assert_null(json_object_get(message, "id"));
	return message;
}

static void expect_shout(struct rpc_stream *stream, int n)
{
	json_t *message = wait_message(stream);

	assert_string_equal(json_string_value(json_object_get(message, "method")), "shout");
	const json_t *params = json_object_get(message, "params");
	assert_int_equal(json_integer_value(json_object_get(params, "n")), n);
	json_decref(message);
}

static struct rpc_stream *subscribe(const struct fixture *f)
{
	struct rpc_stream *stream;
	char error[RPC_ERROR_TEXT];

	assert_int_equal(
		rpc_stream_open(f->served.path, "subscribe", NULL, CALL_MS, &stream, error), 0);
	return stream;
}

static void test_notifications(void **state)
{
	const struct fixture *f = *state;
	struct rpc_stream *streams[3], *none;
	char error[RPC_ERROR_TEXT];

	assert_int_equal(shout(f, 1, 10), 0); /* nobody listens */
	for (size_t i = 0; i < ARRAY_SIZE(streams); i++)
		streams[i] = subscribe(f);
	assert_int_equal(shout(f, 100, 10), 0);
	for (size_t i = 0; i < ARRAY_SIZE(streams); i++)
		for (int n = 0; n < 100; n++)
			expect_shout(streams[i], n);
	rpc_stream_close(streams[0]);
	assert_int_equal(shout(f, 1, 10), 0);
	expect_shout(streams[1], 0);
	rpc_stream_close(streams[1]);
	rpc_stream_close(streams[2]);
	assert_int_equal(rpc_stream_open(f->served.path, "fail", NULL, CALL_MS, &none, error),
			 -EBUSY);
	expect_alive(f);
}

/* Who does not read misses what is too much, learns how much that was, and slows nobody down. */
static void test_slow_subscriber(void **state)
{
	const struct fixture *f = *state;
	struct rpc_stream *slow = subscribe(f);
	json_int_t missed = shout(f, 2000, 1000);
	json_int_t told = 0;

	assert_true(missed > 0 && missed < 2000);
	expect_alive(f);
	for (int n = 0; n < 2000 - missed; n++)
		expect_shout(slow, n);
	assert_int_equal(shout(f, 1, 10), missed);
	json_t *message = wait_message(slow);
	assert_string_equal(json_string_value(json_object_get(message, "method")), "missed");
	told = json_integer_value(json_object_get(json_object_get(message, "params"), "count"));
	assert_int_equal(told, missed);
	json_decref(message);
	expect_shout(slow, 0);
	rpc_stream_close(slow);
}

static void test_many_subscribers(void **state)
{
	const struct fixture *f = *state;
	struct rpc_stream *streams[65];
	char error[RPC_ERROR_TEXT];

	for (size_t i = 0; i < 64; i++)
		streams[i] = subscribe(f);
	assert_int_equal(
		rpc_stream_open(f->served.path, "subscribe", NULL, CALL_MS, &streams[64], error),
		-EBUSY);
	expect_alive(f);
	for (size_t i = 0; i < 64; i++)
		rpc_stream_close(streams[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_call, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nobody_there, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_json, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_a_request, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mistakes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_oversize, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hang_up, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_listen, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_server, setup, teardown),
		cmocka_unit_test_setup_teardown(test_descriptors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_descriptors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_params, setup, teardown),
		cmocka_unit_test_setup_teardown(test_notifications, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_subscriber, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_subscribers, setup, teardown),
	};

	return cmocka_run_group_tests_name("rpc", tests, NULL, NULL);
}
