/* SPDX-License-Identifier: BSD-3-Clause */
/* attrs: changing the settings of one VF. */
#ifndef SRIOV_ATTRS_H
#define SRIOV_ATTRS_H

#include "sriov/context.h"

struct attrs_target {
	const char *subject; /* of messages */
	const struct sriov *ctx;
	const struct sriov_pf *pf;
	unsigned index;
};

/* What is set now, over all channels, and the permanent address of the PF's interface (zero
 * without one). Logs. */
int attrs_read(const struct attrs_target *target, struct sriov_attrs *out, uint8_t permanent[6]);
/* All of `wanted`, or nothing: what differs is written, read back, and undone on a failure. Logs.
 */
int attrs_apply(const struct attrs_target *target, const struct sriov_attrs *wanted);
/* As much of `wanted` as can be had: what cannot is logged, and the rest is done. */
void attrs_restore(const struct attrs_target *target, const struct sriov_attrs *wanted);
/* The settings of VFs 0 .. count-1 of a PF, over all channels: what cannot be read has no bit.
 * Nothing is logged. */
void attrs_read_all(const struct sriov *ctx, const struct sriov_pf *pf, struct sriov_attrs *out,
		    size_t count);

/* -EOPNOTSUPP, logged, for settings that need the PF's network interface where it has none. */
int attrs_check_pf(const char *subject, const struct sriov_pf *pf, const struct sriov_attrs *attrs);

#endif
