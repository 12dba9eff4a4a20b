/* SPDX-License-Identifier: BSD-3-Clause */
/* vm_stat_net: see vm_stat_net.h. What the tap sends the guest receives, and the other way round.
 */
#include "cli/vm_stat_net.h"

#include <string.h>

#include "base/parse.h"
#include "base/util.h"
#include "cli/cli.h"

static json_int_t counter(const struct sysfs *fs, const char *tap, const char *name)
{
	uint64_t value = 0;

	sysfs_read_u64(fs, &value, "class/net/%s/statistics/%s", tap, name);
	return (json_int_t)value;
}

static void add_direction(const struct sysfs *fs, const json_t *net, const char *what,
			  const char *side)
{
	const char *tap = json_string_value(json_object_get(net, "tap"));
	json_t *traffic = json_object_get(net, what);
	char name[32];

	if (!json_object_size(traffic) ||
	    !strcmp(json_string_value(json_object_get(net, "backend")), "vhost-user"))
		return; /* the switch's own counters tell */
	if (!strcmp(json_string_value(json_object_get(net, "backend")), "vhost")) {
		snprintf(name, sizeof(name), "%s_packets", side);
		json_object_set_new(traffic, "packets", json_integer(counter(fs, tap, name)));
		snprintf(name, sizeof(name), "%s_bytes", side);
		json_object_set_new(traffic, "bytes", json_integer(counter(fs, tap, name)));
	}
	snprintf(name, sizeof(name), "%s_dropped", side);
	json_int_t drops = json_integer_value(json_object_get(traffic, "drops"));
	json_object_set_new(traffic, "drops", json_integer(drops + counter(fs, tap, name)));
}

void vm_stat_add_taps(const struct sysfs *fs, json_t *stat)
{
	const json_t *nets = json_object_get(stat, "nets");

	for (size_t i = 0; fs && i < json_array_size(nets); i++) {
		add_direction(fs, json_array_get(nets, i), "received", "tx");
		add_direction(fs, json_array_get(nets, i), "sent", "rx");
	}
}

static const struct cli_column net_columns[] = {
	{"NIC", "name", CLI_SHOW_PLAIN},
	{"MAC", "mac", CLI_SHOW_PLAIN},
	{"BACKEND", "backend", CLI_SHOW_PLAIN},
	{"QUEUES", "used", CLI_SHOW_PLAIN},
	{"RECEIVED", "rx_packets", CLI_SHOW_PLAIN},
	{"BYTES", "rx_bytes", CLI_SHOW_PLAIN},
	{"DROPS", "rx_drops", CLI_SHOW_PLAIN},
	{"SENT", "tx_packets", CLI_SHOW_PLAIN},
	{"BYTES", "tx_bytes", CLI_SHOW_PLAIN},
	{"DROPS", "tx_drops", CLI_SHOW_PLAIN},
	{0},
};

static void flatten(json_t *row, const char *prefix, const json_t *traffic)
{
	static const char *const keys[] = {"packets", "bytes", "drops"};
	char name[16];

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		snprintf(name, sizeof(name), "%s_%s", prefix, keys[i]);
		json_object_set(row, name, json_object_get(traffic, keys[i]));
	}
}

void vm_stat_show_nets(const json_t *stat)
{
	const json_t *nets = json_object_get(stat, "nets");
	json_t *rows = json_array();

	for (size_t i = 0; i < json_array_size(nets); i++) {
		json_t *row = json_copy(json_array_get(nets, i));
		json_object_set_new(
			row, "used",
			json_sprintf("%lld/%lld",
				     json_integer_value(json_object_get(row, "queues_used")),
				     json_integer_value(json_object_get(row, "queues"))));
		flatten(row, "rx", json_object_get(row, "received"));
		flatten(row, "tx", json_object_get(row, "sent"));
		json_array_append_new(rows, row);
	}
	if (json_array_size(rows)) {
		puts("\nNICs, as the guest sees them");
		cli_print_table(stdout, net_columns, rows);
	}
	json_decref(rows);
}

static char *size_of(const json_t *object, const char *key, char text[PARSE_SIZE_TEXT])
{
	return format_size((uint64_t)json_integer_value(json_object_get(object, key)), text);
}

void vm_stat_show_balloon(const json_t *stat)
{
	const json_t *balloon = json_object_get(stat, "balloon");
	const json_t *guest = json_object_get(balloon, "guest");
	char actual[PARSE_SIZE_TEXT], wanted[PARSE_SIZE_TEXT], reported[PARSE_SIZE_TEXT];

	if (!balloon)
		return;
	printf("\nballoon: %s of %s wanted; %s of idle pages given back so far\n",
	       size_of(balloon, "actual", actual), size_of(balloon, "wanted", wanted),
	       size_of(balloon, "reported", reported));
	if (guest)
		printf("guest's own numbers: %s in all, %s free, %s available\n",
		       size_of(guest, "total", actual), size_of(guest, "free", wanted),
		       size_of(guest, "available", reported));
}
