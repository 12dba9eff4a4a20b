/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench: the same work over every path that this host has, and a report of it; and two reports
 * against each other.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/util.h"
#include "cli/bench_initrd.h"
#include "cli/bench_nic.h"
#include "cli/bench_report.h"
#include "cli/program.h"

#define SIGNIFICANT 0.05

/* What a guest of any path needs; a VF's driver is its PF's business. */
static const char *const modules[] = {"virtio_pci", "virtio_net", "e1000e",    "igbvf",
				      "ixgbevf",    "iavf",	  "mlx5_core", "af_packet"};

/* ---- settings ---- */

static const char *in_path(const char *name, char path[PATH_MAX])
{
	const char *at = getenv("PATH");

	while (at && *at) {
		size_t len = strcspn(at, ":");

		snprintf(path, PATH_MAX, "%.*s/%s", (int)len, at, name);
		if (!access(path, X_OK))
			return path;
		at += len + (at[len] == ':');
	}
	return NULL;
}

static bool is_wanted(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = list; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
		if (!strncmp(at, name, len) && (at[len] == ',' || !at[len]))
			return true;
	return !list;
}

/* Every word of the list is a path. */
static int check_list(const char *list)
{
	for (const char *at = list; at && *at;) {
		size_t len = strcspn(at, ",");
		bool known = false;

		for (const struct bench_kind *k = bench_kinds; k->name; k++)
			known |= strlen(k->name) == len && !strncmp(k->name, at, len);
		if (!known) {
			log_error("bench", "no path '%.*s'; see sluice bench nic --help", (int)len,
				  at);
			return -EINVAL;
		}
		at += len + (at[len] == ',');
	}
	return 0;
}

static void choose_paths(struct bench_run *run, const char *list)
{
	for (const struct bench_kind *k = bench_kinds; k->name && run->paths < BENCH_PATHS; k++)
		if (is_wanted(list, k->name))
			run->path[run->paths++] = (struct bench_path){
				.kind = k, .subnet = (unsigned)(k - bench_kinds) + 1};
}

/* ---- one at a time, and an end when it is wished ---- */

static int lock(struct cli *cli)
{
	char path[CLI_PATH];

	if (cli_run_path(cli, path, "bench.lock"))
		return -ENAMETOOLONG;
	mkdir(cli->run_dir, 0755);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return log_fail(-errno, "bench", "%s not opened: %m; run as root", path);
	if (!flock(fd, LOCK_EX | LOCK_NB))
		return fd;
	close(fd);
	return log_fail(-EBUSY, "bench", "another bench is running; they would measure each other");
}

static int hear_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* ---- what comes of it ---- */

static int write_files(const json_t *report, const char *dir)
{
	char path[PATH_MAX];

	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return log_fail(-errno, "bench", "%s not made: %m", dir);
	snprintf(path, sizeof(path), "%s/report.json", dir);
	if (json_dump_file(report, path, JSON_INDENT(1) | JSON_REAL_PRECISION(9)))
		return log_fail(-EIO, "bench", "%s not written", path);
	snprintf(path, sizeof(path), "%s/report.html", dir);
	FILE *out = fopen(path, "we");
	if (!out)
		return log_fail(-errno, "bench", "%s not written: %m", path);
	bench_report_html(out, report);
	return fclose(out) ? log_fail(-EIO, "bench", "%s not written", path) : 0;
}

static void print_environment(const json_t *env)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)env, key, value) {
		if (json_is_string(value))
			printf("%-22s %s\n", key, json_string_value(value));
		else if (json_is_boolean(value))
			printf("%-22s %s\n", key, json_is_true(value) ? "yes" : "no");
		else
			printf("%-22s %g\n", key, json_number_value(value));
	}
	fflush(stdout);
}

static json_t *new_report(const struct bench_run *run)
{
	char started[32];
	time_t now = time(NULL);
	struct tm utc;

	strftime(started, sizeof(started), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
	return json_pack("{s:i,s:s,s:s,s:b,s:i,s:i,s:o}", "schema", BENCH_SCHEMA, "kind", "nic",
			 "started", started, "complete", 0, "rounds", (int)run->rounds, "trial_ms",
			 (int)run->ms, "environment", bench_environment());
}

static int run_nic(struct bench_run *run, const char *dir)
{
	struct bench_settings *s = &run->settings;
	int err = bench_initrd_write(s->initrd, s->work, s->modules, modules, ARRAY_SIZE(modules));

	if (err)
		return CLI_FAILED;
	run->report = new_report(run);
	if (!run->cli->json)
		print_environment(json_object_get(run->report, "environment"));
	bench_nic_run(run);
	err = write_files(run->report, dir);
	if (run->cli->json)
		cli_print_json(stdout, run->report);
	else
		bench_report_print(stdout, run->report);
	if (!run->cli->json && !err)
		printf("\n%s/report.html, %s/report.json\n", dir, dir);
	bool complete = json_is_true(json_object_get(run->report, "complete"));
	json_decref(run->report);
	unlink(s->initrd);
	return err || !complete ? CLI_FAILED : CLI_OK;
}

int cmd_bench_nic(struct cli *cli, const struct cli_args *args)
{
	struct bench_run *run = calloc(1, sizeof(*run));
	char kernel[128], folder[128], qemu[PATH_MAX];
	const char *list = cli_text(args, "--paths", NULL);
	struct utsname host;

	if (!run)
		return CLI_FAILED;
	if (check_list(list)) {
		free(run);
		return CLI_USAGE;
	}
	uname(&host);
	snprintf(kernel, sizeof(kernel), "/boot/vmlinuz-%s", host.release);
	snprintf(folder, sizeof(folder), "/lib/modules/%s", host.release);
	run->cli = cli;
	run->rounds = (unsigned)cli_number(args, "--rounds", cli_has(args, "--brief") ? 1 : 5);
	run->ms = (unsigned)cli_number(args, "--ms", 1000);
	run->brief = cli_has(args, "--brief");
	run->settings.kernel = cli_text(args, "--kernel", kernel);
	run->settings.modules = cli_text(args, "--modules", folder);
	run->settings.pf = cli_text(args, "--pf", NULL);
	run->settings.qemu = cli_text(args, "--qemu", in_path("qemu-system-x86_64", qemu));
	cli_program("SLUICE_WORK", "sluice-work", run->settings.work);
	choose_paths(run, list);
	int held = lock(cli), status = CLI_FAILED;
	snprintf(run->settings.initrd, sizeof(run->settings.initrd), "%s/bench.cpio", cli->run_dir);
	run->stop_fd = held >= 0 ? hear_signals() : -1;
	if (held >= 0)
		status = run_nic(run, cli_text(args, "--output", "bench-report"));
	io_close(&run->stop_fd);
	io_close(&held);
	free(run);
	return status;
}

/* ---- two reports ---- */

static json_t *load(const char *path)
{
	json_error_t error;
	const char *what;
	json_t *report = json_load_file(path, 0, &error);

	if (!report) {
		log_error("bench", "%s: %s", path, error.text);
	} else if (bench_report_check(report, &what)) {
		log_error("bench", "%s is no report of this version: %s", path, what);
		json_decref(report);
		report = NULL;
	}
	return report;
}

static const json_t *named(const json_t *list, const char *name)
{
	const json_t *item;
	size_t i;

	json_array_foreach (list, i, item)
		if (!strcmp(json_string_value(json_object_get(item, "name")), name))
			return item;
	return NULL;
}

static size_t fill(const json_t *work, double values[64])
{
	const json_t *list = json_object_get(work, "values"), *value;
	size_t i, count = 0;

	json_array_foreach (list, i, value)
		if (count < 64)
			values[count++] = json_number_value(value);
	return count;
}

static json_t *row_of(const char *path, const json_t *a, const json_t *b)
{
	const char *better = json_string_value(json_object_get(a, "better"));
	double x[64], y[64], p;
	size_t n = fill(a, x), m = fill(b, y);

	if (!n || !m)
		return NULL;
	double before = bench_median(x, n), after = bench_median(y, m);
	bool good = (after > before) == !(better && !strcmp(better, "less"));
	p = bench_mann_whitney(x, n, y, m);
	return json_pack("{s:s,s:O,s:O,s:f,s:f,s:f,s:f,s:s}", "path", path, "work",
			 json_object_get(a, "name"), "unit", json_object_get(a, "unit"), "before",
			 before, "after", after, "ratio", before > 0 ? after / before : 0.0, "p", p,
			 "verdict",
			 p >= SIGNIFICANT ? "no difference seen"
			 : good		  ? "better"
					  : "worse");
}

static json_t *rows_of(const json_t *a, const json_t *b)
{
	const json_t *path, *work;
	json_t *rows = json_array();
	size_t i, j;

	json_array_foreach (json_object_get(a, "paths"), i, path) {
		const char *name = json_string_value(json_object_get(path, "name"));
		const json_t *other = named(json_object_get(b, "paths"), name);

		json_array_foreach (json_object_get(path, "works"), j, work) {
			const json_t *twin =
				named(json_object_get(other, "works"),
				      json_string_value(json_object_get(work, "name")));
			json_t *row = twin ? row_of(name, work, twin) : NULL;

			if (row)
				json_array_append_new(rows, row);
		}
	}
	return rows;
}

int cmd_bench_compare(struct cli *cli, const struct cli_args *args)
{
	json_t *a = load(args->operand), *b = a ? load(args->more[0]) : NULL, *rows, *row;
	size_t i;

	if (!a || !b) {
		json_decref(a);
		return CLI_FAILED;
	}
	rows = rows_of(a, b);
	if (cli->json) {
		cli_print_json(stdout, rows);
	} else {
		printf("%-14s %-12s %14s %14s %7s %7s  %s\n", "PATH", "WORK", "BEFORE", "AFTER",
		       "RATIO", "P", "VERDICT");
		json_array_foreach (rows, i, row)
			printf("%-14s %-12s %14.1f %14.1f %7.3f %7.4f  %s\n",
			       json_string_value(json_object_get(row, "path")),
			       json_string_value(json_object_get(row, "work")),
			       json_number_value(json_object_get(row, "before")),
			       json_number_value(json_object_get(row, "after")),
			       json_number_value(json_object_get(row, "ratio")),
			       json_number_value(json_object_get(row, "p")),
			       json_string_value(json_object_get(row, "verdict")));
	}
	json_decref(rows);
	json_decref(a);
	json_decref(b);
	return CLI_OK;
}
