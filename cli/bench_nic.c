/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench_nic: trials of every work over every path.
 *
 * All paths stand at the same time, and one after the other has its trial of a work before any has
 * its second one: what the machine does meanwhile meets all alike. The first trial of each is a
 * warm-up and counts for nothing. A trial that fails is repeated, and its path set up anew if its
 * guest is gone; after that it is counted as invalid, and never averaged in.
 *
 * The largest rate without loss is searched as RFC 2544, 26.1 says: from the most that the sender
 * can do, halving the interval; what is found must hold once more (ETSI GS NFV-TST 009, 12.3.3,
 * search with loss verification).
 */
#include "cli/bench_nic.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "cli/bench_cost.h"
#include "cli/bench_report.h"

#define ATTEMPTS     2
#define RESTARTS     2
#define SEARCH_STEPS 7
#define COST_RATE    1000 /* requests a second: little for every path, so that all do the same */

struct work {
	const char *name, *command, *unit, *better;
	double loss; /* of a search: the share that may be lost; negative: no search */
	bool brief;
};

static const struct work works[] = {
	{"up", "up", "Mbit/s", "more", -1, true},
	{"down", "down", "Mbit/s", "more", -1, true},
	{"rr-1", "rr flight=1", "transactions/s", "more", -1, true},
	{"rr-32", "rr flight=32", "transactions/s", "more", -1, false},
	{"conn", "conn", "connections/s", "more", -1, true},
	{"udp-64", "udp size=64", "packets/s", "more", 0, false},
	{"udp-64-0.1%", "udp size=64", "packets/s", "more", 0.001, false},
	{"udp-128", "udp size=128", "packets/s", "more", 0, false},
	{"udp-256", "udp size=256", "packets/s", "more", 0, false},
	{"udp-512", "udp size=512", "packets/s", "more", 0, false},
	{"udp-1024", "udp size=1024", "packets/s", "more", 0, false},
	{"udp-1518", "udp size=1518", "packets/s", "more", 0, false},
	{"udp-imix", "udp size=0", "packets/s", "more", 0, false},
	{"udp-offered", "udp size=64", "packets/s", "more", -1, true},
};

/* ---- saying how far it is ---- */

static void progress(const struct bench_run *run, const char *fmt, const char *a, const char *b)
{
	bool terminal = isatty(STDERR_FILENO);

	(void)run;
	fprintf(stderr, terminal ? "\r\033[K" : "");
	fprintf(stderr, fmt, a, b);
	fprintf(stderr, terminal ? "" : "\n");
	fflush(stderr);
}

/* ---- one trial ---- */

static int trial(struct bench_run *run, struct bench_path *path, const char *command,
		 json_t **result)
{
	char line[128];

	snprintf(line, sizeof(line), "%.90s ms=%u", command, run->ms);
	return bench_guest_do(&path->guest, line, 60 + run->ms / 100, run->stop_fd, result);
}

static double number(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

/* One rate: how much of it is lost; negative: it failed. */
static double loss_at(struct bench_run *run, struct bench_path *path, const char *command,
		      double rate, double *achieved, int *err)
{
	char line[96];
	json_t *result = NULL;

	snprintf(line, sizeof(line), "%.60s rate=%.0f", command, rate);
	*err = trial(run, path, line, &result);
	double loss = *err ? -1 : number(result, "loss");
	*achieved = *err ? 0 : number(result, "value");
	json_decref(result);
	return loss;
}

static int search(struct bench_run *run, struct bench_path *path, const struct work *work,
		  double *found)
{
	double low = 0, high, achieved, loss, best = 0;
	int err = 0;

	loss = loss_at(run, path, work->command, 0, &high, &err);
	if (err || (loss <= work->loss && loss >= 0)) {
		*found = high;
		return err;
	}
	for (unsigned step = 0; step < SEARCH_STEPS && !err; step++) {
		double rate = (low + high) / 2;

		loss = loss_at(run, path, work->command, rate, &achieved, &err);
		if (!err && loss <= work->loss) /* and once more */
			loss = loss_at(run, path, work->command, rate, &achieved, &err);
		if (!err && loss <= work->loss) {
			low = rate;
			best = achieved;
		} else {
			high = rate;
		}
	}
	*found = best;
	return err;
}

static int measure(struct bench_run *run, struct bench_path *path, const struct work *work,
		   double *value, json_t **result)
{
	if (work->loss >= 0)
		return search(run, path, work, value);
	int err = trial(run, path, work->command, result);
	*value = err ? 0 : number(*result, "value");
	return err;
}

/* ---- with repeats ---- */

static json_t *entry_of(const struct bench_run *run, const struct bench_path *path)
{
	return json_array_get(json_object_get(run->report, "paths"), (size_t)(path - run->path));
}

static json_t *work_entry(const struct bench_run *run, const struct bench_path *path,
			  const struct work *work)
{
	json_t *list = json_object_get(entry_of(run, path), "works"), *item;
	size_t i;

	json_array_foreach (list, i, item)
		if (!strcmp(json_string_value(json_object_get(item, "name")), work->name))
			return item;
	item = json_pack("{s:s,s:s,s:s,s:[],s:i}", "name", work->name, "unit", work->unit, "better",
			 work->better, "values", "invalid", 0);
	json_array_append_new(list, item);
	return item;
}

/* The guest died, or says nothing any more: another one. */
static int revive(struct bench_run *run, struct bench_path *path)
{
	if (path->restarts++ >= RESTARTS)
		return -ECHILD;
	log_warn("bench", "%s: its guest is gone (%.80s); it is set up anew", path->kind->name,
		 path->guest.last);
	bench_path_stop(run->cli, path);
	return bench_path_start(run->cli, &run->settings, path, run->stop_fd);
}

static void keep_latency(const struct bench_run *run, const struct bench_path *path,
			 const json_t *result)
{
	const json_t *ns = json_object_get(result, "ns");
	json_t *latency =
		json_pack("{s:O,s:O,s:O,s:O,s:O,s:O}", "min", json_object_get(ns, "min"), "p50",
			  json_object_get(ns, "p50"), "p99", json_object_get(ns, "p99"), "p999",
			  json_object_get(ns, "p999"), "max", json_object_get(ns, "max"), "cdf",
			  json_object_get(result, "cdf"));

	if (latency)
		json_object_set_new(entry_of(run, path), "latency", latency);
}

static int one_work(struct bench_run *run, struct bench_path *path, const struct work *work,
		    bool counts)
{
	json_t *entry = work_entry(run, path, work), *result = NULL;
	double value = 0;
	int err = -EIO;

	progress(run, "bench: %s, %s", path->kind->name, work->name);
	for (unsigned i = 0; i < ATTEMPTS && err; i++) {
		err = measure(run, path, work, &value, &result);
		if (err == -EINTR)
			return err;
		if (err)
			json_object_set_new(
				entry, "invalid",
				json_integer(json_integer_value(json_object_get(entry, "invalid")) +
					     1));
		if ((err == -ECHILD || err == -ETIMEDOUT) && revive(run, path))
			break;
	}
	if (!err && counts)
		json_array_append_new(json_object_get(entry, "values"), json_real(value));
	if (!err && counts && !strcmp(work->name, "rr-1"))
		keep_latency(run, path, result);
	json_decref(result);
	return 0;
}

/* The same few packets over each path, with all its counters before and after. */
static int cost(struct bench_run *run, struct bench_path *path)
{
	json_t *before, *after, *result = NULL;
	char command[64];
	int err;

	if (path->kind->qemu || path->kind->end == BENCH_NATIVE)
		return 0;
	progress(run, "bench: %s, %s", path->kind->name, "cost");
	snprintf(command, sizeof(command), "rr flight=1 rate=%u", COST_RATE);
	before = bench_cost_look(run->cli, path->vm);
	err = trial(run, path, command, &result);
	after = bench_cost_look(run->cli, path->vm);
	/* each request is one packet out and one in, and so is what acknowledges them, mostly */
	json_t *found = err ? NULL : bench_cost_of(before, after, 2 * number(result, "count"));
	if (found)
		json_object_set_new(entry_of(run, path), "cost", found);
	json_decref(before);
	json_decref(after);
	json_decref(result);
	return err == -EINTR ? err : 0;
}

/* ---- all of it ---- */

static void enter(struct bench_run *run)
{
	json_t *paths = json_array();

	for (size_t i = 0; i < run->paths; i++) {
		const struct bench_path *p = &run->path[i];
		json_t *entry = json_pack("{s:s,s:s,s:b,s:n,s:[]}", "name", p->kind->name, "label",
					  p->kind->label, "available", p->up, "why_not", "works");

		if (!p->up)
			json_object_set_new(entry, "why_not", json_string(p->why));
		json_array_append_new(paths, entry);
	}
	json_object_set_new(run->report, "paths", paths);
}

static int start_all(struct bench_run *run)
{
	int err = 0;

	for (size_t i = 0; i < run->paths && err != -EINTR; i++) {
		struct bench_path *path = &run->path[i];

		progress(run, "bench: %s: %s", path->kind->name, "starting");
		if (bench_path_available(run->cli, &run->settings, path))
			err = bench_path_start(run->cli, &run->settings, path, run->stop_fd);
		if (!path->up && err != -EINTR)
			progress(run, "bench: %s: skipped: %s\n", path->kind->name, path->why);
	}
	return err == -EINTR ? err : 0;
}

static int one_round(struct bench_run *run, unsigned round)
{
	int err = 0;

	for (size_t w = 0; w < ARRAY_SIZE(works) && !err; w++) {
		if (run->brief && !works[w].brief)
			continue;
		for (size_t i = 0; i < run->paths && !err; i++) {
			/* each round begins with another path */
			struct bench_path *path = &run->path[(i + round) % run->paths];

			if (path->up)
				err = one_work(run, path, &works[w], round > 0);
		}
	}
	for (size_t i = 0; i < run->paths && !err && round == 1; i++)
		if (run->path[i].up)
			err = cost(run, &run->path[i]);
	return err;
}

int bench_nic_run(struct bench_run *run)
{
	int err = start_all(run);

	enter(run);
	/* round 0 is the warm-up */
	for (unsigned round = 0; round <= run->rounds && !err; round++)
		err = one_round(run, round);
	progress(run, "bench: %s%s", err ? "stopped" : "done", "\n");
	for (size_t i = 0; i < run->paths; i++)
		bench_path_stop(run->cli, &run->path[i]);
	json_object_set_new(run->report, "complete", json_boolean(!err));
	bench_report_finish(run->report);
	return 0;
}
