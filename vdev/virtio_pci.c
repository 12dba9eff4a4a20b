/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio_pci: a virtio device as a PCI function (virtio 1.2, 4.1).
 *
 * Capabilities of the vendor kind tell where in the BAR the parts are (4.1.4):
 *
 *     0x0000  common configuration     0x0100  ISR status
 *     0x1000  device configuration     0x2000  notify, 4 bytes per queue
 *     0x3000  MSI-X table              0x3800  pending bits
 *
 * Notifications of running queues never get here: the engine turns them into eventfds. One
 * capability more lets a driver that cannot reach the BAR (firmware with 32-bit addresses) access
 * it through configuration space.
 */
#include <errno.h>
#include <linux/virtio_pci.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "vdev/virtio.h"

#define VENDOR	       0x1af4u
#define DEVICE_BASE    0x1040u /* 4.1.2.1: plus the device's type */
#define BAR	       0u
#define BAR_SIZE       0x4000u
#define ISR_OFFSET     0x0100u
#define DEVICE_OFFSET  0x1000u
#define NOTIFY_OFFSET  0x2000u
#define NOTIFY_STRIDE  4u
#define TABLE_OFFSET   0x3000u
#define PENDING_OFFSET 0x3800u
#define CAP_CFG_DATA   16u /* pci_cfg_data in struct virtio_pci_cfg_cap */
#define DEVCTL_POWER_ON                                                          \
	0x2810u /* PCIe 6.0, 7.5.3.4: relaxed ordering, no snoop, 512 byte reads \
		 */

/* 4.1.4.3 */
struct common {
	uint32_t device_feature_select, device_feature, driver_feature_select, driver_feature;
	uint16_t config_msix_vector, num_queues;
	uint8_t device_status, config_generation;
	uint16_t queue_select, queue_size, queue_msix_vector, queue_enable, queue_notify_off;
	uint32_t queue_desc[2], queue_driver[2], queue_device[2];
	uint16_t queue_notify_data, queue_reset;
};
_Static_assert(offsetof(struct common, queue_select) == VIRTIO_PCI_COMMON_Q_SELECT, "4.1.4.3");
_Static_assert(offsetof(struct common, queue_desc) == VIRTIO_PCI_COMMON_Q_DESCLO, "4.1.4.3");
_Static_assert(offsetof(struct common, queue_reset) == VIRTIO_PCI_COMMON_Q_RESET, "4.1.4.3");
_Static_assert(sizeof(struct common) == 60, "4.1.4.3");
_Static_assert(TABLE_OFFSET + (VDEV_VIRTIO_QUEUES + 1) * PCI_MSIX_ENTRY_SIZE <= PENDING_OFFSET,
	       "the MSI-X table has its place");

/* ---- common configuration ---- */

/* NULL: the driver selected one that is not there. */
static struct vdev_virtio_queue *selected(struct vdev_virtio *dev)
{
	return dev->queue_select < dev->queues ? &dev->queue[dev->queue_select] : NULL;
}

/* Half `select` of 64 feature bits. */
static uint32_t half(uint64_t features, uint32_t select)
{
	return select < 2 ? (uint32_t)(features >> (32 * select)) : 0;
}

static void fill_queue(struct vdev_virtio *dev, struct common *c)
{
	const struct vdev_virtio_queue *queue = selected(dev);

	if (!queue) {
		c->queue_msix_vector = VIRTIO_MSI_NO_VECTOR;
		return; /* of size 0: unavailable */
	}
	c->queue_size = queue->vq.size;
	c->queue_msix_vector = queue->vector;
	c->queue_enable = queue->enabled;
	c->queue_notify_off = dev->queue_select;
	memcpy(c->queue_desc, &queue->vq.desc, 8);
	memcpy(c->queue_driver, &queue->vq.driver, 8);
	memcpy(c->queue_device, &queue->vq.device, 8);
}

static void common_read(struct vdev_virtio *dev, unsigned offset, void *data, unsigned len)
{
	struct common c = {
		.device_feature_select = dev->device_select,
		.device_feature = half(dev->offered, dev->device_select),
		.driver_feature_select = dev->driver_select,
		.driver_feature = half(dev->features, dev->driver_select),
		.config_msix_vector = dev->config_vector,
		.num_queues = (uint16_t)dev->queues,
		.device_status = dev->status,
		.config_generation = atomic_load(&dev->generation),
		.queue_select = dev->queue_select,
	};

	fill_queue(dev, &c);
	memcpy(data, (const uint8_t *)&c + offset, len);
}

static void set_features(struct vdev_virtio *dev, uint32_t value)
{
	uint32_t select = dev->driver_select;

	if (select > 1 || (dev->status & VIRTIO_CONFIG_S_FEATURES_OK))
		return;
	dev->features &= ~((uint64_t)UINT32_MAX << (32 * select));
	dev->features |= (uint64_t)value << (32 * select);
}

/* 4.1.5.1.2.1: a vector that is not there is read back as none. */
static uint16_t vector_of(const struct vdev_virtio *dev, uint16_t value)
{
	return value < dev->msix.count ? value : VIRTIO_MSI_NO_VECTOR;
}

static void set_half(uint64_t *address, bool high, uint32_t value)
{
	unsigned shift = high ? 32 : 0;

	*address = (*address & ~((uint64_t)UINT32_MAX << shift)) | (uint64_t)value << shift;
}

static void queue_write(struct vdev_virtio *dev, unsigned offset, uint32_t value)
{
	struct vdev_virtio_queue *queue = selected(dev);

	if (!queue)
		return;
	if (offset == VIRTIO_PCI_COMMON_Q_MSIX) {
		queue->vector = vector_of(dev, (uint16_t)value);
		vdev_virtio_irq_aim(dev);
	} else if (offset == VIRTIO_PCI_COMMON_Q_RESET && value == 1) {
		vdev_virtio_reset_queue(dev, queue);
	} else if (queue->enabled) {
		return; /* 4.1.4.3.2: nothing else may change then */
	} else if (offset == VIRTIO_PCI_COMMON_Q_ENABLE && value == 1) {
		vdev_virtio_enable_queue(dev, queue);
	} else if (offset == VIRTIO_PCI_COMMON_Q_SIZE) {
		queue->vq.size = (uint16_t)value;
	} else if (offset >= VIRTIO_PCI_COMMON_Q_DESCLO && offset <= VIRTIO_PCI_COMMON_Q_USEDHI) {
		uint64_t *const area[] = {&queue->vq.desc, &queue->vq.driver, &queue->vq.device};
		unsigned index = (offset - VIRTIO_PCI_COMMON_Q_DESCLO) / 4;

		set_half(area[index / 2], index & 1, value);
	}
}

/* One register; `offset` is where it begins. */
static void register_write(struct vdev_virtio *dev, unsigned offset, uint32_t value)
{
	switch (offset) {
	case VIRTIO_PCI_COMMON_DFSELECT:
		dev->device_select = value;
		break;
	case VIRTIO_PCI_COMMON_GFSELECT:
		dev->driver_select = value;
		break;
	case VIRTIO_PCI_COMMON_GF:
		set_features(dev, value);
		break;
	case VIRTIO_PCI_COMMON_MSIX:
		dev->config_vector = vector_of(dev, (uint16_t)value);
		break;
	case VIRTIO_PCI_COMMON_STATUS:
		vdev_virtio_set_status(dev, (uint8_t)value);
		break;
	case VIRTIO_PCI_COMMON_Q_SELECT:
		dev->queue_select = (uint16_t)value;
		break;
	default:
		queue_write(dev, offset, value);
	}
}

/* 4.1.3.1: drivers access each register as a whole, 64-bit ones in halves too. Other accesses
 * change nothing. */
static unsigned register_size(unsigned offset)
{
	if (offset < VIRTIO_PCI_COMMON_MSIX ||
	    (offset >= VIRTIO_PCI_COMMON_Q_DESCLO && offset <= VIRTIO_PCI_COMMON_Q_USEDHI))
		return 4;
	return offset == VIRTIO_PCI_COMMON_STATUS || offset == VIRTIO_PCI_COMMON_CFGGENERATION ? 1
											       : 2;
}

static void common_write(struct vdev_virtio *dev, unsigned offset, const void *data, unsigned len)
{
	uint32_t value = 0;

	if (len == 8 && offset % 8 == 0 && offset >= VIRTIO_PCI_COMMON_Q_DESCLO) {
		common_write(dev, offset, data, 4);
		common_write(dev, offset + 4, (const uint8_t *)data + 4, 4);
		return;
	}
	if (len != register_size(offset) || offset % len)
		return;
	memcpy(&value, data, len);
	register_write(dev, offset, value);
}

/* ---- the BAR ---- */

static bool inside(uint64_t offset, unsigned len, uint64_t start, uint64_t size)
{
	return offset >= start && offset - start < size && len <= size - (offset - start);
}

static uint64_t table_size(const struct vdev_virtio *dev)
{
	return (uint64_t)dev->msix.count * PCI_MSIX_ENTRY_SIZE;
}

static void pending_read(const struct vdev_virtio *dev, uint64_t offset, uint8_t *data,
			 unsigned len)
{
	for (unsigned bit = 0; bit < 8 * len; bit++) {
		uint64_t v = 8 * offset + bit;

		if (v < dev->msix.count && vdev_virtio_irq_pending(dev, (unsigned)v))
			data[bit / 8] |= (uint8_t)(1u << bit % 8);
	}
}

static void bar_read(void *opaque, uint64_t offset, void *data, unsigned len)
{
	struct vdev_virtio *dev = opaque;

	memset(data, 0, len);
	if (inside(offset, len, 0, sizeof(struct common)))
		common_read(dev, (unsigned)offset, data, len);
	else if (offset == ISR_OFFSET)
		*(uint8_t *)data = vdev_virtio_irq_take_isr(dev);
	else if (inside(offset, len, DEVICE_OFFSET, dev->type->config_size))
		dev->type->config_read(dev, (unsigned)offset - DEVICE_OFFSET, data, len);
	else if (inside(offset, len, TABLE_OFFSET, table_size(dev)))
		vdev_msix_read(&dev->msix, offset - TABLE_OFFSET, data, len);
	else if (inside(offset, len, PENDING_OFFSET, BAR_SIZE - PENDING_OFFSET))
		pending_read(dev, offset - PENDING_OFFSET, data, len);
}

/* As the engine would have done: it listens only while the queue runs. */
static void notify_write(struct vdev_virtio *dev, uint64_t offset)
{
	uint64_t index = offset / NOTIFY_STRIDE, one = 1;

	dev->notifies++;
	if (index >= dev->queues)
		return;
	ssize_t n = write(dev->queue[index].kick_fd, &one, sizeof(one));
	(void)n; /* full means that it is kicked already */
}

static void bar_write(void *opaque, uint64_t offset, const void *data, unsigned len)
{
	struct vdev_virtio *dev = opaque;

	if (inside(offset, len, 0, sizeof(struct common)))
		common_write(dev, (unsigned)offset, data, len);
	else if (inside(offset, len, DEVICE_OFFSET, dev->type->config_size)) {
		if (dev->type->config_write)
			dev->type->config_write(dev, (unsigned)offset - DEVICE_OFFSET, data, len);
	} else if (inside(offset, len, NOTIFY_OFFSET, TABLE_OFFSET - NOTIFY_OFFSET))
		notify_write(dev, offset - NOTIFY_OFFSET);
	else if (inside(offset, len, TABLE_OFFSET, table_size(dev)))
		vdev_virtio_irq_table_write(dev, offset - TABLE_OFFSET, data, len);
}

static const struct hv_region_ops bar_ops = {.read = bar_read, .write = bar_write};

static int map_bar(struct vdev_function *fn, unsigned index, uint64_t gpa)
{
	struct vdev_virtio *dev = container_of(fn, struct vdev_virtio, fn);
	int err =
		hv_bus_add(dev->vm, HV_MMIO, fn->name, gpa, BAR_SIZE, &bar_ops, dev, &dev->region);

	(void)index; /* there is only one */
	if (!err) {
		fn->bar[BAR].gpa = gpa;
		if (dev->running)
			vdev_virtio_pci_notify_on(dev);
	}
	return err;
}

static void unmap_bar(struct vdev_function *fn, unsigned index)
{
	struct vdev_virtio *dev = container_of(fn, struct vdev_virtio, fn);

	(void)index;
	vdev_virtio_pci_notify_off(dev);
	hv_bus_remove(dev->vm, dev->region);
	dev->region = NULL;
}

void vdev_virtio_pci_notify_on(struct vdev_virtio *dev)
{
	uint64_t bar = dev->fn.bar[BAR].gpa;

	for (unsigned i = 0; bar && i < dev->queues; i++) {
		struct vdev_virtio_queue *queue = &dev->queue[i];
		uint64_t gpa = bar + NOTIFY_OFFSET + NOTIFY_STRIDE * i;

		if (!queue->enabled || queue->notify_gpa)
			continue;
		/* When it is refused, each notification is an exit; told there, and it works. */
		if (!hv_ioeventfd_attach(dev->vm, HV_MMIO, gpa, 0, queue->kick_fd))
			queue->notify_gpa = gpa;
	}
}

void vdev_virtio_pci_notify_off(struct vdev_virtio *dev)
{
	for (unsigned i = 0; i < dev->queues; i++) {
		struct vdev_virtio_queue *queue = &dev->queue[i];

		if (queue->notify_gpa)
			hv_ioeventfd_detach(dev->vm, HV_MMIO, queue->notify_gpa, 0, queue->kick_fd);
		queue->notify_gpa = 0;
	}
}

/* ---- configuration space ---- */

/* 4.1.4.9: where the access goes; false when the driver described none. */
static bool window(const struct vdev_virtio *dev, uint32_t *offset, uint32_t *len)
{
	const struct vdev_config *c = &dev->fn.config;
	unsigned cap = dev->cap_pci_cfg;

	*offset = vdev_config_get(c, cap + VIRTIO_PCI_CAP_OFFSET, 4);
	*len = vdev_config_get(c, cap + VIRTIO_PCI_CAP_LENGTH, 4);
	return vdev_config_get(c, cap + VIRTIO_PCI_CAP_BAR, 1) == BAR &&
	       (*len == 1 || *len == 2 || *len == 4) && *offset % *len == 0 &&
	       *offset <= BAR_SIZE - *len;
}

static uint32_t config_read(struct vdev_function *fn, unsigned offset, unsigned len)
{
	struct vdev_virtio *dev = container_of(fn, struct vdev_virtio, fn);
	uint32_t at, size, value = 0;

	if (vdev_config_hits(offset, len, dev->cap_pci_cfg + CAP_CFG_DATA, 4) &&
	    window(dev, &at, &size)) {
		bar_read(dev, at, &value, size);
		vdev_config_set(&fn->config, dev->cap_pci_cfg + CAP_CFG_DATA, 4, value);
	}
	return vdev_config_get(&fn->config, offset, len);
}

static void window_write(struct vdev_virtio *dev)
{
	uint32_t at, size;
	uint32_t value = vdev_config_get(&dev->fn.config, dev->cap_pci_cfg + CAP_CFG_DATA, 4);

	if (window(dev, &at, &size))
		bar_write(dev, at, &value, size);
}

static void reset_function(struct vdev_function *fn)
{
	static const uint64_t nowhere[VDEV_BARS];
	struct vdev_virtio *dev = container_of(fn, struct vdev_virtio, fn);
	struct vdev_config *c = &fn->config;

	vdev_virtio_reset(dev);
	vdev_bars_move(fn, nowhere);
	for (unsigned i = 0; i < VDEV_CONFIG_SIZE; i++)
		c->data[i] &= (uint8_t)~c->write[i];
	vdev_config_set(c, dev->cap_express + PCI_EXP_DEVCTL, 2, DEVCTL_POWER_ON);
	vdev_msix_reset(&dev->msix, c);
	vdev_virtio_irq_update(dev);
}

/* Initiate Function Level Reset, bit 15 of Device Control (PCIe 6.0, 7.5.3.4). */
static bool asks_reset(const struct vdev_virtio *dev, unsigned offset, unsigned len, uint32_t value)
{
	unsigned byte = dev->cap_express + PCI_EXP_DEVCTL + 1;

	return vdev_config_hits(offset, len, byte, 1) &&
	       (value >> (8 * (byte - offset)) & PCI_EXP_DEVCTL_BCR_FLR >> 8);
}

static void config_write(struct vdev_function *fn, unsigned offset, unsigned len, uint32_t value)
{
	struct vdev_virtio *dev = container_of(fn, struct vdev_virtio, fn);

	if (asks_reset(dev, offset, len, value)) {
		reset_function(fn);
		return;
	}
	vdev_config_write(&fn->config, offset, len, value);
	if (vdev_config_hits(offset, len, PCI_COMMAND, 2) ||
	    vdev_config_hits(offset, len, PCI_BASE_ADDRESS_0, 4 * VDEV_BARS))
		vdev_bridge_update(fn->bridge);
	if (vdev_config_hits(offset, len, PCI_COMMAND, 2) ||
	    vdev_config_hits(offset, len, dev->msix.cap, PCI_CAP_MSIX_SIZEOF))
		vdev_virtio_irq_update(dev);
	if (vdev_config_hits(offset, len, dev->cap_pci_cfg + CAP_CFG_DATA, 4))
		window_write(dev);
}

static void intx_eoi(struct vdev_function *fn)
{
	(void)fn; /* the line falls when the driver reads the ISR status */
}

static void destroy_function(struct vdev_function *fn)
{
	struct vdev_virtio *dev = container_of(fn, struct vdev_virtio, fn);

	vdev_virtio_reset(dev);
	dev->type->destroy(dev);
}

const struct vdev_function_ops vdev_virtio_function_ops = {
	.config_read = config_read,
	.config_write = config_write,
	.bar_map = map_bar,
	.bar_unmap = unmap_bar,
	.intx_eoi = intx_eoi,
	.reset = reset_function,
	.destroy = destroy_function,
	.quiesce = vdev_virtio_quiesce,
	.resume = vdev_virtio_resume,
	.unsavable = vdev_virtio_unsavable,
	.save = vdev_virtio_save,
	.load = vdev_virtio_load,
};

/* ---- creation ---- */

static void set_identity(struct vdev_virtio *dev)
{
	struct vdev_config *c = &dev->fn.config;

	vdev_config_set(c, PCI_VENDOR_ID, 2, VENDOR);
	vdev_config_set(c, PCI_DEVICE_ID, 2, DEVICE_BASE + dev->type->id);
	vdev_config_set(c, PCI_CLASS_REVISION, 4, dev->type->class << 8 | 1);
	vdev_config_set(c, PCI_SUBSYSTEM_VENDOR_ID, 2, VENDOR);
	vdev_config_set(c, PCI_SUBSYSTEM_ID, 2, DEVICE_BASE + dev->type->id); /* >= 0x40 */
	vdev_config_set(c, PCI_INTERRUPT_PIN, 1, 1);
	vdev_config_allow(c, PCI_INTERRUPT_LINE, 1, 0xff);
	vdev_config_allow(c, PCI_CACHE_LINE_SIZE, 1, 0xff);
	vdev_config_allow(c, PCI_COMMAND, 2,
			  PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY |
				  PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE);
}

/* PCIe 6.0, 7.5.3: an endpoint, version 2, with function level reset, on a 16 GT/s x16 link. */
static void add_express(struct vdev_virtio *dev)
{
	struct vdev_config *c = &dev->fn.config;
	unsigned at = vdev_config_add_cap(c, PCI_CAP_ID_EXP, PCI_EXP_LNKSTA2 + 2 + 8);

	dev->cap_express = at;
	vdev_config_set(c, at + PCI_EXP_FLAGS, 2, PCI_EXP_TYPE_ENDPOINT << 4 | 2);
	vdev_config_set(c, at + PCI_EXP_DEVCAP, 4, PCI_EXP_DEVCAP_RBER | PCI_EXP_DEVCAP_FLR);
	vdev_config_set(c, at + PCI_EXP_DEVCTL, 2, DEVCTL_POWER_ON);
	vdev_config_allow(c, at + PCI_EXP_DEVCTL, 2, 0x7fff);
	vdev_config_set(c, at + PCI_EXP_LNKCAP, 4, 16u << 4 | 4u);
	vdev_config_set(c, at + PCI_EXP_LNKSTA, 2, 16u << 4 | 4u);
	vdev_config_set(c, at + PCI_EXP_LNKCAP2, 4, 0x1e); /* 2.5 to 16 GT/s */
}

/* 7.5.2: states D0 and D3hot, in which nothing is lost. */
static void add_power(struct vdev_config *c)
{
	unsigned at = vdev_config_add_cap(c, PCI_CAP_ID_PM, PCI_PM_SIZEOF);

	vdev_config_set(c, at + PCI_PM_PMC, 2, 3);
	vdev_config_set(c, at + PCI_PM_CTRL, 2, PCI_PM_CTRL_NO_SOFT_RESET);
	vdev_config_allow(c, at + PCI_PM_CTRL, 2, PCI_PM_CTRL_STATE_MASK);
}

/* 4.1.4: struct virtio_pci_cap, in `size` bytes. */
static unsigned add_part(struct vdev_config *c, uint8_t type, unsigned size, uint32_t offset,
			 uint32_t length)
{
	unsigned at = vdev_config_add_cap(c, PCI_CAP_ID_VNDR, size);

	vdev_config_set(c, at + VIRTIO_PCI_CAP_LEN, 1, size);
	vdev_config_set(c, at + VIRTIO_PCI_CAP_CFG_TYPE, 1, type);
	vdev_config_set(c, at + VIRTIO_PCI_CAP_BAR, 1, BAR);
	vdev_config_set(c, at + VIRTIO_PCI_CAP_OFFSET, 4, offset);
	vdev_config_set(c, at + VIRTIO_PCI_CAP_LENGTH, 4, length);
	return at;
}

static void add_parts(struct vdev_virtio *dev)
{
	struct vdev_config *c = &dev->fn.config;
	unsigned at;

	add_part(c, VIRTIO_PCI_CAP_COMMON_CFG, 16, 0, sizeof(struct common));
	add_part(c, VIRTIO_PCI_CAP_ISR_CFG, 16, ISR_OFFSET, 1);
	if (dev->type->config_size)
		add_part(c, VIRTIO_PCI_CAP_DEVICE_CFG, 16, DEVICE_OFFSET, dev->type->config_size);
	at = add_part(c, VIRTIO_PCI_CAP_NOTIFY_CFG, 20, NOTIFY_OFFSET, NOTIFY_STRIDE * dev->queues);
	vdev_config_set(c, at + VIRTIO_PCI_NOTIFY_CAP_MULT, 4, NOTIFY_STRIDE);
	at = add_part(c, VIRTIO_PCI_CAP_PCI_CFG, 20, 0, 0);
	vdev_config_allow(c, at + VIRTIO_PCI_CAP_BAR, 1, 0xff);
	vdev_config_allow(c, at + VIRTIO_PCI_CAP_OFFSET, 4, 0xffffffff);
	vdev_config_allow(c, at + VIRTIO_PCI_CAP_LENGTH, 4, 0xffffffff);
	vdev_config_allow(c, at + CAP_CFG_DATA, 4, 0xffffffff);
	dev->cap_pci_cfg = at;
}

int vdev_virtio_pci_init(struct vdev_virtio *dev)
{
	struct vdev_config *c = &dev->fn.config;

	set_identity(dev);
	add_express(dev);
	add_power(c);
	add_parts(dev);
	unsigned at = vdev_config_add_cap(c, PCI_CAP_ID_MSIX, PCI_CAP_MSIX_SIZEOF);
	vdev_config_set(c, at + PCI_MSIX_FLAGS, 2, dev->queues); /* one per queue and one more */
	vdev_config_set(c, at + PCI_MSIX_TABLE, 4, TABLE_OFFSET | BAR);
	vdev_config_set(c, at + PCI_MSIX_PBA, 4, PENDING_OFFSET | BAR);
	vdev_bar_define(&dev->fn, BAR, BAR_SIZE, true, true);
	return vdev_virtio_irq_init(dev, at);
}

void vdev_virtio_pci_finish(struct vdev_virtio *dev)
{
	static const uint64_t nowhere[VDEV_BARS];

	vdev_bars_move(&dev->fn, nowhere);
	vdev_virtio_irq_finish(dev);
}
