/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * attr: the table of settings, as this folder's own files use it. Which devices have which setting,
 * and how it reaches them, is the channels' affair (channel.h).
 */
#ifndef SRIOV_ATTR_H
#define SRIOV_ATTR_H

#include "sriov/sriov.h"

/* The row of one bit; NULL when `bit` is none. */
const struct sriov_attr_info *attr_info(enum sriov_attr bit);

/* Equal in meaning: no VLAN is no VLAN, whatever its protocol. */
bool attr_same(enum sriov_attr bit, const struct sriov_attrs *a, const struct sriov_attrs *b);

#endif
