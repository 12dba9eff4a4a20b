/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * attrs: see attrs.h.
 *
 * One setting a message: the kernel applies a message with several in its own order and stops at
 * the first that fails, keeping what it had done (net/core/rtnetlink.c, do_setvfinfo). Which goes
 * first is said by the order of the table (attr.c), and which way it goes by the channels.
 */
#include "sriov/attrs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "sriov/attr.h"
#include "sriov/channel.h"
#include "sriov/netlink.h"
#include "sriov/pf.h"

/* ---- reading ---- */

static int read_channels(const struct sriov *ctx, const struct sriov_pf *pf, unsigned bits,
			 struct sriov_attrs *out, size_t count)
{
	size_t n;
	const struct channel *const *channels = channel_list(&n);
	int err = 0;

	memset(out, 0, count * sizeof(*out));
	for (size_t i = 0; i < n; i++) {
		int err2 = channels[i]->bits & bits ? channels[i]->read(ctx, pf, out, count) : 0;
		err = err ? err : err2;
	}
	return err;
}

void attrs_read_all(const struct sriov *ctx, const struct sriov_pf *pf, struct sriov_attrs *out,
		    size_t count)
{
	read_channels(ctx, pf, ~0u, out, count); /* a channel that fails has set no bit */
}

/* Those of `bits`, and what comes along with them. */
static int read_some(const struct attrs_target *t, unsigned bits, struct sriov_attrs *out)
{
	struct sriov_attrs *all = calloc(t->index + 1u, sizeof(*all));
	int err = all ? read_channels(t->ctx, t->pf, bits, all, t->index + 1u) : -ENOMEM;

	if (!err)
		*out = all[t->index];
	free(all);
	if (!err && t->pf->ifname[0] && (bits & channel_rtnl.bits) &&
	    !(out->set & channel_rtnl.bits))
		err = -ENODEV;
	return err ? log_fail(err, t->subject, "settings not read from %s: %s", pf_text(t->pf).text,
			      strerror(-err))
		   : 0;
}

int attrs_read(const struct attrs_target *t, struct sriov_attrs *out, uint8_t permanent[6])
{
	int err = read_some(t, ~0u, out);

	memset(permanent, 0, 6);
	if (!err && t->pf->ifname[0])
		err = netlink_vf_read(t->pf->ifname, NULL, 0, permanent);
	return err;
}

/* ---- writing ---- */

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
		return attr_info(attr)->needs_unbound
			       ? "the VF has a driver; take it away first"
			       : "the VF is being reset, or the card manages it (switchdev); try "
				 "again";
	case -ENXIO:
		return "the card shows no port for this VF; most do in switchdev mode only "
		       "(`sluice pf set PF --eswitch switchdev`)";
	case -ERANGE:
		return "more than it can have";
	case -ENOSPC:
		return "not enough of them are free";
	case -ENODEV:
		return "the card has no such settings (`sluice pf show PF`)";
	case -EPROTONOSUPPORT:
		return "the driver does not know this VLAN protocol";
	default:
		return strerror(-err);
	}
}

static int explain(const struct attrs_target *t, const struct channel *channel,
		   enum sriov_attr attr, int err, const char *words)
{
	char said[NETLINK_WORDS + 32] = "";

	if (*words)
		snprintf(said, sizeof(said), " (%s: \"%s\")", channel->speaker, words);
	return log_fail(err, t->subject, "%s not set on %s over %s (driver %s): %s%s",
			attr_info(attr)->name, pf_text(t->pf).text, channel->name,
			t->pf->driver[0] ? t->pf->driver : "none", reason(err, attr), said);
}

static int write_one(const struct attrs_target *t, enum sriov_attr attr,
		     const struct sriov_attrs *attrs)
{
	const struct channel *channel = channel_of(attr);
	char words[NETLINK_WORDS] = "";
	int err = channel->write(t->ctx, t->pf, t->index, attr, attrs, words);

	return err ? explain(t, channel, attr, err, words) : 0;
}

/* Writes back those in `mask`, newest first. */
static void undo(const struct attrs_target *t, const struct sriov_attrs *before, unsigned mask)
{
	size_t count;
	const struct sriov_attr_info *table = sriov_attr_table(&count);

	for (size_t i = count; i-- > 0;)
		if ((mask & table[i].bit) && write_one(t, table[i].bit, before))
			log_warn(t->subject, "%s stays as it is now", table[i].name);
}

/* What was written, or a number for which 0 stood: the driver's own choice. */
static bool as_asked(enum sriov_attr bit, const struct sriov_attrs *now,
		     const struct sriov_attrs *wanted)
{
	return (bit == SRIOV_MSIX && !wanted->msix) || attr_same(bit, now, wanted);
}

static int verify(const struct attrs_target *t, const struct sriov_attrs *wanted)
{
	struct sriov_attrs now = {0};
	size_t count;
	const struct sriov_attr_info *table = sriov_attr_table(&count);
	int err = read_some(t, wanted->set, &now);

	for (size_t i = 0; !err && i < count; i++)
		if ((wanted->set & now.set & table[i].bit) && !as_asked(table[i].bit, &now, wanted))
			err = log_fail(-EIO, t->subject,
				       "%s reads back different from what was set: driver %s took "
				       "it and did something else",
				       table[i].name, t->pf->driver);
	return err;
}

int attrs_apply(const struct attrs_target *t, const struct sriov_attrs *wanted)
{
	struct sriov_attrs before = {0};
	unsigned done = 0;
	size_t count;
	const struct sriov_attr_info *table = sriov_attr_table(&count);
	int err = wanted->set ? read_some(t, wanted->set, &before) : 0;

	for (size_t i = 0; !err && i < count; i++) {
		enum sriov_attr bit = table[i].bit;
		if (!(wanted->set & bit) || ((before.set & bit) && attr_same(bit, &before, wanted)))
			continue;
		err = write_one(t, bit, wanted);
		if (!err)
			done |= bit;
	}
	if (!err && done)
		err = verify(t, wanted);
	if (err)
		undo(t, &before, done & before.set);
	return err;
}

void attrs_restore(const struct attrs_target *t, const struct sriov_attrs *wanted)
{
	size_t count;
	const struct sriov_attr_info *table = sriov_attr_table(&count);

	for (size_t i = 0; i < count; i++) {
		struct sriov_attrs one = *wanted;
		one.set &= table[i].bit;
		attrs_apply(t, &one); /* logged; the others are worth trying */
	}
}

int attrs_check_pf(const char *subject, const struct sriov_pf *pf, const struct sriov_attrs *attrs)
{
	if (pf->ifname[0] || !(attrs->set & channel_rtnl.bits))
		return 0;
	return log_fail(-EOPNOTSUPP, subject,
			"no such settings: PF %s has no network interface (driver %s)",
			pf_text(pf).text, pf->driver[0] ? pf->driver : "none");
}
