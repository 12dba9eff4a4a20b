/* SPDX-License-Identifier: BSD-3-Clause */
/* gpu pool: list, set, remove. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cli/cli.h"

static const struct cli_column columns[] = {
	{"POOL", "name", CLI_SHOW_PLAIN},	{"GPUS", "gpus", CLI_SHOW_PLAIN},
	{"POLICY", "policy", CLI_SHOW_PLAIN},	{"MODE", "mode", CLI_SHOW_PLAIN},
	{"PROFILE", "profile", CLI_SHOW_PLAIN}, {0},
};
static const struct cli_column room_columns[] = {
	{"GPU", "gpu", CLI_SHOW_PLAIN},
	{"MODE", "mode", CLI_SHOW_PLAIN},
	{"MEMORY", "total", CLI_SHOW_SIZE},
	{"FREE", "free", CLI_SHOW_SIZE},
	{"LARGEST", "largest", CLI_SHOW_SIZE},
	{"SLICES", "slices", CLI_SHOW_PLAIN},
	{"HELD", "held", CLI_SHOW_PLAIN},
	{"FRAGMENTED %", "fragmented", CLI_SHOW_PLAIN},
	{0},
};

static json_t *encode_rooms(const struct gpu_room *rooms, size_t count)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(
			rows,
			json_pack("{s:s,s:s,s:I,s:I,s:I,s:i,s:i,s:i}", "gpu", rooms[i].gpu, "mode",
				  gpu_mode_name((enum gpu_mode)rooms[i].mode), "total",
				  (json_int_t)rooms[i].total, "free", (json_int_t)rooms[i].free,
				  "largest", (json_int_t)rooms[i].largest, "slices",
				  (int)rooms[i].slices, "held", (int)rooms[i].held, "fragmented",
				  (int)rooms[i].fragmented));
	return rows;
}

static json_t *encode_pools(const struct gpu_pool *pools, size_t count)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(
			rows,
			json_pack("{s:s,s:s*,s:s,s:s*,s:s*}", "name", pools[i].name, "gpus",
				  pools[i].gpus[0] ? pools[i].gpus : NULL, "policy",
				  gpu_policy_name(pools[i].policy), "mode",
				  pools[i].mode < 0 ? NULL
						    : gpu_mode_name((enum gpu_mode)pools[i].mode),
				  "profile", pools[i].profile[0] ? pools[i].profile : NULL));
	return rows;
}

static int list(struct cli *cli, const struct cli_args *args)
{
	struct gpu_pool *pools = NULL;
	struct gpu_room *rooms = NULL;
	size_t count = 0, room_count = 0;

	if (gpu_pool_list(cli->gpu, &pools, &count))
		return CLI_FAILED;
	json_t *object = json_pack("{s:o}", "pools", encode_pools(pools, count));
	free(pools);
	int err = gpu_rooms(cli->gpu, args->more_count ? args->more[0] : "", &rooms, &room_count);
	json_object_set_new(object, "rooms", encode_rooms(rooms, err ? 0 : room_count));
	free(rooms);
	if (!err && cli->json) {
		cli_print_json(stdout, object);
	} else if (!err) {
		cli_print_table(stdout, columns, json_object_get(object, "pools"));
		putchar('\n');
		cli_print_table(stdout, room_columns, json_object_get(object, "rooms"));
	}
	json_decref(object);
	return err ? CLI_FAILED : CLI_OK;
}

static int set(struct cli *cli, const struct cli_args *args)
{
	const struct cli_given *mode = cli_given(args, "--mode");
	struct gpu_pool pool = {.mode = mode ? (int)mode->number : -1};
	const char *gpus = cli_text(args, "--gpus", ""), *profile = cli_text(args, "--profile", "");

	if (strlen(gpus) >= sizeof(pool.gpus) || strlen(profile) >= sizeof(pool.profile)) {
		log_error("gpu pool", "'%.40s…': too long", gpus);
		return CLI_USAGE;
	}
	snprintf(pool.name, sizeof(pool.name), "%.31s", args->more[0]);
	strcpy(pool.gpus, gpus);
	strcpy(pool.profile, profile);
	gpu_policy_parse(cli_text(args, "--policy", "binpack"), &pool.policy);
	if (!cli->dry_run && gpu_pool_set(cli->gpu, &pool))
		return CLI_FAILED;
	printf("%s: pool %s\n", pool.name, cli->dry_run ? "would be set" : "set");
	return CLI_OK;
}

static int drop(struct cli *cli, const struct cli_args *args)
{
	if (!cli->dry_run && gpu_pool_drop(cli->gpu, args->more[0]))
		return CLI_FAILED;
	printf("%s: pool %s\n", args->more[0], cli->dry_run ? "would be removed" : "removed");
	return CLI_OK;
}

int cmd_gpu_pool(struct cli *cli, const struct cli_args *args)
{
	bool is_list = !strcmp(args->operand, "list"), is_set = !strcmp(args->operand, "set");

	if (!is_list && !is_set && strcmp(args->operand, "remove") != 0) {
		log_error("gpu pool", "'%s' is none of list, set and remove", args->operand);
		return CLI_USAGE;
	}
	if (!is_list && !args->more_count) {
		log_error("gpu pool", "%s: which? for example: %s", args->operand,
			  args->command->examples[0]);
		return CLI_USAGE;
	}
	if (!cli_gpu(cli))
		return CLI_FAILED;
	return is_list ? list(cli, args) : is_set ? set(cli, args) : drop(cli, args);
}
