/* SPDX-License-Identifier: BSD-3-Clause */
/* vmm_config: see vmm_config.h. One table of fields serves both directions, so that they agree. */
#include "cli/vmm_config.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "base/util.h"

static const char *const pages_names[] = {
	[HV_PAGES_4K] = "4k",
	[HV_PAGES_THP] = "thp",
	[HV_PAGES_2M] = "2m",
	[HV_PAGES_1G] = "1g",
};

const char *vmm_pages_name(enum hv_pages pages)
{
	return pages_names[pages];
}

int vmm_pages_parse(const char *text, enum hv_pages *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(pages_names); i++) {
		if (!strcmp(text, pages_names[i])) {
			*out = (enum hv_pages)i;
			return 0;
		}
	}
	return -EINVAL;
}

bool vmm_name_valid(const char *name)
{
	static const char first[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	size_t len = strlen(name);

	return len > 0 && len < VMM_NAME_MAX && strchr(first, name[0]) &&
	       strspn(name, "._-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") ==
		       len;
}

/* ---- the fields ---- */

enum kind {
	TEXT,
	UNSIGNED,
	BYTES,
	BOOL,
	FD,
	PAGES,
	FILE_FD,
	PINS,
	GROUPS,
	DEVICES,
	DISKS,
	OBJECT,
	NETS,
	NODES
};

struct field {
	const char *key;
	enum kind kind;
	bool optional; /* may be absent; an absent one is left out of the JSON too */
	size_t offset;
};

#define FIELD(key_, kind_, optional_, member)                            \
	{                                                                \
		.key = (key_), .kind = (kind_), .optional = (optional_), \
		.offset = offsetof(struct vmm_config, member)            \
	}

static const struct field fields[] = {
	FIELD("name", TEXT, false, name),
	FIELD("cpus", UNSIGNED, false, cpus),
	FIELD("max_cpus", UNSIGNED, true, max_cpus),
	FIELD("pin", PINS, true, pin),
	FIELD("ram", BYTES, false, ram),
	FIELD("pages", PAGES, false, pages),
	FIELD("merge", BOOL, true, merge),
	FIELD("phys_bits", UNSIGNED, true, phys_bits),
	FIELD("numa", NODES, true, nodes),
	FIELD("ram_max", BYTES, true, ram_max),
	FIELD("prefault", BOOL, true, prefault),
	FIELD("share_ram", BOOL, true, share_ram),
	FIELD("kaslr", BOOL, false, kaslr),
	FIELD("irqchip", BOOL, true, irqchip),
	FIELD("restart", BOOL, false, restart),
	FIELD("watchdog", TEXT, true, watchdog),
	FIELD("exit_port", FD, true, exit_port), /* as absent as a descriptor when it is -1 */
	FIELD("cmdline", TEXT, false, cmdline),
	FIELD("kernel", FILE_FD, true, kernel),
	FIELD("initrd", FILE_FD, true, initrd),
	FIELD("firmware", FILE_FD, true, firmware),
	FIELD("vars", FILE_FD, true, vars),
	FIELD("restore", FILE_FD, true, restore),
	FIELD("record", OBJECT, true, record),
	FIELD("engine_fd", FD, false, engine_fd),
	FIELD("container_fd", FD, true, container_fd),
	FIELD("groups", GROUPS, true, groups),
	FIELD("devices", DEVICES, true, devices),
	FIELD("virtio_console", BOOL, true, virtio_console),
	FIELD("balloon", BOOL, true, balloon),
	FIELD("vsock_fd", FD, true, vsock_fd),
	FIELD("vsock_cid", UNSIGNED, true, vsock_cid),
	FIELD("nets", NETS, true, nets),
	FIELD("disks", DISKS, true, disks),
	FIELD("rng", BOOL, true, rng),
	FIELD("hotplug_ports", UNSIGNED, true, hotplug_ports),
	FIELD("ctl_fd", FD, false, ctl_fd),
	FIELD("console_fd", FD, false, console_fd),
	FIELD("report_fd", FD, false, report_fd),
	FIELD("lock_fd", FD, false, lock_fd),
	FIELD("cache_fd", FD, true, cache_fd),
	FIELD("sandbox", BOOL, true, sandbox),
	FIELD("uid", UNSIGNED, true, uid),
	FIELD("gid", UNSIGNED, true, gid),
	FIELD("dial_fd", FD, true, dial_fd),
};

void vmm_net_init(struct vmm_net *net)
{
	*net = (struct vmm_net){.listen_fd = -1};
	for (size_t i = 0; i < VMM_NET_PAIRS_MAX; i++)
		net->tap[i] = net->vhost[i] = -1;
}

void vmm_net_finish(struct vmm_net *net)
{
	free(net->tap_name);
	free(net->socket);
}

void vmm_disk_init(struct vmm_disk *disk)
{
	*disk = (struct vmm_disk){.file.fd = -1, .life_fd = -1};
}

void vmm_config_init(struct vmm_config *config)
{
	*config = (struct vmm_config){.cpus = 1,
				      .exit_port = -1,
				      .kernel.fd = -1,
				      .initrd.fd = -1,
				      .firmware.fd = -1,
				      .vars.fd = -1,
				      .restore.fd = -1,
				      .engine_fd = -1,
				      .container_fd = -1,
				      .vsock_fd = -1,
				      .ctl_fd = -1,
				      .console_fd = -1,
				      .report_fd = -1,
				      .lock_fd = -1,
				      .cache_fd = -1,
				      .dial_fd = -1,
				      .pagemap = -1};
	for (size_t i = 0; i < HV_MAX_CPUS; i++)
		config->pin[i] = -1;
	for (size_t i = 0; i < VMM_NETS_MAX; i++)
		vmm_net_init(&config->nets[i]);
	for (size_t i = 0; i < VMM_DISKS_MAX; i++)
		vmm_disk_init(&config->disks[i]);
}

void vmm_disk_finish(struct vmm_disk *disk)
{
	free(disk->file.name);
	free(disk->serial);
	free(disk->socket);
	disk->file.name = disk->serial = disk->socket = NULL;
}

void vmm_config_finish(struct vmm_config *config)
{
	free(config->name);
	free(config->watchdog);
	free(config->cmdline);
	free(config->kernel.name);
	free(config->initrd.name);
	free(config->firmware.name);
	free(config->vars.name);
	free(config->restore.name);
	json_decref(config->record);
	for (size_t i = 0; i < config->device_count; i++) {
		free(config->devices[i].name);
		free(config->devices[i].vfio);
	}
	for (size_t i = 0; i < VMM_NETS_MAX; i++) {
		vmm_net_finish(&config->nets[i]);
	}
	for (size_t i = 0; i < config->disk_count; i++) {
		vmm_disk_finish(&config->disks[i]);
	}
	vmm_config_init(config);
}

/* ---- out ---- */

static json_t *encode_pins(const struct vmm_config *config)
{
	json_t *array = NULL;

	unsigned cpus = MAX(config->cpus, config->max_cpus);

	for (unsigned i = 0; i < cpus && !array; i++)
		if (config->pin[i] >= 0)
			array = json_array();
	for (unsigned i = 0; array && i < cpus; i++)
		json_array_append_new(array, json_integer(config->pin[i]));
	return array;
}

static json_t *encode_groups(const struct vmm_config *config)
{
	json_t *array = config->group_count ? json_array() : NULL;

	for (size_t i = 0; i < config->group_count; i++)
		json_array_append_new(array, json_pack("{s:i,s:i}", "id", config->groups[i].id,
						       "fd", config->groups[i].fd));
	return array;
}

static json_t *encode_devices(const struct vmm_config *config)
{
	json_t *array = config->device_count ? json_array() : NULL;
	char bdf[BDF_TEXT];

	for (size_t i = 0; i < config->device_count; i++) {
		const struct vmm_device *device = &config->devices[i];
		json_array_append_new(
			array, json_pack("{s:s,s:s,s:i,s:i,s:s*}", "name", device->name, "bdf",
					 bdf_format(device->bdf, bdf), "group", device->group,
					 "node", device->node, "vfio", device->vfio));
	}
	return array;
}

static json_t *encode_fds(const int *fds, unsigned count)
{
	json_t *array = fds[0] < 0 ? NULL : json_array();

	for (unsigned i = 0; array && i < count; i++)
		json_array_append_new(array, json_integer(fds[i]));
	return array;
}

json_t *vmm_port_encode(const struct vmm_net *net)
{
	char mac[PARSE_MAC_TEXT];
	json_t *json = json_pack("{s:s,s:s,s:i,s:s,s:i,s:b}", "tap", net->tap_name, "mac",
				 format_mac(net->mac, mac), "mtu", (int)net->mtu, "socket",
				 net->socket, "pairs", (int)net->pairs, "packed", net->packed);

	if (net->listen_fd >= 0)
		json_object_set_new(json, "listen_fd", json_integer(net->listen_fd));
	return json;
}

static json_t *encode_nets(const struct vmm_config *config)
{
	json_t *array = config->net_count ? json_array() : NULL;
	char mac[PARSE_MAC_TEXT];

	for (size_t i = 0; i < config->net_count; i++) {
		const struct vmm_net *net = &config->nets[i];

		if (net->socket) {
			json_array_append_new(array, vmm_port_encode(net));
			continue;
		}
		json_t *json = json_pack("{s:s,s:s,s:i,s:o,s:o*,s:o*,s:o*}", "tap", net->tap_name,
					 "mac", format_mac(net->mac, mac), "mtu", (int)net->mtu,
					 "fds", encode_fds(net->tap, net->pairs), "vhost_fds",
					 encode_fds(net->vhost, net->pairs), "standby",
					 net->standby ? json_true() : NULL, "e1000e",
					 net->e1000e ? json_true() : NULL);
		json_array_append_new(array, json);
	}
	return array;
}

json_t *vmm_disk_encode(const struct vmm_disk *disk)
{
	json_t *json = json_pack("{s:s,s:s,s:b,s:i,s:I,s:I,s:s*}", "name", disk->file.name,
				 "serial", disk->serial, "read_only", disk->read_only, "queues",
				 (int)disk->queues, "iops", (json_int_t)disk->iops, "bps",
				 (json_int_t)disk->bps, "socket", disk->socket);

	if (!disk->socket)
		json_object_set_new(json, "fd", json_integer(disk->file.fd));
	if (disk->socket && disk->life_fd >= 0)
		json_object_set_new(json, "life_fd", json_integer(disk->life_fd));
	return json;
}

static json_t *encode_disks(const struct vmm_config *config)
{
	json_t *array = config->disk_count ? json_array() : NULL;

	for (size_t i = 0; i < config->disk_count; i++)
		json_array_append_new(array, vmm_disk_encode(&config->disks[i]));
	return array;
}

/* The mask in hexadecimal: JSON's integers have a sign. */
static json_t *encode_nodes(const struct vmm_config *config)
{
	json_t *array = config->node_count ? json_array() : NULL;

	for (size_t i = 0; i < config->node_count; i++) {
		const struct hv_node *node = &config->nodes[i];
		char cpus[24];

		snprintf(cpus, sizeof(cpus), "0x%llx", (unsigned long long)node->cpus);
		json_array_append_new(array, json_pack("{s:i,s:s,s:I}", "host", node->host, "cpus",
						       cpus, "ram", (json_int_t)node->ram));
	}
	return array;
}

/* NULL for what is absent. */
static json_t *encode_field(const struct vmm_config *config, const struct field *field)
{
	const void *at = (const char *)config + field->offset;
	const struct vmm_file *file = at;
	const int *fd = at;

	switch (field->kind) {
	case TEXT:
		return *(char *const *)at ? json_string(*(char *const *)at) : NULL;
	case UNSIGNED:
		return json_integer(*(const unsigned *)at);
	case BYTES:
		return json_integer((json_int_t) * (const uint64_t *)at);
	case BOOL:
		return json_boolean(*(const bool *)at);
	case PAGES:
		return json_string(vmm_pages_name(config->pages));
	case FD:
		return *fd < 0 ? NULL : json_integer(*fd);
	case FILE_FD:
		return file->fd < 0 ? NULL
				    : json_pack("{s:i,s:s}", "fd", file->fd, "name", file->name);
	case PINS:
		return encode_pins(config);
	case GROUPS:
		return encode_groups(config);
	case DEVICES:
		return encode_devices(config);
	case NETS:
		return encode_nets(config);
	case OBJECT:
		return json_incref(*(json_t *const *)at);
	case DISKS:
		return encode_disks(config);
	case NODES:
		return encode_nodes(config);
	}
	return NULL;
}

json_t *vmm_config_encode(const struct vmm_config *config)
{
	json_t *json = json_pack("{s:i}", "version", VMM_CONFIG_VERSION);

	for (size_t i = 0; json && i < ARRAY_SIZE(fields); i++) {
		json_t *value = encode_field(config, &fields[i]);
		if (!value && fields[i].optional)
			continue;
		if (json_object_set_new(json, fields[i].key, value)) {
			json_decref(json);
			json = NULL;
		}
	}
	return json;
}

/* ---- in ---- */

static int decode_integer(const json_t *json, json_int_t min, json_int_t max, json_int_t *out)
{
	json_int_t value = json_integer_value(json);

	if (!json_is_integer(json) || value < min || value > max)
		return -EINVAL;
	*out = value;
	return 0;
}

static int decode_fd(const json_t *json, int *out)
{
	json_int_t value;
	int err = decode_integer(json, 0, INT_MAX, &value);

	if (!err)
		*out = (int)value;
	return err;
}

static int decode_text(const json_t *json, char **out)
{
	const char *text = json_string_value(json);

	if (!text)
		return -EINVAL;
	*out = strdup(text);
	return *out ? 0 : -ENOMEM;
}

static int decode_file(const json_t *json, struct vmm_file *file)
{
	if (json_object_size(json) != 2)
		return -EINVAL;
	int err = decode_fd(json_object_get(json, "fd"), &file->fd);
	return err ? err : decode_text(json_object_get(json, "name"), &file->name);
}

static int decode_pins(const json_t *json, struct vmm_config *config)
{
	if (json_array_size(json) == 0 || json_array_size(json) > HV_MAX_CPUS)
		return -EINVAL;
	for (size_t i = 0; i < json_array_size(json); i++) {
		json_int_t cpu;
		if (decode_integer(json_array_get(json, i), -1, INT_MAX, &cpu))
			return -EINVAL;
		config->pin[i] = (int)cpu;
	}
	return 0;
}

static int decode_groups(const json_t *json, struct vmm_config *config)
{
	if (json_array_size(json) == 0 || json_array_size(json) > VMM_DEVICES_MAX)
		return -EINVAL;
	for (size_t i = 0; i < json_array_size(json); i++) {
		const json_t *item = json_array_get(json, i);
		struct vmm_group *group = &config->groups[i];
		if (json_object_size(item) != 2 ||
		    decode_fd(json_object_get(item, "id"), &group->id) ||
		    decode_fd(json_object_get(item, "fd"), &group->fd))
			return -EINVAL;
		config->group_count = i + 1;
	}
	return 0;
}

static int decode_devices(const json_t *json, struct vmm_config *config)
{
	if (json_array_size(json) == 0 || json_array_size(json) > VMM_DEVICES_MAX)
		return -EINVAL;
	for (size_t i = 0; i < json_array_size(json); i++) {
		const json_t *item = json_array_get(json, i);
		const char *bdf = json_string_value(json_object_get(item, "bdf"));
		const json_t *node = json_object_get(item, "node");
		struct vmm_device *device = &config->devices[i];
		const json_t *vfio = json_object_get(item, "vfio");
		size_t keys = 3u + (node ? 1 : 0) + (vfio ? 1 : 0);
		device->node = json_is_integer(node) ? (int)json_integer_value(node) : -1;
		if (json_object_size(item) != keys || !bdf || bdf_parse(bdf, &device->bdf) ||
		    decode_fd(json_object_get(item, "group"), &device->group) ||
		    decode_text(json_object_get(item, "name"), &device->name))
			return -EINVAL;
		config->device_count = i + 1;
		if (vfio && decode_text(vfio, &device->vfio))
			return -EINVAL;
	}
	return 0;
}

/* `count`: how many there must be; 0: any number. Returns how many there were. */
static int decode_fds(const json_t *json, size_t count, int fds[VMM_NET_PAIRS_MAX])
{
	size_t size = json_array_size(json);

	if (!size || size > VMM_NET_PAIRS_MAX || (count && size != count))
		return -EINVAL;
	for (size_t i = 0; i < size; i++)
		if (decode_fd(json_array_get(json, i), &fds[i]))
			return -EINVAL;
	return (int)size;
}

int vmm_port_decode(const json_t *json, struct vmm_net *net)
{
	const json_t *listen = json_object_get(json, "listen_fd");
	const json_t *packed = json_object_get(json, "packed");
	const char *mac = json_string_value(json_object_get(json, "mac"));
	json_int_t mtu, pairs;

	if (json_object_size(json) != (listen ? 7 : 6) || !mac || parse_mac(mac, net->mac) ||
	    !json_is_boolean(packed) ||
	    decode_integer(json_object_get(json, "mtu"), 68, UINT16_MAX, &mtu) ||
	    decode_integer(json_object_get(json, "pairs"), 1, VMM_NET_PAIRS_MAX, &pairs) ||
	    (listen && decode_fd(listen, &net->listen_fd)))
		return -EINVAL;
	net->packed = json_is_true(packed);
	net->pairs = (unsigned)pairs;
	net->mtu = (unsigned)mtu;
	int err = decode_text(json_object_get(json, "socket"), &net->socket);
	return err ? err : decode_text(json_object_get(json, "tap"), &net->tap_name);
}

static int decode_net(const json_t *json, struct vmm_net *net)
{
	if (json_object_get(json, "socket"))
		return vmm_port_decode(json, net);

	const json_t *vhost = json_object_get(json, "vhost_fds");
	const char *mac = json_string_value(json_object_get(json, "mac"));
	int pairs = decode_fds(json_object_get(json, "fds"), 0, net->tap);
	json_int_t mtu;

	net->standby = json_is_true(json_object_get(json, "standby"));
	net->e1000e = json_is_true(json_object_get(json, "e1000e"));
	if (json_object_size(json) != 4u + (vhost != NULL) + net->standby + net->e1000e ||
	    pairs < 0 || !mac || (net->e1000e && (pairs != 1 || vhost || net->standby)) ||
	    parse_mac(mac, net->mac) ||
	    decode_integer(json_object_get(json, "mtu"), 68, UINT16_MAX, &mtu) ||
	    (vhost && decode_fds(vhost, (size_t)pairs, net->vhost) < 0))
		return -EINVAL;
	net->pairs = (unsigned)pairs;
	net->mtu = (unsigned)mtu;
	return decode_text(json_object_get(json, "tap"), &net->tap_name);
}

static int decode_nets(const json_t *json, struct vmm_config *config)
{
	int err = 0;

	if (json_array_size(json) == 0 || json_array_size(json) > VMM_NETS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < json_array_size(json) && !err; i++) {
		err = decode_net(json_array_get(json, i), &config->nets[i]);
		config->net_count = i + 1;
	}
	return err;
}

int vmm_disk_decode(const json_t *json, struct vmm_disk *disk)
{
	const json_t *read_only = json_object_get(json, "read_only");
	const json_t *life = json_object_get(json, "life_fd");
	const json_t *socket = json_object_get(json, "socket"), *fd = json_object_get(json, "fd");
	json_int_t queues, iops, bps;

	if (json_object_size(json) != (life ? 8 : 7) || !fd == !socket || (life && !socket) ||
	    (fd && decode_fd(fd, &disk->file.fd)) || (life && decode_fd(life, &disk->life_fd)) ||
	    !json_is_boolean(read_only) ||
	    decode_integer(json_object_get(json, "queues"), 1, 64, &queues) ||
	    decode_integer(json_object_get(json, "iops"), 0, INT64_MAX, &iops) ||
	    decode_integer(json_object_get(json, "bps"), 0, INT64_MAX, &bps))
		return -EINVAL;
	disk->read_only = json_is_true(read_only);
	disk->queues = (unsigned)queues;
	disk->iops = (uint64_t)iops;
	disk->bps = (uint64_t)bps;
	int err = decode_text(json_object_get(json, "name"), &disk->file.name);
	if (!err && socket)
		err = decode_text(socket, &disk->socket);
	return err ? err : decode_text(json_object_get(json, "serial"), &disk->serial);
}

static int decode_disks(const json_t *json, struct vmm_config *config)
{
	int err = 0;

	if (json_array_size(json) == 0 || json_array_size(json) > VMM_DISKS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < json_array_size(json) && !err; i++) {
		err = vmm_disk_decode(json_array_get(json, i), &config->disks[i]);
		config->disk_count = i + 1;
	}
	return err;
}

/* What they have to make up is checked by hv_vm_create. */
static int decode_nodes(const json_t *json, struct vmm_config *config)
{
	if (json_array_size(json) == 0 || json_array_size(json) > HV_MAX_NODES)
		return -EINVAL;
	for (size_t i = 0; i < json_array_size(json); i++) {
		const json_t *item = json_array_get(json, i);
		const char *cpus = json_string_value(json_object_get(item, "cpus"));
		struct hv_node *node = &config->nodes[i];
		json_int_t host, ram;

		if (json_object_size(item) != 3 || !cpus ||
		    parse_u64(cpus, 0, UINT64_MAX, &node->cpus) ||
		    decode_integer(json_object_get(item, "host"), -1, INT_MAX, &host) ||
		    decode_integer(json_object_get(item, "ram"), 1, INT64_MAX, &ram))
			return -EINVAL;
		node->host = (int)host;
		node->ram = (uint64_t)ram;
		config->node_count = i + 1;
	}
	return 0;
}

static int decode_field(const json_t *json, const struct field *field, struct vmm_config *config)
{
	void *at = (char *)config + field->offset;
	json_int_t value;
	int err;

	switch (field->kind) {
	case TEXT:
		return decode_text(json, at);
	case UNSIGNED:
		err = decode_integer(json, 0, UINT_MAX, &value);
		if (!err)
			*(unsigned *)at = (unsigned)value;
		return err;
	case BYTES:
		err = decode_integer(json, 0, INT64_MAX, &value);
		if (!err)
			*(uint64_t *)at = (uint64_t)value;
		return err;
	case BOOL:
		*(bool *)at = json_is_true(json);
		return json_is_boolean(json) ? 0 : -EINVAL;
	case PAGES:
		return json_is_string(json) ? vmm_pages_parse(json_string_value(json), at)
					    : -EINVAL;
	case FD:
		return decode_fd(json, at);
	case FILE_FD:
		return decode_file(json, at);
	case PINS:
		return decode_pins(json, config);
	case GROUPS:
		return decode_groups(json, config);
	case DEVICES:
		return decode_devices(json, config);
	case NETS:
		return decode_nets(json, config);
	case OBJECT:
		*(json_t **)at = json_deep_copy(json);
		return json_is_object(json) ? 0 : -EINVAL;
	case DISKS:
		return decode_disks(json, config);
	case NODES:
		return decode_nodes(json, config);
	}
	return -EINVAL;
}

static const struct field *field_find(const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (!strcmp(fields[i].key, key))
			return &fields[i];
	return NULL;
}

/* What no single field can tell: that they fit each other. Returns the key at fault. */
static const char *inconsistent(const struct vmm_config *config)
{
	if (!vmm_name_valid(config->name))
		return "name";
	if (config->cpus < 1 || config->cpus > HV_MAX_CPUS)
		return "cpus";
	if (config->max_cpus && (config->max_cpus < config->cpus || config->max_cpus > HV_MAX_CPUS))
		return "max_cpus";
	if (config->exit_port == 0 || config->exit_port > 0xfffc)
		return "exit_port";
	if (config->kernel.fd < 0 && config->restore.fd < 0 && config->firmware.fd < 0)
		return "kernel";
	if (config->device_count && config->container_fd < 0)
		return "container_fd";
	for (size_t i = 0; i < config->device_count; i++) {
		bool known = false;
		for (size_t g = 0; g < config->group_count; g++)
			known |= config->groups[g].id == config->devices[i].group;
		if (!known)
			return "devices";
	}
	return NULL;
}

static int decode_all(json_t *json, struct vmm_config *config, char *error, size_t size)
{
	const char *key;
	json_t *value;

	json_object_foreach (json, key, value) {
		const struct field *field = field_find(key);
		if (!field && !strcmp(key, "version"))
			continue;
		int err = field ? decode_field(value, field, config) : -EINVAL;
		if (err) {
			snprintf(error, size, "%.40s: %s", key,
				 field ? "bad value" : "unknown key");
			return err;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		if (!fields[i].optional && !json_object_get(json, fields[i].key)) {
			snprintf(error, size, "%s: missing", fields[i].key);
			return -EINVAL;
		}
	}
	key = inconsistent(config);
	if (!key)
		return 0;
	snprintf(error, size, "%s: does not fit the rest", key);
	return -EINVAL;
}

int vmm_config_decode(const json_t *json, struct vmm_config *config, char *error, size_t size)
{
	json_t *version = json_object_get(json, "version");

	vmm_config_init(config);
	if (!json_is_integer(version) || json_integer_value(version) != VMM_CONFIG_VERSION) {
		snprintf(error, size, "version: %d is what this sluice-vmm understands",
			 VMM_CONFIG_VERSION);
		return -EINVAL;
	}
	/* jansson iterates only over what is not const; nothing is changed. */
	int err = decode_all((json_t *)(uintptr_t)json, config, error, size);
	if (err)
		vmm_config_finish(config);
	return err;
}
