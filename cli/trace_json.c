/* SPDX-License-Identifier: BSD-3-Clause */
/* trace_json: see trace_json.h. Written as it comes: a trace may be longer than what one wants to
 * hold. */
#include "cli/trace_json.h"

#include <string.h>

#include "hv-core/hv.h"

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

/* The region that holds the address; "" when none does. */
static const char *region_of(const json_t *regions, const char *space, json_int_t addr)
{
	for (size_t i = 0; i < json_array_size(regions); i++) {
		const json_t *region = json_array_get(regions, i);
		const char *in = json_string_value(json_object_get(region, "space"));
		json_int_t base = json_integer_value(json_object_get(region, "base"));
		json_int_t size = json_integer_value(json_object_get(region, "size"));

		if (in && !strcmp(in, space) && addr >= base && addr - base < size)
			return json_string_value(json_object_get(region, "name"));
	}
	return "";
}

static void add(struct trace_json *t, const json_t *event)
{
	json_int_t start, ns, addr;
	int cpu, reason;
	char name[96], at[24];

	if (json_unpack((json_t *)(uintptr_t)event, "[I,I,i,i,I]", &start, &ns, &cpu, &reason,
			&addr))
		return;
	const char *word = hv_exit_name((enum hv_exit_reason)reason);
	json_t *args = json_object();
	const char *region = "";
	if (reason <= HV_EXIT_MMIO_WRITE) {
		region = region_of(t->regions, reason <= HV_EXIT_IO_WRITE ? "io" : "mmio", addr);
		snprintf(at, sizeof(at), "0x%llx", (unsigned long long)addr);
		json_object_set_new(args, "address", json_string(at));
	}
	snprintf(name, sizeof(name), "%s%s%.60s", word, *region ? " " : "", region);
	/* microseconds, with a fraction */
	put(t, json_pack("{s:s,s:s,s:s,s:i,s:i,s:f,s:f,s:o}", "name", name, "cat", word, "ph", "X",
			 "pid", t->pid, "tid", cpu, "ts", (double)start / 1000.0, "dur",
			 (double)ns / 1000.0, "args", args));
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
