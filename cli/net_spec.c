/* SPDX-License-Identifier: BSD-3-Clause */
/* net_spec: see net_spec.h. */
#include "cli/net_spec.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/util.h"

/* What the kernel takes as an interface's name (net/core/dev.c, dev_valid_name). */
static bool name_valid(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len < IFNAMSIZ && strcspn(name, "/: \t\n") == len &&
	       strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static int set_name(char out[IFNAMSIZ], const char *key, const char *value, char *why)
{
	if (!name_valid(value)) {
		snprintf(why, NET_SPEC_WHY, "%s '%.40s': no name for an interface", key, value);
		return -EINVAL;
	}
	snprintf(out, IFNAMSIZ, "%s", value);
	return 0;
}

static int set_mac(struct net_spec *spec, const char *value, char *why)
{
	int err = parse_mac(value, spec->mac);

	if (err == -ERANGE)
		snprintf(why, NET_SPEC_WHY,
			 "mac '%.40s': a station's own address is neither multicast nor zero",
			 value);
	else if (err)
		snprintf(why, NET_SPEC_WHY, "mac '%.40s': not an address such as 02:00:00:00:00:01",
			 value);
	spec->has_mac = true;
	return err ? -EINVAL : 0;
}

static int set_number(unsigned *out, const char *key, const char *value, unsigned min, unsigned max,
		      char *why)
{
	uint32_t number;

	if (parse_u32(value, min, max, &number)) {
		snprintf(why, NET_SPEC_WHY, "%s '%.40s': not a number from %u to %u", key, value,
			 min, max);
		return -EINVAL;
	}
	*out = number;
	return 0;
}

static int set_backend(struct net_spec *spec, const char *value, char *why)
{
	if (!strcmp(value, "vhost"))
		spec->backend = NET_BACKEND_VHOST;
	else if (!strcmp(value, "user"))
		spec->backend = NET_BACKEND_USER;
	else
		snprintf(why, NET_SPEC_WHY, "backend '%.40s': neither vhost nor user", value);
	return spec->backend == NET_BACKEND_ANY ? -EINVAL : 0;
}

static int set_standby(struct net_spec *spec, const char *value, char *why)
{
	spec->standby = !strcmp(value, "on");
	if (spec->standby || !strcmp(value, "off"))
		return 0;
	snprintf(why, NET_SPEC_WHY, "standby '%.40s': neither on nor off", value);
	return -EINVAL;
}

static int set_model(struct net_spec *spec, const char *value, char *why)
{
	spec->e1000e = !strcmp(value, "e1000e");
	if (spec->e1000e || !strcmp(value, "virtio"))
		return 0;
	snprintf(why, NET_SPEC_WHY, "model '%.40s': neither virtio nor e1000e", value);
	return -EINVAL;
}

static int set(struct net_spec *spec, const char *key, const char *value, char *why)
{
	if (!strcmp(key, "tap"))
		return set_name(spec->tap, key, value, why);
	if (!strcmp(key, "bridge"))
		return set_name(spec->bridge, key, value, why);
	if (!strcmp(key, "mac"))
		return set_mac(spec, value, why);
	if (!strcmp(key, "queues"))
		return set_number(&spec->queues, key, value, 1, NET_SPEC_QUEUES_MAX, why);
	if (!strcmp(key, "mtu"))
		return set_number(&spec->mtu, key, value, NET_SPEC_MTU_MIN, NET_SPEC_MTU_MAX, why);
	if (!strcmp(key, "backend"))
		return set_backend(spec, value, why);
	if (!strcmp(key, "standby"))
		return set_standby(spec, value, why);
	if (!strcmp(key, "model"))
		return set_model(spec, value, why);
	snprintf(why, NET_SPEC_WHY,
		 "unknown setting '%.30s'; there are bridge, mac, queues, mtu, backend, standby, "
		 "model",
		 key);
	return -EINVAL;
}

static int set_socket(struct net_spec *spec, const char *text, size_t len, char *why)
{
	if (!len || len >= sizeof(spec->socket)) {
		snprintf(why, NET_SPEC_WHY, "vhost-user '%.40s': not a path of up to %u characters",
			 text, NET_SPEC_SOCKET - 1);
		return -EINVAL;
	}
	memcpy(spec->socket, text, len);
	return 0;
}

/* Words without a value, of a port only. */
static bool set_word(struct net_spec *spec, const char *word)
{
	bool *at = !strcmp(word, "server")   ? &spec->server
		   : !strcmp(word, "packed") ? &spec->packed
					     : NULL;

	if (at)
		*at = true;
	return at;
}

static int parse_pair(struct net_spec *spec, const char *text, size_t len, char *why)
{
	char pair[64];

	if (len >= sizeof(pair)) {
		snprintf(why, NET_SPEC_WHY, "'%.40s…': too long for a setting", text);
		return -EINVAL;
	}
	memcpy(pair, text, len);
	pair[len] = '\0';
	char *equals = strchr(pair, '=');
	if (!equals && set_word(spec, pair))
		return 0;
	if (!equals) {
		snprintf(why, NET_SPEC_WHY, "'%.40s': not KEY=VALUE", pair);
		return -EINVAL;
	}
	*equals = '\0';
	return set(spec, pair, equals + 1, why);
}

/* Settings that do not go with where the frames go. */
static int check(const struct net_spec *spec, char *why)
{
	const char *odd = NULL, *where = spec->tap;

	if (spec->e1000e) {
		odd = spec->queues > 1			   ? "queues"
		      : spec->backend == NET_BACKEND_VHOST ? "backend=vhost"
		      : spec->standby			   ? "standby"
		      : spec->socket[0]			   ? "vhost-user"
		      : spec->mtu > NET_SPEC_MTU_E1000E	   ? "an mtu above 9216"
							   : NULL;
		if (odd)
			snprintf(why, NET_SPEC_WHY, "%s: not with model=e1000e", odd);
		if (odd)
			return -EINVAL;
	}
	if (spec->tap[0] && (spec->bridge[0] || spec->mtu)) {
		snprintf(why, NET_SPEC_WHY,
			 "%s: only for a tap that is made for the VM; %s is yours to set up",
			 spec->bridge[0] ? "bridge" : "mtu", where);
		return -EINVAL;
	}
	if (spec->socket[0])
		odd = spec->tap[0]			 ? "tap"
		      : spec->bridge[0]			 ? "bridge"
		      : spec->backend != NET_BACKEND_ANY ? "backend"
							 : NULL;
	else
		odd = spec->server ? "server" : spec->packed ? "packed" : NULL;
	if (!odd)
		return 0;
	snprintf(why, NET_SPEC_WHY, "%s: not for a %s", odd,
		 spec->socket[0] ? "port of a switch" : "tap");
	return -EINVAL;
}

int net_spec_parse(const char *text, struct net_spec *spec, char why[NET_SPEC_WHY])
{
	static const char port[] = "vhost-user=";
	size_t len = strcspn(text, ",");
	bool is_port = !strncmp(text, port, strlen(port));
	int err = 0;

	*spec = (struct net_spec){.queues = 1};
	if (is_port)
		err = set_socket(spec, text + strlen(port), len - strlen(port), why);
	else if (strncmp(text, "tap", 3) != 0 || (len > 3 && text[3] != '=')) {
		snprintf(why, NET_SPEC_WHY,
			 "'%.40s': not of the form tap[=INTERFACE][,KEY=VALUE,…] or "
			 "vhost-user=PATH[,KEY=VALUE,…]",
			 text);
		return -EINVAL;
	} else if (len > 3)
		err = parse_pair(spec, text, len, why);
	while (!err && text[len]) {
		text += len + 1;
		len = strcspn(text, ",");
		err = parse_pair(spec, text, len, why);
	}
	return err ? err : check(spec, why);
}

/* FNV-1a, 64 bits, over "NAME/INDEX": any change of either changes all of the result. */
static uint64_t hash(const char *vm, unsigned index)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	char text[96];

	snprintf(text, sizeof(text), "%s/%u", vm, index);
	for (const char *p = text; *p; p++)
		h = (h ^ (uint8_t)*p) * UINT64_C(0x100000001b3);
	return h ^ h >> 32;
}

void net_spec_mac(const char *vm, unsigned index, uint8_t mac[6])
{
	uint64_t h = hash(vm, index);

	mac[0] = 0x02; /* locally administered, one station: IEEE 802, clause 8 */
	for (unsigned i = 1; i < 6; i++)
		mac[i] = (uint8_t)(h >> (8 * i));
}

void net_spec_tap(const char *vm, unsigned index, char name[IFNAMSIZ])
{
	if (snprintf(name, IFNAMSIZ, "%s-n%u", vm, index) >= IFNAMSIZ)
		snprintf(name, IFNAMSIZ, "%.6s%05x-n%u", vm, (unsigned)hash(vm, 0) & 0xfffff,
			 index % 10);
}
