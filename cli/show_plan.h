/* SPDX-License-Identifier: BSD-3-Clause */
/* show_plan: plans as people and programs read them. */
#ifndef CLI_SHOW_PLAN_H
#define CLI_SHOW_PLAN_H

#include "cli/cli.h"

/* "safe", "disruptive", "destroys VFs" */
const char *show_plan_effect(enum sriov_effect effect);
/* Adds a plan's steps to an array of rows. */
void show_plan_add(json_t *rows, const struct sriov_plan *plan);
/* Adds a step of a GPU's slice; for gpu_apply(). */
void show_plan_gpu(const char *subject, const char *what, const char *before, const char *after,
		   void *rows);
/* The rows: a table, "nothing to do", or JSON. */
void show_plan(const struct cli *cli, const json_t *rows);
/* Plans `changes` of one PF and shows that; the exit code. For --dry-run. */
int show_plan_changes(struct cli *cli, const struct sriov_pf *pf, const struct sriov_wish *changes,
		      size_t count);

#endif
