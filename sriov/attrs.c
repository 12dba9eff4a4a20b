/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * attrs: see attrs.h.
 *
 * One attribute a message: the kernel applies a message with several in its own order and stops at
 * the first that fails, keeping what it had done (net/core/rtnetlink.c, do_setvfinfo). Trust
 * comes last, so that a MAC is back before trust is taken away: drivers refuse some changes to an
 * untrusted VF.
 */
#include "sriov/attrs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "sriov/lock.h"
#include "sriov/netlink.h"
#include "sriov/pf.h"
#include "sriov/vf.h"

static const enum sriov_attr order[] = {SRIOV_VLAN, SRIOV_MAC, SRIOV_RATE, SRIOV_SPOOF,
					SRIOV_TRUST};

static const char *attr_name(enum sriov_attr attr)
{
	switch (attr) {
	case SRIOV_MAC:
		return "mac";
	case SRIOV_VLAN:
		return "vlan";
	case SRIOV_SPOOF:
		return "spoof check";
	case SRIOV_TRUST:
		return "trust";
	case SRIOV_RATE:
		return "rate";
	}
	return "?";
}

static bool same(enum sriov_attr attr, const struct sriov_attrs *a, const struct sriov_attrs *b)
{
	switch (attr) {
	case SRIOV_MAC:
		return !memcmp(a->mac, b->mac, sizeof(a->mac));
	case SRIOV_VLAN:
		return a->vlan == b->vlan && a->qos == b->qos;
	case SRIOV_SPOOF:
		return a->spoof_check == b->spoof_check;
	case SRIOV_TRUST:
		return a->trust == b->trust;
	case SRIOV_RATE:
		return a->min_rate == b->min_rate && a->max_rate == b->max_rate;
	}
	return false;
}

int attrs_check(const char *subject, const struct sriov_attrs *attrs)
{
	static const uint8_t zero[6];

	if ((attrs->set & SRIOV_MAC) && ((attrs->mac[0] & 1) || !memcmp(attrs->mac, zero, 6)))
		return log_fail(-EINVAL, subject, "a multicast or zero MAC cannot be a VF's own");
	if ((attrs->set & SRIOV_VLAN) && attrs->vlan > 4094)
		return log_fail(-EINVAL, subject, "no such VLAN: %u; 1 to 4094, 0 for none",
				attrs->vlan);
	if ((attrs->set & SRIOV_VLAN) && attrs->qos > 7)
		return log_fail(-EINVAL, subject, "no such VLAN priority: %u; 0 to 7", attrs->qos);
	if ((attrs->set & SRIOV_RATE) && attrs->max_rate && attrs->min_rate > attrs->max_rate)
		return log_fail(-EINVAL, subject, "min rate %u is above max rate %u",
				attrs->min_rate, attrs->max_rate);
	return 0;
}

int attrs_read(const struct attrs_target *target, struct sriov_attrs *out, uint8_t permanent[6])
{
	struct sriov_attrs *all = calloc(target->index + 1u, sizeof(*all));
	int err =
		all ? netlink_vf_read(target->ifname, all, target->index + 1u, permanent) : -ENOMEM;

	if (!err)
		*out = all[target->index];
	free(all);
	if (!err && !out->set)
		err = -ENODEV;
	return err ? log_fail(err, target->subject, "settings not read from %s: %s", target->ifname,
			      strerror(-err))
		   : 0;
}

static const char *reason(int err, enum sriov_attr attr)
{
	switch (err) {
	case -EOPNOTSUPP:
		return "this driver cannot set it";
	case -EPERM:
	case -EACCES:
		return "not permitted; run as root";
	case -EINVAL:
		return attr == SRIOV_RATE
			       ? "the driver refuses the value: most want the PF's link up, max rate "
				 "at most its speed, and some no min rate"
			       : "the driver refuses the value";
	case -EBUSY:
		return "the VF is being reset, or the card manages it (switchdev); try again";
	default:
		return strerror(-err);
	}
}

static int explain(const struct attrs_target *t, enum sriov_attr attr, int err, const char *words)
{
	return log_fail(err, t->subject, "%s not set through %s (driver %s): %s%s%s%s",
			attr_name(attr), t->ifname, t->driver[0] ? t->driver : "none",
			reason(err, attr), *words ? " (kernel: \"" : "", words,
			*words ? "\")" : "");
}

/* Writes back those in `mask`, newest first. */
static void undo(const struct attrs_target *t, const struct sriov_attrs *before, unsigned mask)
{
	char words[NETLINK_WORDS];

	for (size_t i = ARRAY_SIZE(order); i-- > 0;) {
		if (!(mask & order[i]))
			continue;
		int err = netlink_vf_write(t->ifname, t->index, order[i], before, words);
		if (err)
			log_warn(t->subject, "%s not put back: %s", attr_name(order[i]),
				 strerror(-err));
	}
}

static int verify(const struct attrs_target *t, const struct sriov_attrs *wanted)
{
	struct sriov_attrs now = {0};
	uint8_t permanent[6];
	int err = attrs_read(t, &now, permanent);

	for (size_t i = 0; !err && i < ARRAY_SIZE(order); i++)
		if ((wanted->set & now.set & order[i]) && !same(order[i], &now, wanted))
			err = log_fail(-EIO, t->subject,
				       "%s reads back different from what was set: driver %s took "
				       "it and did something else",
				       attr_name(order[i]), t->driver);
	return err;
}

int attrs_apply(const struct attrs_target *t, const struct sriov_attrs *wanted)
{
	struct sriov_attrs before = {0};
	uint8_t permanent[6];
	char words[NETLINK_WORDS];
	unsigned done = 0;
	int err = wanted->set ? attrs_read(t, &before, permanent) : 0;

	for (size_t i = 0; !err && wanted->set && i < ARRAY_SIZE(order); i++) {
		enum sriov_attr attr = order[i];
		if (!(wanted->set & attr) || ((before.set & attr) && same(attr, &before, wanted)))
			continue;
		err = netlink_vf_write(t->ifname, t->index, attr, wanted, words);
		if (err)
			explain(t, attr, err, words);
		else
			done |= attr;
	}
	if (!err && done)
		err = verify(t, wanted);
	if (err)
		undo(t, &before, done);
	return err;
}

void attrs_restore(const struct attrs_target *t, const struct sriov_attrs *wanted)
{
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		struct sriov_attrs one = *wanted;
		one.set &= order[i];
		attrs_apply(t, &one); /* logged; the others are worth trying */
	}
}

int sriov_vf_set(struct sriov *ctx, const struct sriov_vf *vf, const struct sriov_attrs *attrs)
{
	char subject[VF_SUBJECT];
	struct sriov_pf pf;
	int err = attrs_check(vf_subject(vf, subject), attrs);

	if (err)
		return err;
	err = lock_take(ctx, vf->pf_bdf);
	if (err)
		return err;
	err = pf_read(ctx, vf->pf_bdf, &pf);
	if (err)
		log_error(subject, "its PF is gone: %s", strerror(-err));
	else if (!pf.ifname[0])
		err = log_fail(-EOPNOTSUPP, subject,
			       "no settings: PF %s has no network interface (driver %s)", vf->pf,
			       pf.driver[0] ? pf.driver : "none");
	struct attrs_target target = {subject, pf.ifname, pf.driver, vf->index};
	if (!err)
		err = attrs_apply(&target, attrs);
	if (!err && vf->ifname[0] && (attrs->set & (SRIOV_MAC | SRIOV_VLAN)))
		log_warn(subject, "%s (driver %s) may show it only after the driver is reloaded",
			 vf->ifname, vf->driver);
	lock_drop(ctx);
	return err;
}
