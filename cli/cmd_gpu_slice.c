/* SPDX-License-Identifier: BSD-3-Clause */
/* gpu slice, gpu release. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "cli/cli.h"
#include "cli/gpu_json.h"

/* ---- as JSON ---- */

static void add_text(json_t *row, const char *key, const char *text)
{
	if (*text)
		json_object_set_new(row, key, json_string(text));
}

json_t *gpu_json_slice(const struct gpu_slice *s)
{
	char name[GPU_SLICE_NAME];
	json_t *row = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s}", "name", gpu_slice_name(s, name), "gpu",
				s->gpu, "mode", gpu_mode_name(s->mode), "backend", s->backend,
				"profile", s->profile, "state", gpu_slice_state_name(s->state));

	add_text(row, "pool", s->pool);
	add_text(row, "owner", s->owner);
	add_text(row, "vfio", s->vfio);
	add_text(row, "audio", s->audio);
	if (s->memory)
		json_object_set_new(row, "memory", json_integer((json_int_t)s->memory));
	if (s->share)
		json_object_set_new(row, "share", json_integer(s->share));
	if (s->iommu_group >= 0)
		json_object_set_new(row, "iommu_group", json_integer(s->iommu_group));
	for (size_t i = 1; i < GPU_SETTINGS; i++)
		add_text(row, gpu_settings[i].name, s->value[i]);
	return row;
}

int gpu_json_slices(struct gpu *gpu, const struct gpu_device *device, json_t **out)
{
	struct gpu_slice *list = NULL;
	size_t count = 0;
	int err = gpu_slice_list(gpu, device, &list, &count);

	*out = json_array();
	for (size_t i = 0; i < count && !err; i++)
		json_array_append_new(*out, gpu_json_slice(&list[i]));
	free(list);
	return err;
}

static const struct cli_column columns[] = {
	{"SLICE", "name", CLI_SHOW_PLAIN},	{"MODE", "mode", CLI_SHOW_PLAIN},
	{"PROFILE", "profile", CLI_SHOW_PLAIN}, {"MEMORY", "memory", CLI_SHOW_SIZE},
	{"STATE", "state", CLI_SHOW_PLAIN},	{"VM", "owner", CLI_SHOW_PLAIN},
	{"POOL", "pool", CLI_SHOW_PLAIN},	{"QUANTUM", "quantum", CLI_SHOW_PLAIN},
	{"PREEMPT", "preempt", CLI_SHOW_PLAIN}, {"PRIORITY", "priority", CLI_SHOW_PLAIN},
	{"FUNCTION", "vfio", CLI_SHOW_PLAIN},	{0},
};

/* ---- requests ---- */

/* Options are the settings by their names; so one parser reads both. */
static int read_request(const struct cli_args *args, struct gpu_request *out)
{
	static const char *const names[] = {"profile", "memory",   "share",  "mode",   "quantum",
					    "preempt", "priority", "policy", "params", "place"};
	char option[24];
	struct gpu_request one;

	*out = (struct gpu_request){.mode = -1};
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char text[256];
		snprintf(option, sizeof(option), "--%s", names[i]);
		const char *value = cli_text(args, option, NULL);
		if (!value)
			continue;
		snprintf(text, sizeof(text), "%s=%.200s", names[i], value);
		if (gpu_request_parse("gpu slice", text, &one))
			return -EINVAL;
		if (one.profile[0])
			memcpy(out->profile, one.profile, sizeof(one.profile));
		out->memory = one.memory ? one.memory : out->memory;
		out->share = one.share ? one.share : out->share;
		out->mode = one.mode >= 0 ? one.mode : out->mode;
		for (size_t s = 0; s < GPU_SETTINGS; s++)
			if (one.value[s][0])
				memcpy(out->value[s], one.value[s], GPU_VALUE);
	}
	return 0;
}

/* ---- the actions ---- */

static int report(struct cli *cli, const struct gpu_slice *s, const char *what)
{
	json_t *row = gpu_json_slice(s);
	char name[GPU_SLICE_NAME];

	if (cli->json)
		cli_print_json(stdout, row);
	else
		printf("%s: %s, %s '%s'\n", gpu_slice_name(s, name), what, gpu_mode_name(s->mode),
		       s->profile);
	json_decref(row);
	return CLI_OK;
}

static void tell_step(const char *what, const char *before, const char *after, const char *effect,
		      void *opaque)
{
	json_array_append_new(opaque, json_pack("{s:s,s:s,s:s,s:s}", "what", what, "before", before,
						"after", after, "effect", effect));
}

static const struct cli_column plan_columns[] = {
	{"WHAT", "what", CLI_SHOW_PLAIN},
	{"IS", "before", CLI_SHOW_PLAIN},
	{"SHALL BE", "after", CLI_SHOW_PLAIN},
	{"EFFECT", "effect", CLI_SHOW_PLAIN},
	{0},
};

static int show_plan_of(struct cli *cli, const struct gpu_device *dev, const struct gpu_request *r)
{
	json_t *rows = json_array();
	int err = gpu_slice_plan(cli->gpu, dev, r, tell_step, rows);

	if (!err && cli->json)
		cli_print_json(stdout, rows);
	else if (!err)
		cli_print_table(stdout, plan_columns, rows);
	json_decref(rows);
	return err ? CLI_FAILED : CLI_OK;
}

static int create(struct cli *cli, const struct cli_args *args)
{
	struct gpu_request request;
	struct gpu_device dev;
	struct gpu_slice slice;

	if (read_request(args, &request))
		return CLI_USAGE;
	if (gpu_find(cli->gpu, args->more[0], &dev))
		return CLI_FAILED;
	if (cli->dry_run)
		return show_plan_of(cli, &dev, &request);
	if (gpu_slice_create(cli->gpu, &dev, &request, cli_text(args, "--pool", ""), &slice))
		return CLI_FAILED;
	return report(cli, &slice, "made");
}

static int list(struct cli *cli, const struct cli_args *args)
{
	struct gpu_device dev;
	json_t *rows = NULL;

	if (args->more_count && gpu_find(cli->gpu, args->more[0], &dev))
		return CLI_FAILED;
	int err = gpu_json_slices(cli->gpu, args->more_count ? &dev : NULL, &rows);
	if (!err && cli->json)
		cli_print_json(stdout, rows);
	else if (!err)
		cli_print_table(stdout, columns, rows);
	json_decref(rows);
	return err ? CLI_FAILED : CLI_OK;
}

static int set(struct cli *cli, const struct cli_args *args)
{
	struct gpu_request request;
	struct gpu_slice slice;

	if (read_request(args, &request))
		return CLI_USAGE;
	if (gpu_slice_find(cli->gpu, args->more[0], &slice))
		return CLI_FAILED;
	if (!cli->dry_run && (gpu_slice_set(cli->gpu, &slice, &request) ||
			      gpu_slice_find(cli->gpu, args->more[0], &slice)))
		return CLI_FAILED;
	return report(cli, &slice, cli->dry_run ? "would be changed" : "set");
}

static int destroy(struct cli *cli, const struct cli_args *args)
{
	struct gpu_slice slice;

	if (gpu_slice_find(cli->gpu, args->more[0], &slice) ||
	    (!cli->dry_run && gpu_slice_destroy(cli->gpu, &slice)))
		return CLI_FAILED;
	return report(cli, &slice, cli->dry_run ? "would be taken away" : "taken away");
}

static int reset(struct cli *cli, const struct cli_args *args)
{
	static const char *const names[] = {"by the hardware", "by us", "not possible"};
	char words[GPU_WHY], text[GPU_WHY + 64];
	struct gpu_slice slice;
	enum gpu_scrub scrub;

	if (gpu_slice_find(cli->gpu, args->more[0], &slice))
		return CLI_FAILED;
	if (cli->dry_run)
		return report(cli, &slice, "would be reset");
	if (gpu_slice_reset(cli->gpu, &slice, &scrub, words))
		return CLI_FAILED;
	snprintf(text, sizeof(text), "memory cleared: %s (%s)", names[scrub], words);
	return report(cli, &slice, text);
}

static const struct {
	const char *name;
	int (*run)(struct cli *cli, const struct cli_args *args);
	bool named;
} actions[] = {
	{"create", create, true},   {"list", list, false},  {"set", set, true},
	{"destroy", destroy, true}, {"reset", reset, true},
};

int cmd_gpu_slice(struct cli *cli, const struct cli_args *args)
{
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		if (strcmp(actions[i].name, args->operand) != 0)
			continue;
		if (actions[i].named && !args->more_count) {
			log_error("gpu slice", "%s: of which? for example: %s", actions[i].name,
				  args->command->examples[0]);
			return CLI_USAGE;
		}
		return cli_gpu(cli) ? actions[i].run(cli, args) : CLI_FAILED;
	}
	log_error("gpu slice", "'%s' is none of create, list, set, destroy and reset",
		  args->operand);
	return CLI_USAGE;
}

int cmd_gpu_release(struct cli *cli, const struct cli_args *args)
{
	struct gpu *gpu = cli_gpu(cli);
	struct gpu_slice slice;

	if (!gpu || gpu_slice_find(gpu, args->operand, &slice))
		return CLI_FAILED;
	if (!slice.owner[0])
		return report(cli, &slice, "held by no VM; nothing to do");
	if (slice.state == GPU_HELD) {
		log_error(args->operand, "not released: vm %s lives and has it", slice.owner);
		return CLI_FAILED;
	}
	if (!cli->dry_run && sriov_release(cli->sriov, slice.bdf, NULL))
		return CLI_FAILED;
	return report(cli, &slice, cli->dry_run ? "would be taken back" : "taken back");
}
