/* SPDX-License-Identifier: BSD-3-Clause */
/* topology: see topology.h. Offsets are those of PCIe 6.0, 7.5.1, 7.5.3 and 7.7.11. */
#include "iommu/topology.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/util.h"

#define CONFIG_SIZE 4096u

struct config {
	uint8_t bytes[CONFIG_SIZE];
	size_t len; /* 64 for who is not root, 256 without extended space */
};

static uint32_t get(const struct config *c, size_t offset, unsigned size)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < size && offset + i < c->len; i++)
		value |= (uint32_t)c->bytes[offset + i] << (8 * i);
	return value;
}

static int read_config(const struct sysfs *fs, struct bdf bdf, struct config *out)
{
	char path[SYSFS_PATH], text[BDF_TEXT];

	snprintf(path, sizeof(path), "bus/pci/devices/%s/config", bdf_format(bdf, text));
	int fd = openat(fs->root, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ssize_t n = read(fd, out->bytes, sizeof(out->bytes));
	io_close(&fd);
	out->len = n > 0 ? (size_t)n : 0;
	return out->len >= 64 ? 0 : -EIO;
}

/* Both lists are walked a bounded number of steps: a broken device may have made a ring of one. */
static size_t find_cap(const struct config *c, uint8_t id)
{
	size_t at = get(c, PCI_CAPABILITY_LIST, 1) & 0xfcu;

	if (!(get(c, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST))
		return 0;
	for (unsigned i = 0; i < 48 && at >= 64; i++) {
		if (get(c, at, 1) == id)
			return at;
		at = get(c, at + 1, 1) & 0xfcu;
	}
	return 0;
}

static size_t find_ext_cap(const struct config *c, uint16_t id)
{
	size_t at = 0x100;

	for (unsigned i = 0; i < 960 && at >= 0x100 && at + 4 <= c->len; i++) {
		uint32_t head = get(c, at, 4);
		if (head && PCI_EXT_CAP_ID(head) == id)
			return at;
		at = PCI_EXT_CAP_NEXT(head);
	}
	return 0;
}

static enum iommu_hop_kind kind_of(const struct config *c)
{
	bool bridge = (get(c, PCI_HEADER_TYPE, 1) & 0x7f) == PCI_HEADER_TYPE_BRIDGE;
	size_t cap = find_cap(c, PCI_CAP_ID_EXP);

	if (!cap)
		return bridge ? IOMMU_HOP_PCI_BRIDGE : IOMMU_HOP_CONVENTIONAL;
	switch ((get(c, cap + PCI_EXP_FLAGS, 2) & PCI_EXP_FLAGS_TYPE) >> 4) {
	case PCI_EXP_TYPE_ROOT_PORT:
		return IOMMU_HOP_ROOT_PORT;
	case PCI_EXP_TYPE_UPSTREAM:
		return IOMMU_HOP_UPSTREAM;
	case PCI_EXP_TYPE_DOWNSTREAM:
		return IOMMU_HOP_DOWNSTREAM;
	case PCI_EXP_TYPE_PCI_BRIDGE:
	case PCI_EXP_TYPE_PCIE_BRIDGE:
		return IOMMU_HOP_PCI_BRIDGE;
	case PCI_EXP_TYPE_RC_END:
	case PCI_EXP_TYPE_RC_EC:
		return IOMMU_HOP_INTEGRATED;
	default:
		return IOMMU_HOP_ENDPOINT;
	}
}

static int read_hop(const struct sysfs *fs, struct bdf bdf, struct iommu_hop *out)
{
	struct config config = {.len = 0};
	char text[BDF_TEXT];
	int err = read_config(fs, bdf, &config);

	if (err)
		return err;
	*out = (struct iommu_hop){
		.bdf = bdf,
		.kind = kind_of(&config),
		.multifunction = get(&config, PCI_HEADER_TYPE, 1) & 0x80,
		.virtual_function =
			sysfs_exists(fs, "bus/pci/devices/%s/physfn", bdf_format(bdf, text)),
		.known = config.len > 64,
	};
	if (out->kind >= IOMMU_HOP_ROOT_PORT && out->kind <= IOMMU_HOP_PCI_BRIDGE) {
		out->secondary = (uint8_t)get(&config, PCI_SECONDARY_BUS, 1);
		out->subordinate = (uint8_t)get(&config, PCI_SUBORDINATE_BUS, 1);
	}
	size_t acs = find_ext_cap(&config, PCI_EXT_CAP_ID_ACS);
	if (acs) {
		out->has_acs = true;
		out->acs_able = (uint16_t)get(&config, acs + PCI_ACS_CAP, 2);
		out->acs_on = (uint16_t)get(&config, acs + PCI_ACS_CTRL, 2);
	}
	return 0;
}

/* ---- the way up ---- */

struct search {
	const struct sysfs *fs;
	struct bdf child;
	struct iommu_hop *found;
};

/* 1: this is the bridge whose secondary bus the child is on. */
static int is_parent(const char *name, void *opaque)
{
	struct search *s = opaque;
	struct iommu_hop hop;
	struct bdf bdf;

	if (bdf_parse(name, &bdf) || bdf.domain != s->child.domain || read_hop(s->fs, bdf, &hop) ||
	    !hop.secondary || hop.secondary != s->child.bus)
		return 0;
	*s->found = hop;
	return 1;
}

int iommu_hops_read(const struct sysfs *fs, struct bdf bdf, struct iommu_hop hops[IOMMU_HOPS_MAX],
		    size_t *count)
{
	char name[BDF_TEXT], physical[32];
	struct search search = {.fs = fs, .child = bdf};
	int found, err = read_hop(fs, bdf, &hops[0]);

	bdf_format(bdf, name);
	if (err == -ENOENT)
		return log_fail(-ENODEV, name, "no such PCI function");
	if (err)
		return log_fail(err, name, "configuration space not read: %s", strerror(-err));
	if (!sysfs_link_name(fs, physical, sizeof(physical), "bus/pci/devices/%s/physfn", name))
		bdf_parse(physical, &search.child);
	for (*count = 1; *count < IOMMU_HOPS_MAX; ++*count) {
		search.found = &hops[*count];
		found = sysfs_list(fs, is_parent, &search, "bus/pci/devices");
		if (found <= 0)
			return found;
		if (search.found->bdf.bus >= search.child.bus)
			return log_fail(-ELOOP, name, "its bridges lead in a circle");
		search.child = search.found->bdf;
	}
	return log_fail(-E2BIG, name, "more than %d bridges above it", IOMMU_HOPS_MAX - 1);
}

/* ---- reasons ---- */

const char *iommu_hop_name(enum iommu_hop_kind kind)
{
	static const char *const names[] = {
		[IOMMU_HOP_ENDPOINT] = "endpoint",
		[IOMMU_HOP_ROOT_PORT] = "root port",
		[IOMMU_HOP_UPSTREAM] = "upstream port of a switch",
		[IOMMU_HOP_DOWNSTREAM] = "downstream port of a switch",
		[IOMMU_HOP_PCI_BRIDGE] = "bridge to conventional PCI",
		[IOMMU_HOP_INTEGRATED] = "integrated endpoint",
		[IOMMU_HOP_CONVENTIONAL] = "conventional PCI function",
	};

	return names[kind];
}

/* What a function cannot do by design, it need not be kept from: of the four, those it is able to
 * control must be on (drivers/pci/pci.c, pci_acs_flags_enabled). */
static bool acs_suffices(const struct iommu_hop *hop)
{
	unsigned needed = IOMMU_ACS_NEEDED & hop->acs_able;

	return hop->has_acs && (hop->acs_on & needed) == needed;
}

bool iommu_hop_isolates(const struct iommu_hop *hop)
{
	switch (hop->kind) {
	case IOMMU_HOP_PCI_BRIDGE:
	case IOMMU_HOP_CONVENTIONAL:
		return false;
	case IOMMU_HOP_ROOT_PORT:
	case IOMMU_HOP_DOWNSTREAM:
		return acs_suffices(hop);
	default:
		return hop->virtual_function || !hop->multifunction || acs_suffices(hop);
	}
}

char *iommu_acs_words(const struct iommu_hop *hop, char text[IOMMU_REASON_TEXT])
{
	static const struct {
		unsigned bit;
		const char *name;
	} flags[] = {{IOMMU_ACS_SOURCE, "source validation"},
		     {IOMMU_ACS_REDIRECT, "request redirect"},
		     {IOMMU_ACS_COMPLETE, "completion redirect"},
		     {IOMMU_ACS_UPSTREAM, "upstream forwarding"}};
	size_t used;

	if (!hop->known)
		used = (size_t)snprintf(text, IOMMU_REASON_TEXT, "ACS not known (run as root)");
	else if (!hop->has_acs)
		used = (size_t)snprintf(text, IOMMU_REASON_TEXT, "no ACS capability");
	else
		used = (size_t)snprintf(text, IOMMU_REASON_TEXT, "ACS");
	for (unsigned i = 0; hop->has_acs && i < ARRAY_SIZE(flags); i++)
		if (hop->acs_able & flags[i].bit)
			used += (size_t)snprintf(text + used, IOMMU_REASON_TEXT - used, "%s %s %s",
						 i ? "," : "", flags[i].name,
						 hop->acs_on & flags[i].bit ? "on" : "OFF");
	return text;
}

static bool same_slot(struct bdf a, struct bdf b)
{
	return a.domain == b.domain && a.bus == b.bus && a.dev == b.dev;
}

static bool is_on(const struct iommu_hop *hops, size_t count, struct bdf bdf)
{
	for (size_t i = 0; i < count; i++)
		if (bdf_equal(hops[i].bdf, bdf))
			return true;
	return false;
}

/* A bridge that both are below, or that one of them is. */
static void tell_bridge(const struct iommu_hop *hop, char text[IOMMU_REASON_TEXT])
{
	char name[BDF_TEXT], acs[IOMMU_REASON_TEXT];

	bdf_format(hop->bdf, name);
	if (hop->kind == IOMMU_HOP_PCI_BRIDGE)
		snprintf(text, IOMMU_REASON_TEXT,
			 "all behind the bridge %s to conventional PCI use the bridge's requester "
			 "id: the IOMMU sees one device",
			 name);
	else
		snprintf(text, IOMMU_REASON_TEXT,
			 "the %s %s may pass requests on below the IOMMU: %.200s",
			 iommu_hop_name(hop->kind), name, iommu_acs_words(hop, acs));
}

/* Two functions of one device, on the ways of both. */
static bool are_siblings(const struct iommu_hop *a, const struct iommu_hop *b,
			 char text[IOMMU_REASON_TEXT])
{
	char x[BDF_TEXT], y[BDF_TEXT], acs[IOMMU_REASON_TEXT];

	if (!a->multifunction || !same_slot(a->bdf, b->bdf) || bdf_equal(a->bdf, b->bdf) ||
	    (iommu_hop_isolates(a) && iommu_hop_isolates(b)))
		return false;
	snprintf(text, IOMMU_REASON_TEXT,
		 "%s and %s are functions of one device, and may reach each other inside it: "
		 "%.200s",
		 bdf_format(a->bdf, x), bdf_format(b->bdf, y), iommu_acs_words(a, acs));
	return true;
}

bool iommu_join_reason(const struct iommu_hop *a, size_t a_count, const struct iommu_hop *b,
		       size_t b_count, char text[IOMMU_REASON_TEXT])
{
	for (size_t i = 0; i < a_count; i++)
		for (size_t k = 0; k < b_count; k++)
			if (are_siblings(&a[i], &b[k], text))
				return true;
	/* The function itself counts when the other one is below it. */
	for (size_t i = 0; i < a_count; i++)
		if (a[i].secondary && !iommu_hop_isolates(&a[i]) && is_on(b, b_count, a[i].bdf)) {
			tell_bridge(&a[i], text);
			return true;
		}
	return false;
}
