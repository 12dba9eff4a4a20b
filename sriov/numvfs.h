/* SPDX-License-Identifier: BSD-3-Clause */
/* numvfs: how many VFs a PF has. */
#ifndef SRIOV_NUMVFS_H
#define SRIOV_NUMVFS_H

#include "sriov/context.h"

/* Puts sriov_drivers_autoprobe back where a command was killed between switching it off and on. */
void numvfs_repair(struct sriov *ctx, struct ledger *ledger);

#endif
