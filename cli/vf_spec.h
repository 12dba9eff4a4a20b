/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vf_spec: a VF with settings as a user types it: "ens1f0/2:mac=02:00:00:00:00:02,vlan=100". The
 * names and values of settings are those of sriov_attr_table().
 */
#ifndef CLI_VF_SPEC_H
#define CLI_VF_SPEC_H

#include <jansson.h>

#include "sriov/sriov.h"

#define VF_SPEC_WHY 128 /* one line on what is wrong with an option */

struct vf_spec {
	char vf[64]; /* "ens1f0/2", "ens1f0", "0000:01:10.0" */
	struct sriov_attrs attrs;
};

/* Settings begin behind the first ':' that "KEY=" follows, so addresses may contain colons.
 * -EINVAL, logged under `subject`. */
int vf_spec_parse(const char *subject, const char *text, struct vf_spec *spec);

/* {"mac": …, "vlan": …} of what is set. */
json_t *vf_spec_encode(const struct sriov_attrs *attrs);

#endif
