/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * profile: see profile.h and sriov_pf_profile().
 *
 * NetworkManager: keyfiles with a section [sriov] (nm-settings-keyfile(5)); a profile belongs to
 * the interface that its [connection], [ethernet] or [match] names, or to any. systemd: .link and
 * .network files with SR-IOV settings (systemd.link(5), systemd.network(5)), which belong to what
 * [Match] says; all its lines must fit, and one word of a line is enough.
 */
#include "sriov/profile.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "base/parse.h"
#include "base/sysfs.h"
#include "base/util.h"
#include "sriov/pf.h"

static const char *const nm_dirs[] = {
	"etc/NetworkManager/system-connections",
	"run/NetworkManager/system-connections",
	"usr/lib/NetworkManager/system-connections",
};
static const char *const systemd_dirs[] = {
	"etc/systemd/network",
	"run/systemd/network",
	"usr/local/lib/systemd/network",
	"usr/lib/systemd/network",
};

struct profile {
	const struct sriov_pf *pf;
	bool fits;
	bool ethernet;			     /* not for another kind of interface */
	char setting[SRIOV_PROFILE_SETTING]; /* the first about VFs, "" for none */
};

/* ---- does it fit? ---- */

static bool is_mac(const struct sriov_pf *pf, const char *word)
{
	char mac[PARSE_MAC_TEXT];

	return !strcasecmp(word, format_mac(pf->mac, mac));
}

/* "pci-0000:01:00.0", as udev calls a path. */
static bool is_path(const struct sriov_pf *pf, const char *pattern)
{
	char path[32], dev[BDF_TEXT];

	snprintf(path, sizeof(path), "pci-%s", bdf_format(pf->bdf, dev));
	return !fnmatch(pattern, path, 0);
}

static bool is_name(const struct sriov_pf *pf, const char *pattern)
{
	return pf->ifname[0] && !fnmatch(pattern, pf->ifname, 0);
}

static bool is_driver(const struct sriov_pf *pf, const char *pattern)
{
	return !fnmatch(pattern, pf->driver, 0);
}

static const struct rule {
	const char *section, *key;
	bool (*is)(const struct sriov_pf *pf, const char *word);
} rules[] = {
	{"connection", "interface-name", is_name},
	{"ethernet", "mac-address", is_mac},
	{"802-3-ethernet", "mac-address", is_mac},
	{"match", "interface-name", is_name},
	{"match", "path", is_path},
	{"match", "driver", is_driver},
	{"Match", "OriginalName", is_name},
	{"Match", "Name", is_name},
	{"Match", "MACAddress", is_mac},
	{"Match", "PermanentMACAddress", is_mac},
	{"Match", "Path", is_path},
	{"Match", "Driver", is_driver},
};

/* Words of a line: one that fits is enough; with '!' before the first, none may. */
static bool line_fits(const struct rule *rule, const struct sriov_pf *pf, const char *value)
{
	char text[256], *rest = text, *word;
	bool inverted = value[0] == '!', any = false;

	snprintf(text, sizeof(text), "%s", value + inverted);
	while ((word = strsep(&rest, " \t;,")))
		any |= *word && rule->is(pf, word);
	return any != inverted;
}

/* ---- is it about VFs? ---- */

static bool is_about_vfs(const char *section, const char *key)
{
	if (!strcmp(section, "sriov") || !strcmp(section, "SR-IOV"))
		return strcmp(key, "autoprobe-drivers") != 0;
	return !strcmp(section, "Link") && !strcmp(key, "SR-IOVVirtualFunctions");
}

static void take_line(struct profile *p, const char *section, const char *key, const char *value)
{
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (!strcmp(section, rules[i].section) && !strcmp(key, rules[i].key))
			p->fits &= line_fits(&rules[i], p->pf, value);
	if (!strcmp(section, "connection") && !strcmp(key, "type"))
		p->ethernet = !strcmp(value, "ethernet") || !strcmp(value, "802-3-ethernet");
	if (!p->setting[0] && is_about_vfs(section, key))
		snprintf(p->setting, sizeof(p->setting), "[%.16s] %.32s=%.32s", section, key,
			 value);
}

static char *trim(char *text)
{
	text += strspn(text, " \t");
	for (size_t n = strlen(text); n && strchr(" \t\r\n", text[n - 1]);)
		text[--n] = '\0';
	return text;
}

/* Both write the same kind of file: "[section]", "key=value", comments behind '#' or ';'. */
static void read_profile(FILE *in, struct profile *p)
{
	char line[512], section[32] = "";

	while (fgets(line, sizeof(line), in)) {
		char *text = trim(line), *equals = strchr(text, '=');
		size_t len = strlen(text);
		if (*text == '[' && text[len - 1] == ']') {
			snprintf(section, sizeof(section), "%.*s", (int)len - 2, text + 1);
		} else if (*text != '#' && *text != ';' && equals) {
			*equals = '\0';
			take_line(p, section, trim(text), trim(equals + 1));
		}
	}
}

struct search {
	const struct sriov *ctx;
	const struct sriov_pf *pf;
	const char *dir;
	char *path, *setting;
	bool networkmanager;
};

static bool has_suffix(const char *name, const char *suffix)
{
	size_t n = strlen(name), m = strlen(suffix);

	return n > m && !strcmp(name + n - m, suffix);
}

static int look_at(const char *name, void *opaque)
{
	struct search *s = opaque;
	struct profile p = {.pf = s->pf, .fits = true, .ethernet = true};

	/* Without the suffix NetworkManager takes a keyfile only where it was always so: /etc. */
	if (!s->networkmanager && !has_suffix(name, ".link") && !has_suffix(name, ".network"))
		return 0;
	if (snprintf(s->path, SRIOV_PROFILE_PATH, "%s%s%s/%s", s->ctx->root,
		     strcmp(s->ctx->root, "/") ? "/" : "", s->dir, name) >= SRIOV_PROFILE_PATH)
		return 0;
	FILE *in = fopen(s->path, "re");
	if (!in)
		return 0; /* a user who is not root may not read profiles, which have secrets */
	read_profile(in, &p);
	fclose(in);
	if (!p.fits || !p.ethernet || !p.setting[0])
		return 0;
	memcpy(s->setting, p.setting, sizeof(p.setting));
	return 1;
}

static bool look_into(struct search *s, const char *const *dirs, size_t count)
{
	struct sysfs root;
	bool found = false;

	if (sysfs_open(&root, s->ctx->root))
		return false;
	for (size_t i = 0; !found && i < count; i++) {
		s->dir = dirs[i];
		found = sysfs_list(&root, look_at, s, "%s", dirs[i]) == 1;
	}
	sysfs_close(&root);
	return found;
}

bool sriov_pf_profile(struct sriov *ctx, const struct sriov_pf *pf, char path[SRIOV_PROFILE_PATH],
		      char setting[SRIOV_PROFILE_SETTING])
{
	struct search search = {.ctx = ctx, .pf = pf, .path = path, .setting = setting};

	if (look_into(&search, systemd_dirs, ARRAY_SIZE(systemd_dirs)))
		return true;
	search.networkmanager = true;
	return look_into(&search, nm_dirs, ARRAY_SIZE(nm_dirs));
}

int profile_refuse(struct sriov *ctx, const struct sriov_pf *pf)
{
	char path[SRIOV_PROFILE_PATH], setting[SRIOV_PROFILE_SETTING], name[SRIOV_NAME];

	if (!sriov_pf_profile(ctx, pf, path, setting))
		return 0;
	pf_name(pf, name);
	return log_fail(-EBUSY, name,
			"its VFs are %s's: %s says %s and would undo what is done here; take that "
			"out of the file",
			strstr(path, "/systemd/") ? "systemd" : "NetworkManager", path, setting);
}
