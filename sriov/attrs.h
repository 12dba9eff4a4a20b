/* SPDX-License-Identifier: BSD-3-Clause */
/* attrs: changing the settings of one VF. */
#ifndef SRIOV_ATTRS_H
#define SRIOV_ATTRS_H

#include "sriov/context.h"

struct attrs_target {
	const char *subject; /* of messages */
	const char *ifname;  /* of the PF */
	const char *driver;  /* of the PF, for messages */
	unsigned index;
};

/* What is set now, and the PF's permanent address. Logs. */
int attrs_read(const struct attrs_target *target, struct sriov_attrs *out, uint8_t permanent[6]);
/* All of `wanted`, or nothing: what differs is written, read back, and undone on a failure. Logs.
 */
int attrs_apply(const struct attrs_target *target, const struct sriov_attrs *wanted);
/* As much of `wanted` as can be had: what cannot is logged, and the rest is done. */
void attrs_restore(const struct attrs_target *target, const struct sriov_attrs *wanted);
/* -EINVAL for values that no network card can have. Logs. */
int attrs_check(const char *subject, const struct sriov_attrs *attrs);

#endif
