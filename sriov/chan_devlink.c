/* SPDX-License-Identifier: BSD-3-Clause */
/* chan_devlink: settings of the port that a VF has on the card's own switch. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sriov/channel.h"
#include "sriov/devlink.h"

#define BITS                                                                               \
	(SRIOV_PORT_ADDR | SRIOV_ROCE | SRIOV_MIGRATABLE | SRIOV_IO_EQS | SRIOV_TX_SHARE | \
	 SRIOV_TX_MAX)

/* The ports of the PF's card; none when it has no card that devlink knows. */
static int ports_of(const struct sriov_pf *pf, struct devlink_handle *card,
		    struct devlink_port **ports, size_t *count)
{
	char dev[BDF_TEXT];
	int err = devlink_find(bdf_format(pf->bdf, dev), pf->ifname, card);

	*ports = NULL;
	*count = 0;
	return err ? err : devlink_ports(card, ports, count);
}

/* One field after the other: the rest of `out` is other channels'. */
static void take(const struct sriov_attrs *from, struct sriov_attrs *out)
{
	out->set |= from->set;
	memcpy(out->port_addr, from->port_addr, sizeof(out->port_addr));
	out->roce = from->roce;
	out->migratable = from->migratable;
	out->io_eqs = from->io_eqs;
	out->tx_share = from->tx_share;
	out->tx_max = from->tx_max;
}

static int devlink_read(const struct sriov *ctx, const struct sriov_pf *pf, struct sriov_attrs *out,
			size_t count)
{
	struct devlink_handle card;
	struct devlink_port *ports;
	size_t n;
	int err = ports_of(pf, &card, &ports, &n);

	(void)ctx;
	for (size_t i = 0; !err && i < n; i++)
		if (ports[i].vf >= 0 && (size_t)ports[i].vf < count)
			take(&ports[i].attrs, &out[ports[i].vf]);
	free(ports);
	/* A user who is not root may not list; a kernel may have no devlink. */
	return err == -ENOMEM ? err : 0;
}

static int devlink_write(const struct sriov *ctx, const struct sriov_pf *pf, unsigned index,
			 enum sriov_attr attr, const struct sriov_attrs *attrs,
			 char words[NETLINK_WORDS])
{
	struct devlink_handle card;
	struct devlink_port *ports;
	size_t n;
	int err = ports_of(pf, &card, &ports, &n);

	(void)ctx;
	words[0] = '\0';
	if (!err)
		err = -ENXIO;
	for (size_t i = 0; err == -ENXIO && i < n; i++)
		if (ports[i].vf == (int)index)
			err = devlink_port_write(&card, ports[i].index, attr, attrs, words);
	free(ports);
	return err;
}

/* A port tells what its driver has operations for. No port of a VF, no answer; and a zero address
 * is not told, though it might be set. */
static struct channel_verdict devlink_probe(const struct sriov *ctx, const struct sriov_pf *pf)
{
	struct channel_verdict verdict = {0};
	struct devlink_handle card;
	struct devlink_port *ports;
	size_t n;
	int err = ports_of(pf, &card, &ports, &n);
	bool port = false;

	(void)ctx;
	for (size_t i = 0; !err && i < n; i++) {
		port |= ports[i].vf >= 0;
		if (ports[i].vf >= 0)
			verdict.can |= ports[i].attrs.set;
	}
	free(ports);
	if (err == -ENODEV)
		verdict.cannot = BITS;
	else if (port)
		verdict.cannot = BITS & ~verdict.can & ~(unsigned)SRIOV_PORT_ADDR;
	return verdict;
}

const struct channel channel_devlink = {
	.name = "devlink",
	.speaker = "kernel",
	.bits = BITS,
	.read = devlink_read,
	.write = devlink_write,
	.probe = devlink_probe,
};
