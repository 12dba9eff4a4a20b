/* SPDX-License-Identifier: BSD-3-Clause */
/* vmm_stat: see vmm_stat.h. */
#include "cli/vmm_stat.h"

#include <errno.h>
#include <string.h>

#include "base/parse.h"
#include "base/rpc.h"

static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static json_t *traffic(const struct vdev_net_traffic *t)
{
	return json_pack("{s:o,s:o,s:o}", "packets", number(t->packets), "bytes", number(t->bytes),
			 "drops", number(t->drops));
}

static json_t *net(const struct vmm_net *config, const struct vdev_net_stat *stat)
{
	char mac[PARSE_MAC_TEXT];

	return json_pack("{s:s,s:s,s:s,s:s,s:i,s:i,s:o,s:o,s:o,s:b}", "name", stat->name, "tap",
			 config->tap_name, "mac", format_mac(stat->mac, mac), "backend",
			 stat->backend, "queues", (int)stat->pairs, "queues_used",
			 (int)stat->pairs_used, "features", number(stat->features), "received",
			 traffic(&stat->received), "sent", traffic(&stat->sent), "up", stat->up);
}

static json_t *balloon(const struct vdev_balloon_stat *stat)
{
	json_t *object = json_pack("{s:b,s:o,s:o,s:o}", "driver", stat->driver, "wanted",
				   number(stat->wanted), "actual", number(stat->actual), "reported",
				   number(stat->reported));

	if (stat->numbers)
		json_object_set_new(object, "guest",
				    json_pack("{s:o,s:o,s:o,s:o,s:o}", "total", number(stat->total),
					      "free", number(stat->free), "available",
					      number(stat->available), "caches",
					      number(stat->caches), "major_faults",
					      number(stat->major_faults)));
	return object;
}

void vmm_stat_paravirtual(struct vmm_machine *machine, json_t *result)
{
	struct vdev_balloon_stat ballast;
	struct vdev_net_stat stat;
	json_t *nets = json_array();

	/* NICs stand in the order of the configuration: none comes later. */
	for (size_t i = 0; i < machine->config->net_count; i++)
		if (!vdev_net_stat(machine->devices, i, &stat))
			json_array_append_new(nets, net(&machine->config->nets[i], &stat));
	json_object_set_new(result, "nets", nets);
	if (!vdev_balloon_stat(machine->devices, &ballast))
		json_object_set_new(result, "balloon", balloon(&ballast));
}

int vmm_balloon(struct vmm_machine *machine, const json_t *params, json_t **result, char *error)
{
	json_int_t size = json_integer_value(json_object_get(params, "size"));
	uint64_t ram = machine->config->ram;
	struct vdev_balloon_stat stat;

	if (vdev_balloon_stat(machine->devices, &stat)) {
		snprintf(error, RPC_ERROR_TEXT, "it has no balloon: start it with --balloon");
		return -ENODEV;
	}
	if (size <= 0 || (uint64_t)size > ram) {
		snprintf(error, RPC_ERROR_TEXT, "a guest of %llu bytes cannot keep %lld",
			 (unsigned long long)ram, (long long)size);
		return -EINVAL;
	}
	int err = vdev_balloon_set(machine->devices, ram - (uint64_t)size);
	if (!err)
		*result = json_pack("{s:b}", "driver", stat.driver);
	return err;
}

int vmm_link(struct vmm_machine *machine, const json_t *params, char *error)
{
	const char *tap = json_string_value(json_object_get(params, "tap"));
	const json_t *up = json_object_get(params, "up");
	int err = -ENOENT;

	if (!tap || !json_is_boolean(up)) {
		snprintf(error, RPC_ERROR_TEXT, "tap is a name, up is true or false");
		return -EINVAL;
	}
	for (size_t i = 0; i < machine->config->net_count && err == -ENOENT; i++)
		if (!strcmp(machine->config->nets[i].tap_name, tap))
			err = vdev_net_set_link(machine->devices, i, json_is_true(up));
	if (err == -ENOENT)
		snprintf(error, RPC_ERROR_TEXT, "it has no NIC on %.20s; see sluice vm stat", tap);
	else if (err)
		snprintf(error, RPC_ERROR_TEXT,
			 "its NIC on %.20s is no emulated one (model=e1000e): its cable stays in",
			 tap);
	return err;
}
