/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * identity: see identity.h and struct sriov_identity.
 *
 * The path is that of the device's directory in /sys/devices: each bridge on the way by its device
 * and function number. Those are wired; bus numbers are dealt out by firmware and kernel. The
 * serial is the Device Serial Number (PCIe 6.0 section 7.9.3); or what the driver tells, of which
 * the permanent address stays where users and bonds give an interface another; or that of the Vital
 * Product Data (PCI 3.0 appendix I), last, because some devices take long to read it.
 *
 * Which of them can be had depends on who asks and which driver is there. So only serials of one
 * kind are held against each other.
 */
#include "sriov/identity.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/parse.h"
#include "sriov/config_space.h"
#include "sriov/netlink.h"

/* ---- the three parts ---- */

/* ".../pci0000:00/0000:00:02.0/0000:01:00.0" into "0000:00/02.0/00.0"; a device that is no link,
 * into its address. */
static void read_path(const struct sriov *ctx, const char *dev, char out[96])
{
	char path[64], target[512];
	size_t used = 0;

	snprintf(path, sizeof(path), "bus/pci/devices/%s", dev);
	ssize_t n = readlinkat(ctx->fs.root, path, target, sizeof(target) - 1);
	target[n < 0 ? 0 : n] = '\0';
	const char *root = strstr(target, "/pci");
	snprintf(out, 96, "%s", dev);
	if (!root)
		return;
	for (char *rest = (char *)(uintptr_t)root + 1, *part;
	     (part = strsep(&rest, "/")) && used < 96;) {
		struct bdf bdf;
		if (!strncmp(part, "pci", 3))
			used = (size_t)snprintf(out, 96, "%s", part + 3);
		else if (!bdf_parse(part, &bdf))
			used += (size_t)snprintf(out + used, 96 - used, "/%02x.%x", bdf.dev,
						 bdf.fn);
	}
}

static unsigned read_id(const struct sriov *ctx, const char *dev, const char *file)
{
	uint64_t value = 0;

	sysfs_read_u64(&ctx->fs, &value, "bus/pci/devices/%s/%s", dev, file);
	return (unsigned)value & 0xffff;
}

/* Letters and digits alone, so that it fits into a line. */
static void clean(char *text)
{
	char *out = text;

	for (const char *in = text; *in; in++)
		if (isalnum((unsigned char)*in) || strchr(".-:", *in))
			*out++ = *in;
	*out = '\0';
}

#define VPD_MAX	      4096u
#define VPD_READ_ONLY 0x90u /* large resource, tag 10h: VPD-R */
#define VPD_LARGE     0x80u

/* The keyword SN of the read-only part. */
static bool find_vpd_serial(const uint8_t *vpd, size_t len, char *out, size_t size)
{
	size_t at = 0;

	while (at + 3 <= len && (vpd[at] & VPD_LARGE)) {
		size_t end = at + 3 + (vpd[at + 1] | (size_t)vpd[at + 2] << 8);
		if (end > len)
			return false;
		for (size_t i = at + 3; vpd[at] == VPD_READ_ONLY && i + 3 <= end;
		     i += 3 + vpd[i + 2]) {
			if (memcmp(vpd + i, "SN", 2) || i + 3 + vpd[i + 2] > end)
				continue;
			snprintf(out, size, "vpd:%.*s", (int)vpd[i + 2], (const char *)vpd + i + 3);
			clean(out);
			return true;
		}
		at = end;
	}
	return false;
}

static bool read_vpd_serial(const struct sriov *ctx, const char *dev, char *out, size_t size)
{
	char path[64];
	uint8_t vpd[VPD_MAX];

	snprintf(path, sizeof(path), "bus/pci/devices/%s/vpd", dev);
	int fd = openat(ctx->fs.root, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : pread(fd, vpd, sizeof(vpd), 0);
	io_close(&fd);
	return n > 0 && find_vpd_serial(vpd, (size_t)n, out, size);
}

struct serial {
	const struct sriov *ctx;
	const char *dev;
	char *out;
	size_t size;
};

static int take_nvme_serial(const char *name, void *opaque)
{
	struct serial *s = opaque;
	char text[48];

	if (sysfs_read(&s->ctx->fs, text, sizeof(text), "bus/pci/devices/%s/nvme/%s/serial", s->dev,
		       name))
		return 0;
	clean(text);
	snprintf(s->out, s->size, "nvme:%s", text);
	return 1;
}

static bool read_mac_serial(const struct sriov_pf *pf, char *out, size_t size)
{
	static const uint8_t none[6];
	uint8_t mac[6];
	char text[PARSE_MAC_TEXT];

	if (!pf->ifname[0])
		return false;
	if (netlink_vf_read(pf->ifname, NULL, 0, mac) || !memcmp(mac, none, sizeof(none)))
		memcpy(mac, pf->mac, sizeof(mac));
	if (!memcmp(mac, none, sizeof(none)))
		return false;
	snprintf(out, size, "mac:%s", format_mac(mac, text));
	return true;
}

static bool read_nvme_serial(const struct sriov *ctx, const char *dev, char *out, size_t size)
{
	return sysfs_list(&ctx->fs, take_nvme_serial, &(struct serial){ctx, dev, out, size},
			  "bus/pci/devices/%s/nvme", dev) > 0;
}

static void read_serial(const struct sriov *ctx, const struct sriov_pf *pf, const char *dev,
			char *out, size_t size)
{
	uint64_t number;

	out[0] = '\0';
	if (!config_serial(ctx, pf->bdf, &number) && number)
		snprintf(out, size, "dsn:%016llx", (unsigned long long)number);
	else if (!read_mac_serial(pf, out, size) && !read_nvme_serial(ctx, dev, out, size))
		read_vpd_serial(ctx, dev, out, size);
}

void identity_read(const struct sriov *ctx, struct sriov_pf *pf)
{
	struct sriov_identity *id = &pf->identity;
	char dev[BDF_TEXT];

	bdf_format(pf->bdf, dev);
	read_path(ctx, dev, id->path);
	snprintf(id->ids, sizeof(id->ids), "%04x:%04x:%04x:%04x", pf->vendor, pf->device_id,
		 read_id(ctx, dev, "subsystem_vendor"), read_id(ctx, dev, "subsystem_device"));
	read_serial(ctx, pf, dev, id->serial, sizeof(id->serial));
}

/* ---- text ---- */

const char *sriov_identity_format(const struct sriov_identity *id, char text[SRIOV_IDENTITY])
{
	snprintf(text, SRIOV_IDENTITY, "%s,%s,%s", id->path, id->ids, id->serial);
	return text;
}

static bool take_part(char **rest, char *out, size_t size)
{
	const char *part = strsep(rest, ",");

	return part && snprintf(out, size, "%s", part) < (int)size;
}

int identity_parse(const char *text, struct sriov_identity *out)
{
	char copy[SRIOV_IDENTITY], *rest = copy;

	if (snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy))
		return -EINVAL;
	if (!take_part(&rest, out->path, sizeof(out->path)) ||
	    !take_part(&rest, out->ids, sizeof(out->ids)) ||
	    !take_part(&rest, out->serial, sizeof(out->serial)) || rest)
		return -EINVAL;
	return out->path[0] && out->ids[0] ? 0 : -EINVAL;
}

/* ---- matching ---- */

/* The ports of one card share its serial number; what tells them apart is the function. */
static bool same_function(const char *a, const char *b)
{
	const char *fn_a = strrchr(a, '.'), *fn_b = strrchr(b, '.');

	return fn_a && fn_b && !strcmp(fn_a, fn_b);
}

/* "dsn:…" and "dsn:…" */
static bool same_kind(const char *a, const char *b)
{
	size_t len = strcspn(a, ":");

	return len && strcspn(b, ":") == len && !memcmp(a, b, len);
}

enum identity_match identity_match(const struct sriov_identity *known,
				   const struct sriov_identity *seen)
{
	bool place = !strcmp(known->path, seen->path);
	bool both = same_kind(known->serial, seen->serial);

	if (strcmp(known->ids, seen->ids) != 0)
		return place ? IDENTITY_REPLACED : IDENTITY_OTHER;
	if (!both)
		return place ? IDENTITY_SAME : IDENTITY_OTHER;
	if (strcmp(known->serial, seen->serial) != 0)
		return place ? IDENTITY_REPLACED : IDENTITY_OTHER;
	if (place)
		return IDENTITY_SAME;
	return same_function(known->path, seen->path) ? IDENTITY_MOVED : IDENTITY_OTHER;
}

/* ---- aliases ---- */

/* Listing PFs takes no privilege; where nobody ever wrote a ledger there are no aliases. */
static struct ledger *open_ledger(struct sriov *ctx)
{
	struct ledger *ledger = NULL;
	char path[512];

	snprintf(path, sizeof(path), "%s/state.db", ctx->state_dir);
	return ctx->ledger || !access(path, R_OK | W_OK)
		       ? (context_ledger(ctx, &ledger) ? NULL : ledger)
		       : NULL;
}

static int read_aliases(struct sriov *ctx, struct ledger_alias **list, size_t *count)
{
	struct ledger *ledger = open_ledger(ctx);

	*list = NULL;
	*count = 0;
	return ledger ? ledger_alias_list(ledger, list, count) : 0;
}

/* The PF that an identity means, and how well it fits. */
static const struct sriov_pf *best(const struct sriov_identity *known, const struct sriov_pf *list,
				   size_t count, enum identity_match *match)
{
	const struct sriov_pf *found = NULL;

	*match = IDENTITY_OTHER;
	for (size_t i = 0; i < count; i++) {
		enum identity_match m = identity_match(known, &list[i].identity);
		/* SAME is best, MOVED says more than REPLACED. */
		if (m == IDENTITY_OTHER || (found && *match < m))
			continue;
		*match = m;
		found = &list[i];
	}
	return found;
}

void identity_name(struct sriov *ctx, struct sriov_pf *list, size_t count)
{
	struct ledger_alias *aliases;
	size_t n;

	if (read_aliases(ctx, &aliases, &n))
		return; /* logged */
	for (size_t i = 0; i < n; i++) {
		enum identity_match match;
		struct sriov_identity known;
		if (identity_parse(aliases[i].identity, &known))
			continue;
		const struct sriov_pf *pf = best(&known, list, count, &match);
		if (pf && match != IDENTITY_REPLACED)
			memcpy(list[pf - list].alias, aliases[i].alias, SRIOV_NAME);
	}
	free(aliases);
}

static int resolve(const struct ledger_alias *alias, const struct sriov_pf *list, size_t count,
		   struct sriov_pf *out)
{
	struct sriov_identity known;
	enum identity_match match;

	if (identity_parse(alias->identity, &known))
		return log_fail(-EUCLEAN, alias->alias, "its entry in the ledger is damaged");
	const struct sriov_pf *pf = best(&known, list, count, &match);
	if (!pf)
		return log_fail(-ENODEV, alias->alias, "its card is not in this machine: %s",
				alias->identity);
	if (match == IDENTITY_REPLACED)
		return log_fail(-ESTALE, alias->alias,
				"stands for a card with %s (%s); at its place %s is one with %s "
				"(%s) now; `sluice pf alias` again if that is meant",
				known.serial[0] ? known.serial : "no serial", known.ids, known.path,
				pf->identity.serial[0] ? pf->identity.serial : "no serial",
				pf->identity.ids);
	if (match == IDENTITY_MOVED)
		log_warn(alias->alias, "its card was moved: from %s to %s", known.path,
			 pf->identity.path);
	*out = *pf;
	return 1;
}

int identity_find(struct sriov *ctx, const char *name, const struct sriov_pf *list, size_t count,
		  struct sriov_pf *out)
{
	struct ledger_alias *aliases;
	size_t n;
	int err = read_aliases(ctx, &aliases, &n);

	for (size_t i = 0; !err && i < n; i++)
		if (!strcmp(aliases[i].alias, name))
			err = resolve(&aliases[i], list, count, out);
	free(aliases);
	return err;
}

static int check_alias(const char *alias)
{
	struct bdf bdf;
	size_t len = strlen(alias);

	if (len >= SRIOV_NAME || !isalpha((unsigned char)alias[0]) || !bdf_parse(alias, &bdf) ||
	    strspn(alias, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") !=
		    len)
		return log_fail(-EINVAL, alias,
				"is no alias: up to %d letters, digits, '.', '_', '-', starting "
				"with a letter",
				SRIOV_NAME - 1);
	return 0;
}

/* Another PF that is called so by anything. */
static int check_unused(struct sriov *ctx, const struct sriov_pf *pf, const char *alias)
{
	struct sriov_pf *list = NULL;
	size_t count;
	int err = sriov_pf_list(ctx, &list, &count);

	for (size_t i = 0; !err && i < count; i++) {
		char dev[BDF_TEXT];
		bool called = !strcmp(list[i].ifname, alias) || !strcmp(list[i].alias, alias);
		if (called && !bdf_equal(list[i].bdf, pf->bdf))
			err = log_fail(-EEXIST, alias, "is %s already",
				       bdf_format(list[i].bdf, dev));
	}
	free(list);
	return err;
}

int sriov_pf_alias(struct sriov *ctx, const struct sriov_pf *pf, const char *alias)
{
	char identity[SRIOV_IDENTITY];
	struct ledger *ledger;
	int err = *alias ? check_alias(alias) : 0;

	if (!err && *alias)
		err = check_unused(ctx, pf, alias);
	if (!err)
		err = context_ledger(ctx, &ledger);
	if (err)
		return err;
	sriov_identity_format(&pf->identity, identity);
	return ledger_alias_put(ledger, alias, identity, pf->alias);
}
