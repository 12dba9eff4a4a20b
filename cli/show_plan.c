/* SPDX-License-Identifier: BSD-3-Clause */
/* show_plan: see show_plan.h. */
#include "cli/show_plan.h"

static const struct cli_column columns[] = {
	{"NAME", "name", CLI_SHOW_PLAIN},	   {"VF", "vf", CLI_SHOW_PLAIN},
	{"WHAT", "what", CLI_SHOW_PLAIN},	   {"IS", "before", CLI_SHOW_PLAIN},
	{"SHALL BE", "after", CLI_SHOW_PLAIN},	   {"EFFECT", "effect", CLI_SHOW_PLAIN},
	{"IN THE WAY", "blocker", CLI_SHOW_PLAIN}, {0},
};

const char *show_plan_effect(enum sriov_effect effect)
{
	static const char *const names[] = {
		[SRIOV_SAFE] = "safe",
		[SRIOV_DISRUPTIVE] = "disruptive",
		[SRIOV_DESTROYS_VF] = "destroys VFs",
	};

	return names[effect];
}

void show_plan_add(json_t *rows, const struct sriov_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct sriov_step *s = &plan->steps[i];
		json_t *row = json_pack("{s:s,s:s,s:s,s:s,s:s}", "name", plan->name, "pf",
					plan->name, "what", s->name, "after", s->after, "effect",
					show_plan_effect(s->effect));
		if (s->vf >= 0)
			json_object_set_new(row, "vf", json_integer(s->vf));
		if (s->before[0])
			json_object_set_new(row, "before", json_string(s->before));
		if (s->blocker[0])
			json_object_set_new(row, "blocker", json_string(s->blocker));
		else if (s->waits)
			json_object_set_new(row, "blocker", json_string("waits for the link"));
		json_array_append_new(rows, row);
	}
}

void show_plan_gpu(const char *subject, const char *what, const char *before, const char *after,
		   void *rows)
{
	json_t *row = json_pack("{s:s,s:s,s:s,s:s,s:s}", "gpu", subject, "name", subject, "what",
				what, "after", after, "effect", show_plan_effect(SRIOV_SAFE));

	if (*before)
		json_object_set_new(row, "before", json_string(before));
	json_array_append_new(rows, row);
}

void show_plan(const struct cli *cli, const json_t *rows)
{
	if (cli->json)
		cli_print_json(stdout, rows);
	else if (json_array_size(rows))
		cli_print_table(stdout, columns, rows);
	else
		puts("nothing to do");
}

int show_plan_changes(struct cli *cli, const struct sriov_pf *pf, const struct sriov_wish *changes,
		      size_t count)
{
	struct sriov_plan plan;

	if (sriov_plan(cli_sriov(cli), pf, changes, count, SRIOV_PHASE_ALL, &plan))
		return CLI_FAILED;
	const struct sriov_step *blocked = sriov_plan_blocked(&plan);
	json_t *rows = json_array();
	show_plan_add(rows, &plan);
	show_plan(cli, rows);
	json_decref(rows);
	sriov_plan_free(&plan);
	return blocked ? CLI_FAILED : CLI_OK;
}
