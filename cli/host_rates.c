/* SPDX-License-Identifier: BSD-3-Clause */
/* host_rates: see host_look.h; what two looks say about the time between them. */
#include <string.h>

#include "base/util.h"
#include "cli/host_look.h"

static const json_t *same(const json_t *list, const json_t *row)
{
	const char *name = json_string_value(json_object_get(row, "name"));
	json_t *other;
	size_t i;

	json_array_foreach (list, i, other)
		if (!strcmp(json_string_value(json_object_get(other, "name")), name))
			return other;
	return NULL;
}

/* What was not there before, or was started anew, has grown from nothing. */
static double grown(const json_t *before, const json_t *after, const char *key)
{
	double was = json_number_value(json_object_get(before, key));
	double is = json_number_value(json_object_get(after, key));

	return is >= was ? is - was : is;
}

static void set_rate(json_t *row, const char *to, double value)
{
	json_object_set_new(row, to, json_integer((json_int_t)(value + 0.5)));
}

/* Percent of one processor. */
static json_t *vm_row(const json_t *was, const json_t *is, double seconds)
{
	json_t *row = json_object();

	json_object_set(row, "name", json_object_get(is, "name"));
	json_object_set(row, "state", json_object_get(is, "state"));
	json_object_set(row, "memory", json_object_get(is, "resident"));
	json_object_set(row, "resets", json_object_get(is, "resets"));
	set_rate(row, "cpu", 100 * grown(was, is, "cpu_seconds") / seconds);
	set_rate(row, "exits", grown(was, is, "ours") / seconds);
	if (json_object_get(is, "all"))
		set_rate(row, "kernel", grown(was, is, "all") / seconds);
	return row;
}

static json_t *pf_row(const json_t *was, const json_t *is, double seconds)
{
	static const char *const drops[] = {"rx_dropped", "tx_dropped", "rx_errors", "tx_errors"};
	json_t *row = json_object();
	double lost = 0;

	json_object_set(row, "name", json_object_get(is, "name"));
	json_object_set(row, "vfs", json_object_get(is, "vfs"));
	json_object_set_new(row, "link",
			    json_boolean(json_integer_value(json_object_get(is, "link_up"))));
	for (size_t i = 0; i < ARRAY_SIZE(drops); i++)
		lost += grown(was, is, drops[i]);
	set_rate(row, "rx", grown(was, is, "rx_packets") / seconds);
	set_rate(row, "tx", grown(was, is, "tx_packets") / seconds);
	set_rate(row, "rx_mbit", grown(was, is, "rx_bytes") * 8e-6 / seconds);
	set_rate(row, "tx_mbit", grown(was, is, "tx_bytes") * 8e-6 / seconds);
	set_rate(row, "drops", lost / seconds);
	return row;
}

static json_t *rows_of(const json_t *before, const json_t *after, double seconds,
		       json_t *(*make)(const json_t *was, const json_t *is, double seconds))
{
	json_t *rows = json_array(), *row;
	size_t i;

	json_array_foreach (after, i, row)
		json_array_append_new(rows, make(same(before, row), row, seconds));
	return rows;
}

static json_t *host_row(const json_t *before, const json_t *after)
{
	const json_t *was = json_object_get(before, "host"), *is = json_object_get(after, "host");
	double all = grown(was, is, "cpu_seconds"), idle = grown(was, is, "idle_seconds");
	json_t *row = json_object(), *unit;
	double faults = 0;
	size_t i;

	set_rate(row, "cpu", all > 0 ? 100 * (all - idle) / all : 0);
	json_object_set(row, "memory_total", json_object_get(is, "memory_total"));
	json_object_set(row, "memory_available", json_object_get(is, "memory_available"));
	json_array_foreach (json_object_get(after, "iommus"), i, unit)
		faults += grown(same(json_object_get(before, "iommus"), unit), unit, "faults");
	set_rate(row, "iommu_faults", faults);
	return row;
}

json_t *host_rates(const json_t *before, const json_t *after, double seconds)
{
	return json_pack("{s:o,s:o,s:o}", "host", host_row(before, after), "vms",
			 rows_of(json_object_get(before, "vms"), json_object_get(after, "vms"),
				 seconds, vm_row),
			 "pfs",
			 rows_of(json_object_get(before, "pfs"), json_object_get(after, "pfs"),
				 seconds, pf_row));
}
