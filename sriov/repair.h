/* SPDX-License-Identifier: BSD-3-Clause */
/* repair: a ledger begun anew. */
#ifndef SRIOV_REPAIR_H
#define SRIOV_REPAIR_H

#include "sriov/context.h"

/* Sets the damaged ledger aside, opens a new one and marks every VF that there is as foreign. */
int repair_rebuild(struct sriov *ctx);

#endif
