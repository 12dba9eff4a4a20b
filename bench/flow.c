/* SPDX-License-Identifier: BSD-3-Clause */
/* flow: the end of a flow that decides and measures; see bench.h for what there is. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench/bench.h"

#define CHUNK	  65536u
#define SECOND	  UINT64_C(1000000000)
#define HEADERS	  46u /* Ethernet with its check sequence, IPv4, UDP */
#define BURST	  16u
#define FLIGHT	  64u
#define TIMEOUT_S 20

struct request {
	const char *what;
	unsigned ms, size, flight;
	uint64_t rate;
};

/* ---- helpers ---- */

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static int dial(struct in_addr address, const char *line)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET, .sin_addr = address, .sin_port = htons(BENCH_PORT)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	struct timeval patience = {.tv_sec = TIMEOUT_S};
	size_t len = strlen(line);

	if (fd < 0)
		return -errno;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    send(fd, line, len, MSG_NOSIGNAL) != (ssize_t)len) {
		int err = errno ? -errno : -EIO;

		close(fd);
		return err;
	}
	return fd;
}

static int hear(int fd, uint64_t *a, uint64_t *b)
{
	char line[64];
	size_t len = 0;

	while (len < sizeof(line) - 1 && recv(fd, line + len, 1, 0) == 1 && line[len] != '\n')
		len++;
	line[len] = '\0';
	return sscanf(line, "%" SCNu64 " %" SCNu64, a, b) == 2 ? 0 : -EIO;
}

/* ---- streams ---- */

static int up(struct in_addr address, const struct request *r, char *result)
{
	static _Thread_local char chunk[CHUNK];
	uint64_t start, sent = 0, bytes, unused;
	int fd = dial(address, "sink\n"), err;

	if (fd < 0)
		return fd;
	start = now();
	while (now() - start < r->ms * UINT64_C(1000000)) {
		ssize_t n = send(fd, chunk, sizeof(chunk), MSG_NOSIGNAL);

		if (n < 0)
			break;
		sent += (uint64_t)n;
	}
	shutdown(fd, SHUT_WR);
	err = hear(fd, &bytes, &unused);
	uint64_t ns = now() - start;
	close(fd);
	if (err || bytes != sent)
		return err ? err : -EIO;
	snprintf(result, BENCH_RESULT, "{\"value\":%.3f,\"unit\":\"Mbit/s\",\"bytes\":%" PRIu64 "}",
		 (double)bytes * 8000 / (double)ns, bytes);
	return 0;
}

static int down(struct in_addr address, const struct request *r, char *result)
{
	static _Thread_local char chunk[CHUNK];
	char line[32];
	uint64_t start, bytes = 0;
	ssize_t n;

	snprintf(line, sizeof(line), "source %u\n", r->ms);
	int fd = dial(address, line);
	if (fd < 0)
		return fd;
	start = now();
	while ((n = recv(fd, chunk, sizeof(chunk), 0)) > 0)
		bytes += (uint64_t)n;
	uint64_t ns = now() - start;
	close(fd);
	if (n < 0 || !bytes)
		return -EIO;
	snprintf(result, BENCH_RESULT, "{\"value\":%.3f,\"unit\":\"Mbit/s\",\"bytes\":%" PRIu64 "}",
		 (double)bytes * 8000 / (double)ns, bytes);
	return 0;
}

/* ---- datagrams at a rate ---- */

/* Sizes of frames: one, or the simple IMIX of 7 : 4 : 1. */
static size_t payload(unsigned size, uint64_t n)
{
	static const uint16_t imix[12] = {64, 594, 64, 594, 64, 1518, 64, 594, 64, 594, 64, 64};
	size_t frame = size ? size : imix[n % 12];

	return frame > HEADERS ? frame - HEADERS : 1;
}

/* Each datagram has its moment; what is late is sent at once, nothing is left out. */
static uint64_t shoot(int fd, const struct request *r, uint64_t *ns)
{
	uint64_t start = now(), end = start + r->ms * UINT64_C(1000000), sent = 0, refused = 0;
	char bytes[1518] = {0};

	for (;;) {
		uint64_t t = now();
		uint64_t due = r->rate ? (t - start) * r->rate / SECOND + 1 : sent + BURST;

		if (t >= end)
			break;
		for (unsigned i = 0; i < BURST && sent < due; i++) {
			if (send(fd, bytes, payload(r->size, sent), 0) >= 0)
				sent++;
			else if (++refused > 1000000)
				return sent;
		}
	}
	*ns = now() - start;
	return sent;
}

static int udp(struct in_addr address, const struct request *r, char *result)
{
	uint64_t port, unused, sent, packets, bytes, ns = 1;
	int control = dial(address, "udp\n"), fd, err;
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = address};

	if (control < 0)
		return control;
	err = hear(control, &port, &unused);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	at.sin_port = htons((uint16_t)port);
	if (!err && (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0))
		err = -errno;
	sent = err ? 0 : shoot(fd, r, &ns);
	if (!err && send(control, "end\n", 4, MSG_NOSIGNAL) != 4)
		err = -EIO;
	if (!err)
		err = hear(control, &packets, &bytes);
	if (fd >= 0)
		close(fd);
	close(control);
	if (err)
		return err;
	snprintf(result, BENCH_RESULT,
		 "{\"value\":%.1f,\"unit\":\"packets/s\",\"sent\":%" PRIu64 ",\"received\":%" PRIu64
		 ",\"offered\":%.1f,\"loss\":%.6f}",
		 (double)packets * (double)SECOND / (double)ns, sent, packets,
		 (double)sent * (double)SECOND / (double)ns,
		 sent > packets ? (double)(sent - packets) / (double)sent : 0.0);
	return 0;
}

/* ---- request and response ---- */

static void tell_latency(const struct bench_hdr *hdr, double rate, uint64_t least, char *result)
{
	static const double shares[] = {0.01, 0.05, 0.1, 0.2,  0.3,  0.4,   0.5,   0.6,
					0.7,  0.8,  0.9, 0.95, 0.99, 0.995, 0.999, 0.9999};
	int len =
		snprintf(result, BENCH_RESULT,
			 "{\"value\":%.1f,\"unit\":\"transactions/s\",\"count\":%" PRIu64
			 ",\"ns\":{\"min\":%" PRIu64 ",\"p50\":%" PRIu64 ",\"p99\":%" PRIu64
			 ",\"p999\":%" PRIu64 ",\"max\":%" PRIu64 ",\"mean\":%.0f},\"cdf\":[",
			 rate, hdr->count, least, bench_hdr_at(hdr, 0.5), bench_hdr_at(hdr, 0.99),
			 bench_hdr_at(hdr, 0.999), hdr->max, (double)hdr->sum / (double)hdr->count);

	for (unsigned i = 0; i < sizeof(shares) / sizeof(shares[0]); i++)
		len += snprintf(result + len, BENCH_RESULT - (size_t)len, "%s[%.4f,%" PRIu64 "]",
				i ? "," : "", shares[i], bench_hdr_at(hdr, shares[i]));
	snprintf(result + len, BENCH_RESULT - (size_t)len, "]}");
}

struct exchange {
	uint64_t due[FLIGHT]; /* of what is under way, a ring */
	uint64_t sent, got, start, least;
	struct bench_hdr hdr;
};

/* The moment at which request number n has to go out; without a rate: as soon as there is room. */
static uint64_t due_at(const struct exchange *x, const struct request *r, uint64_t t)
{
	return r->rate ? x->start + x->sent * SECOND / r->rate : t;
}

static int ask(struct exchange *x, const struct request *r, int fd)
{
	while (x->sent - x->got < r->flight) {
		uint64_t t = now(), due = due_at(x, r, t);

		if (due > t)
			return 0;
		if (send(fd, "?", 1, MSG_NOSIGNAL) != 1)
			return -EIO;
		x->due[x->sent++ % FLIGHT] = due;
	}
	return 0;
}

static int take(struct exchange *x, int fd)
{
	char bytes[FLIGHT];
	ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	uint64_t t = now();

	if (n <= 0)
		return n < 0 && errno == EAGAIN ? 0 : -EIO;
	for (ssize_t i = 0; i < n && x->got < x->sent; i++) {
		uint64_t ns = t - x->due[x->got++ % FLIGHT];

		bench_hdr_add(&x->hdr, ns);
		if (ns < x->least)
			x->least = ns;
	}
	return 0;
}

static int exchange(struct exchange *x, const struct request *r, int fd)
{
	uint64_t length = r->ms * UINT64_C(1000000), quiet = now();
	int err = 0;

	x->start = now();
	x->least = UINT64_MAX;
	while (!err && (now() - x->start < length || x->got < x->sent)) {
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		uint64_t before = x->got;

		if (now() - x->start < length)
			err = ask(x, r, fd);
		/* With a rate, the next one's moment is waited for awake. */
		if (!err && poll(&wait, 1, r->rate && now() - x->start < length ? 0 : 100) > 0)
			err = take(x, fd);
		if (x->got != before)
			quiet = now();
		if (now() - quiet > TIMEOUT_S * SECOND)
			err = -ETIMEDOUT;
	}
	return err;
}

static int rr(struct in_addr address, const struct request *r, char *result)
{
	struct exchange *x = calloc(1, sizeof(*x));
	int fd = x ? dial(address, "echo\n") : -ENOMEM, err;

	if (fd < 0) {
		free(x);
		return fd;
	}
	err = exchange(x, r, fd);
	uint64_t ns = now() - x->start;
	close(fd);
	if (!err && !x->hdr.count)
		err = -EIO;
	if (!err)
		tell_latency(&x->hdr, (double)x->got * (double)SECOND / (double)ns, x->least,
			     result);
	free(x);
	return err;
}

static int conn(struct in_addr address, const struct request *r, char *result)
{
	uint64_t start = now(), made = 0, ns;
	struct linger hard = {.l_onoff = 1}; /* no port stays in TIME-WAIT */

	while ((ns = now() - start) < r->ms * UINT64_C(1000000)) {
		int fd = dial(address, "hello\n");

		if (fd < 0)
			return fd;
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
		close(fd);
		made++;
	}
	snprintf(result, BENCH_RESULT,
		 "{\"value\":%.1f,\"unit\":\"connections/s\",\"count\":%" PRIu64 "}",
		 (double)made * (double)SECOND / (double)ns, made);
	return 0;
}

/* ---- which one ---- */

static unsigned long number(const char *command, const char *key, unsigned long fallback,
			    unsigned long max)
{
	const char *at = strstr(command, key);
	unsigned long value = at ? strtoul(at + strlen(key), NULL, 10) : fallback;

	return value < max ? value : max;
}

int bench_flow_run(struct in_addr address, const char *command, char result[BENCH_RESULT])
{
	static const struct {
		const char *name;
		int (*run)(struct in_addr address, const struct request *r, char *result);
	} kinds[] = {{"up", up}, {"down", down}, {"udp", udp}, {"rr", rr}, {"conn", conn}};
	struct request r = {
		.what = command,
		.ms = (unsigned)number(command, " ms=", 1000, 3600000),
		.size = (unsigned)number(command, " size=", 64, 1518),
		.flight = (unsigned)number(command, " flight=", 1, FLIGHT),
		.rate = number(command, " rate=", 0, 100000000),
	};
	size_t len = strcspn(command, " ");

	r.flight = r.flight ? r.flight : 1;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strlen(kinds[i].name) == len && !strncmp(command, kinds[i].name, len))
			return kinds[i].run(address, &r, result);
	return -EINVAL;
}
