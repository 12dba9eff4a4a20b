/* SPDX-License-Identifier: BSD-3-Clause */
/* step: one step of a plan on the machine, forward or back. */
#ifndef SRIOV_STEP_H
#define SRIOV_STEP_H

#include "sriov/context.h"

/* Makes the step's target be `to` (the step's `after`; to undo it, its `before`). Looks first and
 * does nothing twice; reads back. -EBUSY rather than pulling a VF from under anybody. Logs. */
int step_do(struct sriov *ctx, const struct sriov_pf *pf, const struct sriov_step *step,
	    const char *to);

/* "mac 02:00:… -> none": for messages. Returns `text`. */
#define STEP_TEXT 192
const char *step_words(const struct sriov_step *step, char text[STEP_TEXT]);

#endif
