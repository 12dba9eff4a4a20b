/* SPDX-License-Identifier: BSD-3-Clause */
/* vmm_hotplug: see vmm_hotplug.h. Everything runs on the loop's thread. */
#include "cli/vmm_hotplug.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "cli/vmm_report.h"

/* ---- the I/O address space ---- */

static bool lies_in(const struct iommu_info *info, const struct hv_ram_block *block)
{
	const struct range ram = {block->gpa, block->gpa + (block->size - 1)};

	for (size_t i = 0; i < info->usable_count; i++)
		if (range_contains(info->usable[i], ram))
			return true;
	return !info->usable_count; /* the kernel does not tell */
}

/* RAM was laid out before anybody knew of this device. */
static int check_layout(const struct vmm_machine *m, const char *name)
{
	const struct hv_ram_block *blocks;
	struct iommu_info info;
	size_t count = hv_mem_blocks(m->vm, &blocks);
	int err = iommu_domain_info(m->domain, &info);

	for (size_t i = 0; i < count && !err; i++)
		if (!lies_in(&info, &blocks[i]))
			err = log_fail(-EINVAL, name,
				       "not attached: the host reserves part of 0x%llx..0x%llx, "
				       "where this guest's memory lies, for the device's group; "
				       "start the VM with the device, and memory is laid out "
				       "around that",
				       (unsigned long long)blocks[i].gpa,
				       (unsigned long long)(blocks[i].gpa + blocks[i].size - 1));
	return err;
}

/* For the first group. */
static int open_domain(struct vmm_machine *m, struct vmm_hotplug_files *files)
{
	if (m->config->container_fd < 0) {
		m->config->container_fd = files->container;
		files->container = -1;
	}
	int err = iommu_locked_check(m->config->name, m->config->ram);
	return err ? err : iommu_domain_create(m->config->container_fd, &m->domain);
}

static void close_domain(struct vmm_machine *m)
{
	iommu_domain_destroy(m->domain);
	m->domain = NULL;
	io_close(&m->config->container_fd);
}

static int map_memory(struct vmm_machine *m, const char *name)
{
	int err = check_layout(m, name);

	if (!err)
		err = hv_mem_prefault(m->vm, 0, NULL);
	return err ? err : vdev_machine_set_domain(m->devices, m->domain);
}

/* ---- groups ---- */

static struct vmm_group *find_group(struct vmm_config *config, int id)
{
	for (size_t i = 0; i < config->group_count; i++)
		if (config->groups[i].id == id)
			return &config->groups[i];
	return NULL;
}

static void remove_group(struct vmm_config *config, struct vmm_group *group)
{
	size_t behind = (size_t)(config->groups + config->group_count - group) - 1;

	io_close(&group->fd);
	memmove(group, group + 1, behind * sizeof(*group));
	config->group_count--;
}

/* Out of the engine and the domain, which goes with the last one. */
static void leave_group(struct vmm_machine *m, struct vmm_group *group)
{
	bool last = m->config->group_count == 1;

	if (last)
		vdev_machine_set_domain(m->devices, NULL);
	hv_vm_engine_ops(m->vm)->vfio_group(hv_vm_engine(m->vm), group->fd, false);
	m->announced--;
	iommu_domain_detach(m->domain, group->fd);
	remove_group(m->config, group);
	if (last)
		close_domain(m);
}

static int announce(struct vmm_machine *m, const struct vmm_group *group, const char *name)
{
	const struct hv_engine_ops *ops = hv_vm_engine_ops(m->vm);
	int err = ops->vfio_group(hv_vm_engine(m->vm), group->fd, true);

	if (err)
		return log_fail(err, name, "iommu group %d not taken by the %s engine: %s",
				group->id, ops->name, strerror(-err));
	m->announced++;
	return 0;
}

/* The domain first, since only an attached group tells where memory may be mapped. */
static int join_group(struct vmm_machine *m, const struct vmm_device *device,
		      struct vmm_hotplug_files *files)
{
	bool first = !m->domain;
	struct vmm_group group = {.id = device->group, .fd = files->group};

	if (group.fd < 0)
		return log_fail(-EINVAL, device->name, "not attached: its IOMMU group is missing");
	int err = first ? open_domain(m, files) : 0;
	if (!err)
		err = iommu_domain_attach(m->domain, group.fd, device->name);
	bool attached = !err;
	if (!err && first)
		err = map_memory(m, device->name);
	if (!err)
		err = announce(m, &group, device->name);
	if (!err) {
		m->config->groups[m->config->group_count++] = group;
		files->group = -1;
		return 0;
	}
	if (first)
		vdev_machine_set_domain(m->devices, NULL);
	if (attached)
		iommu_domain_detach(m->domain, group.fd);
	if (first)
		close_domain(m);
	return err;
}

static bool in_use(const struct vmm_config *config, int group)
{
	for (size_t i = 0; i < config->device_count; i++)
		if (config->devices[i].group == group)
			return true;
	return false;
}

/* ---- devices ---- */

static struct vmm_device *find_device(struct vmm_config *config, struct bdf bdf)
{
	for (size_t i = 0; i < config->device_count; i++)
		if (bdf_equal(config->devices[i].bdf, bdf))
			return &config->devices[i];
	return NULL;
}

static void remove_device(struct vmm_config *config, struct vmm_device *device)
{
	size_t behind = (size_t)(config->devices + config->device_count - device) - 1;

	free(device->name);
	free(device->vfio);
	memmove(device, device + 1, behind * sizeof(*device));
	config->device_count--;
}

static void tell(struct vmm_machine *m, const char *what, const char *device)
{
	const struct hv_event event = {.what = what, .device = device};

	hv_vm_event(m->vm, &event);
}

int vmm_hotplug_attach(struct vmm_machine *m, struct vmm_device *device,
		       struct vmm_hotplug_files *files)
{
	struct vmm_config *config = m->config;

	if (find_device(config, device->bdf))
		return log_fail(-EEXIST, device->name, "not attached: the VM has it already");
	if (config->device_count == VMM_DEVICES_MAX)
		return log_fail(-ENOSPC, device->name, "not attached: the VM has %d devices",
				VMM_DEVICES_MAX);
	bool known = find_group(config, device->group);
	int err = known ? 0 : join_group(m, device, files);
	if (err)
		return err;
	err = vmm_machine_add_device(m, device);
	if (err && !known)
		leave_group(m, find_group(config, device->group));
	if (err)
		return err;
	config->devices[config->device_count++] = *device;
	tell(m, "plugged", device->name);
	return 0;
}

int vmm_hotplug_attach_disk(struct vmm_machine *m, struct vmm_disk *disk)
{
	struct vmm_config *config = m->config;

	if (config->disk_count == VMM_DISKS_MAX)
		return log_fail(-ENOSPC, disk->file.name, "not attached: the VM has %d disks",
				VMM_DISKS_MAX);
	int err = vmm_machine_add_disk(m, disk);
	if (err)
		return err;
	config->disks[config->disk_count++] = *disk;
	tell(m, "plugged", disk->file.name);
	return 0;
}

static struct vmm_disk *find_disk(struct vmm_config *config, const char *name)
{
	for (size_t i = 0; i < config->disk_count; i++)
		if (!strcmp(config->disks[i].file.name, name))
			return &config->disks[i];
	return NULL;
}

static void remove_disk(struct vmm_config *config, struct vmm_disk *disk)
{
	size_t behind = (size_t)(config->disks + config->disk_count - disk) - 1;

	io_close(&disk->file.fd); /* its lock falls */
	io_close(&disk->life_fd); /* its engine ends */
	vmm_disk_finish(disk);
	memmove(disk, disk + 1, behind * sizeof(*disk));
	config->disk_count--;
}

/* ---- NICs ---- */

static struct vmm_net *find_net(struct vmm_config *config, const char *name)
{
	for (size_t i = 0; i < config->net_count; i++)
		if (!strcmp(config->nets[i].tap_name, name))
			return &config->nets[i];
	return NULL;
}

static void remove_net(struct vmm_config *config, struct vmm_net *net)
{
	size_t behind = (size_t)(config->nets + config->net_count - net) - 1;

	for (unsigned i = 0; i < VMM_NET_PAIRS_MAX; i++) {
		io_close(&net->tap[i]);
		io_close(&net->vhost[i]);
	}
	io_close(&net->listen_fd);
	vmm_net_finish(net);
	memmove(net, net + 1, behind * sizeof(*net));
	config->net_count--;
}

int vmm_hotplug_attach_net(struct vmm_machine *m, struct vmm_net *net)
{
	struct vmm_config *config = m->config;

	if (find_net(config, net->tap_name))
		return log_fail(-EEXIST, net->tap_name, "not attached: the VM has it already");
	if (config->net_count == VMM_NETS_MAX)
		return log_fail(-ENOSPC, net->tap_name, "not attached: the VM has %d NICs",
				VMM_NETS_MAX);
	if (!config->share_ram)
		return log_fail(-EINVAL, net->tap_name,
				"not attached: the switch could not map the VM's memory; start it "
				"with --memory SIZE,share");
	int err = vmm_machine_add_net(m, net);
	if (err)
		return err;
	config->nets[config->net_count++] = *net;
	tell(m, "plugged", net->tap_name);
	return 0;
}

int vmm_hotplug_detach_net(struct vmm_machine *m, const char *name, unsigned timeout_ms)
{
	const struct vmm_net *net = find_net(m->config, name);

	return net ? vdev_slot_eject(m->devices, net->slot, timeout_ms) : -ENOENT;
}

int vmm_hotplug_detach_disk(struct vmm_machine *m, const char *name, unsigned timeout_ms)
{
	const struct vmm_disk *disk = find_disk(m->config, name);

	return disk ? vdev_slot_eject(m->devices, disk->slot, timeout_ms) : -ENOENT;
}

int vmm_hotplug_detach(struct vmm_machine *m, struct bdf bdf, unsigned timeout_ms)
{
	const struct vmm_device *device = find_device(m->config, bdf);

	return device ? vdev_slot_eject(m->devices, device->slot, timeout_ms) : -ENOENT;
}

static void device_ejected(struct vmm_machine *m, struct vmm_device *device)
{
	struct vmm_config *config = m->config;
	int group = device->group;
	char bdf[BDF_TEXT];

	bdf_format(device->bdf, bdf);
	tell(m, "ejected", device->name);
	remove_device(config, device);
	if (!in_use(config, group))
		leave_group(m, find_group(config, group));
	dprintf(config->report_fd, VMM_REPORT_EJECTED " %s\n", bdf);
}

void vmm_hotplug_ejected(void *opaque, unsigned slot)
{
	struct vmm_machine *m = opaque;
	struct vmm_config *config = m->config;

	for (size_t i = 0; i < config->device_count; i++)
		if (config->devices[i].slot == slot) {
			device_ejected(m, &config->devices[i]);
			return;
		}
	for (size_t i = 0; i < config->disk_count; i++)
		if (config->disks[i].slot == slot) {
			tell(m, "ejected", config->disks[i].file.name);
			remove_disk(config, &config->disks[i]);
			return;
		}
	for (size_t i = 0; i < config->net_count; i++)
		if (config->nets[i].slot == slot) {
			tell(m, "ejected", config->nets[i].tap_name);
			remove_net(config, &config->nets[i]);
			return;
		}
}

/* ---- a guest that resets ---- */

void vmm_hotplug_mark(struct vmm_machine *m)
{
	unsigned unheard;

	vdev_cpus_get(m->devices, &m->config->cpus, &unheard);
	for (size_t i = 0; i < m->config->disk_count; i++) {
		struct vmm_disk *disk = &m->config->disks[i];

		disk->leaving = vdev_slot_state(m->devices, disk->slot) == VDEV_SLOT_PENDING;
	}
	for (size_t i = 0; i < m->config->net_count; i++) {
		struct vmm_net *net = &m->config->nets[i];

		net->leaving = vdev_slot_state(m->devices, net->slot) == VDEV_SLOT_PENDING;
	}
	for (size_t i = 0; i < m->config->device_count; i++) {
		struct vmm_device *device = &m->config->devices[i];

		device->leaving = vdev_slot_state(m->devices, device->slot) == VDEV_SLOT_PENDING;
	}
}

void vmm_hotplug_prune(struct vmm_config *config)
{
	char bdf[BDF_TEXT];

	for (size_t i = config->device_count; i-- > 0;) {
		if (!config->devices[i].leaving)
			continue;
		dprintf(config->report_fd, VMM_REPORT_EJECTED " %s\n",
			bdf_format(config->devices[i].bdf, bdf));
		remove_device(config, &config->devices[i]);
	}
	for (size_t i = config->disk_count; i-- > 0;)
		if (config->disks[i].leaving)
			remove_disk(config, &config->disks[i]);
	for (size_t i = config->net_count; i-- > 0;)
		if (config->nets[i].leaving)
			remove_net(config, &config->nets[i]);
	for (size_t i = config->group_count; i-- > 0;)
		if (!in_use(config, config->groups[i].id))
			remove_group(config, &config->groups[i]);
	if (!config->group_count)
		io_close(&config->container_fd);
}
