/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * profile: files of NetworkManager and systemd-networkd that make and set VFs themselves.
 *
 * Both do it again whenever they bring the interface up, and NetworkManager takes VFs away when it
 * takes the interface down; two who own the same VFs undo each other's work. So such a PF is
 * refused until the file is changed, and the file is named.
 */
#ifndef SRIOV_PROFILE_H
#define SRIOV_PROFILE_H

#include "sriov/context.h"

/* -EBUSY, logged with the file, when another manager's profile makes or sets VFs of `pf`. */
int profile_refuse(struct sriov *ctx, const struct sriov_pf *pf);

#endif
