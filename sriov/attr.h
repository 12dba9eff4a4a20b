/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * attr: every setting that a VF can have, as one table: its name, what changing it does, when it
 * can be changed, and its value as text.
 *
 * Commands, plans and files all speak of settings by these names and in these texts. Which devices
 * have which setting, and how it reaches them, is the channels' affair (channel.h).
 */
#ifndef SRIOV_ATTR_H
#define SRIOV_ATTR_H

#include "sriov/sriov.h"

struct attr_info {
	enum sriov_attr bit;
	const char *name; /* as on the command line and in files: "mac", "link-state", "msix" */
	enum sriov_effect effect; /* of changing it on a VF that somebody holds */
	bool needs_link;	  /* only with the PF's link up: second phase at boot */
	bool needs_unbound;	  /* before a driver binds the VF */
	const char *value;	  /* its form, for help: "ADDRESS", "on|off" */
	const char *help;
};

/* One row a setting, in the order in which they are written. */
const struct attr_info *attr_table(size_t *count);
/* The row of one bit; NULL when `bit` is none. */
const struct attr_info *attr_info(enum sriov_attr bit);

/* Equal in meaning: no VLAN is no VLAN, whatever its protocol. */
bool attr_same(enum sriov_attr bit, const struct sriov_attrs *a, const struct sriov_attrs *b);

/*
 * Sets what `name` and `value` say in *out, with its bit; the rest of *out stays, so that
 * "vlan=100" and "qos=3" add up. Beside the table's names there are those of parts: "qos" and
 * "vlan-proto" of vlan, "min-rate" and "max-rate" of rate. -EINVAL, logged under `subject`; *out is
 * untouched then.
 */
int attr_parse(const char *subject, const char *name, const char *value, struct sriov_attrs *out);

/* "100,qos=3,proto=802.1ad": what attr_parse takes. Returns `text`. */
#define ATTR_TEXT 48
const char *attr_format(enum sriov_attr bit, const struct sriov_attrs *attrs, char text[ATTR_TEXT]);

/* -EINVAL for what is set and no device can have. Logs. */
int attr_check(const char *subject, const struct sriov_attrs *attrs);

#endif
