/* SPDX-License-Identifier: BSD-3-Clause */
/* switch: top, trace: what happens right now. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <poll.h>

#include "base/io.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/switch_dir.h"

#define HOME	"\033[H" /* ECMA-48: cursor to the first place */
#define BELOW	"\033[J" /* and everything after it away */
#define LOOK_MS 200

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* ---- top ---- */

static const json_t *same_port(const json_t *before, const char *name)
{
	size_t i;
	json_t *port;

	json_array_foreach ((json_t *)(uintptr_t)before, i, port)
		if (!strcmp(json_string_value(json_object_get(port, "name")), name))
			return port;
	return NULL;
}

static json_int_t per_second(const json_t *before, const json_t *after, const char *key,
			     double seconds)
{
	json_int_t a = json_integer_value(json_object_get(before, key));
	json_int_t b = json_integer_value(json_object_get(after, key));

	return b > a ? (json_int_t)((double)(b - a) / seconds) : 0;
}

/* The reason that has grown most. */
static const char *main_reason(const json_t *before, const json_t *after)
{
	json_t *count, *then = json_object_get(before, "drops");
	const char *reason, *best = "";
	json_int_t most = 0;

	json_object_foreach (json_object_get(after, "drops"), reason, count) {
		json_int_t more = json_integer_value(count) -
				  json_integer_value(json_object_get(then, reason));

		if (more > most) {
			most = more;
			best = reason;
		}
	}
	return best;
}

/* Of ports that were there at both looks. */
static json_t *rates(const json_t *before, const json_t *after, double seconds)
{
	static const char *const keys[] = {"rx_packets", "rx_bytes", "tx_packets", "tx_bytes",
					   "dropped"};
	json_t *rows = json_array(), *port;
	size_t i;

	json_array_foreach ((json_t *)(uintptr_t)after, i, port) {
		const char *name = json_string_value(json_object_get(port, "name"));
		const json_t *then = same_port(before, name);

		if (!then)
			continue;
		json_t *row =
			json_pack("{s:s,s:s}", "name", name, "reason", main_reason(then, port));
		for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
			json_object_set_new(row, keys[k],
					    json_integer(per_second(then, port, keys[k], seconds)));
		json_array_append_new(rows, row);
	}
	return rows;
}

static void print_workers(const json_t *workers)
{
	const char *stage;
	json_t *worker, *cycles;
	size_t i;

	json_array_foreach ((json_t *)(uintptr_t)workers, i, worker) {
		printf("worker %zu: %lld queues; cycles per frame:", i,
		       json_integer_value(json_object_get(worker, "queues")));
		json_object_foreach (json_object_get(worker, "cycles"), stage, cycles) {
			printf(" %s %lld", stage, json_integer_value(cycles));
		}
		putchar('\n');
	}
}

static void show(const struct cli *cli, json_t *rows, const json_t *workers, bool live)
{
	static const struct cli_column columns[] = {
		{"PORT", "name", CLI_SHOW_PLAIN},	   {"RX/s", "rx_packets", CLI_SHOW_PLAIN},
		{"RX-BYTES/s", "rx_bytes", CLI_SHOW_SIZE}, {"TX/s", "tx_packets", CLI_SHOW_PLAIN},
		{"TX-BYTES/s", "tx_bytes", CLI_SHOW_SIZE}, {"DROPS/s", "dropped", CLI_SHOW_PLAIN},
		{"MOSTLY", "reason", CLI_SHOW_PLAIN},	   {0}};

	if (live)
		fputs(HOME BELOW, stdout);
	if (cli->json) {
		json_t *all = json_pack("{s:O,s:O}", "ports", rows, "workers", workers);

		cli_print_json(stdout, all);
		json_decref(all);
	} else {
		print_workers(workers);
		putchar('\n');
		cli_print_table(stdout, columns, rows);
	}
	fflush(stdout);
}

static int look(const struct cli *cli, json_t **stats, json_t **status)
{
	int rc = switch_tell(cli, "stats", NULL, stats);

	return rc ? rc : switch_tell(cli, "status", NULL, status);
}

int cmd_switch_top(struct cli *cli, const struct cli_args *args)
{
	const int ms = (int)cli_number(args, "--interval", 2) * 1000;
	bool once = cli_has(args, "--once") || cli->json, live = !once && isatty(STDOUT_FILENO);
	json_t *before = NULL, *after = NULL, *status = NULL;
	struct pollfd stop = {.fd = open_signals(), .events = POLLIN};
	double start = now();
	int rc = switch_tell(cli, "stats", NULL, &before);

	while (!rc && poll(&stop, 1, ms) == 0) {
		rc = look(cli, &after, &status);
		double end = now();
		if (!rc) {
			json_t *rows = rates(before, after, end - start);

			show(cli, rows, json_object_get(status, "workers"), live);
			json_decref(rows);
		}
		json_decref(status);
		json_decref(before);
		before = after;
		status = after = NULL;
		start = end;
		if (once || ferror(stdout))
			break;
	}
	json_decref(before);
	io_close(&stop.fd);
	return rc;
}

/* ---- trace ---- */

static const char *text_of(const json_t *step, const char *key)
{
	const char *text = json_string_value(json_object_get(step, key));

	return text ? text : "";
}

static void print_step(const struct cli *cli, const json_t *step)
{
	long long frame = json_integer_value(json_object_get(step, "frame"));
	long long ns = json_integer_value(json_object_get(step, "time_ns"));

	if (cli->json) {
		json_dumpf(step, stdout, JSON_COMPACT);
		putchar('\n');
		return;
	}
	printf("%6lld %lld.%09lld %-4s %-16s", frame, ns / 1000000000, ns % 1000000000,
	       text_of(step, "step"), text_of(step, "port"));
	if (!strcmp(text_of(step, "step"), "drop"))
		printf(" %s", text_of(step, "reason"));
	printf(" %s > %s type 0x%04llx vlan %lld length %lld\n", text_of(step, "from"),
	       text_of(step, "to"), json_integer_value(json_object_get(step, "type")),
	       json_integer_value(json_object_get(step, "vlan")),
	       json_integer_value(json_object_get(step, "length")));
}

/* Prints what has happened since; how many frames have begun by now. */
static int take(const struct cli *cli, uint64_t *frames, uint64_t most, json_int_t *missed)
{
	json_t *answer = NULL, *step;
	size_t i;
	int rc = switch_tell(cli, "trace", NULL, &answer);

	json_array_foreach (json_object_get(answer, "steps"), i, step) {
		*frames += !strcmp(text_of(step, "step"), "in");
		if (!most || *frames <= most)
			print_step(cli, step);
	}
	*missed = json_integer_value(json_object_get(answer, "missed"));
	json_decref(answer);
	fflush(stdout);
	return rc;
}

static int set_trace(const struct cli *cli, const char *port, uint64_t every)
{
	return switch_tell(cli, "trace-set",
			   json_pack("{s:s,s:I}", "port", port, "every", (json_int_t)every), NULL);
}

int cmd_switch_trace(struct cli *cli, const struct cli_args *args)
{
	const uint64_t most = cli_number(args, "--frames", 0);
	const uint64_t seconds = cli_number(args, "--seconds", 0);
	struct pollfd stop = {.fd = open_signals(), .events = POLLIN};
	time_t end = time(NULL) + (time_t)seconds;
	json_int_t missed = 0;
	uint64_t frames = 0;
	int rc = set_trace(cli, args->operand, cli_number(args, "--every", 1));

	while (!rc && !(most && frames >= most) && !(seconds && time(NULL) >= end) &&
	       poll(&stop, 1, LOOK_MS) == 0)
		rc = take(cli, &frames, most, &missed);
	if (!rc)
		rc = set_trace(cli, args->operand, 0);
	if (!rc && missed)
		log_warn(args->operand, "%lld steps so far had no room; take --every more", missed);
	io_close(&stop.fd);
	return rc;
}
