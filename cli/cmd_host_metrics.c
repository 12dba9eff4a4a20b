/* SPDX-License-Identifier: BSD-3-Clause */
/* host metrics: figures of the whole host for Prometheus; host top: the same as a live screen. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/http_text.h"
#include "base/io.h"
#include "base/log.h"
#include "base/parse.h"
#include "cli/cli.h"
#include "cli/host_look.h"

#define WAIT_MS 1000 /* for a VM that does not answer: the others have figures too */

/* ---- metrics ---- */

static char *text_now(void *opaque)
{
	json_t *look = host_look(opaque, WAIT_MS);
	char *text = look ? host_metrics(look) : NULL;

	json_decref(look);
	cli_sriov_close(opaque); /* the ledger is not kept open between two looks */
	return text;
}

static void stop(void *opaque, uint32_t events)
{
	(void)events;
	loop_stop(opaque, 0);
}

static int watch_signals(struct loop *loop, int *fd)
{
	struct loop_source *source;
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	*fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return *fd < 0 ? -errno : loop_add(loop, *fd, EPOLLIN, stop, loop, &source);
}

static int serve(struct cli *cli, const char *where)
{
	struct http_text *server = NULL;
	struct loop *loop = NULL;
	int signals = -1, listener = http_text_listen(where);

	if (listener < 0)
		return log_fail(listener, where,
				"not listened there: %s; it takes ADDRESS:PORT, as "
				"in 127.0.0.1:9178 or [::1]:9178",
				strerror(-listener));
	int err = loop_create(&loop);
	if (!err)
		err = watch_signals(loop, &signals);
	if (!err)
		err = http_text_create(loop, listener, "/metrics", text_now, cli, &server);
	if (err)
		io_close(&listener);
	if (!err) {
		printf("host metrics: http://%s/metrics\n", where);
		fflush(stdout);
		err = loop_run(loop);
	}
	http_text_destroy(server);
	loop_destroy(loop);
	io_close(&signals);
	return err;
}

int cmd_host_metrics(struct cli *cli, const struct cli_args *args)
{
	const char *where = cli_text(args, "--listen", NULL);

	if (where)
		return serve(cli, where) ? CLI_FAILED : CLI_OK;
	json_t *look = host_look(cli, WAIT_MS);
	if (!look)
		return CLI_FAILED;
	char *text = cli->json ? NULL : host_metrics(look);
	if (cli->json)
		cli_print_json(stdout, look);
	else if (text)
		fputs(text, stdout);
	int status = cli->json || text ? CLI_OK : CLI_FAILED;
	free(text);
	json_decref(look);
	return status;
}

/* ---- top ---- */

#define HOME  "\033[H" /* ECMA-48: cursor to the first place */
#define BELOW "\033[J" /* and everything after it away */

static const struct cli_column vm_columns[] = {
	{"VM", "name", CLI_SHOW_PLAIN},		{"STATE", "state", CLI_SHOW_PLAIN},
	{"CPU %", "cpu", CLI_SHOW_PLAIN},	{"EXITS/s", "exits", CLI_SHOW_PLAIN},
	{"KERNEL/s", "kernel", CLI_SHOW_PLAIN}, {"MEMORY", "memory", CLI_SHOW_SIZE},
	{"RESETS", "resets", CLI_SHOW_PLAIN},	{0},
};

static const struct cli_column pf_columns[] = {
	{"PF", "name", CLI_SHOW_PLAIN},
	{"LINK", "link", CLI_SHOW_ON},
	{"VFS", "vfs", CLI_SHOW_PLAIN},
	{"RX/s", "rx", CLI_SHOW_PLAIN},
	{"RX Mb/s", "rx_mbit", CLI_SHOW_PLAIN},
	{"TX/s", "tx", CLI_SHOW_PLAIN},
	{"TX Mb/s", "tx_mbit", CLI_SHOW_PLAIN},
	{"DROPS/s", "drops", CLI_SHOW_PLAIN},
	{0},
};

static uint64_t number(const json_t *object, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(object, key));
}

static void show(const struct cli *cli, const json_t *rates, bool live)
{
	const json_t *host = json_object_get(rates, "host");
	char available[PARSE_SIZE_TEXT], total[PARSE_SIZE_TEXT];

	if (cli->json) {
		cli_print_json(stdout, rates);
		return;
	}
	if (live)
		fputs(HOME BELOW, stdout);
	printf("host: CPU %llu %%, memory %s available of %s, IOMMU faults %llu\n\n",
	       (unsigned long long)number(host, "cpu"),
	       format_size(number(host, "memory_available"), available),
	       format_size(number(host, "memory_total"), total),
	       (unsigned long long)number(host, "iommu_faults"));
	cli_print_table(stdout, vm_columns, json_object_get(rates, "vms"));
	putchar('\n');
	cli_print_table(stdout, pf_columns, json_object_get(rates, "pfs"));
	fflush(stdout);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int cmd_host_top(struct cli *cli, const struct cli_args *args)
{
	const struct timespec interval = {.tv_sec = (time_t)cli_number(args, "--interval", 2)};
	bool once = cli_has(args, "--once") || cli->json, live = !once && isatty(STDOUT_FILENO);
	double start = now();
	json_t *before = host_look(cli, WAIT_MS), *after = NULL;

	if (!before)
		return CLI_FAILED;
	do {
		nanosleep(&interval, NULL);
		after = host_look(cli, WAIT_MS);
		double end = now();
		json_t *rates = after ? host_rates(before, after, end - start) : NULL;
		if (rates)
			show(cli, rates, live);
		json_decref(rates);
		json_decref(before);
		before = after;
		start = end;
	} while (after && !once && !ferror(stdout));
	json_decref(before);
	return after ? CLI_OK : CLI_FAILED;
}
