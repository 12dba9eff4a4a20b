/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * switch_rate: how many frames a switch moves between guests, how many without losing one, and how
 * long a frame takes. Guests (switch_guests.h) are on one CPU, the switch on another.
 *
 *   switch_rate OPTION... CONTESTANT:PID:SOCKETS...
 *
 * All contestants are there at the same time; all but the one whose turn it is are stopped
 * (SIGSTOP), and they take turns, so that what else goes on hits all of them. A trial during which
 * the guests or the switch were kept waiting for their CPU (schedstat) says nothing, and is made
 * again; how often is told, and one that had to be taken anyway is marked "~". With -f both come
 * before all else (SCHED_FIFO), a trial at a time.
 *
 *   rate      frames a second of the switch's CPU time, as fast as it takes them
 *   zero-loss the most frames a second of which none is lost (RFC 2544 section 26.1): halving, and
 * a trial that lost something is made twice more before it is believed (ETSI NFV-TST 009) latency
 * of a frame from guest to guest, at half of that
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>

#include "base/util.h"
#include "bench/switch_guests.h"

#define CONTESTANTS 4
#define ROUNDS_MOST 31
#define REPEATS	    6	  /* of a trial that was disturbed */
#define WAITED	    0.02  /* part of a trial that a thread may have waited for its CPU */
#define LOSS_WAITED 50000 /* ns, where nothing may be lost */

struct contestant {
	char name[16];
	pid_t pid, thread;
	const char *sockets;
	bool first;
	struct guests guests;
};

struct rates {
	double rate[ROUNDS_MOST], cycles[ROUNDS_MOST], refused[ROUNDS_MOST];
	unsigned disturbed;
};

struct plan {
	struct guests_options guests;
	unsigned rounds, contestants, cpu; /* cpu: the guests' */
	double trial_s, loss_s, latency_s;
	bool zero_loss, first; /* first: before all else on their CPUs, while a trial lasts */
	const char *rings;
	FILE *json;
	struct contestant who[CONTESTANTS];
};

static void die(const char *what)
{
	fprintf(stderr, "switch_rate: %s\n", what);
	exit(1);
}

static const char *size_name(unsigned size)
{
	static char text[16];

	if (size == GUESTS_IMIX)
		return "IMIX";
	snprintf(text, sizeof(text), "%u", size + 4);
	return text;
}

/* ---- one trial ---- */

struct trial {
	struct outcome out;
	double ran_s;	    /* CPU time of the switch */
	uint64_t waited_ns; /* the longer of both waits */
};

/* While a trial lasts (less than a tenth of a second at a time, with as much between). */
static void come_first(const struct contestant *c, bool on)
{
	const struct sched_param param = {.sched_priority = on};

	if (!c->first)
		return;
	sched_setscheduler(c->thread, on ? SCHED_FIFO : SCHED_OTHER, &param);
	sched_setscheduler(0, on ? SCHED_FIFO : SCHED_OTHER, &param);
	if (!on)
		nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
}

static struct trial try_once(struct contestant *c, const struct load *load, struct histogram *h)
{
	come_first(c, true);
	struct thread_time theirs = thread_time(c->pid, c->thread);
	struct thread_time ours = thread_time(getpid(), getpid());
	struct trial t = {.out = guests_run(&c->guests, load, h)};
	struct thread_time theirs_after = thread_time(c->pid, c->thread);
	struct thread_time ours_after = thread_time(getpid(), getpid());
	uint64_t waited = theirs_after.waited - theirs.waited;

	come_first(c, false);
	t.ran_s = (double)(theirs_after.ran - theirs.ran) / 1e9;
	t.waited_ns = MAX(waited, ours_after.waited - ours.waited);
	return t;
}

/* The least disturbed of some; false: all of them were. */
static bool try_quietly(struct contestant *c, const struct load *load, double waited_ns,
			struct trial *best)
{
	for (unsigned i = 0; i < REPEATS; i++) {
		struct trial t = try_once(c, load, NULL);

		if (!i || t.waited_ns < best->waited_ns)
			*best = t;
		if ((double)t.waited_ns <= waited_ns)
			return true;
	}
	return false;
}

static void turn_of(struct plan *p, unsigned who)
{
	for (unsigned i = 0; i < p->contestants; i++)
		if (i != who)
			kill(p->who[i].pid, SIGSTOP);
	kill(p->who[who].pid, SIGCONT);
}

/* ---- rate ---- */

static void one_rate(struct plan *p, struct contestant *c, unsigned size, unsigned round,
		     struct rates *out)
{
	const struct load load = {.size = size, .seconds = p->trial_s};
	struct trial t = {0};

	(void)try_once(c, &(struct load){.size = size, .seconds = p->trial_s / 10}, NULL);
	out->disturbed += !try_quietly(c, &load, p->trial_s * 1e9 * WAITED, &t);
	/* The switch never sleeps under this load: its CPU time is the trial's, less what was taken
	 * from it. */
	double seconds = MIN(t.ran_s > 0 ? t.ran_s : t.out.seconds, t.out.seconds);
	double rate = (double)t.out.in_time / seconds;
	out->rate[round] = rate;
	out->cycles[round] = rate > 0 ? (double)rte_get_tsc_hz() / rate : 0;
	out->refused[round] = (double)t.out.refused / (double)MAX(t.out.offered, UINT64_C(1));
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, unsigned count)
{
	qsort(values, count, sizeof(*values), by_value);
	return values[count / 2];
}

static void tell_rate(struct plan *p, const struct contestant *c, unsigned size, struct rates *r,
		      double ceiling)
{
	double rate = median(r->rate, p->rounds), cycles = median(r->cycles, p->rounds);
	double refused = median(r->refused, p->rounds);
	const char *mark = r->disturbed ? "~" : "";

	printf("%-18s %u %4s  %-8s %6.2f%s (%.2f-%.2f)  %5.0f  %4.0f%%  ", p->rings,
	       p->guests.queues, size_name(size), c->name, rate / 1e6, mark, r->rate[0] / 1e6,
	       r->rate[p->rounds - 1] / 1e6, cycles, refused * 100);
	if (ceiling > 0)
		printf("%.2f", rate / ceiling);
	printf("\n");
	fprintf(p->json,
		"{\"what\":\"rate\",\"rings\":\"%s\",\"queues\":%u,\"guests\":%u,\"bytes\":\"%s\","
		"\"contestant\":\"%s\",\"mpps\":%.4f,\"least\":%.4f,\"most\":%.4f,"
		"\"cycles_per_frame\":%.1f,\"refused\":%.4f,\"rounds\":%u,\"disturbed\":%u}\n",
		p->rings, p->guests.queues, p->guests.ports - 1, size_name(size), c->name,
		rate / 1e6, r->rate[0] / 1e6, r->rate[p->rounds - 1] / 1e6, cycles, refused,
		p->rounds, r->disturbed);
}

static void measure_rate(struct plan *p, unsigned size)
{
	static struct rates rates[CONTESTANTS];
	double ceiling = 0;

	memset(rates, 0, sizeof(rates));
	for (unsigned round = 0; round < p->rounds; round++)
		for (unsigned i = 0; i < p->contestants; i++) {
			turn_of(p, i);
			one_rate(p, &p->who[i], size, round, &rates[i]);
		}
	for (unsigned i = 0; i < p->contestants; i++)
		if (!strcmp(p->who[i].name, "io")) {
			double sorted[ROUNDS_MOST];

			memcpy(sorted, rates[i].rate, sizeof(sorted));
			ceiling = median(sorted, p->rounds);
		}
	for (unsigned i = 0; i < p->contestants; i++)
		tell_rate(p, &p->who[i], size, &rates[i], ceiling);
	fflush(stdout);
}

/* ---- without loss, and latency ---- */

static uint64_t lost(const struct outcome *out)
{
	return out->offered > out->received ? out->offered - out->received : 0;
}

/* Lost something, three times of three. */
static bool loses(struct plan *p, struct contestant *c, unsigned size, double rate, bool *sure)
{
	const struct load load = {.size = size, .rate = rate, .seconds = p->loss_s};

	for (unsigned i = 0; i < 3; i++) {
		struct trial t = {0};
		bool quiet = try_quietly(c, &load, LOSS_WAITED, &t);

		if (!lost(&t.out))
			return false;
		*sure = *sure && quiet;
	}
	return true;
}

static double zero_loss(struct plan *p, struct contestant *c, unsigned size, bool *sure)
{
	const struct load flat = {.size = size, .seconds = p->trial_s};
	struct outcome out = guests_run(&c->guests, &flat, NULL);
	double high = 1.1 * (double)out.in_time / out.seconds, low = 0;

	*sure = true;
	while (high - low > high * 0.02 && high > 1000) {
		double middle = (low + high) / 2;

		if (loses(p, c, size, middle, sure))
			high = middle;
		else
			low = middle;
	}
	return low;
}

static void latency(struct plan *p, struct contestant *c, unsigned size, double rate)
{
	static struct histogram h;
	static const double parts[] = {0.5, 0.99, 0.999};
	const struct load load = {.size = size, .rate = rate, .seconds = p->latency_s};
	const double us = 1e6 / (double)rte_get_tsc_hz();
	double at[ARRAY_SIZE(parts)];
	uint64_t waited = UINT64_MAX;

	for (unsigned i = 0; i < REPEATS && waited > LOSS_WAITED; i++) {
		memset(&h, 0, sizeof(h));
		waited = try_once(c, &load, &h).waited_ns;
	}
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		at[i] = (double)histogram_at(&h, parts[i]) * us;
	printf("   p50 %.1f  p99 %.1f  p99.9 %.1f  max %.1f us%s\n", at[0], at[1], at[2],
	       (double)h.most * us, waited > LOSS_WAITED ? " ~" : "");
	fprintf(p->json,
		"{\"what\":\"latency\",\"rings\":\"%s\",\"queues\":%u,\"guests\":%u,\"bytes\":\"%s\","
		"\"contestant\":\"%s\",\"mpps\":%.4f,\"p50_us\":%.2f,\"p99_us\":%.2f,"
		"\"p999_us\":%.2f,\"max_us\":%.2f,\"frames\":%" PRIu64 ",\"disturbed\":%d}\n",
		p->rings, p->guests.queues, p->guests.ports - 1, size_name(size), c->name,
		rate / 1e6, at[0], at[1], at[2], (double)h.most * us, h.total,
		waited > LOSS_WAITED);
}

static void measure_zero_loss(struct plan *p, unsigned size)
{
	for (unsigned i = 0; i < p->contestants; i++) {
		struct contestant *c = &p->who[i];
		bool sure;

		turn_of(p, i);
		double rate = zero_loss(p, c, size, &sure);
		printf("%-18s %u guests %4s  %-8s %6.2f%s Mpps", p->rings, p->guests.ports - 1,
		       size_name(size), c->name, rate / 1e6, sure ? "" : "~");
		fprintf(p->json,
			"{\"what\":\"zero-loss\",\"rings\":\"%s\",\"queues\":%u,\"guests\":%u,"
			"\"bytes\":\"%s\",\"contestant\":\"%s\",\"mpps\":%.4f,\"disturbed\":%d}\n",
			p->rings, p->guests.queues, p->guests.ports - 1, size_name(size), c->name,
			rate / 1e6, !sure);
		latency(p, c, size, rate / 2);
		fflush(stdout);
	}
}

/* ---- starting ---- */

static int start_dpdk(unsigned cpu)
{
	char lcores[32];
	const char *argv[] = {
		"switch_rate",	       "--no-huge", "--no-pci", "--no-telemetry", "--no-shconf",
		"--log-level=*:error", "-m",	    "384",	"--lcores",	  lcores};

	snprintf(lcores, sizeof(lcores), "0@%u", cpu);
	return rte_eal_init(ARRAY_SIZE(argv), (char **)argv);
}

static void take_contestant(struct plan *p, char *text)
{
	struct contestant *c = &p->who[p->contestants];
	char *pid = strchr(text, ':'), *sockets = pid ? strchr(pid + 1, ':') : NULL;

	if (!sockets || p->contestants == CONTESTANTS)
		die("a contestant is NAME:PID:SOCKETS");
	*pid = *sockets = '\0';
	snprintf(c->name, sizeof(c->name), "%s", text);
	c->pid = (pid_t)atoi(pid + 1);
	c->sockets = sockets + 1;
	p->contestants++;
}

static void open_contestants(struct plan *p)
{
	for (unsigned i = 0; i < p->contestants; i++) {
		struct contestant *c = &p->who[i];
		struct guests_options options = p->guests;

		turn_of(p, i);
		options.sockets = c->sockets;
		options.name = c->name;
		int err = guests_open(&c->guests, &options);
		if (err) {
			fprintf(stderr, "switch_rate: %s: its guests do not come up: %s\n", c->name,
				strerror(-err));
			exit(1);
		}
		c->first = p->first;
		c->thread = moving_thread(c->pid);
	}
}

static void take_options(struct plan *p, int argc, char **argv, const char **sizes)
{
	static const char *const rings[] = {"split", "split mergeable", "packed",
					    "packed mergeable"};
	int c;

	while ((c = getopt(argc, argv, "pmzfc:q:g:r:t:l:s:j:")) != -1) {
		switch (c) {
		case 'p':
			p->guests.packed = true;
			break;
		case 'm':
			p->guests.mergeable = true;
			break;
		case 'z':
			p->zero_loss = true;
			break;
		case 'f':
			p->first = true;
			break;
		case 'c':
			p->cpu = (unsigned)atoi(optarg);
			break;
		case 'q':
			p->guests.queues = (unsigned)atoi(optarg);
			break;
		case 'g':
			p->guests.ports = 1 + (unsigned)atoi(optarg);
			break;
		case 'r':
			p->rounds = MIN((unsigned)atoi(optarg), ROUNDS_MOST);
			break;
		case 't':
			p->trial_s = p->loss_s = atof(optarg) / 1000;
			break;
		case 'l':
			p->latency_s = atof(optarg) / 1000;
			break;
		case 's':
			*sizes = optarg;
			break;
		case 'j':
			p->json = fopen(optarg, "ae");
			break;
		default:
			die("see bench/switch.sh for its options");
		}
	}
	p->rings = rings[p->guests.packed * 2 + p->guests.mergeable];
	if (p->guests.ports < 2 || p->guests.ports > GUEST_PORTS || !p->guests.queues || !p->json ||
	    !p->rounds || optind == argc)
		die("see bench/switch.sh for its options");
	for (int i = optind; i < argc; i++)
		take_contestant(p, argv[i]);
}

int main(int argc, char **argv)
{
	static struct plan p = {.guests = {.ports = 2, .queues = 1},
				.rounds = 5,
				.trial_s = 0.1,
				.loss_s = 0.1,
				.latency_s = 0.5};
	const char *sizes = "60", *at;

	take_options(&p, argc, argv, &sizes);
	if (start_dpdk(p.cpu) < 0)
		die("DPDK does not start");
	open_contestants(&p);
	for (at = sizes; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
		unsigned size = (unsigned)atoi(at); /* "imix" is 0 */

		if (p.zero_loss)
			measure_zero_loss(&p, size);
		else
			measure_rate(&p, size);
	}
	for (unsigned i = 0; i < p.contestants; i++) {
		turn_of(&p, i);
		guests_close(&p.who[i].guests);
	}
	for (unsigned i = 0; i < p.contestants; i++)
		kill(p.who[i].pid, SIGCONT);
	fclose(p.json);
	rte_eal_cleanup();
	return 0;
}
