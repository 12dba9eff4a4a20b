/* SPDX-License-Identifier: BSD-3-Clause */
/* eswitch: the mode of the card's own switch. */
#ifndef SRIOV_ESWITCH_H
#define SRIOV_ESWITCH_H

#include "sriov/context.h"

/* "legacy", "switchdev"; "" for none. */
const char *eswitch_name(enum sriov_eswitch mode);
/* SRIOV_ESWITCH_NONE for other texts. */
enum sriov_eswitch eswitch_parse(const char *name);

/* SRIOV_ESWITCH_NONE: it is not known. */
enum sriov_eswitch eswitch_now(const struct sriov_pf *pf);
/* Looks first, reads back. -EBUSY, naming the holder, while a VF is not free. -EOPNOTSUPP: the card
 * has no such switch. Logs. */
int eswitch_set(struct sriov *ctx, const struct sriov_pf *pf, enum sriov_eswitch mode);

#endif
