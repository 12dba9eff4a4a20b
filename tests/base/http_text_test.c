/* SPDX-License-Identifier: BSD-3-Clause */
/* Figures over HTTP: what is answered to good requests, bad ones, and to clients that stall. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/http_text.h"
#include "base/io.h"
#include "tests/fakes/served.h"

#define LARGE (1u << 20)

struct rig {
	struct served served;
	struct http_text *http;
	const char *text; /* NULL: there is none */
};

static char *make_text(void *opaque)
{
	const struct rig *rig = opaque;

	return rig->text ? strdup(rig->text) : NULL;
}

static void open_rig(struct rig *rig, const char *text)
{
	*rig = (struct rig){.text = text};
	served_open(&rig->served);
	assert_int_equal(http_text_create(rig->served.loop, rig->served.listen, "/metrics",
					  make_text, rig, &rig->http),
			 0);
	rig->served.listen = -1;
	served_start(&rig->served);
}

static void close_rig(struct rig *rig)
{
	served_stop(&rig->served);
	http_text_destroy(rig->http);
	served_close(&rig->served);
}

/* All that is answered, until the connection is closed. */
static char *read_answer(int fd)
{
	char *text = NULL;
	size_t len;

	assert_int_equal(io_read_file(fd, 2 * LARGE, &text, &len), 0);
	close(fd);
	assert_non_null(text);
	return text;
}

static size_t body_length(const char *answer)
{
	const char *body = strstr(answer, "\r\n\r\n");

	assert_non_null(body);
	return strlen(body + 4);
}

static char *ask(const struct rig *rig, const char *request)
{
	int fd = served_dial(&rig->served);

	assert_int_equal(io_write_full(fd, request, strlen(request)), 0);
	return read_answer(fd);
}

static void expect(const struct rig *rig, const char *request, const char *status, const char *body)
{
	char *answer = ask(rig, request);
	const char *text = strstr(answer, "\r\n\r\n");

	assert_non_null(text);
	if (strncmp(answer, status, strlen(status)) != 0)
		fail_msg("%s: %s", request, answer);
	assert_string_equal(text + 4, body);
	free(answer);
}

static void test_get(void **state)
{
	struct rig rig;

	(void)state;
	open_rig(&rig, "up 1\n");
	expect(&rig, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\n", "up 1\n");
	expect(&rig, "GET /metrics?a=b HTTP/1.0\n\n", "HTTP/1.1 200 OK\r\n", "up 1\n");
	expect(&rig, "HEAD /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n", "");
	expect(&rig, "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200", "figures are at /metrics\n");
	char *answer = ask(&rig, "HEAD /metrics HTTP/1.1\r\n\r\n");
	assert_non_null(strstr(answer, "\r\nContent-Length: 5\r\n"));
	assert_non_null(strstr(answer, "version=0.0.4"));
	assert_non_null(strstr(answer, "\r\nConnection: close\r\n"));
	free(answer);
	rig.text = NULL;
	expect(&rig, "GET /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 503", "no figures now\n");
	close_rig(&rig);
}

static void test_bad(void **state)
{
	struct rig rig;

	(void)state;
	open_rig(&rig, "up 1\n");
	expect(&rig, "GET /etc/passwd HTTP/1.1\r\n\r\n", "HTTP/1.1 404",
	       "figures are at /metrics\n");
	expect(&rig, "POST /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 405", "GET or HEAD\n");
	expect(&rig, "hello\r\n\r\n", "HTTP/1.1 400", "not an HTTP/1 request\n");
	expect(&rig, "GET /metrics\r\n\r\n", "HTTP/1.1 400", "not an HTTP/1 request\n");
	expect(&rig, "GET /metrics HTTP/2.0\r\n\r\n", "HTTP/1.1 400", "not an HTTP/1 request\n");
	expect(&rig, "\r\n\r\n", "HTTP/1.1 400", "not an HTTP/1 request\n");

	int fd = served_dial(&rig.served);
	assert_int_equal(io_write_full(fd, "GET \0/metrics HTTP/1.1\r\n\r\n", 26), 0);
	char *answer = read_answer(fd);
	assert_memory_equal(answer, "HTTP/1.1 400", 12);
	free(answer);
	close_rig(&rig);
}

static void test_too_long(void **state)
{
	char request[HTTP_TEXT_REQUEST + 1];
	struct rig rig;

	(void)state;
	open_rig(&rig, "up 1\n");
	memset(request, 'a', HTTP_TEXT_REQUEST);
	request[HTTP_TEXT_REQUEST] = '\0';
	expect(&rig, request, "HTTP/1.1 431", "too long\n");
	close_rig(&rig);
}

/* A request in pieces, an answer that does not fit into the socket's buffer, and one more client
 * than there may be at once: all are served in the end. */
static void test_stalling(void **state)
{
	char *large = malloc(LARGE + 1), *answer;
	int idle[HTTP_TEXT_CLIENTS];
	struct rig rig;

	(void)state;
	assert_non_null(large);
	memset(large, 'x', LARGE);
	large[LARGE] = '\0';
	open_rig(&rig, large);
	for (int i = 0; i < HTTP_TEXT_CLIENTS; i++) {
		idle[i] = served_dial(&rig.served);
		assert_int_equal(io_write_full(idle[i], "GET /metrics HT", 15), 0);
	}
	int last = served_dial(&rig.served);
	assert_int_equal(io_write_full(last, "GET /metrics HTTP/1.1\r\n\r\n", 25), 0);
	close(idle[0]); /* and there is room */
	answer = read_answer(last);
	assert_int_equal(body_length(answer), LARGE);
	free(answer);
	for (int i = 1; i < HTTP_TEXT_CLIENTS; i++) {
		assert_int_equal(io_write_full(idle[i], "TP/1.1\r\n\r\n", 10), 0);
		answer = read_answer(idle[i]);
		assert_memory_equal(answer, "HTTP/1.1 200", 12);
		assert_int_equal(body_length(answer), LARGE);
		free(answer);
	}
	close_rig(&rig);
	free(large);
}

static void test_listen(void **state)
{
	static const char *const bad[] = {
		"",	      "127.0.0.1",    ":80",	  "127.0.0.1:x",
		"[::1:80",    "localhost:80", "1.2.3:80", "127.0.0.1:65536",
		"[1.2.3.4]:1"};
	struct sockaddr_in address;
	socklen_t len = sizeof(address);

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(http_text_listen(bad[i]), -EINVAL);
	int fd = http_text_listen("127.0.0.1:0");
	assert_true(fd >= 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	assert_int_equal(address.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	char where[32];
	snprintf(where, sizeof(where), "127.0.0.1:%u", ntohs(address.sin_port));
	assert_int_equal(http_text_listen(where), -EADDRINUSE);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_get),	 cmocka_unit_test(test_bad),
		cmocka_unit_test(test_too_long), cmocka_unit_test(test_stalling),
		cmocka_unit_test(test_listen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
