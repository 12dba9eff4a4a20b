/* SPDX-License-Identifier: BSD-3-Clause */
/* resource: the journal's side of what other folders make in a device. */
#ifndef SRIOV_RESOURCE_H
#define SRIOV_RESOURCE_H

#include "sriov/context.h"

/* Whether a job's key is that of a resource: those begin with a '+', identities with a domain. */
bool resource_key(const char *key);
bool resource_present(struct sriov *ctx, struct bdf bdf);
/* A device in the shape that jobs have it. -ENODEV; -ENOSYS, logged, when this command cannot. */
int resource_read(struct sriov *ctx, struct bdf bdf, const char *key, struct sriov_pf *out);
int resource_step(struct sriov *ctx, struct bdf bdf, const struct sriov_step *step, const char *to);

#endif
