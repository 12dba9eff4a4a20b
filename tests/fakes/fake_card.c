/* SPDX-License-Identifier: BSD-3-Clause */
/* fake_card: see fake_card.h. */
#include "tests/fakes/fake_card.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct fake_card *fake_card(void)
{
	static struct fake_card *card;

	if (!card)
		card = mmap(NULL, sizeof(*card), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			    -1, 0);
	if (card == MAP_FAILED)
		abort();
	return card;
}

void fake_card_reset(void)
{
	struct fake_card *card = fake_card();

	*card = (struct fake_card){.mode = SRIOV_ESWITCH_LEGACY, .words = ""};
	for (unsigned i = 0; i < FAKE_PORTS; i++)
		card->port[i] = (struct devlink_port){
			.index = 100 + i,
			.vf = (int)i,
			.attrs.set = SRIOV_ROCE | SRIOV_MIGRATABLE | SRIOV_IO_EQS | SRIOV_TX_SHARE |
				     SRIOV_TX_MAX,
			.attrs.roce = true,
		};
}

/* ---- devlink ---- */

int devlink_find(const char *dev, const char *ifname, struct devlink_handle *out)
{
	(void)ifname;
	if (!fake_card()->present || strcmp(dev, "0000:01:00.0") != 0)
		return -ENODEV;
	*out = (struct devlink_handle){"pci", "0000:01:00.0"};
	return 0;
}

int devlink_ports(const struct devlink_handle *card, struct devlink_port **out, size_t *count)
{
	const struct fake_card *fake = fake_card();

	(void)card;
	*count = fake->mode == SRIOV_ESWITCH_SWITCHDEV ? FAKE_PORTS : 0;
	*out = calloc(FAKE_PORTS, sizeof(**out));
	if (*out)
		memcpy(*out, fake->port, sizeof(fake->port));
	return *out ? 0 : -ENOMEM;
}

static void store(struct sriov_attrs *port, enum sriov_attr attr, const struct sriov_attrs *from)
{
	port->set |= attr;
	switch (attr) {
	case SRIOV_PORT_ADDR:
		memcpy(port->port_addr, from->port_addr, 6);
		break;
	case SRIOV_ROCE:
		port->roce = from->roce;
		break;
	case SRIOV_MIGRATABLE:
		port->migratable = from->migratable;
		break;
	case SRIOV_IO_EQS:
		port->io_eqs = from->io_eqs;
		break;
	case SRIOV_TX_SHARE:
		port->tx_share = from->tx_share;
		break;
	case SRIOV_TX_MAX:
		port->tx_max = from->tx_max;
		break;
	default:
		abort(); /* not devlink's */
	}
}

int devlink_port_write(const struct devlink_handle *card, uint32_t port, enum sriov_attr attr,
		       const struct sriov_attrs *attrs, char words[NETLINK_WORDS])
{
	struct fake_card *fake = fake_card();

	(void)card;
	snprintf(words, NETLINK_WORDS, "%s", fake->fails & attr ? fake->words : "");
	if (fake->fails & attr)
		return -EINVAL;
	if (fake->bound &&
	    sysfs_exists(fake->bound, "bus/pci/devices/0000:01:10.%u/driver", port - 100))
		return -EBUSY;
	if (port < 100 || port >= 100 + FAKE_PORTS)
		return -ENODEV;
	store(&fake->port[port - 100].attrs, attr, attrs);
	return 0;
}

int devlink_eswitch_read(const struct devlink_handle *card, enum sriov_eswitch *out)
{
	(void)card;
	*out = fake_card()->mode;
	return fake_card()->mode == SRIOV_ESWITCH_NONE ? -EOPNOTSUPP : 0;
}

int devlink_eswitch_write(const struct devlink_handle *card, enum sriov_eswitch mode,
			  char words[NETLINK_WORDS])
{
	struct fake_card *fake = fake_card();

	(void)card;
	snprintf(words, NETLINK_WORDS, "%s", fake->fails >> 31 ? fake->words : "");
	if (fake->fails >> 31)
		return -EINVAL;
	fake->mode = mode;
	return 0;
}

/* ---- nvme ---- */

__attribute__((format(printf, 1, 2))) static void note(const char *fmt, ...)
{
	struct fake_card *fake = fake_card();
	size_t len = strlen(fake->log);
	va_list args;

	va_start(args, fmt);
	vsnprintf(fake->log + len, sizeof(fake->log) - len, fmt, args);
	va_end(args);
}

int nvme_virt_read(const char *path, struct nvme_virt *out)
{
	if (strcmp(path, "/dev/nvme0") != 0)
		return -ENOENT;
	*out = fake_card()->virt;
	return fake_card()->controller ? 0 : -EOPNOTSUPP;
}

static struct nvme_secondary *secondary(uint16_t id)
{
	struct nvme_virt *virt = &fake_card()->virt;

	for (size_t i = 0; i < virt->count; i++)
		if (virt->secondary[i].id == id)
			return &virt->secondary[i];
	return NULL;
}

int nvme_virt_assign(const char *path, uint16_t id, enum nvme_resource resource, unsigned count,
		     char words[NETLINK_WORDS])
{
	struct nvme_virt *virt = &fake_card()->virt;
	struct nvme_secondary *s = secondary(id);
	bool queues = resource == NVME_QUEUES;
	struct nvme_pool *pool = queues ? &virt->queues : &virt->interrupts;

	(void)path;
	words[0] = '\0';
	note("%s%u=%u ", queues ? "q" : "i", id, count);
	if (!s)
		return -ENXIO;
	if (s->online)
		return -EBUSY;
	unsigned *has = queues ? &s->queues : &s->interrupts;
	pool->assigned = pool->assigned - *has + count;
	*has = count;
	return 0;
}

int nvme_virt_online(const char *path, uint16_t id, bool online, char words[NETLINK_WORDS])
{
	struct nvme_secondary *s = secondary(id);

	(void)path;
	words[0] = '\0';
	note("%s%u ", online ? "on" : "off", id);
	if (!s)
		return -ENXIO;
	if (online && (s->queues < 2 || !s->interrupts)) {
		snprintf(words, NETLINK_WORDS, "%s", fake_card()->words);
		return -EBUSY;
	}
	s->online = online;
	return 0;
}

int nvme_virt_keep(const char *path, enum nvme_resource resource, unsigned count,
		   char words[NETLINK_WORDS])
{
	(void)path;
	words[0] = '\0';
	struct nvme_virt *virt = &fake_card()->virt;
	(resource == NVME_QUEUES ? &virt->queues : &virt->interrupts)->primary = count;
	note("keep-%s=%u ", resource == NVME_QUEUES ? "q" : "i", count);
	return 0;
}
