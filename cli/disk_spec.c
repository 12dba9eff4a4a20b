/* SPDX-License-Identifier: BSD-3-Clause */
/* disk_spec: see disk_spec.h. */
#include "cli/disk_spec.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/util.h"

#define IOPS_MAX 100000000u
#define BPS_MIN	 (4 * KIB)
#define BPS_MAX	 (1024 * GIB)

static int set_serial(struct disk_spec *spec, const char *value, char *why)
{
	size_t len = strlen(value);

	for (size_t i = 0; i < len; i++)
		if (value[i] <= ' ' || value[i] > '~')
			len = 0;
	if (!len || len > DISK_SERIAL_MAX) {
		snprintf(why, DISK_SPEC_WHY, "serial '%.40s': not 1 to %d letters, digits or signs",
			 value, DISK_SERIAL_MAX);
		return -EINVAL;
	}
	memcpy(spec->serial, value, len + 1);
	return 0;
}

static int set_queues(struct disk_spec *spec, const char *value, char *why)
{
	if (!parse_u32(value, 1, DISK_QUEUES_MAX, &spec->queues))
		return 0;
	snprintf(why, DISK_SPEC_WHY, "queues '%.40s': not a number from 1 to %d", value,
		 DISK_QUEUES_MAX);
	return -EINVAL;
}

static int set_iops(struct disk_spec *spec, const char *value, char *why)
{
	uint32_t iops;

	if (parse_u32(value, 1, IOPS_MAX, &iops)) {
		snprintf(why, DISK_SPEC_WHY, "iops '%.40s': not a number of requests per second",
			 value);
		return -EINVAL;
	}
	spec->iops = iops;
	return 0;
}

static int set_bps(struct disk_spec *spec, const char *value, char *why)
{
	if (!parse_size(value, BPS_MIN, BPS_MAX, &spec->bps))
		return 0;
	snprintf(why, DISK_SPEC_WHY,
		 "bps '%.40s': not a size per second such as 100M, from 4K to 1T", value);
	return -EINVAL;
}

static int refuse(const char *setting, char *why)
{
	snprintf(why, DISK_SPEC_WHY,
		 "unknown setting '%.30s'; there are ro, direct, share, format=, serial=, "
		 "queues=, iops=, bps=",
		 setting);
	return -EINVAL;
}

/* Formats of one file that an engine reads; what goes over a network is not a path. */
static int set_format(struct disk_spec *spec, const char *value, char *why)
{
	static const char *const formats[] = {"qcow2", "qcow", "qed", "vdi",	  "vhdx",
					      "vmdk",  "vpc",  "dmg", "parallels"};

	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (!strcmp(value, formats[i])) {
			snprintf(spec->format, sizeof(spec->format), "%s", value);
			return 0;
		}
	if (!strcmp(value, "raw"))
		return 0;
	snprintf(why, DISK_SPEC_WHY,
		 "format '%.20s': there are raw, qcow2, qcow, qed, vdi, vhdx, vmdk, vpc, dmg, "
		 "parallels",
		 value);
	return -EINVAL;
}

static int set_word(struct disk_spec *spec, const char *word, char *why)
{
	if (!strcmp(word, "ro"))
		spec->read_only = true;
	else if (!strcmp(word, "direct"))
		spec->direct = true;
	else if (!strcmp(word, "share"))
		spec->share = true;
	else
		return refuse(word, why);
	return 0;
}

static int set_one(struct disk_spec *spec, char *setting, char *why)
{
	char *equals = strchr(setting, '=');

	if (!equals)
		return set_word(spec, setting, why);
	*equals = '\0';
	if (!strcmp(setting, "serial"))
		return set_serial(spec, equals + 1, why);
	if (!strcmp(setting, "queues"))
		return set_queues(spec, equals + 1, why);
	if (!strcmp(setting, "iops"))
		return set_iops(spec, equals + 1, why);
	if (!strcmp(setting, "bps"))
		return set_bps(spec, equals + 1, why);
	if (!strcmp(setting, "format"))
		return set_format(spec, equals + 1, why);
	return refuse(setting, why);
}

/* That somebody is there to do what was asked for. */
static int check(const struct disk_spec *spec, char *why)
{
	bool limited = spec->iops || spec->bps;

	if (spec->vhost_user &&
	    (spec->format[0] || spec->read_only || spec->direct || spec->share || limited)) {
		snprintf(why, DISK_SPEC_WHY,
			 "vhost-user: only queues= may follow; the rest is for whoever serves the "
			 "disk");
		return -EINVAL;
	}
	if (spec->serial[0] && (spec->vhost_user || spec->format[0])) {
		snprintf(why, DISK_SPEC_WHY,
			 "serial: only for raw images; whoever serves this disk tells its own");
		return -EINVAL;
	}
	return 0;
}

int disk_spec_parse(const char *text, struct disk_spec *spec, char why[DISK_SPEC_WHY])
{
	static const char socket[] = "vhost-user=";
	char setting[64];

	*spec = (struct disk_spec){0};
	spec->vhost_user = !strncmp(text, socket, strlen(socket));
	text += spec->vhost_user ? strlen(socket) : 0;
	size_t len = strcspn(text, ",");
	if (!len || len >= sizeof(spec->path)) {
		snprintf(why, DISK_SPEC_WHY, "'%.40s': not of the form PATH[,SETTING,…]", text);
		return -EINVAL;
	}
	memcpy(spec->path, text, len);
	for (text += len; *text == ','; text += len) {
		len = strcspn(++text, ",");
		if (len >= sizeof(setting)) {
			snprintf(why, DISK_SPEC_WHY, "'%.40s…': too long for a setting", text);
			return -EINVAL;
		}
		memcpy(setting, text, len);
		setting[len] = '\0';
		int err = set_one(spec, setting, why);
		if (err)
			return err;
	}
	return check(spec, why);
}
