/* SPDX-License-Identifier: BSD-3-Clause */
/* eswitch: the card's own switch, and who stands for whom on it. */
#include "sriov/eswitch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "sriov/devlink.h"
#include "sriov/pf.h"
#include "sriov/vf.h"

const char *eswitch_name(enum sriov_eswitch mode)
{
	return mode == SRIOV_ESWITCH_SWITCHDEV ? "switchdev"
	       : mode == SRIOV_ESWITCH_LEGACY  ? "legacy"
					       : "";
}

enum sriov_eswitch eswitch_parse(const char *name)
{
	return !strcmp(name, "switchdev") ? SRIOV_ESWITCH_SWITCHDEV
	       : !strcmp(name, "legacy")  ? SRIOV_ESWITCH_LEGACY
					  : SRIOV_ESWITCH_NONE;
}

static int explain(const struct sriov_pf *pf, enum sriov_eswitch mode, int err, const char *words)
{
	const char *why = err == -EOPNOTSUPP || err == -ENODEV
				  ? "the card has no switch that devlink knows"
			  : err == -EPERM || err == -EACCES ? "not permitted; run as root"
							    : strerror(-err);

	return log_fail(err, pf_text(pf).text, "switch mode %s not set (driver %s): %s%s%s%s",
			eswitch_name(mode), pf->driver[0] ? pf->driver : "none", why,
			*words ? " (kernel: \"" : "", words, *words ? "\")" : "");
}

enum sriov_eswitch eswitch_now(const struct sriov_pf *pf)
{
	char dev[BDF_TEXT];
	struct devlink_handle card;
	enum sriov_eswitch now;

	if (devlink_find(bdf_format(pf->bdf, dev), pf->ifname, &card) ||
	    devlink_eswitch_read(&card, &now))
		return SRIOV_ESWITCH_NONE;
	return now;
}

int eswitch_set(struct sriov *ctx, const struct sriov_pf *pf, enum sriov_eswitch mode)
{
	char dev[BDF_TEXT], words[NETLINK_WORDS] = "";
	struct devlink_handle card;
	enum sriov_eswitch now;
	int err = devlink_find(bdf_format(pf->bdf, dev), pf->ifname, &card);

	if (!err)
		err = devlink_eswitch_read(&card, &now);
	if (err)
		return explain(pf, mode, err, words);
	if (now == mode)
		return 0;
	err = pf->num_vfs ? vf_all_free(ctx, pf, "another switch mode refused") : 0;
	if (err)
		return err;
	err = devlink_eswitch_write(&card, mode, words);
	if (err)
		return explain(pf, mode, err, words);
	err = devlink_eswitch_read(&card, &now);
	return err	     ? explain(pf, mode, err, words)
	       : now == mode ? 0
			     : log_fail(-EIO, pf_text(pf).text,
					"switch mode reads back different from what was set");
}

void sriov_vf_representor(struct sriov *ctx, const struct sriov_vf *vf, char ifname[SRIOV_NAME])
{
	char dev[BDF_TEXT];
	struct devlink_port *ports = NULL;
	struct devlink_handle card;
	struct sriov_pf pf;
	size_t count = 0;

	ifname[0] = '\0';
	if (!pf_read(ctx, vf->pf_bdf, &pf) &&
	    !devlink_find(bdf_format(pf.bdf, dev), pf.ifname, &card) &&
	    !devlink_ports(&card, &ports, &count))
		for (size_t i = 0; i < count; i++)
			if (ports[i].vf == (int)vf->index)
				memcpy(ifname, ports[i].ifname, SRIOV_NAME);
	free(ports);
}
