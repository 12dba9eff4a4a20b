/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmm_machine: see vmm_machine.h.
 *
 * The order is forced from both ends. RAM must lie where DMA may go, and only an attached group
 * tells where that is: so the domain comes first. KVM has to know a VFIO group before a device of
 * it is opened (it may change how the group's memory is cached), and RAM is touched before it is
 * mapped for DMA, in parallel, because pinning would fault it in one page after the other.
 */
#include "cli/vmm_machine.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "cli/sandbox.h"
#include "cli/vm_dial.h"
#include "cli/vm_file.h"
#include "cli/vmm_hotplug.h"
#include "cli/vmm_report.h"

static int open_domain(struct vmm_machine *m, struct iommu_info *info)
{
	const struct vmm_config *config = m->config;
	int err = iommu_locked_check(config->name, config->ram);

	if (!err)
		err = iommu_domain_create(config->container_fd, &m->domain);
	for (size_t i = 0; i < config->group_count && !err; i++) {
		char name[32];
		snprintf(name, sizeof(name), "iommu group %d", config->groups[i].id);
		err = iommu_domain_attach(m->domain, config->groups[i].fd, name);
	}
	return err ? err : iommu_domain_info(m->domain, info);
}

static void thread_begin(enum hv_thread kind)
{
	sandbox_thread(kind == HV_THREAD_CPU ? SANDBOX_CPU : SANDBOX_IO);
}

static int create_vm(struct vmm_machine *m, const struct iommu_info *info)
{
	const struct vmm_config *config = m->config;
	const struct hv_ram_file saved = {.fd = config->restore.fd, .offset = VM_FILE_RAM_AT};
	const struct hv_config hv = {
		.name = config->name,
		.engine = &hv_engine_kvm,
		.engine_fd = config->engine_fd,
		.cpus = MAX(config->cpus, config->max_cpus),
		.pin = config->pin,
		.ram = config->ram,
		.ram_max = config->ram_max,
		.pages = config->pages,
		.merge = config->merge,
		.nodes = config->nodes,
		.node_count = config->node_count,
		.phys_bits = config->phys_bits,
		.share_ram = config->share_ram,
		.iova = info->usable,
		.iova_count = info->usable_count,
		.legacy = config->firmware.fd >= 0 ? m->loop : NULL,
		.irqchip = config->irqchip,
		.ram_file = m->restored ? &saved : NULL,
		.thread_begin = thread_begin,
	};

	return hv_vm_create(&hv, &m->vm);
}

static int announce_groups(struct vmm_machine *m)
{
	const struct hv_engine_ops *ops = hv_vm_engine_ops(m->vm);

	for (size_t i = 0; m->domain && i < m->config->group_count; i++) {
		int err = ops->vfio_group(hv_vm_engine(m->vm), m->config->groups[i].fd, true);
		if (err)
			return log_fail(err, m->config->name,
					"iommu group %d not taken by the %s engine: %s",
					m->config->groups[i].id, ops->name, strerror(-err));
		m->announced = i + 1;
	}
	return 0;
}

static int touch_memory(const struct vmm_machine *m)
{
	/* The supervisor shows it when it takes long; whether it listens does not matter. */
	dprintf(m->config->report_fd, VMM_REPORT_MEMORY " %llu\n",
		(unsigned long long)m->config->ram);
	return hv_mem_prefault(m->vm, 0, NULL);
}

static int group_fd(const struct vmm_config *config, int id)
{
	for (size_t i = 0; i < config->group_count; i++)
		if (config->groups[i].id == id)
			return config->groups[i].fd;
	return -1; /* vmm_config_decode has made sure that there is one */
}

int vmm_machine_add_device(struct vmm_machine *m, struct vmm_device *device)
{
	char bdf[BDF_TEXT];
	int fd = iommu_device_open(m->domain, group_fd(m->config, device->group),
				   device->vfio ? device->vfio : bdf_format(device->bdf, bdf));
	struct vdev_vfio_config config = {
		.name = device->name,
		.host = device->bdf,
		.device_fd = fd,
		.slot = device->slot,
		.node = device->node,
	};
	struct vdev_vfio *added;
	int err = fd < 0 ? fd : vdev_vfio_add(m->devices, &config, &added);

	if (!err)
		device->slot = vdev_vfio_slot(added);
	return err;
}

static int ask_supervisor(void *opaque, const char *path)
{
	const struct vmm_config *config = opaque;

	return vm_dial_ask(config->dial_fd, path);
}

static struct vdev_dial dial_of(struct vmm_config *config)
{
	return (struct vdev_dial){.fn = config->dial_fd < 0 ? NULL : ask_supervisor,
				  .opaque = config};
}

/* The machine may be built again: it gets a descriptor of its own, under the same lock. */
int vmm_machine_add_disk(struct vmm_machine *m, struct vmm_disk *disk)
{
	char name[80];
	const char *base = strrchr(disk->file.name, '/');
	struct vdev_disk_config config = {
		.name = name,
		.fd = disk->socket ? -1 : fcntl(disk->file.fd, F_DUPFD_CLOEXEC, 3),
		.socket = disk->socket,
		.dial = dial_of(m->config),
		.read_only = disk->read_only,
		.serial = disk->serial,
		.queues = disk->queues,
		.iops = disk->iops,
		.bps = disk->bps,
		.slot = disk->slot,
	};

	snprintf(name, sizeof(name), "disk %s", base ? base + 1 : disk->file.name);
	if (config.fd < 0 && !disk->socket)
		return log_fail(-errno, name, "no descriptor: %s", strerror(errno));
	return vdev_disk_add(m->devices, &config, &disk->slot);
}

/* As many slots as the guest knew before a reset. */
static int finish_devices(struct vmm_machine *m)
{
	int err = vdev_machine_finish(m->devices);

	if (!err && m->config->hotplug_ports)
		m->config->ports = vdev_slot_count(m->devices);
	return err;
}

static int add_watchdog(struct vmm_machine *m, const char *action)
{
	static const char *const names[] = {
		[VDEV_WATCHDOG_REPORT] = "none",
		[VDEV_WATCHDOG_RESET] = "reset",
		[VDEV_WATCHDOG_POWEROFF] = "poweroff",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(action, names[i]))
			return vdev_watchdog_add(m->devices, (enum vdev_watchdog_action)i);
	return log_fail(-EINVAL, m->config->name, "its watchdog knows no way to %s", action);
}

int vmm_machine_add_net(struct vmm_machine *m, struct vmm_net *net)
{
	char name[IFNAMSIZ + 8];
	struct vdev_net_config config = {
		.name = name,
		.mtu = (uint16_t)net->mtu,
		.standby = net->standby,
		.pairs = net->pairs,
		.tap = net->tap,
		.vhost = net->vhost[0] < 0 ? NULL : net->vhost,
		.socket = net->socket,
		.dial = dial_of(m->config),
		.listener = net->listen_fd,
		.packed = net->packed,
		.slot = net->slot,
		.e1000e = net->e1000e,
	};

	snprintf(name, sizeof(name), "net %s", net->tap_name);
	memcpy(config.mac, net->mac, sizeof(config.mac));
	return vdev_net_add(m->devices, &config, &net->slot);
}

static int create_devices(struct vmm_machine *m)
{
	const struct vmm_config *c = m->config;
	const struct vdev_firmware_config firmware = {
		.code_fd = c->firmware.fd,
		.code_name = c->firmware.name,
		.vars_fd = c->vars.fd,
		.vars_name = c->vars.name,
		.kernel_fd = c->kernel.fd,
		.kernel_name = c->kernel.name,
		.initrd_fd = c->initrd.fd,
		.initrd_name = c->initrd.name,
		.cmdline = c->cmdline,
	};
	const struct vdev_machine_config config = {
		.vm = m->vm,
		.loop = m->loop,
		.domain = m->domain,
		.firmware = c->firmware.fd >= 0 ? &firmware : NULL,
		.exit_port = m->config->exit_port < 0 ? 0 : (uint16_t)m->config->exit_port,
		.serial_out = vmm_console_out,
		.serial_room = vmm_console_room,
		.opaque = m->console,
		.ejected = vmm_hotplug_ejected,
		.ejected_opaque = m,
		.generation = m->config->generation,
		.cpus = m->config->max_cpus ? m->config->cpus : 0,
		.free_ports = m->config->ports ? 0 : m->config->hotplug_ports,
		.ports = m->config->ports,
		.empty = m->gaps,
	};
	int err = vdev_machine_create(&config, &m->devices);

	for (size_t i = 0; i < m->config->device_count && !err; i++)
		err = vmm_machine_add_device(m, &m->config->devices[i]);
	for (size_t i = 0; i < m->config->disk_count && !err; i++)
		err = vmm_machine_add_disk(m, &m->config->disks[i]);
	if (!err && m->config->rng)
		err = vdev_rng_add(m->devices);
	for (size_t i = 0; i < m->config->net_count && !err; i++)
		err = vmm_machine_add_net(m, &m->config->nets[i]);
	if (!err && m->config->virtio_console)
		err = vdev_console_add(m->devices);
	if (!err && m->config->vsock_fd >= 0)
		err = vdev_vsock_add(m->devices,
				     &(struct vdev_vsock_config){.cid = m->config->vsock_cid,
								 .vhost = m->config->vsock_fd});
	if (!err && m->config->balloon)
		err = vdev_balloon_add(m->devices);
	if (!err && m->config->ram_max)
		err = vdev_mem_add(m->devices, m->config->ram_wanted);
	if (!err && m->config->watchdog)
		err = add_watchdog(m, m->config->watchdog);
	return err ? err : finish_devices(m);
}

static int load(struct vmm_machine *m)
{
	const struct vmm_config *config = m->config;

	if (config->firmware.fd >= 0)
		return hv_boot_firmware(m->vm);
	const struct hv_boot_config boot = {
		.kernel_fd = config->kernel.fd,
		.kernel_name = config->kernel.name,
		.initrd_fd = config->initrd.fd,
		.initrd_name = config->initrd.name,
		.cmdline = config->cmdline,
		.acpi = vdev_machine_acpi(m->devices),
		.cache_dir = config->cache_fd,
		.kaslr = config->kaslr,
		.pagemap = config->pagemap < 0 ? NULL : &config->pagemap,
	};

	return hv_boot(m->vm, &boot);
}

/* ---- going on with a saved VM ---- */

static int take_state(struct vmm_machine *m)
{
	int err = hv_vm_load(m->vm, state_open(m->saved, "vm"));

	if (!err)
		err = vdev_machine_load(m->devices, state_open(m->saved, "devices"));
	state_free(m->saved);
	m->saved = NULL;
	return err;
}

/* As many root ports as the guest knew; what was taken out before the save leaves a gap. */
static int read_ports(struct vmm_machine *m)
{
	struct state *pci = state_open(state_open(m->saved, "devices"), "pci");

	m->config->ports = (unsigned)state_take(pci, "ports", 31);
	m->gaps = vdev_machine_gaps(pci, m->config->ports);
	return state_error(m->saved);
}

static int read_saved(struct vmm_machine *m)
{
	struct vm_file opened, *file = &opened;
	int err = vm_file_open(m->config->restore.name, m->config->restore.fd, file);

	if (!err)
		err = vm_file_state(file, &m->saved);
	if (!err)
		err = read_ports(m);
	uint64_t ram = m->config->ram + hv_mem_growth_size(m->config->ram, m->config->ram_max);
	if (!err && file->header.ram_size != ram)
		err = log_fail(-EINVAL, file->subject,
			       "not restored: %llu bytes of memory were "
			       "saved, and the VM is given %llu",
			       (unsigned long long)file->header.ram_size, (unsigned long long)ram);
	return err;
}

static size_t type(void *opaque, const uint8_t *bytes, size_t len)
{
	return vdev_console_in(opaque, bytes, len);
}

static void ended(void *opaque, enum hv_end end)
{
	loop_stop(opaque, (int)end);
}

static int build(struct vmm_machine *m)
{
	struct iommu_info info = {0};
	int err = m->restored ? read_saved(m) : 0;

	if (!err && m->config->device_count)
		err = open_domain(m, &info);

	if (!err)
		err = create_vm(m, &info);
	if (!err)
		err = announce_groups(m);
	if (!err && m->domain)
		err = touch_memory(m);
	if (!err)
		err = create_devices(m);
	if (err)
		return err;
	err = vmm_touch_create(m->vm, &m->touch);
	if (err)
		return err;
	return m->restored ? take_state(m) : load(m);
}

int vmm_machine_create(struct vmm_config *config, struct loop *loop, struct vmm_console *console,
		       struct vmm_machine **out)
{
	struct vmm_machine *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	*m = (struct vmm_machine){.config = config,
				  .loop = loop,
				  .console = console,
				  .restored = config->restore.fd >= 0};
	int err = build(m);
	if (err) {
		vmm_machine_destroy(m);
		return err;
	}
	*out = m;
	return 0;
}

int vmm_machine_start(struct vmm_machine *m)
{
	hv_vm_on_end(m->vm, ended, m->loop);
	if (m->restored)
		vdev_machine_resume(m->devices);
	int err = hv_vm_start(m->vm);
	if (!err && m->config->prefault && !m->domain)
		vmm_touch_start(m->touch, true); /* without it, the first attach does that */
	if (!err)
		vmm_console_connect(m->console, type, m->devices);
	return err;
}

void vmm_machine_destroy(struct vmm_machine *m)
{
	if (!m)
		return;
	vmm_console_connect(m->console, NULL, NULL);
	vmm_touch_destroy(m->touch);
	vdev_machine_destroy(m->devices);
	while (m->announced)
		hv_vm_engine_ops(m->vm)->vfio_group(hv_vm_engine(m->vm),
						    m->config->groups[--m->announced].fd, false);
	hv_vm_destroy(m->vm);
	iommu_domain_destroy(m->domain);
	state_free(m->saved);
	free(m);
}
