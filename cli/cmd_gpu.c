/* SPDX-License-Identifier: BSD-3-Clause */
/* gpu: list, show, top. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/gpu_json.h"

static json_t *known(double value)
{
	return value < 0 ? NULL : json_real(value);
}

/* ---- list ---- */

static const struct cli_column columns[] = {
	{"GPU", "name", CLI_SHOW_PLAIN},
	{"DEVICE", "device", CLI_SHOW_PLAIN},
	{"DRIVER", "driver", CLI_SHOW_PLAIN},
	{"MEMORY", "memory", CLI_SHOW_SIZE},
	{"NUMA", "numa_node", CLI_SHOW_PLAIN},
	{"GROUP", "iommu_group", CLI_SHOW_PLAIN},
	{"MODES", "modes", CLI_SHOW_PLAIN},
	{"SLICES", "slices", CLI_SHOW_PLAIN},
	{"RESET", "reset_methods", CLI_SHOW_PLAIN},
	{"VM", "owner", CLI_SHOW_PLAIN},
	{0},
};

static json_t *encode(const struct gpu_device *dev)
{
	json_t *row = json_pack("{s:s,s:s}", "name", dev->name, "device", dev->device);
	json_t *modes = json_array(), *why = json_object();

	for (int mode = 0; mode < GPU_MODES; mode++) {
		const char *name = gpu_mode_name((enum gpu_mode)mode);
		if (dev->modes & 1u << mode)
			json_array_append_new(modes, json_string(name));
		else
			json_object_set_new(why, name, json_string(dev->why_not[mode]));
	}
	json_object_set_new(row, "driver", json_string(dev->driver));
	if (dev->vram)
		json_object_set_new(row, "memory", json_integer((json_int_t)dev->vram));
	if (dev->numa_node >= 0)
		json_object_set_new(row, "numa_node", json_integer(dev->numa_node));
	if (dev->iommu_group >= 0)
		json_object_set_new(row, "iommu_group", json_integer(dev->iommu_group));
	json_object_set_new(row, "modes", modes);
	json_object_set_new(row, "not", why);
	json_object_set_new(row, "reset_methods",
			    json_string(dev->resets[0] ? dev->resets : "none"));
	if (dev->audio[0])
		json_object_set_new(row, "audio", json_string(dev->audio));
	json_object_set_new(row, "console", json_boolean(dev->console));
	if (dev->claimed[0])
		json_object_set_new(row, "owner", json_string(dev->claimed));
	return row;
}

int cmd_gpu_list(struct cli *cli, const struct cli_args *args)
{
	struct gpu *gpu = cli_gpu(cli);
	struct gpu_device *list = NULL;
	size_t count = 0;
	json_t *rows = json_array();
	int err = gpu ? gpu_list(gpu, &list, &count) : -EIO;

	(void)args;
	for (size_t i = 0; i < count && !err; i++) {
		json_t *slices, *row = encode(&list[i]);
		err = gpu_json_slices(gpu, &list[i], &slices);
		json_object_set_new(row, "slices", json_integer((int)json_array_size(slices)));
		json_decref(slices);
		json_array_append_new(rows, row);
	}
	if (!err && cli->json)
		cli_print_json(stdout, rows);
	else if (!err)
		cli_print_table(stdout, columns, rows);
	json_decref(rows);
	free(list);
	return err ? CLI_FAILED : CLI_OK;
}

/* ---- show ---- */

static const struct cli_column show_columns[] = {
	{"GPU", "name", CLI_SHOW_PLAIN},
	{"device", "device", CLI_SHOW_PLAIN},
	{"driver", "driver", CLI_SHOW_PLAIN},
	{"memory", "memory", CLI_SHOW_SIZE},
	{"NUMA node", "numa_node", CLI_SHOW_PLAIN},
	{"IOMMU group", "iommu_group", CLI_SHOW_PLAIN},
	{"reset methods", "reset_methods", CLI_SHOW_PLAIN},
	{"audio function", "audio", CLI_SHOW_PLAIN},
	{"host's console", "console", CLI_SHOW_ON},
	{"vm", "owner", CLI_SHOW_PLAIN},
	{0},
};
static const struct cli_column mode_columns[] = {
	{"MODE", "mode", CLI_SHOW_PLAIN},
	{"BY", "backend", CLI_SHOW_PLAIN},
	{"WHY NOT", "why_not", CLI_SHOW_PLAIN},
	{0},
};
static const struct cli_column profile_columns[] = {
	{"PROFILE", "name", CLI_SHOW_PLAIN},
	{"MODE", "mode", CLI_SHOW_PLAIN},
	{"MEMORY", "memory", CLI_SHOW_SIZE},
	{"SHARE %", "share", CLI_SHOW_PLAIN},
	{"LEFT", "available", CLI_SHOW_PLAIN},
	{"WHAT", "text", CLI_SHOW_PLAIN},
	{0},
};
static const struct cli_column bar_columns[] = {
	{"BAR", "index", CLI_SHOW_PLAIN},
	{"SIZE", "size", CLI_SHOW_SIZE},
	{"64-BIT", "is64", CLI_SHOW_ON},
	{"PREFETCHABLE", "prefetchable", CLI_SHOW_ON},
	{0},
};
static const struct cli_column user_columns[] = {
	{"PROCESS", "pid", CLI_SHOW_PLAIN},
	{"NAME", "comm", CLI_SHOW_PLAIN},
	{"OPEN", "file", CLI_SHOW_PLAIN},
	{"MEMORY", "memory", CLI_SHOW_SIZE},
	{0},
};

static json_t *encode_modes(const struct gpu_device *dev)
{
	json_t *rows = json_array();

	for (int mode = 0; mode < GPU_MODES; mode++) {
		json_t *row = json_pack("{s:s}", "mode", gpu_mode_name((enum gpu_mode)mode));
		bool can = dev->modes & 1u << mode;
		json_object_set_new(row, can ? "backend" : "why_not",
				    json_string(can ? dev->backend[mode] : dev->why_not[mode]));
		json_array_append_new(rows, row);
	}
	return rows;
}

static int add_profiles(struct gpu *gpu, const struct gpu_device *dev, json_t *rows)
{
	int err = 0;

	for (int mode = 0; mode < GPU_MODES && !err; mode++) {
		struct gpu_profile *list = NULL;
		size_t count = 0;
		err = gpu_profiles(gpu, dev, (enum gpu_mode)mode, &list, &count);
		for (size_t i = 0; i < count && !err; i++) {
			json_t *row =
				json_pack("{s:s,s:s,s:s}", "name", list[i].name, "mode",
					  gpu_mode_name((enum gpu_mode)mode), "text", list[i].text);
			if (list[i].memory)
				json_object_set_new(row, "memory",
						    json_integer((json_int_t)list[i].memory));
			if (list[i].share)
				json_object_set_new(row, "share", json_integer(list[i].share));
			if (list[i].available >= 0)
				json_object_set_new(row, "available",
						    json_integer(list[i].available));
			json_array_append_new(rows, row);
		}
		free(list);
	}
	return err;
}

static json_t *encode_bars(const struct gpu_device *dev)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < dev->bar_count; i++)
		json_array_append_new(rows, json_pack("{s:i,s:I,s:b,s:b}", "index",
						      (int)dev->bars[i].index, "size",
						      (json_int_t)dev->bars[i].size, "is64",
						      dev->bars[i].is64, "prefetchable",
						      dev->bars[i].prefetchable));
	return rows;
}

static int add_users(struct gpu *gpu, const struct gpu_device *dev, json_t *rows)
{
	struct gpu_user *users = NULL;
	size_t count = 0;
	bool complete;
	int err = gpu_users(gpu, dev, &users, &count, &complete);

	for (size_t i = 0; i < count && !err; i++) {
		json_t *row = json_pack("{s:i,s:s,s:s}", "pid", (int)users[i].pid, "comm",
					users[i].comm, "file", users[i].file);
		if (users[i].memory >= 0)
			json_object_set_new(row, "memory",
					    json_integer((json_int_t)users[i].memory));
		json_array_append_new(rows, row);
	}
	free(users);
	return err;
}

static void print_section(const struct cli_column *columns_of, const json_t *object,
			  const char *key)
{
	const json_t *rows = json_object_get(object, key);

	if (!json_array_size(rows))
		return;
	putchar('\n');
	cli_print_table(stdout, columns_of, rows);
}

int cmd_gpu_show(struct cli *cli, const struct cli_args *args)
{
	struct gpu *gpu = cli_gpu(cli);
	struct gpu_device dev;
	json_t *slices = NULL, *profiles = json_array(), *users = json_array();
	int err = gpu ? gpu_find(gpu, args->operand, &dev) : -EIO;

	if (!err)
		err = add_profiles(gpu, &dev, profiles);
	if (!err)
		err = add_users(gpu, &dev, users);
	if (!err)
		err = gpu_json_slices(gpu, &dev, &slices);
	if (err) {
		json_decref(profiles);
		json_decref(users);
		return CLI_FAILED;
	}
	json_t *object = encode(&dev);
	json_object_set_new(object, "sharing", encode_modes(&dev));
	json_object_set_new(object, "bars", encode_bars(&dev));
	json_object_set_new(object, "profiles", profiles);
	json_object_set_new(object, "slices", slices);
	json_object_set_new(object, "users", users);
	if (cli->json) {
		cli_print_json(stdout, object);
	} else {
		cli_print_fields(stdout, show_columns, object);
		print_section(mode_columns, object, "sharing");
		print_section(bar_columns, object, "bars");
		print_section(profile_columns, object, "profiles");
		print_section(user_columns, object, "users");
	}
	json_decref(object);
	return CLI_OK;
}

/* ---- top ---- */

static const struct cli_column top_columns[] = {
	{"GPU", "name", CLI_SHOW_PLAIN},
	{"BY", "source", CLI_SHOW_PLAIN},
	{"CELSIUS", "celsius", CLI_SHOW_PLAIN},
	{"BUSY %", "busy", CLI_SHOW_PLAIN},
	{"USED", "memory_used", CLI_SHOW_SIZE},
	{"MEMORY", "memory_total", CLI_SHOW_SIZE},
	{"WATTS", "watts", CLI_SHOW_PLAIN},
	{"SLICES HELD", "held", CLI_SHOW_PLAIN},
	{0},
};

static json_t *whole(double value)
{
	return value < 0 ? NULL : json_integer((json_int_t)value);
}

static int look(struct gpu *gpu, json_t *rows)
{
	struct gpu_device *list = NULL;
	size_t count = 0;
	int err = gpu_list(gpu, &list, &count);

	for (size_t i = 0; i < count && !err; i++) {
		struct gpu_slice *slices = NULL;
		struct gpu_stat stat = {0};
		size_t n = 0;
		int held = 0;
		gpu_stat(gpu, &list[i], &stat);
		err = gpu_slice_list(gpu, &list[i], &slices, &n);
		for (size_t s = 0; s < n; s++)
			held += slices[s].state == GPU_HELD;
		free(slices);
		json_array_append_new(
			rows,
			json_pack("{s:s,s:s*,s:o*,s:o*,s:o*,s:o*,s:o*,s:i}", "name", list[i].name,
				  "source", stat.source[0] ? stat.source : NULL, "celsius",
				  known(stat.celsius), "busy", known(stat.busy), "memory_used",
				  whole(stat.memory_used), "memory_total", whole(stat.memory_total),
				  "watts", known(stat.watts), "held", held));
	}
	free(list);
	return err;
}

int cmd_gpu_top(struct cli *cli, const struct cli_args *args)
{
	bool terminal = isatty(STDOUT_FILENO) && !cli->json;
	uint64_t count = cli_number(args, "--count", terminal ? UINT64_MAX : 1);
	unsigned seconds = (unsigned)cli_number(args, "--interval", 2);
	struct gpu *gpu = cli_gpu(cli);
	int err = gpu ? 0 : -EIO;

	for (uint64_t i = 0; i < count && !err; i++) {
		json_t *rows = json_array();
		if (i)
			sleep(seconds);
		err = look(gpu, rows);
		if (!err && terminal)
			fputs("\033[H\033[2J", stdout);
		if (!err && cli->json)
			cli_print_json(stdout, rows);
		else if (!err)
			cli_print_table(stdout, top_columns, rows);
		fflush(stdout);
		json_decref(rows);
	}
	return err ? CLI_FAILED : CLI_OK;
}
