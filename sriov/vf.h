/* SPDX-License-Identifier: BSD-3-Clause */
/* vf: naming VFs, and refusing what would take one away from its holder. */
#ifndef SRIOV_VF_H
#define SRIOV_VF_H

#include "sriov/context.h"

/* "vf ens1f0/2", the subject of messages. */
#define VF_SUBJECT (SRIOV_NAME + 16)
char *vf_subject(const struct sriov_vf *vf, char text[VF_SUBJECT]);

/* Whether the MAC that is shown for a VF is one that its driver rolled, not one that was set. */
bool vf_mac_is_random(const struct sriov *ctx, struct bdf bdf, const uint8_t shown[6]);

/* 0 when every VF of `pf` is free; else -EBUSY, logged as "`what` refused: ..." with the holder. */
int vf_all_free(struct sriov *ctx, const struct sriov_pf *pf, const char *what);

#endif
