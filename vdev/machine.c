/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * machine: everything a guest finds besides CPUs and memory, put together in order and taken apart
 * in reverse. The interface is vdev.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/util.h"
#include "vdev/acpi_slots.h"
#include "vdev/cpus.h"
#include "vdev/e1000e.h"
#include "vdev/exit_port.h"
#include "vdev/firmware.h"
#include "vdev/hotplug.h"
#include "vdev/pci.h"
#include "vdev/power.h"
#include "vdev/pvpanic.h"
#include "vdev/serial.h"
#include "vdev/test_device.h"
#include "vdev/vdev.h"
#include "vdev/vfio.h"
#include "vdev/virtio_balloon.h"
#include "vdev/virtio_blk.h"
#include "vdev/virtio_blk_user.h"
#include "vdev/virtio_console.h"
#include "vdev/virtio_mem.h"
#include "vdev/virtio_net.h"
#include "vdev/virtio_net_user.h"
#include "vdev/virtio_rng.h"
#include "vdev/virtio_vsock.h"
#include "vdev/vmgenid.h"
#include "vdev/watchdog.h"

struct vdev_machine {
	struct hv_vm *vm;
	struct loop *loop;
	struct iommu_domain *domain;
	struct vdev_serial *serial;
	struct vdev_power *power;	/* NULL with firmware, which has its own */
	struct vdev_firmware *firmware; /* NULL: direct boot */
	struct vdev_cpus *cpus;		/* NULL: none come or go */
	struct hv_region *pvpanic;
	struct vdev_exit_port *exit_port; /* NULL: none */
	struct vdev_test_device *test_device;
	struct vdev_host *host;
	struct vdev_iothread *slow;   /* for devices that move little */
	struct vdev_console *console; /* NULL: none; the host's */
	void (*console_out)(void *opaque, const uint8_t *bytes, size_t len);
	void (*console_room)(void *opaque);
	void *console_opaque;
	struct vdev_vmgenid *vmgenid;
	struct vdev_hotplug *hotplug;
	unsigned free_ports, ports;
	size_t mapped; /* RAM blocks in the domain */
	struct hv_acpi_config acpi;
	struct hv_acpi_intx intx[VDEV_SLOTS];
	struct {
		bool placed;
		uint8_t node;
	} near[VDEV_SLOTS]; /* the guest node that what is in a slot is near to */
};

/* Makes the guest's ACPI look. */
static int raise_event(void *opaque, uint32_t events)
{
	struct vdev_machine *m = opaque;

	if (!m->firmware)
		return vdev_power_raise(m->power, events);
	vdev_firmware_raise(m->firmware, events);
	return 0;
}

static int add_platform(struct vdev_machine *m, const struct vdev_machine_config *config)
{
	struct vdev_serial_config serial = {.vm = config->vm,
					    .loop = config->loop,
					    .out = config->serial_out,
					    .room = config->serial_room,
					    .opaque = config->opaque};
	int err = vdev_serial_create(&serial, &m->serial);

	if (!err && !config->firmware)
		err = vdev_power_create(m->vm, &m->power);
	if (!err && config->cpus)
		err = vdev_cpus_create(m->vm, m->power, config->cpus, &m->cpus);
	if (!err && config->generation && !config->firmware)
		err = vdev_vmgenid_create(m->vm, config->generation, &m->vmgenid);
	if (!err)
		err = vdev_pvpanic_create(m->vm, &m->pvpanic);
	if (!err && config->exit_port)
		err = vdev_exit_port_create(m->vm, config->exit_port, &m->exit_port);
	if (!err && config->exit_port)
		err = vdev_test_device_create(m->vm, &m->test_device);
	if (!err)
		err = vdev_host_create(m->vm, &m->host);
	if (!err)
		err = vdev_acpi_slots_create(m->host, raise_event, m);
	if (!err && config->firmware)
		err = vdev_firmware_create(config->firmware, m->host, m->loop, &m->firmware);
	if (!err)
		err = vdev_hotplug_create(m->host, m->loop, config->ejected, config->ejected_opaque,
					  &m->hotplug);
	return err;
}

int vdev_machine_create(const struct vdev_machine_config *config, struct vdev_machine **out)
{
	struct vdev_machine *m = calloc(1, sizeof(*m));
	int err;

	if (!m)
		return log_fail(-ENOMEM, hv_vm_name(config->vm), "no memory for its devices");
	m->vm = config->vm;
	m->loop = config->loop;
	m->domain = config->domain;
	m->console_out = config->serial_out;
	m->console_room = config->serial_room;
	m->console_opaque = config->opaque;
	m->free_ports = config->free_ports;
	m->ports = config->ports;
	err = add_platform(m, config);
	if (!err)
		m->host->empty = config->empty;
	if (err < 0) {
		vdev_machine_destroy(m);
		return err;
	}
	*out = m;
	return 0;
}

static void unmap_ram(struct vdev_machine *m)
{
	const struct hv_ram_block *blocks;

	hv_mem_blocks(m->vm, &blocks);
	while (m->mapped) {
		m->mapped--;
		if (!blocks[m->mapped].grows)
			iommu_unmap(m->domain, blocks[m->mapped].gpa, blocks[m->mapped].size);
	}
}

void vdev_machine_destroy(struct vdev_machine *m)
{
	if (!m)
		return;
	hv_device_lock(m->vm);
	vdev_hotplug_destroy(m->hotplug);
	vdev_firmware_destroy(m->firmware);
	vdev_acpi_slots_destroy(m->host);
	vdev_host_destroy(m->host); /* with the devices, so that none reaches RAM any more */
	vdev_mem_unmap(m->vm, m->domain);
	unmap_ram(m);
	vdev_test_device_destroy(m->test_device);
	vdev_exit_port_destroy(m->exit_port);
	vdev_pvpanic_destroy(m->vm, m->pvpanic);
	vdev_vmgenid_destroy(m->vmgenid);
	vdev_cpus_destroy(m->cpus);
	vdev_power_destroy(m->power);
	vdev_serial_destroy(m->serial);
	hv_device_unlock(m->vm);
	vdev_iothread_destroy(m->slow);
	free(m);
}

size_t vdev_serial_in(struct vdev_machine *m, const uint8_t *bytes, size_t len)
{
	hv_device_lock(m->vm);
	size_t taken = vdev_serial_receive(m->serial, bytes, len);
	hv_device_unlock(m->vm);
	return taken;
}

uint8_t vdev_exit_status(const struct vdev_machine *m)
{
	return vdev_exit_port_status(m->exit_port);
}

int vdev_power_button(struct vdev_machine *m)
{
	hv_device_lock(m->vm);
	int err = m->firmware ? vdev_firmware_press(m->firmware) : vdev_power_press(m->power);
	hv_device_unlock(m->vm);
	return err;
}

/* ---- virtio ---- */

/* Takes `fn` over, also on failure. */
static int add_function(struct vdev_machine *m, struct vdev_function *fn, unsigned slot)
{
	hv_device_lock(m->vm);
	int err = vdev_host_add_at(m->host, fn, slot);

	if (err < 0)
		fn->ops->destroy(fn);
	else
		vdev_hotplug_filled(m->hotplug, fn->bridge->slot);
	hv_device_unlock(m->vm);
	return err;
}

/* The thread of devices that move little. */
static int start_slow(struct vdev_machine *m)
{
	char name[16];

	snprintf(name, sizeof(name), "%.10s/slow", hv_vm_name(m->vm));
	return m->slow ? 0 : vdev_iothread_create(m->vm, name, &m->slow);
}

int vdev_rng_add(struct vdev_machine *m)
{
	struct vdev_function *fn;
	int err = start_slow(m);

	if (!err)
		err = vdev_rng_create(m->vm, m->loop, m->slow, &fn);
	return err ? err : add_function(m, fn, 0);
}

int vdev_watchdog_add(struct vdev_machine *m, enum vdev_watchdog_action action)
{
	struct vdev_watchdog *dog;
	int err = vdev_watchdog_create(m->vm, m->loop, action, &dog);

	if (err < 0)
		return err;
	return add_function(m, vdev_watchdog_function(dog), 0);
}

int vdev_net_add(struct vdev_machine *m, const struct vdev_net_config *config, unsigned *slot)
{
	struct vdev_function *fn = NULL;
	struct vdev_e1000e *nic;
	struct vdev_net *net;
	int err;

	if (config->e1000e) {
		err = vdev_e1000e_create(m->vm, m->loop, config, &nic);
		if (!err)
			fn = vdev_e1000e_function(nic);
	} else if (config->socket) {
		err = vdev_net_user_create(m->vm, m->loop, config, &fn);
	} else {
		err = vdev_net_create(m->vm, m->loop, config, &net);
		if (!err)
			fn = vdev_net_function(net);
	}
	if (!err)
		err = add_function(m, fn, config->slot);
	if (!err)
		*slot = fn->bridge->slot;
	return err;
}

static bool net_stat(struct vdev_function *fn, struct vdev_net_stat *out)
{
	struct vdev_e1000e *nic = vdev_e1000e_of(fn);
	struct vdev_net *net = vdev_net_of(fn);

	if (nic)
		vdev_e1000e_fill_stat(nic, out);
	else if (net)
		vdev_net_fill_stat(net, out);
	return nic || net || (fn && vdev_net_user_stat(fn, out));
}

int vdev_net_stat(struct vdev_machine *m, size_t index, struct vdev_net_stat *out)
{
	int err = -ENOENT;

	hv_device_lock(m->vm);
	for (unsigned slot = 1; slot <= m->host->bridges; slot++) {
		if (!net_stat(m->host->bridge[slot]->child, out) || index--)
			continue;
		err = 0;
		break;
	}
	hv_device_unlock(m->vm);
	return err;
}

int vdev_net_set_link(struct vdev_machine *m, size_t index, bool up)
{
	struct vdev_net_stat stat;
	int err = -ENOENT;

	hv_device_lock(m->vm);
	for (unsigned slot = 1; slot <= m->host->bridges; slot++) {
		struct vdev_e1000e *nic = vdev_e1000e_of(m->host->bridge[slot]->child);

		if (!net_stat(m->host->bridge[slot]->child, &stat) || index--)
			continue;
		err = nic ? 0 : -ENOTSUP;
		if (nic)
			vdev_e1000e_set_link(nic, up);
		break;
	}
	hv_device_unlock(m->vm);
	return err;
}

static struct vdev_balloon *find_balloon(const struct vdev_machine *m)
{
	struct vdev_balloon *balloon = NULL;

	for (unsigned slot = 1; slot <= m->host->bridges && !balloon; slot++)
		balloon = vdev_balloon_of(m->host->bridge[slot]->child);
	return balloon;
}

int vdev_balloon_add(struct vdev_machine *m)
{
	struct vdev_balloon *balloon;

	if (m->domain)
		return log_fail(-ENOTSUP, hv_vm_name(m->vm),
				"no balloon: its devices may reach all of its memory at any time");
	int err = vdev_balloon_create(m->vm, m->loop, &balloon);
	if (err < 0)
		return err;
	return add_function(m, vdev_balloon_function(balloon), 0);
}

int vdev_balloon_set(struct vdev_machine *m, uint64_t bytes)
{
	hv_device_lock(m->vm);
	struct vdev_balloon *balloon = find_balloon(m);
	if (balloon)
		vdev_balloon_aim(balloon, bytes);
	hv_device_unlock(m->vm);
	return balloon ? 0 : log_fail(-ENODEV, hv_vm_name(m->vm), "has no balloon");
}

int vdev_balloon_stat(struct vdev_machine *m, struct vdev_balloon_stat *out)
{
	hv_device_lock(m->vm);
	struct vdev_balloon *balloon = find_balloon(m);
	if (balloon)
		vdev_balloon_fill_stat(balloon, out);
	hv_device_unlock(m->vm);
	return balloon ? 0 : -ENODEV;
}

static struct vdev_mem *find_mem(const struct vdev_machine *m)
{
	struct vdev_mem *mem = NULL;

	for (unsigned slot = 1; slot <= m->host->bridges && !mem; slot++)
		mem = vdev_mem_of(m->host->bridge[slot]->child);
	return mem;
}

int vdev_mem_add(struct vdev_machine *m, uint64_t bytes)
{
	struct vdev_mem *mem;
	int err = start_slow(m);

	if (!err)
		err = vdev_mem_create(m->vm, m->loop, m->slow, &mem);
	if (err)
		return err;
	hv_device_lock(m->vm);
	err = vdev_mem_set_domain(mem, m->domain);
	if (!err)
		err = vdev_mem_aim(mem, bytes);
	hv_device_unlock(m->vm);
	if (!err)
		return add_function(m, vdev_mem_function(mem), 0);
	vdev_mem_destroy(mem);
	return err;
}

int vdev_mem_set(struct vdev_machine *m, uint64_t bytes)
{
	hv_device_lock(m->vm);
	struct vdev_mem *mem = find_mem(m);
	int err = mem ? vdev_mem_aim(mem, bytes) : -ENOTSUP;
	hv_device_unlock(m->vm);
	return err;
}

int vdev_mem_stat(struct vdev_machine *m, struct vdev_mem_stat *out)
{
	hv_device_lock(m->vm);
	struct vdev_mem *mem = find_mem(m);
	if (mem)
		vdev_mem_fill_stat(mem, out);
	hv_device_unlock(m->vm);
	return mem ? 0 : -ENOTSUP;
}

int vdev_vsock_add(struct vdev_machine *m, const struct vdev_vsock_config *config)
{
	struct vdev_function *fn;
	int err = vdev_vsock_create(m->vm, m->loop, config, &fn);

	return err ? err : add_function(m, fn, 0);
}

int vdev_console_add(struct vdev_machine *m)
{
	struct vdev_console_config config = {.vm = m->vm,
					     .loop = m->loop,
					     .out = m->console_out,
					     .room = m->console_room,
					     .opaque = m->console_opaque};
	int err = start_slow(m);

	config.thread = m->slow;
	if (!err)
		err = vdev_console_create(&config, &m->console);
	if (!err)
		err = add_function(m, vdev_console_function(m->console), 0);
	if (err < 0)
		m->console = NULL;
	return err;
}

size_t vdev_console_in(struct vdev_machine *m, const uint8_t *bytes, size_t len)
{
	return m->console ? vdev_console_receive(m->console, bytes, len)
			  : vdev_serial_in(m, bytes, len);
}

int vdev_disk_add(struct vdev_machine *m, const struct vdev_disk_config *config, unsigned *slot)
{
	struct vdev_function *fn;
	int err = config->socket ? vdev_blk_user_create(m->vm, m->loop, config, &fn)
				 : vdev_blk_create(m->vm, m->loop, config, &fn);

	if (!err)
		err = add_function(m, fn, config->slot);
	if (!err)
		*slot = fn->bridge->slot;
	return err;
}

int vdev_disk_stat(struct vdev_machine *m, size_t index, struct vdev_disk_stat *out)
{
	int err = -ENOENT;

	hv_device_lock(m->vm);
	for (unsigned slot = 1; slot <= m->host->bridges && err; slot++) {
		struct vdev_function *child = m->host->bridge[slot]->child;

		if (child && (vdev_blk_stat(child, out) || vdev_blk_user_stat(child, out)) &&
		    !index--)
			err = 0;
	}
	hv_device_unlock(m->vm);
	return err;
}

size_t vdev_disk_count(struct vdev_machine *m)
{
	struct vdev_disk_stat stat;
	size_t count = 0;

	while (!vdev_disk_stat(m, count, &stat))
		count++;
	return count;
}

void vdev_disk_retry(struct vdev_machine *m)
{
	hv_device_lock(m->vm);
	for (unsigned slot = 1; slot <= m->host->bridges; slot++) {
		struct vdev_function *child = m->host->bridge[slot]->child;

		if (child)
			vdev_blk_retry(child);
	}
	hv_device_unlock(m->vm);
}

/* ---- passthrough ---- */

int vdev_vfio_add(struct vdev_machine *m, const struct vdev_vfio_config *config,
		  struct vdev_vfio **out)
{
	struct vdev_vfio *dev;
	int err = vdev_vfio_create(m->vm, m->loop, m->domain, config, &dev);

	if (!err)
		err = add_function(m, &dev->fn, config->slot);
	if (err)
		return err;
	*out = dev;
	int node = hv_numa_guest_node(m->vm, config->node);
	m->near[vdev_vfio_slot(dev) - 1].placed = node >= 0;
	m->near[vdev_vfio_slot(dev) - 1].node = node >= 0 ? (uint8_t)node : 0;
	return 0;
}

unsigned vdev_vfio_slot(const struct vdev_vfio *dev)
{
	return dev->fn.bridge->slot;
}

/* The passed-through device number `index`, in the order of slots; *count: how many there are. */
static struct vdev_vfio *nth_vfio(const struct vdev_machine *m, size_t index, size_t *count)
{
	struct vdev_vfio *found = NULL;

	*count = 0;
	for (unsigned slot = 1; slot <= m->host->bridges; slot++) {
		struct vdev_function *child = m->host->bridge[slot]->child;
		struct vdev_vfio *dev = child ? vdev_vfio_of(child) : NULL;

		if (dev && (*count)++ == index)
			found = dev;
	}
	return found;
}

size_t vdev_vfio_count(const struct vdev_machine *m)
{
	size_t count;

	nth_vfio(m, 0, &count);
	return count;
}

int vdev_vfio_picture(struct vdev_machine *m, size_t index, int fd, struct vdev_picture *out)
{
	size_t count;

	hv_device_lock(m->vm);
	struct vdev_vfio *dev = nth_vfio(m, index, &count);
	int err = dev ? vdev_vfio_take_picture(dev, fd, out) : -ENODEV;
	hv_device_unlock(m->vm);
	return err;
}

int vdev_vfio_stat(struct vdev_machine *m, size_t index, struct vdev_vfio_stat *out)
{
	size_t count;

	hv_device_lock(m->vm);
	const struct vdev_vfio *dev = nth_vfio(m, index, &count);
	if (dev)
		vdev_vfio_fill_stat(dev, out);
	hv_device_unlock(m->vm);
	return dev ? 0 : -ENOENT;
}

/* ---- completing it ---- */

static int map_ram(struct vdev_machine *m)
{
	const struct hv_ram_block *blocks;
	size_t count = hv_mem_blocks(m->vm, &blocks);

	while (m->domain && m->mapped < count) {
		const struct hv_ram_block *b = &blocks[m->mapped];
		int err = b->grows ? 0
				   : iommu_map(m->domain, b->gpa, b->size, b->hva,
					       IOMMU_READ | IOMMU_WRITE);

		if (err < 0)
			return err;
		m->mapped++;
	}
	return 0;
}

int vdev_machine_set_domain(struct vdev_machine *m, struct iommu_domain *domain)
{
	if (domain && find_balloon(m))
		return log_fail(
			-EBUSY, hv_vm_name(m->vm),
			"has a balloon: memory that it gave away cannot be reached by a device "
			"of the host");
	struct vdev_mem *mem = find_mem(m);
	int err = 0;

	if (domain) {
		m->domain = domain;
		err = map_ram(m);
	}
	hv_device_lock(m->vm);
	if (mem && (!domain || !err))
		err = vdev_mem_set_domain(mem, domain);
	if (!domain || err) {
		unmap_ram(m);
		m->domain = NULL;
	}
	hv_device_unlock(m->vm);
	return err;
}

/* ---- processors ---- */

int vdev_cpus_set(struct vdev_machine *m, unsigned count)
{
	if (!m->cpus)
		return -ENOTSUP;
	hv_device_lock(m->vm);
	int err = vdev_cpus_want(m->cpus, count);
	hv_device_unlock(m->vm);
	return err;
}

void vdev_cpus_get(struct vdev_machine *m, unsigned *present, unsigned *unheard)
{
	hv_device_lock(m->vm);
	*present = m->cpus ? vdev_cpus_present(m->cpus) : hv_vm_cpus(m->vm);
	*unheard = m->cpus ? vdev_cpus_unheard(m->cpus) : 0;
	hv_device_unlock(m->vm);
}

void vdev_cpus_keep(struct vdev_machine *m)
{
	hv_device_lock(m->vm);
	if (m->cpus)
		vdev_cpus_forget(m->cpus);
	hv_device_unlock(m->vm);
}

/* ---- slots ---- */

unsigned vdev_slot_count(const struct vdev_machine *m)
{
	return m->host->bridges;
}

enum vdev_slot_state vdev_slot_state(struct vdev_machine *m, unsigned slot)
{
	hv_device_lock(m->vm);
	enum vdev_slot_state state = vdev_hotplug_state(m->hotplug, slot);
	hv_device_unlock(m->vm);
	return state;
}

const char *vdev_slot_state_name(enum vdev_slot_state state)
{
	static const char *const names[] = {
		[VDEV_SLOT_EMPTY] = "empty",
		[VDEV_SLOT_IN_USE] = "attached",
		[VDEV_SLOT_PENDING] = "eject pending",
		[VDEV_SLOT_TIMED_OUT] = "eject timed out",
	};

	return names[state];
}

int vdev_slot_eject(struct vdev_machine *m, unsigned slot, unsigned timeout_ms)
{
	hv_device_lock(m->vm);
	int err = vdev_hotplug_eject(m->hotplug, slot, timeout_ms);
	hv_device_unlock(m->vm);
	return err;
}

static void describe(struct vdev_machine *m)
{
	unsigned ports = m->host->bridges;

	for (unsigned slot = 1; slot <= ports; slot++) {
		struct hv_acpi_intx *intx = &m->intx[slot - 1];

		*intx = (struct hv_acpi_intx){.bridge = (int)slot,
					      .dev = 0,
					      .placed = m->near[slot - 1].placed,
					      .node = m->near[slot - 1].node};
		for (unsigned pin = 0; pin < 4; pin++)
			intx->gsi[pin] = (uint8_t)vdev_host_intx_gsi(slot, pin);
	}
	m->acpi = (struct hv_acpi_config){
		.last_bus = vdev_host_last_bus(m->host),
		.sleep_port = VDEV_POWER_SLEEP_PORT,
		.reset_port = VDEV_POWER_RESET_PORT,
		.reset_value = VDEV_POWER_RESET_VALUE,
		.event_port = VDEV_POWER_EVENT_PORT,
		.event_gsi = VDEV_POWER_GSI,
		.serial_port = VDEV_SERIAL_PORT,
		.serial_gsi = VDEV_SERIAL_GSI,
		.cpu_port = m->cpus ? VDEV_CPUS_PORT : 0,
		.cpus_present = m->cpus ? vdev_cpus_present(m->cpus) : 0,
		.panic_port = VDEV_PVPANIC_PORT,
		.generation = m->vmgenid ? VDEV_VMGENID_GPA : 0,
		.slot_port = m->host->acpi ? VDEV_ACPI_SLOTS_PORT : 0,
		.slots = (UINT32_C(2) << ports) - 2,
		.intx = m->intx,
		.intx_count = ports,
	};
}

int vdev_machine_finish(struct vdev_machine *m)
{
	unsigned ports = MAX(m->host->bridges + m->free_ports, m->ports);
	int err = map_ram(m);

	if (err < 0)
		return err;
	hv_device_lock(m->vm);
	err = vdev_host_add_ports(m->host, MIN(ports, VDEV_SLOTS - (m->firmware ? 2 : 1)));
	if (!err)
		err = vdev_host_assign(m->host);
	hv_device_unlock(m->vm);
	if (err < 0)
		return err;
	describe(m);
	return m->firmware ? vdev_firmware_finish(m->firmware, &m->acpi) : 0;
}

const struct hv_acpi_config *vdev_machine_acpi(const struct vdev_machine *m)
{
	return &m->acpi;
}

int vdev_machine_reset(struct vdev_machine *m)
{
	hv_device_lock(m->vm);
	vdev_serial_reset(m->serial);
	if (m->power)
		vdev_power_reset(m->power);
	vdev_host_reset(m->host);
	if (m->host->acpi)
		vdev_acpi_slots_reset(m->host->acpi);
	hv_device_unlock(m->vm);
	return 0;
}

/* ---- standing still ---- */

int vdev_machine_quiesce(struct vdev_machine *m)
{
	hv_device_lock(m->vm);
	int err = vdev_host_quiesce(m->host);
	hv_device_unlock(m->vm);
	return err;
}

void vdev_machine_resume(struct vdev_machine *m)
{
	hv_device_lock(m->vm);
	vdev_host_resume(m->host);
	hv_device_unlock(m->vm);
}

int vdev_machine_savable(struct vdev_machine *m, char *why, size_t size)
{
	const char *reason;

	hv_device_lock(m->vm);
	const struct vdev_function *fn = vdev_host_unsavable(m->host, &reason);
	if (fn)
		snprintf(why, size, "%s: %s", fn->name, reason);
	hv_device_unlock(m->vm);
	return fn ? -ENOTSUP : 0;
}

int vdev_machine_save(struct vdev_machine *m, struct state *s)
{
	hv_device_lock(m->vm);
	vdev_serial_save(m->serial, state_child(s, "serial"));
	if (m->power)
		vdev_power_save(m->power, state_child(s, "power"));
	if (m->firmware)
		vdev_firmware_save(m->firmware, state_child(s, "firmware"));
	if (m->cpus)
		vdev_cpus_save(m->cpus, state_child(s, "cpus"));
	vdev_acpi_slots_save(m->host->acpi, state_child(s, "slots"));
	vdev_host_save(m->host, state_child(s, "pci"));
	hv_device_unlock(m->vm);
	return state_error(s);
}

int vdev_machine_load(struct vdev_machine *m, struct state *s)
{
	hv_device_lock(m->vm);
	int err = vdev_host_quiesce(m->host);
	vdev_serial_load(m->serial, state_open(s, "serial"));
	if (m->power)
		vdev_power_load(m->power, state_open(s, "power"));
	if (m->cpus)
		vdev_cpus_load(m->cpus, state_open(s, "cpus"));
	if (!err)
		err = vdev_host_load(m->host, state_open(s, "pci"));
	if (!err && m->firmware)
		vdev_firmware_load(m->firmware, state_open(s, "firmware"));
	vdev_acpi_slots_load(m->host->acpi, state_open(s, "slots"));
	if (m->vmgenid) /* it is not the one it was */
		raise_event(m, HV_ACPI_EVENT_GENERATION);
	hv_device_unlock(m->vm);
	return err ? err : state_error(s);
}
