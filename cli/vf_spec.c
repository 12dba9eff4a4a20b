/* SPDX-License-Identifier: BSD-3-Clause */
/* vf_spec: see vf_spec.h. */
#include "cli/vf_spec.h"

#include <errno.h>
#include <string.h>

#include "base/parse.h"
#include "base/util.h"

/* IEEE 802.1Q: identifiers 0 and 4095 are reserved; here 0 stands for none. */
#define VLAN_LAST 4094u
#define QOS_LAST  7u

static int set_mac(struct sriov_attrs *attrs, const char *value, char *why)
{
	int err = parse_mac(value, attrs->mac);

	if (err == -ERANGE)
		snprintf(why, VF_SPEC_WHY,
			 "mac '%.40s': a station's own address is neither multicast nor zero",
			 value);
	else if (err)
		snprintf(why, VF_SPEC_WHY, "mac '%.40s': not an address such as 02:00:00:00:00:01",
			 value);
	attrs->set |= SRIOV_MAC;
	return err ? -EINVAL : 0;
}

static int set_qos(struct sriov_attrs *attrs, const char *value, char *why)
{
	uint32_t qos;

	if (parse_u32(value, 0, QOS_LAST, &qos)) {
		snprintf(why, VF_SPEC_WHY, "qos '%.40s': not a priority from 0 to 7", value);
		return -EINVAL;
	}
	attrs->qos = (uint8_t)qos;
	attrs->set |= SRIOV_VLAN;
	return 0;
}

static int set_vlan(struct sriov_attrs *attrs, const char *value, char *why)
{
	char id[16];
	uint32_t vlan;
	size_t len = strcspn(value, ",");

	snprintf(id, sizeof(id), "%.*s", (int)MIN(len, sizeof(id)), value);
	if (parse_u32(id, 0, VLAN_LAST, &vlan)) {
		snprintf(why, VF_SPEC_WHY,
			 "vlan '%.40s': not a number from 1 to 4094, or 0 for none", value);
		return -EINVAL;
	}
	attrs->vlan = (uint16_t)vlan;
	attrs->set |= SRIOV_VLAN;
	if (!value[len])
		return 0;
	if (!strncmp(value + len, ",qos=", 5))
		return set_qos(attrs, value + len + 5, why);
	snprintf(why, VF_SPEC_WHY, "vlan '%.40s': only ',qos=0..7' may follow the number", value);
	return -EINVAL;
}

static int set_switch(struct sriov_attrs *attrs, unsigned bit, bool *field, const char *value,
		      char *why)
{
	bool on = !strcmp(value, "on");

	if (!on && strcmp(value, "off") != 0) {
		snprintf(why, VF_SPEC_WHY, "%s '%.40s': neither on nor off",
			 bit == SRIOV_TRUST ? "trust" : "spoof-check", value);
		return -EINVAL;
	}
	*field = on;
	attrs->set |= bit;
	return 0;
}

static int set_rate(struct sriov_attrs *attrs, uint32_t *field, const char *value, char *why)
{
	if (parse_u32(value, 0, UINT32_MAX, field)) {
		snprintf(why, VF_SPEC_WHY, "rate '%.40s': not a number of Mb/s", value);
		return -EINVAL;
	}
	attrs->set |= SRIOV_RATE;
	return 0;
}

int vf_spec_set(struct sriov_attrs *attrs, const char *key, const char *value,
		char why[VF_SPEC_WHY])
{
	if (!strcmp(key, "mac"))
		return set_mac(attrs, value, why);
	if (!strcmp(key, "vlan"))
		return set_vlan(attrs, value, why);
	if (!strcmp(key, "qos"))
		return set_qos(attrs, value, why);
	if (!strcmp(key, "spoof-check") || !strcmp(key, "spoof"))
		return set_switch(attrs, SRIOV_SPOOF, &attrs->spoof_check, value, why);
	if (!strcmp(key, "trust"))
		return set_switch(attrs, SRIOV_TRUST, &attrs->trust, value, why);
	if (!strcmp(key, "max-rate"))
		return set_rate(attrs, &attrs->max_rate, value, why);
	if (!strcmp(key, "min-rate"))
		return set_rate(attrs, &attrs->min_rate, value, why);
	snprintf(
		why, VF_SPEC_WHY,
		"unknown setting '%.30s'; there are mac, vlan, qos, spoof-check, trust, max-rate, min-rate",
		key);
	return -EINVAL;
}

/* Where the settings begin: behind the ':' that is followed by letters and '='. */
static const char *settings_of(const char *text)
{
	for (const char *colon = strchr(text, ':'); colon; colon = strchr(colon + 1, ':')) {
		size_t key = strspn(colon + 1, "abcdefghijklmnopqrstuvwxyz-");
		if (key && colon[1 + key] == '=')
			return colon + 1;
	}
	return NULL;
}

static int parse_settings(const char *text, struct sriov_attrs *attrs, char *why)
{
	while (*text) {
		char pair[64];
		size_t len = strcspn(text, ",");
		if (len >= sizeof(pair)) {
			snprintf(why, VF_SPEC_WHY, "'%.40s…': too long for a setting", text);
			return -EINVAL;
		}
		memcpy(pair, text, len);
		pair[len] = '\0';
		char *equals = strchr(pair, '=');
		if (!equals) {
			snprintf(why, VF_SPEC_WHY, "'%.40s': not KEY=VALUE", pair);
			return -EINVAL;
		}
		*equals = '\0';
		int err = vf_spec_set(attrs, pair, equals + 1, why);
		if (err)
			return err;
		text += len + (text[len] == ',');
	}
	if ((attrs->set & SRIOV_VLAN) && attrs->qos && !attrs->vlan) {
		snprintf(why, VF_SPEC_WHY, "qos: needs a vlan beside it");
		return -EINVAL;
	}
	return 0;
}

int vf_spec_parse(const char *text, struct vf_spec *spec, char why[VF_SPEC_WHY])
{
	const char *settings = settings_of(text);
	size_t len = settings ? (size_t)(settings - 1 - text) : strlen(text);

	*spec = (struct vf_spec){0};
	if (len == 0 || len >= sizeof(spec->vf)) {
		snprintf(why, VF_SPEC_WHY, "not of the form PF[/N][:KEY=VALUE,…]");
		return -EINVAL;
	}
	memcpy(spec->vf, text, len);
	return settings ? parse_settings(settings, &spec->attrs, why) : 0;
}

json_t *vf_spec_encode(const struct sriov_attrs *attrs)
{
	json_t *object = json_object();
	char mac[PARSE_MAC_TEXT];

	if (attrs->set & SRIOV_MAC)
		json_object_set_new(object, "mac", json_string(format_mac(attrs->mac, mac)));
	if (attrs->set & SRIOV_VLAN) {
		json_object_set_new(object, "vlan", json_integer(attrs->vlan));
		json_object_set_new(object, "qos", json_integer(attrs->qos));
	}
	if (attrs->set & SRIOV_SPOOF)
		json_object_set_new(object, "spoof_check", json_boolean(attrs->spoof_check));
	if (attrs->set & SRIOV_TRUST)
		json_object_set_new(object, "trust", json_boolean(attrs->trust));
	if (attrs->set & SRIOV_RATE) {
		json_object_set_new(object, "max_rate", json_integer(attrs->max_rate));
		json_object_set_new(object, "min_rate", json_integer(attrs->min_rate));
	}
	return object;
}
