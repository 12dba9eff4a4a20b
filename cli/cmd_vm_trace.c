/* SPDX-License-Identifier: BSD-3-Clause */
/* vm trace: the exits of a running VM, one by one, for a while. The VMM keeps a bounded number and
 * we fetch them as they come; what it had to overwrite is counted and said. */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/patience.h"
#include "cli/trace_dat.h"
#include "cli/trace_json.h"
#include "cli/vm_dir.h"

#define RING	 65536
#define FETCH_MS 100

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* In one of two formats. */
struct trace {
	bool is_dat;
	struct trace_json json;
	struct trace_dat dat;
};

static int trace_begin(struct trace *t, const char *name, const json_t *stat, FILE *out)
{
	const json_t *cpus = json_object_get(stat, "cpus"),
		     *regions = json_object_get(stat, "regions");

	t->json = (struct trace_json){
		.out = out,
		.pid = (int)json_integer_value(json_object_get(stat, "pid")),
		.regions = regions,
	};
	t->dat = (struct trace_dat){.out = out, .regions = regions};
	if (!t->is_dat) {
		trace_json_begin(&t->json, name, (unsigned)json_array_size(cpus));
		return 0;
	}
	int err = trace_dat_begin(&t->dat, name, cpus);
	return err ? log_fail(err, name, "not traced: no temporary file: %s", strerror(-err)) : 0;
}

static void trace_add(struct trace *t, const json_t *events)
{
	if (t->is_dat)
		trace_dat_add(&t->dat, events);
	else
		trace_json_add(&t->json, events);
}

static int trace_end(struct trace *t, const char *name)
{
	int err = 0;

	if (t->is_dat)
		err = trace_dat_end(&t->dat);
	else
		trace_json_end(&t->json);
	return err ? log_fail(err, name, "its trace is not whole: %s", strerror(-err)) : 0;
}

/* All that is there. */
static int fetch(const struct cli *cli, const char *name, struct trace *trace, json_int_t *lost)
{
	size_t count;

	do {
		json_t *answer = vm_call(cli, name, "trace-read");
		if (!answer)
			return -EIO;
		count = json_array_size(json_object_get(answer, "events"));
		trace_add(trace, json_object_get(answer, "events"));
		*lost = json_integer_value(json_object_get(answer, "lost"));
		json_decref(answer);
	} while (count);
	return 0;
}

static int record(const struct cli *cli, const char *name, unsigned seconds, struct trace *trace,
		  json_int_t *lost)
{
	struct patience patience;
	int64_t end = now_ms() + (int64_t)seconds * 1000;
	int err = vm_tell(cli, name, "trace", json_pack("{s:i}", "events", RING), NULL, 0, NULL);

	if (err)
		return err;
	patience_begin(&patience);
	bool more = true;
	while (!err && more && now_ms() < end) {
		more = patience_wait(&patience, FETCH_MS);
		err = fetch(cli, name, trace, lost);
	}
	int stopped = vm_tell(cli, name, "trace", json_pack("{s:i}", "events", 0), NULL, 0, NULL);
	patience_end(&patience);
	return err ? err : stopped;
}

static int trace_vm(const struct cli *cli, const char *name, unsigned seconds, bool is_dat,
		    FILE *out)
{
	struct trace trace = {.is_dat = is_dat};
	json_t *stat = vm_call(cli, name, "stat");
	json_int_t lost = 0;

	if (!stat)
		return -EIO;
	int err = trace_begin(&trace, name, stat, out);
	if (!err)
		err = record(cli, name, seconds, &trace, &lost);
	int end = trace_end(&trace, name);
	json_decref(stat);
	if (!err && lost)
		log_warn(name, "%lld exits came faster than they could be fetched, and are missing",
			 lost);
	return err ? err : end;
}

int cmd_vm_trace(struct cli *cli, const struct cli_args *args)
{
	const char *path = cli_text(args, "--output", NULL);
	FILE *out = path ? fopen(path, "we") : stdout;

	if (!out)
		return log_fail(CLI_FAILED, path, "not written: %m");
	int err = trace_vm(cli, args->operand, (unsigned)cli_number(args, "--seconds", 5),
			   !strcmp(cli_text(args, "--format", "json"), "trace-cmd"), out);
	bool bad = ferror(out) != 0;
	if (out != stdout)
		bad |= fclose(out) != 0;
	if (bad)
		log_error(path ? path : "vm trace", "not written: %m");
	return err || bad ? CLI_FAILED : CLI_OK;
}
