/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vf_spec: settings of a VF as a user types them: "ens1f0/2:mac=02:00:00:00:00:02,vlan=100", and
 * the same settings as options of `vf set`. Nothing is logged; `why` gets one line.
 */
#ifndef CLI_VF_SPEC_H
#define CLI_VF_SPEC_H

#include <jansson.h>

#include "sriov/sriov.h"

#define VF_SPEC_WHY 128

struct vf_spec {
	char vf[64]; /* "ens1f0/2", "ens1f0", "0000:01:10.0" */
	struct sriov_attrs attrs;
};

/* One setting: mac, vlan ("100" or "100,qos=3"), qos, spoof-check, trust, max-rate, min-rate;
 * "spoof" is short for spoof-check. -EINVAL. */
int vf_spec_set(struct sriov_attrs *attrs, const char *key, const char *value,
		char why[VF_SPEC_WHY]);
/* The whole. Settings begin behind the first ':' that "KEY=" follows, so addresses may contain
 * colons. */
int vf_spec_parse(const char *text, struct vf_spec *spec, char why[VF_SPEC_WHY]);

/* {"mac": …, "vlan": …} of what is set. */
json_t *vf_spec_encode(const struct sriov_attrs *attrs);

#endif
