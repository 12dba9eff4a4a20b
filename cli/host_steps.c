/* SPDX-License-Identifier: BSD-3-Clause */
/* host_steps: see host_steps.h. */
#include "cli/host_steps.h"

#include <errno.h>
#include <stdlib.h>

#include "cli/show_plan.h"

int host_steps_add(struct host_steps *steps, const struct host_step *step, const char *name,
		   const char *what, const char *before, const char *after,
		   enum sriov_effect effect)
{
	struct host_step *grown = realloc(steps->list, (steps->count + 1) * sizeof(*grown));
	json_t *row = json_pack("{s:s,s:s,s:s}", "name", name, "what", what, "effect",
				show_plan_effect(effect));

	if (grown)
		steps->list = grown;
	if (!grown || !row) {
		json_decref(step->params);
		json_decref(row);
		return -ENOMEM;
	}
	if (before)
		json_object_set_new(row, "before", json_string(before));
	if (after)
		json_object_set_new(row, "after", json_string(after));
	grown[steps->count] = *step;
	grown[steps->count++].row = row;
	return 0;
}

void host_steps_free(struct host_steps *steps)
{
	for (size_t i = 0; i < steps->count; i++) {
		json_decref(steps->list[i].params);
		json_decref(steps->list[i].row);
	}
	free(steps->list);
	*steps = (struct host_steps){0};
}
