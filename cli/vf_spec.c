/* SPDX-License-Identifier: BSD-3-Clause */
/* vf_spec: see vf_spec.h. */
#include "cli/vf_spec.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/parse.h"

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

static int parse_settings(const char *subject, const char *text, struct sriov_attrs *attrs)
{
	while (*text) {
		char pair[64];
		size_t len = strcspn(text, ",");
		if (len >= sizeof(pair))
			return log_fail(-EINVAL, subject, "'%.40s…': too long for a setting", text);
		memcpy(pair, text, len);
		pair[len] = '\0';
		char *equals = strchr(pair, '=');
		if (!equals)
			return log_fail(-EINVAL, subject, "'%.40s': not KEY=VALUE", pair);
		*equals = '\0';
		int err = sriov_attr_parse(subject, pair, equals + 1, attrs);
		if (err)
			return err;
		text += len + (text[len] == ',');
	}
	return sriov_attr_check(subject, attrs);
}

int vf_spec_parse(const char *subject, const char *text, struct vf_spec *spec)
{
	const char *settings = settings_of(text);
	size_t len = settings ? (size_t)(settings - 1 - text) : strlen(text);

	*spec = (struct vf_spec){0};
	if (len == 0 || len >= sizeof(spec->vf))
		return log_fail(-EINVAL, subject, "'%.40s': not of the form PF[/N][:KEY=VALUE,…]",
				text);
	memcpy(spec->vf, text, len);
	return settings ? parse_settings(subject, settings, &spec->attrs) : 0;
}

/* "spoof-check" as it stands in JSON: "spoof_check". */
static void json_name(const char *name, char out[32])
{
	snprintf(out, 32, "%s", name);
	for (char *dash = out; (dash = strchr(dash, '-'));)
		*dash = '_';
}

static json_t *encode_vlan(json_t *object, const struct sriov_attrs *attrs)
{
	json_object_set_new(object, "qos", json_integer(attrs->qos));
	if (attrs->vlan_proto && attrs->vlan_proto != 0x8100)
		json_object_set_new(object, "vlan_proto", json_string("802.1ad"));
	return json_integer(attrs->vlan);
}

/* Switches are booleans, numbers are numbers, the rest is text. */
static json_t *encode_value(const struct sriov_attr_info *info, const struct sriov_attrs *attrs)
{
	char text[SRIOV_ATTR_TEXT];
	uint64_t number;

	sriov_attr_format(info->bit, attrs, text);
	if (!strcmp(info->value, "on|off"))
		return json_boolean(!strcmp(text, "on"));
	return parse_u64(text, 0, UINT32_MAX, &number) ? json_string(text)
						       : json_integer((json_int_t)number);
}

json_t *vf_spec_encode(const struct sriov_attrs *attrs)
{
	json_t *object = json_object();
	size_t count;
	const struct sriov_attr_info *table = sriov_attr_table(&count);

	for (size_t i = 0; i < count; i++) {
		char name[32];
		if (!(attrs->set & table[i].bit))
			continue;
		json_name(table[i].name, name);
		if (table[i].bit == SRIOV_RATE) {
			json_object_set_new(object, "max_rate", json_integer(attrs->max_rate));
			json_object_set_new(object, "min_rate", json_integer(attrs->min_rate));
		} else if (table[i].bit == SRIOV_VLAN) {
			json_object_set_new(object, name, encode_vlan(object, attrs));
		} else {
			json_object_set_new(object, name, encode_value(&table[i], attrs));
		}
	}
	return object;
}
