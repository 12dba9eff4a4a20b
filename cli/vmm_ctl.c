/* SPDX-License-Identifier: BSD-3-Clause */
/* vmm_ctl: see vmm_ctl.h. Numbers are gathered on the loop's thread while the guest runs on. */
#include "cli/vmm_ctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/util.h"
#include "cli/vmm_hotplug.h"
#include "cli/vmm_picture.h"
#include "cli/vmm_stat.h"
#include "cli/vmm_trace.h"

#define DETACH_MAX_MS (24 * 3600 * 1000)

static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

/* ---- status ---- */

static json_t *devices_of(const struct vmm_ctl *ctl)
{
	const struct vmm_config *config = ctl->config;
	json_t *array = json_array();
	char bdf[BDF_TEXT];

	for (size_t i = 0; i < config->device_count; i++) {
		const struct vmm_device *device = &config->devices[i];
		enum vdev_slot_state state = vdev_slot_state(ctl->machine->devices, device->slot);

		json_array_append_new(array,
				      json_pack("{s:s,s:s,s:i,s:i,s:s}", "name", device->name,
						"bdf", bdf_format(device->bdf, bdf), "group",
						device->group, "slot", (int)device->slot, "state",
						vdev_slot_state_name(state)));
	}
	return array;
}

static json_t *disks_of(const struct vmm_ctl *ctl)
{
	const struct vmm_config *config = ctl->config;
	json_t *array = json_array();

	for (size_t i = 0; i < config->disk_count; i++) {
		const struct vmm_disk *disk = &config->disks[i];
		enum vdev_slot_state state = vdev_slot_state(ctl->machine->devices, disk->slot);

		json_array_append_new(array,
				      json_pack("{s:s,s:s,s:i,s:s}", "name", disk->file.name,
						"serial", disk->serial, "slot", (int)disk->slot,
						"state", vdev_slot_state_name(state)));
	}
	return array;
}

static json_t *nets_of(const struct vmm_ctl *ctl)
{
	const struct vmm_config *config = ctl->config;
	json_t *array = json_array();

	for (size_t i = 0; i < config->net_count; i++) {
		const struct vmm_net *net = &config->nets[i];
		enum vdev_slot_state state = vdev_slot_state(ctl->machine->devices, net->slot);

		json_array_append_new(array,
				      json_pack("{s:s,s:s?,s:i,s:s}", "name", net->tap_name,
						"socket", net->socket, "slot", (int)net->slot,
						"state", vdev_slot_state_name(state)));
	}
	return array;
}

static void status_memory(const struct vmm_ctl *ctl, json_t *result)
{
	const uint64_t ram = ctl->config->ram;
	struct vdev_mem_stat mem = {0};

	vdev_mem_stat(ctl->machine->devices, &mem);
	json_object_set_new(result, "ram_max", number(ram + mem.max));
	json_object_set_new(result, "ram_wanted", number(ram + mem.requested));
	json_object_set_new(result, "ram_now", number(ram + mem.plugged));
}

static int method_status(void *opaque, const json_t *params, json_t **result, char *error)
{
	const struct vmm_ctl *ctl = opaque;
	unsigned cpus, unheard;

	(void)params, (void)error;
	vdev_cpus_get(ctl->machine->devices, &cpus, &unheard);
	*result = json_pack(
		"{s:s,s:s,s:i,s:I,s:i,s:i,s:i,s:i,s:I,s:s,s:b,s:o,s:o,s:o,s:I}", "name",
		ctl->config->name, "state", vmm_life_state(ctl->life), "pid", ctl->config->pid,
		"since", (json_int_t)ctl->since, "resets", (int)ctl->resets, "cpus", (int)cpus,
		"max_cpus", (int)hv_vm_cpus(ctl->machine->vm), "cpus_unheard", (int)unheard, "ram",
		(json_int_t)ctl->config->ram, "memory", hv_mem_describe(ctl->machine->vm),
		"container", ctl->config->container_fd >= 0, "devices", devices_of(ctl), "disks",
		disks_of(ctl), "nets", nets_of(ctl), "events_missed",
		(json_int_t)vmm_events_lost(ctl->events) +
			(json_int_t)rpc_server_missed(ctl->server));
	status_memory(ctl, *result);
	return *result ? 0 : -ENOMEM;
}

/* ---- stat ---- */

static json_t *exit_counts(const uint64_t exits[HV_EXIT_COUNT])
{
	json_t *object = json_object();

	for (int r = 0; r < HV_EXIT_COUNT; r++)
		json_object_set_new(object, hv_exit_name((enum hv_exit_reason)r), number(exits[r]));
	return object;
}

static json_t *engine_numbers(struct hv_vm *vm, int cpu)
{
	json_t *object = json_object();
	struct hv_engine_stat *stats = NULL;
	size_t count = 0;

	if (hv_stat_engine(vm, cpu, &stats, &count) == 0)
		for (size_t i = 0; i < count; i++)
			json_object_set_new(object, stats[i].name, number(stats[i].value));
	free(stats);
	return object;
}

static void stat_cpus(struct hv_vm *vm, json_t *result)
{
	uint64_t sum[HV_EXIT_COUNT] = {0}, ns[HV_EXIT_COUNT] = {0}, total = 0;
	json_t *cpus = json_array();

	for (unsigned cpu = 0; cpu < hv_vm_cpus(vm); cpu++) {
		struct hv_vcpu_stat stat;
		hv_stat_vcpu(vm, cpu, &stat);
		json_array_append_new(cpus,
				      json_pack("{s:i,s:i,s:o,s:o,s:o}", "cpu", (int)cpu, "thread",
						stat.thread, "total", number(stat.total), "exits",
						exit_counts(stat.exits), "engine",
						engine_numbers(vm, (int)cpu)));
		for (int r = 0; r < HV_EXIT_COUNT; r++)
			sum[r] += stat.exits[r], ns[r] += stat.ns[r];
		total += stat.total;
	}
	json_object_set_new(result, "cpus", cpus);
	json_object_set_new(result, "exits", exit_counts(sum));
	json_object_set_new(result, "timing", json_boolean(hv_timing_get(vm)));
	json_object_set_new(result, "exits_ns", exit_counts(ns));
	json_object_set_new(result, "total", number(total));
	json_object_set_new(result, "engine", engine_numbers(vm, -1));
}

static json_t *stat_regions(struct hv_vm *vm)
{
	struct hv_region_stat *regions = NULL;
	json_t *array = json_array();
	size_t count = 0;

	if (hv_stat_regions(vm, &regions, &count))
		count = 0;
	for (size_t i = 0; i < count; i++)
		json_array_append_new(
			array,
			json_pack("{s:s,s:s,s:o,s:o,s:o,s:o,s:o}", "name", regions[i].name, "space",
				  regions[i].space == HV_PIO ? "io" : "mmio", "base",
				  number(regions[i].base), "size", number(regions[i].size), "reads",
				  number(regions[i].reads), "writes", number(regions[i].writes),
				  "ns", number(regions[i].ns)));
	free(regions);
	return array;
}

static json_t *vectors_of(const struct vdev_vfio_stat *stat)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < MIN(stat->vectors, ARRAY_SIZE(stat->vector)); i++) {
		const struct vdev_vector_stat *v = &stat->vector[i];
		json_array_append_new(array,
				      json_pack("{s:i,s:b,s:i,s:o,s:o}", "vector", (int)v->vector,
						"masked", v->masked, "route", v->route, "addr",
						number(v->msi.addr), "data", number(v->msi.data)));
	}
	return array;
}

static json_t *bars_of(const struct vdev_vfio_stat *stat)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < MIN(stat->bars, ARRAY_SIZE(stat->bar)); i++)
		json_array_append_new(
			array, json_pack("{s:i,s:o,s:o,s:b}", "bar", (int)stat->bar[i].index, "gpa",
					 number(stat->bar[i].gpa), "size",
					 number(stat->bar[i].size), "mapped", stat->bar[i].mapped));
	return array;
}

static json_t *stat_device(struct vmm_machine *machine, size_t index)
{
	struct vdev_vfio_stat stat;
	char bdf[BDF_TEXT], guest[8];

	if (vdev_vfio_stat(machine->devices, index, &stat))
		return NULL;
	snprintf(guest, sizeof(guest), "%02x:00.0", stat.guest_bus);
	return json_pack("{s:s,s:s,s:s,s:s,s:o,s:o,s:o,s:o,s:b,s:o,s:o}", "name", stat.name, "bdf",
			 bdf_format(stat.host, bdf), "guest", guest, "mode", stat.mode,
			 "config_reads", number(stat.config_reads), "config_writes",
			 number(stat.config_writes), "table_writes", number(stat.table_writes),
			 "intx", number(stat.intx), "reset_capable", stat.reset_capable, "vectors",
			 vectors_of(&stat), "bars", bars_of(&stat));
}

static json_t *stat_disk(const struct vdev_disk_stat *disk)
{
	char guest[16];

	snprintf(guest, sizeof(guest), "%02x:00.0", disk->guest_bus);
	return json_pack(
		"{s:s,s:s,s:s,s:s,s:o,s:b,s:i,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:i,s:i,s:o,s:o,s:s,s:i}",
		"name", disk->name, "serial", disk->serial, "guest", guest, "state",
		disk->away	? "its back-end is away"
		: disk->held	? "stopped: no space"
		: disk->running ? "running"
				: "idle",
		"size", number(disk->size), "read_only", disk->read_only, "queues",
		(int)disk->queues, "reads", number(disk->reads), "read_bytes",
		number(disk->read_bytes), "writes", number(disk->writes), "write_bytes",
		number(disk->write_bytes), "flushes", number(disk->flushes), "discards",
		number(disk->discards), "errors", number(disk->errors), "in_flight",
		(int)disk->in_flight, "held", (int)disk->held, "kicks", number(disk->kicks),
		"interrupts", number(disk->interrupts), "backend",
		disk->elsewhere ? "vhost-user" : "io_uring", "connections", (int)disk->connections);
}

static json_t *stat_disks(struct vmm_machine *machine)
{
	json_t *array = json_array();
	struct vdev_disk_stat disk;

	for (size_t i = 0; !vdev_disk_stat(machine->devices, i, &disk); i++)
		json_array_append_new(array, stat_disk(&disk));
	return array;
}

static json_t *stat_ram(struct hv_vm *vm)
{
	const struct hv_ram_block *blocks;
	size_t count = hv_mem_blocks(vm, &blocks);
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array,
				      json_pack("{s:o,s:o,s:o}", "gpa", number(blocks[i].gpa),
						"size", number(blocks[i].size), "hva",
						number((uintptr_t)blocks[i].hva)));
	return array;
}

static int method_stat(void *opaque, const json_t *params, json_t **result, char *error)
{
	const struct vmm_ctl *ctl = opaque;
	struct vmm_machine *machine = ctl->machine;

	(void)params, (void)error;
	*result = json_pack("{s:s,s:i,s:s,s:s}", "name", ctl->config->name, "pid", ctl->config->pid,
			    "engine_name", hv_vm_engine_ops(machine->vm)->name, "memory",
			    hv_mem_describe(machine->vm));
	if (!*result)
		return -ENOMEM;
	stat_cpus(machine->vm, *result);
	json_object_set_new(*result, "regions", stat_regions(machine->vm));
	json_object_set_new(*result, "ram", stat_ram(machine->vm));
	json_t *devices = json_array();
	for (size_t i = 0; i < vdev_vfio_count(machine->devices); i++)
		json_array_append_new(devices, stat_device(machine, i));
	json_object_set_new(*result, "devices", devices);
	json_object_set_new(*result, "disks", stat_disks(machine));
	vmm_stat_paravirtual(machine, *result);
	return 0;
}

/* ---- maps ---- */

/* RAM by its place in guest memory; whatever else is mapped is a device's BAR. */
static const char *map_what(struct hv_vm *vm, const struct iommu_map_entry *entry)
{
	return hv_mem_ptr(vm, entry->iova, 1) ? "ram" : "bar";
}

static int method_maps(void *opaque, const json_t *params, json_t **result, char *error)
{
	const struct vmm_ctl *ctl = opaque;
	struct vmm_machine *machine = ctl->machine;
	const struct iommu_map_entry *entries;

	(void)params, (void)error;
	*result = json_array();
	if (!machine->domain)
		return 0;
	hv_device_lock(machine->vm); /* a guest that moves a BAR changes the list */
	size_t count = iommu_domain_maps(machine->domain, &entries);
	for (size_t i = 0; i < count; i++)
		json_array_append_new(
			*result,
			json_pack("{s:o,s:o,s:o,s:s,s:s}", "iova", number(entries[i].iova), "size",
				  number(entries[i].size), "hva", number((uintptr_t)entries[i].hva),
				  "prot", entries[i].prot & IOMMU_WRITE ? "rw" : "r", "what",
				  map_what(machine->vm, &entries[i])));
	hv_device_unlock(machine->vm);
	return 0;
}

/* ---- devices that come and go ---- */

/* The descriptors of a call, by the names that it gives them. */
static int take_files(struct rpc_server *server, const json_t *names,
		      struct vmm_hotplug_files *files)
{
	for (size_t i = 0; i < json_array_size(names); i++) {
		const char *name = json_string_value(json_array_get(names, i));
		int *fd = !name			       ? NULL
			  : !strcmp(name, "group")     ? &files->group
			  : !strcmp(name, "container") ? &files->container
						       : NULL;
		if (!fd || *fd >= 0)
			return -EINVAL;
		*fd = rpc_server_take_fd(server);
		if (*fd < 0)
			return -EINVAL;
	}
	return 0;
}

static int attach(const struct vmm_ctl *ctl, const json_t *params, struct vmm_hotplug_files *files,
		  unsigned *slot)
{
	const char *name = json_string_value(json_object_get(params, "name"));
	const char *bdf = json_string_value(json_object_get(params, "bdf"));
	const json_t *group = json_object_get(params, "group");
	const json_t *node = json_object_get(params, "node");
	struct vmm_device device = {.group = (int)json_integer_value(group),
				    .node = node ? (int)json_integer_value(node) : -1};

	if (!name || !bdf || bdf_parse(bdf, &device.bdf) || !json_is_integer(group) ||
	    take_files(ctl->server, json_object_get(params, "files"), files))
		return -EINVAL;
	const char *vfio = json_string_value(json_object_get(params, "vfio"));
	device.name = strdup(name);
	device.vfio = vfio ? strdup(vfio) : NULL;
	int err = device.name && !vfio == !device.vfio
			  ? vmm_hotplug_attach(ctl->machine, &device, files)
			  : -ENOMEM;
	if (err) {
		free(device.name);
		free(device.vfio);
	}
	*slot = device.slot;
	return err;
}

/* What is being saved must not change under the writer's hands. */
static int refuse_while_saving(const struct vmm_ctl *ctl, char error[RPC_ERROR_TEXT])
{
	if (strcmp(vmm_life_state(ctl->life), "saving") != 0)
		return 0;
	snprintf(error, RPC_ERROR_TEXT, "it is being saved; try again when that is done");
	return -EBUSY;
}

static int attach_disk(const struct vmm_ctl *ctl, const json_t *json, unsigned *slot)
{
	struct vmm_disk disk;

	vmm_disk_init(&disk);
	int err = vmm_disk_decode(json, &disk);
	bool alive = disk.life_fd >= 0;

	/* They were numbers on the other side. */
	disk.life_fd = alive ? rpc_server_take_fd(ctl->server) : -1;
	disk.file.fd = disk.socket ? -1 : rpc_server_take_fd(ctl->server);
	if (!err && ((alive && disk.life_fd < 0) || (!disk.socket && disk.file.fd < 0)))
		err = -EINVAL;
	if (!err)
		err = vmm_hotplug_attach_disk(ctl->machine, &disk);
	*slot = disk.slot;
	if (!err)
		return 0;
	vmm_disk_finish(&disk);
	io_close(&disk.file.fd);
	io_close(&disk.life_fd);
	return err;
}

static int attach_net(const struct vmm_ctl *ctl, const json_t *json, unsigned *slot)
{
	struct vmm_net net;

	vmm_net_init(&net);
	/* No descriptor comes with it: the switch listens. */
	int err = json_object_get(json, "listen_fd") ? -EINVAL : vmm_port_decode(json, &net);
	if (!err)
		err = vmm_hotplug_attach_net(ctl->machine, &net);
	*slot = net.slot;
	if (err)
		vmm_net_finish(&net);
	return err;
}

static int method_attach(void *opaque, const json_t *params, json_t **result, char *error)
{
	int busy = refuse_while_saving(opaque, error);

	if (busy)
		return busy;
	struct vmm_hotplug_files files = {.group = -1, .container = -1};
	const json_t *disk = json_object_get(params, "disk"), *net = json_object_get(params, "net");
	unsigned slot = 0;
	int err = disk	? attach_disk(opaque, disk, &slot)
		  : net ? attach_net(opaque, net, &slot)
			: attach(opaque, params, &files, &slot);

	io_close(&files.group);
	io_close(&files.container);
	if (!err)
		*result = json_pack("{s:i}", "slot", (int)slot);
	return err;
}

static int method_screenshot(void *opaque, const json_t *params, json_t **result, char *error)
{
	const struct vmm_ctl *ctl = opaque;

	return vmm_picture(ctl->machine, ctl->server, params, result, error);
}

/* Called again and again, it tells how far it is. */
static int method_touch(void *opaque, const json_t *params, json_t **result, char *error)
{
	const struct vmm_ctl *ctl = opaque;
	struct vmm_machine *m = ctl->machine;

	(void)params;
	int err = refuse_while_saving(ctl, error);
	if (!err)
		err = vmm_touch_start(m->touch, false);
	if (!err)
		*result = vmm_touch_status(m->touch);
	return err;
}

static int method_detach(void *opaque, const json_t *params, json_t **result, char *error)
{
	const struct vmm_ctl *ctl = opaque;
	const char *text = json_string_value(json_object_get(params, "bdf"));
	const char *disk = json_string_value(json_object_get(params, "disk"));
	const char *net = json_string_value(json_object_get(params, "net"));
	json_int_t timeout = json_integer_value(json_object_get(params, "timeout"));
	struct bdf bdf;
	int err;

	if (!!text + !!disk + !!net != 1 || (text && bdf_parse(text, &bdf)) || timeout < 1 ||
	    timeout > DETACH_MAX_MS)
		return -EINVAL;
	if (refuse_while_saving(ctl, error))
		return -EBUSY;
	if (disk)
		err = vmm_hotplug_detach_disk(ctl->machine, disk, (unsigned)timeout);
	else if (net)
		err = vmm_hotplug_detach_net(ctl->machine, net, (unsigned)timeout);
	else
		err = vmm_hotplug_detach(ctl->machine, bdf, (unsigned)timeout);
	if (err == -ENOENT)
		snprintf(error, RPC_ERROR_TEXT, "the VM does not have %s",
			 disk  ? disk
			 : net ? net
			       : text);
	if (!err)
		*result = json_pack("{s:s}", "state", vdev_slot_state_name(VDEV_SLOT_PENDING));
	return err;
}

static int method_cpus(void *opaque, const json_t *params, json_t **result, char *error)
{
	struct vdev_machine *devices = ((const struct vmm_ctl *)opaque)->machine->devices;
	const json_t *json = json_object_get(params, "count");
	json_int_t count = json_integer_value(json);

	(void)result;
	if (!json) {
		vdev_cpus_keep(devices);
		return 0;
	}
	int err = count < 1 || count > HV_MAX_CPUS ? -EINVAL
						   : vdev_cpus_set(devices, (unsigned)count);
	if (err == -ENOTSUP)
		snprintf(error, RPC_ERROR_TEXT, "its CPUs are fixed; start it with --cpus N,max=M");
	else if (err == -EINVAL)
		snprintf(error, RPC_ERROR_TEXT, "it can have 1 to %u",
			 hv_vm_cpus(((const struct vmm_ctl *)opaque)->machine->vm));
	return err;
}

/* Kept over a reset of the guest. */
static int method_memory(void *opaque, const json_t *params, json_t **result, char *error)
{
	const struct vmm_ctl *ctl = opaque;
	struct vmm_config *config = ctl->machine->config;
	json_int_t size = json_integer_value(json_object_get(params, "size"));

	(void)result;
	if (refuse_while_saving(ctl, error))
		return -EBUSY;
	int err = size < 0 || (uint64_t)size < config->ram
			  ? -EINVAL
			  : vdev_mem_set(ctl->machine->devices, (uint64_t)size - config->ram);
	if (err == -ENOTSUP)
		snprintf(error, RPC_ERROR_TEXT,
			 "its memory is fixed; start it with --memory SIZE,max=SIZE");
	else if (err)
		snprintf(error, RPC_ERROR_TEXT, "it can have %llu to %llu MiB",
			 (unsigned long long)(config->ram / MIB),
			 (unsigned long long)(MAX(config->ram, config->ram_max) / MIB));
	else
		config->ram_wanted = (uint64_t)size - config->ram;
	return err;
}

/* ---- the end ---- */

static int method_power_button(void *opaque, const json_t *params, json_t **result, char *error)
{
	const struct vmm_ctl *ctl = opaque;

	(void)params, (void)result, (void)error;
	return vdev_power_button(ctl->machine->devices);
}

static int method_quit(void *opaque, const json_t *params, json_t **result, char *error)
{
	const struct vmm_ctl *ctl = opaque;
	bool saved = json_is_true(json_object_get(params, "saved"));

	(void)result, (void)error;
	hv_vm_end(ctl->machine->vm, saved ? HV_END_SAVED : HV_END_KILLED);
	return 0;
}

/* ---- the life cycle ---- */

static int method_pause(void *opaque, const json_t *params, json_t **result, char *error)
{
	const struct vmm_ctl *ctl = opaque;

	(void)params, (void)result;
	return vmm_life_pause(ctl->life, error);
}

static int method_resume(void *opaque, const json_t *params, json_t **result, char *error)
{
	const struct vmm_ctl *ctl = opaque;

	(void)params, (void)result;
	return vmm_life_resume(ctl->life, error);
}

static int method_reset(void *opaque, const json_t *params, json_t **result, char *error)
{
	const struct vmm_ctl *ctl = opaque;

	(void)params, (void)result;
	return vmm_life_reset(ctl->life, error);
}

static int method_save(void *opaque, const json_t *params, json_t **result, char *error)
{
	const struct vmm_ctl *ctl = opaque;
	int fd = rpc_server_take_fd(ctl->server);

	if (fd >= 0) {
		bool ran, keep = json_is_true(json_object_get(params, "keep"));
		int err = vmm_life_save(ctl->life, fd, keep, &ran, error);

		if (!err)
			*result = json_pack("{s:b}", "ran", ran);
		return err;
	}
	snprintf(error, RPC_ERROR_TEXT, "no descriptor of an empty file came with the call");
	return -EINVAL;
}

static int method_save_status(void *opaque, const json_t *params, json_t **result, char *error)
{
	const struct vmm_ctl *ctl = opaque;

	(void)params, (void)error;
	*result = vmm_life_save_status(ctl->life);
	return *result ? 0 : -ENOMEM;
}

static int method_balloon(void *opaque, const json_t *params, json_t **result, char *error)
{
	const struct vmm_ctl *ctl = opaque;

	return vmm_balloon(ctl->machine, params, result, error);
}

static int method_link(void *opaque, const json_t *params, json_t **result, char *error)
{
	const struct vmm_ctl *ctl = opaque;

	(void)result;
	return vmm_link(ctl->machine, params, error);
}

static int method_subscribe(void *opaque, const json_t *params, json_t **result, char *error)
{
	const struct vmm_ctl *ctl = opaque;

	(void)params, (void)result, (void)error;
	return rpc_server_subscribe(ctl->server);
}

const struct rpc_method vmm_ctl_methods[] = {
	{"status", method_status, ""},
	{"stat", method_stat, ""},
	{"maps", method_maps, ""},
	{"screenshot", method_screenshot, "bdf?"},
	{"attach", method_attach, "name? bdf? group? node? vfio? files? disk? net?"},
	{"touch", method_touch, ""},
	{"detach", method_detach, "bdf? disk? net? timeout"},
	{"cpus", method_cpus, "count?"},
	{"memory", method_memory, "size"},
	{"power-button", method_power_button, ""},
	{"quit", method_quit, "saved?"},
	{"pause", method_pause, ""},
	{"resume", method_resume, ""},
	{"reset", method_reset, ""},
	{"save", method_save, "keep?"},
	{"save-status", method_save_status, ""},
	{"subscribe", method_subscribe, ""},
	{"balloon", method_balloon, "size"},
	{"link", method_link, "tap up"},
	{"timing", vmm_method_timing, "on"},
	{"trace", vmm_method_trace, "events"},
	{"trace-read", vmm_method_trace_read, ""},
	{0},
};
