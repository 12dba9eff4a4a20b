/* SPDX-License-Identifier: BSD-3-Clause */
/* trace_json: see trace_json.h. Written as it comes: a trace may be longer than what one wants to
 * hold. */
#include "cli/trace_json.h"

#include "cli/trace_slice.h"

static void put(struct trace_json *t, json_t *event)
{
	fputs(t->events++ ? ",\n" : "\n", t->out);
	json_dumpf(event, t->out, JSON_COMPACT);
	json_decref(event);
}

void trace_json_begin(struct trace_json *t, const char *name, unsigned cpus)
{
	char track[16];

	fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[", t->out);
	put(t, json_pack("{s:s,s:s,s:i,s:{s:s}}", "name", "process_name", "ph", "M", "pid", t->pid,
			 "args", "name", name));
	for (unsigned cpu = 0; cpu < cpus; cpu++) {
		snprintf(track, sizeof(track), "cpu%u", cpu);
		put(t, json_pack("{s:s,s:s,s:i,s:i,s:{s:s}}", "name", "thread_name", "ph", "M",
				 "pid", t->pid, "tid", (int)cpu, "args", "name", track));
	}
}

static void add(struct trace_json *t, const json_t *event)
{
	struct trace_slice slice;
	char name[96], at[24];

	if (trace_slice_read(event, t->regions, &slice))
		return;
	json_t *args = json_object();

	if (slice.access) {
		snprintf(at, sizeof(at), "0x%llx", (unsigned long long)slice.addr);
		json_object_set_new(args, "address", json_string(at));
	}
	snprintf(name, sizeof(name), "%s%s%.60s", slice.word, *slice.region ? " " : "",
		 slice.region);
	/* microseconds, with a fraction */
	put(t,
	    json_pack("{s:s,s:s,s:s,s:i,s:i,s:f,s:f,s:o}", "name", name, "cat", slice.word, "ph",
		      "X", "pid", t->pid, "tid", (int)slice.cpu, "ts", (double)slice.start / 1000.0,
		      "dur", (double)slice.ns / 1000.0, "args", args));
}

void trace_json_add(struct trace_json *t, const json_t *events)
{
	for (size_t i = 0; i < json_array_size(events); i++)
		add(t, json_array_get(events, i));
}

void trace_json_end(struct trace_json *t)
{
	fputs("\n]}\n", t->out);
}
