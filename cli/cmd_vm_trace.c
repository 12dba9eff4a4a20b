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

/* All that is there. */
static int fetch(const struct cli *cli, const char *name, struct trace_json *trace,
		 json_int_t *lost)
{
	size_t count;

	do {
		json_t *answer = vm_call(cli, name, "trace-read");
		if (!answer)
			return -EIO;
		count = json_array_size(json_object_get(answer, "events"));
		trace_json_add(trace, json_object_get(answer, "events"));
		*lost = json_integer_value(json_object_get(answer, "lost"));
		json_decref(answer);
	} while (count);
	return 0;
}

static int record(const struct cli *cli, const char *name, unsigned seconds,
		  struct trace_json *trace, json_int_t *lost)
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

static int trace_vm(const struct cli *cli, const char *name, unsigned seconds, FILE *out)
{
	json_t *stat = vm_call(cli, name, "stat");
	json_int_t lost = 0;

	if (!stat)
		return -EIO;
	struct trace_json trace = {
		.out = out,
		.pid = (int)json_integer_value(json_object_get(stat, "pid")),
		.regions = json_object_get(stat, "regions"),
	};
	trace_json_begin(&trace, name, (unsigned)json_array_size(json_object_get(stat, "cpus")));
	int err = record(cli, name, seconds, &trace, &lost);
	trace_json_end(&trace);
	json_decref(stat);
	if (!err && lost)
		log_warn(name, "%lld exits came faster than they could be fetched, and are missing",
			 lost);
	return err;
}

int cmd_vm_trace(struct cli *cli, const struct cli_args *args)
{
	const char *path = cli_text(args, "--output", NULL);
	FILE *out = path ? fopen(path, "we") : stdout;

	if (!out)
		return log_fail(CLI_FAILED, path, "not written: %m");
	int err = trace_vm(cli, args->operand, (unsigned)cli_number(args, "--seconds", 5), out);
	bool bad = ferror(out) != 0;
	if (out != stdout)
		bad |= fclose(out) != 0;
	if (bad)
		log_error(path ? path : "vm trace", "not written: %m");
	return err || bad ? CLI_FAILED : CLI_OK;
}
