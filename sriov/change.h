/* SPDX-License-Identifier: BSD-3-Clause */
/* change: which wishes belong to a PF. */
#ifndef SRIOV_CHANGE_H
#define SRIOV_CHANGE_H

#include "sriov/context.h"
#include "sriov/wish.h"

/* The key of `pf`, as it was when the first wish came, and where it is now. */
int place_find(struct ledger *ledger, const struct sriov_pf *pf, struct wish_place *out);
/* What was wished of a VF instead of what `attrs` and `driver` say: settings that are in
 * attrs->set, and the driver ("": none). */
void place_overlay(struct sriov *ctx, struct ledger *ledger, struct bdf pf, int vf,
		   struct sriov_attrs *attrs, char driver[SRIOV_DRIVER]);

#endif
