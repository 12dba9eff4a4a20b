/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * e1000e: an emulated Intel 82574L, the NIC that every common guest has a driver for.
 *
 * It is what a guest without virtio drivers gets, and what the other paths of a packet are measured
 * against: each of its doorbells is an exit to us, each frame is copied. The registers are in
 * e1000e_mac.c, PHY and EEPROM in e1000e_phy.c, interrupts in e1000e_irq.c, the two directions in
 * e1000e_rx.c and e1000e_tx.c. Here is the PCI function around them, and the thread that moves
 * frames; e1000e_dev.h tells which locks there are.
 *
 * Left out of the 82574: wake-up, manageability, the flash and I/O BARs, receive-side scaling (one
 * receive queue, no hash), time stamps.
 */
#include "vdev/e1000e.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/util.h"
#include "vdev/e1000e_dev.h"
#include "vdev/net_tap.h"

#define CLASS_ETHERNET 0x020000u
#define BAR_REGS       0u
#define BAR_MSIX       3u

static const struct vdev_function_ops e1000e_ops;

static struct vdev_e1000e *dev_of(struct vdev_function *fn)
{
	return container_of(fn, struct vdev_e1000e, fn);
}

/* ---- the I/O thread ---- */

void vdev_e1000e_kick(struct vdev_e1000e *dev)
{
	uint64_t one = 1;
	ssize_t n = write(dev->kick_fd, &one, sizeof(one));

	(void)n; /* full means that it is kicked already */
}

static void kick_event(void *opaque, uint32_t events)
{
	struct vdev_e1000e *dev = opaque;
	bool more = false;
	uint64_t count;

	(void)events;
	if (read(dev->kick_fd, &count, sizeof(count)) != sizeof(count))
		return;
	pthread_mutex_lock(&dev->data);
	for (unsigned ring = 0; ring < E1000E_TX_RINGS; ring++)
		more |= vdev_e1000e_transmit(dev, ring);
	vdev_e1000e_receive(dev);
	pthread_mutex_unlock(&dev->data);
	if (more)
		vdev_e1000e_kick(dev);
}

static void silence(void *opaque)
{
	struct vdev_e1000e *dev = opaque;

	vdev_e1000e_listen(dev, false);
	vdev_e1000e_irq_silence(dev);
	loop_remove(dev->kick_source);
	dev->kick_source = NULL;
}

static void wake(void *opaque)
{
	struct vdev_e1000e *dev = opaque;
	int err = vdev_e1000e_irq_listen(dev);

	if (!err && !dev->kick_source)
		err = loop_add(vdev_iothread_loop(dev->thread), dev->kick_fd, EPOLLIN, kick_event,
			       dev, &dev->kick_source);
	if (err < 0)
		log_warn(dev->name, "its thread cannot listen: %s; it moves nothing",
			 strerror(-err));
	vdev_e1000e_kick(dev); /* for what came meanwhile */
}

/* ---- BARs ---- */

static void regs_read(void *opaque, uint64_t offset, void *data, unsigned len)
{
	struct vdev_e1000e *dev = opaque;
	uint32_t value;

	/* Registers are 32 bits wide; a part of one is cut out of it. */
	for (unsigned done = 0; done < len;) {
		unsigned at = (unsigned)offset + done, skip = at & 3, n = MIN(4 - skip, len - done);

		value = vdev_e1000e_read(dev, at & ~3u);
		memcpy((uint8_t *)data + done, (const uint8_t *)&value + skip, n);
		done += n;
	}
}

static void regs_write(void *opaque, uint64_t offset, const void *data, unsigned len)
{
	struct vdev_e1000e *dev = opaque;
	uint32_t value;

	if (len < 4 || offset & 3)
		return;
	for (unsigned done = 0; done < len; done += 4) {
		memcpy(&value, (const uint8_t *)data + done, 4);
		vdev_e1000e_write(dev, (unsigned)offset + done, value);
	}
}

static const struct hv_region_ops regs_ops = {.read = regs_read, .write = regs_write};

static bool in_table(const struct vdev_e1000e *dev, uint64_t offset, unsigned len)
{
	return offset + len <= (uint64_t)dev->msix.count * PCI_MSIX_ENTRY_SIZE;
}

static void msix_read(void *opaque, uint64_t offset, void *data, unsigned len)
{
	struct vdev_e1000e *dev = opaque;

	memset(data, 0, len);
	if (in_table(dev, offset, len))
		vdev_msix_read(&dev->msix, offset, data, len);
	for (unsigned v = 0; offset == E1000E_PBA && v < E1000E_VECTORS; v++)
		if (vdev_e1000e_irq_pending(dev, v))
			*(uint8_t *)data |= (uint8_t)(1u << v);
}

static void msix_write(void *opaque, uint64_t offset, const void *data, unsigned len)
{
	struct vdev_e1000e *dev = opaque;

	if (in_table(dev, offset, len))
		vdev_e1000e_irq_table_write(dev, offset, data, len);
}

static const struct hv_region_ops msix_ops = {.read = msix_read, .write = msix_write};

static int bar_map(struct vdev_function *fn, unsigned index, uint64_t gpa)
{
	struct vdev_e1000e *dev = dev_of(fn);

	return hv_bus_add(dev->vm, HV_MMIO, dev->name, gpa, fn->bar[index].size,
			  index == BAR_REGS ? &regs_ops : &msix_ops, dev,
			  &dev->region[index == BAR_MSIX]);
}

static void bar_unmap(struct vdev_function *fn, unsigned index)
{
	struct vdev_e1000e *dev = dev_of(fn);

	hv_bus_remove(dev->vm, dev->region[index == BAR_MSIX]);
}

/* ---- configuration space ---- */

static uint32_t config_read(struct vdev_function *fn, unsigned offset, unsigned len)
{
	return vdev_config_get(&fn->config, offset, len);
}

static void config_write(struct vdev_function *fn, unsigned offset, unsigned len, uint32_t value)
{
	struct vdev_e1000e *dev = dev_of(fn);

	vdev_config_write(&fn->config, offset, len, value);
	if (vdev_config_hits(offset, len, PCI_COMMAND, 2) ||
	    vdev_config_hits(offset, len, PCI_BASE_ADDRESS_0, 4 * VDEV_BARS))
		vdev_bridge_update(fn->bridge);
	if (vdev_config_hits(offset, len, PCI_COMMAND, 2) ||
	    vdev_config_hits(offset, len, dev->msi.cap, vdev_msi_size(&dev->msi)) ||
	    vdev_config_hits(offset, len, dev->msix.cap, PCI_CAP_MSIX_SIZEOF))
		vdev_e1000e_irq_update(dev);
}

static void intx_eoi(struct vdev_function *fn)
{
	(void)fn; /* the line falls when the driver reads the causes, or masks them */
}

static void reset_function(struct vdev_function *fn)
{
	static const uint64_t nowhere[VDEV_BARS];
	struct vdev_e1000e *dev = dev_of(fn);
	struct vdev_config *c = &fn->config;

	vdev_bars_move(fn, nowhere);
	for (unsigned i = 0; i < VDEV_CONFIG_SIZE; i++)
		c->data[i] &= (uint8_t)~c->write[i];
	vdev_msix_reset(&dev->msix, c);
	vdev_e1000e_nvm_init(dev);
	vdev_e1000e_phy_reset(dev);
	vdev_e1000e_phy_follow(dev);
	vdev_e1000e_mac_reset(dev);
	vdev_e1000e_irq_update(dev);
}

/* PCIe 6.0, 7.5.3: an endpoint, version 1, on a 2.5 GT/s x1 link, as the 82574's is. */
static void add_express(struct vdev_config *c)
{
	unsigned at = vdev_config_add_cap(c, PCI_CAP_ID_EXP, PCI_CAP_EXP_ENDPOINT_SIZEOF_V1);

	vdev_config_set(c, at + PCI_EXP_FLAGS, 2, PCI_EXP_TYPE_ENDPOINT << 4 | 1);
	vdev_config_set(c, at + PCI_EXP_DEVCAP, 4, PCI_EXP_DEVCAP_RBER);
	vdev_config_allow(c, at + PCI_EXP_DEVCTL, 2, 0x7fff);
	vdev_config_set(c, at + PCI_EXP_LNKCAP, 4, 1u << 4 | 1u);
	vdev_config_set(c, at + PCI_EXP_LNKSTA, 2, 1u << 4 | 1u);
}

static int build(struct vdev_e1000e *dev)
{
	struct vdev_config *c = &dev->fn.config;
	unsigned at;

	vdev_config_set(c, PCI_VENDOR_ID, 2, E1000E_VENDOR);
	vdev_config_set(c, PCI_DEVICE_ID, 2, E1000E_DEVICE);
	vdev_config_set(c, PCI_CLASS_REVISION, 4, CLASS_ETHERNET << 8);
	vdev_config_set(c, PCI_SUBSYSTEM_VENDOR_ID, 2, E1000E_VENDOR);
	vdev_config_set(c, PCI_SUBSYSTEM_ID, 2, 0);
	vdev_config_set(c, PCI_INTERRUPT_PIN, 1, 1);
	vdev_config_allow(c, PCI_INTERRUPT_LINE, 1, 0xff);
	vdev_config_allow(c, PCI_CACHE_LINE_SIZE, 1, 0xff);
	vdev_config_allow(c, PCI_COMMAND, 2,
			  PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY |
				  PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE);
	at = vdev_config_add_cap(c, PCI_CAP_ID_MSI, PCI_MSI_DATA_64 + 2);
	vdev_config_set(c, at + PCI_MSI_FLAGS, 2, PCI_MSI_FLAGS_64BIT);
	vdev_msi_init(&dev->msi, c, at);
	add_express(c);
	at = vdev_config_add_cap(c, PCI_CAP_ID_MSIX, PCI_CAP_MSIX_SIZEOF);
	vdev_config_set(c, at + PCI_MSIX_FLAGS, 2, E1000E_VECTORS - 1);
	vdev_config_set(c, at + PCI_MSIX_TABLE, 4, BAR_MSIX);
	vdev_config_set(c, at + PCI_MSIX_PBA, 4, E1000E_PBA | BAR_MSIX);
	vdev_bar_define(&dev->fn, BAR_REGS, E1000E_BAR_SIZE, false, false);
	vdev_bar_define(&dev->fn, BAR_MSIX, E1000E_MSIX_SIZE, false, false);
	return vdev_msix_init(&dev->msix, c, at);
}

/* ---- standing still ---- */

static int quiesce(struct vdev_function *fn)
{
	struct vdev_e1000e *dev = dev_of(fn);

	if (!dev->quiet)
		vdev_iothread_call(dev->thread, silence, dev);
	dev->quiet = true;
	return 0;
}

static void resume(struct vdev_function *fn)
{
	struct vdev_e1000e *dev = dev_of(fn);

	if (dev->quiet)
		vdev_iothread_call(dev->thread, wake, dev);
	dev->quiet = false;
}

static void save(struct vdev_function *fn, struct state *s)
{
	struct vdev_e1000e *dev = dev_of(fn);
	uint32_t reg[ARRAY_SIZE(dev->reg)];

	for (unsigned i = 0; i < ARRAY_SIZE(reg); i++)
		reg[i] = e1000e_get(dev, 4 * i);
	state_put_bytes(s, "registers", reg, sizeof(reg));
	state_put_bytes(s, "phy", dev->phy, sizeof(dev->phy));
	state_put_bytes(s, "nvm", dev->nvm, sizeof(dev->nvm));
	state_put(s, "cable", dev->cable);
	vdev_e1000e_tx_save(dev, s);
	vdev_e1000e_irq_save(dev, s);
}

/* Whatever is in a file, each register holds what a guest could have put there. */
static int load(struct vdev_function *fn, struct state *s)
{
	struct vdev_e1000e *dev = dev_of(fn);
	uint32_t reg[ARRAY_SIZE(dev->reg)] = {0};

	state_take_bytes(s, "registers", reg, sizeof(reg));
	for (unsigned i = 0; i < ARRAY_SIZE(reg); i++) {
		unsigned at = 4 * i;
		bool result = at == E1000E_MDIC || at == E1000E_EERD || at == E1000E_EEWR;

		e1000e_set(dev, at, result ? reg[i] : vdev_e1000e_possible(at, reg[i]));
	}
	state_take_bytes(s, "phy", dev->phy, sizeof(dev->phy));
	state_take_bytes(s, "nvm", dev->nvm, sizeof(dev->nvm));
	dev->cable = state_take(s, "cable", 1);
	dev->held = 0;
	vdev_e1000e_phy_follow(dev);
	vdev_e1000e_tx_load(dev, s);
	vdev_e1000e_irq_load(dev, s);
	return state_error(s);
}

/* ---- life ---- */

static void destroy(struct vdev_function *fn)
{
	vdev_e1000e_destroy(dev_of(fn));
}

static const struct vdev_function_ops e1000e_ops = {
	.config_read = config_read,
	.config_write = config_write,
	.bar_map = bar_map,
	.bar_unmap = bar_unmap,
	.intx_eoi = intx_eoi,
	.reset = reset_function,
	.destroy = destroy,
	.quiesce = quiesce,
	.resume = resume,
	.save = save,
	.load = load,
};

static struct vdev_e1000e *alloc(const struct vdev_net_config *config)
{
	struct vdev_e1000e *dev = calloc(1, sizeof(*dev));

	if (dev)
		dev->name = strdup(config->name);
	if (!dev || !dev->name) {
		free(dev);
		return NULL;
	}
	dev->tap = config->tap[0];
	dev->kick_fd = dev->irq.timer = dev->irq.line_fd = -1;
	for (unsigned v = 0; v <= E1000E_MSI; v++)
		dev->vector[v] = VDEV_VECTOR_NONE;
	memcpy(dev->mac, config->mac, sizeof(dev->mac));
	dev->cable = true;
	pthread_mutex_init(&dev->data, NULL);
	pthread_mutex_init(&dev->irq.lock, NULL);
	return dev;
}

static int set_up(struct vdev_e1000e *dev)
{
	char name[64];
	int err = vdev_net_tap_init(dev->name, &dev->tap, 1);

	if (!err)
		err = build(dev);
	dev->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!err && dev->kick_fd < 0)
		err = log_fail(-errno, dev->name, "no descriptor for it: %s", strerror(errno));
	if (!err)
		err = vdev_e1000e_irq_init(dev);
	snprintf(name, sizeof(name), "%.32s/q0", dev->name);
	return err ? err : vdev_iothread_create(dev->vm, name, &dev->thread);
}

int vdev_e1000e_create(struct hv_vm *vm, struct loop *loop, const struct vdev_net_config *config,
		       struct vdev_e1000e **out)
{
	struct vdev_e1000e *dev = alloc(config);

	if (!dev)
		return log_fail(-ENOMEM, config->name, "no memory for it");
	dev->fn.name = dev->name;
	dev->fn.ops = &e1000e_ops;
	dev->vm = vm;
	dev->loop = loop;
	int err = set_up(dev);
	if (err < 0) {
		vdev_e1000e_destroy(dev);
		return err;
	}
	vdev_e1000e_nvm_init(dev);
	vdev_e1000e_phy_reset(dev);
	vdev_e1000e_phy_follow(dev);
	vdev_e1000e_mac_reset(dev);
	vdev_iothread_call(dev->thread, wake, dev);
	*out = dev;
	return 0;
}

void vdev_e1000e_destroy(struct vdev_e1000e *dev)
{
	static const uint64_t nowhere[VDEV_BARS];

	if (!dev)
		return;
	if (dev->thread)
		vdev_iothread_call(dev->thread, silence, dev);
	vdev_iothread_destroy(dev->thread);
	vdev_bars_move(&dev->fn, nowhere);
	if (dev->fn.bridge)
		vdev_host_intx_set(&dev->fn, false);
	vdev_e1000e_irq_finish(dev);
	io_close(&dev->kick_fd);
	pthread_mutex_destroy(&dev->irq.lock);
	pthread_mutex_destroy(&dev->data);
	free(dev->name);
	free(dev);
}

struct vdev_function *vdev_e1000e_function(struct vdev_e1000e *dev)
{
	return &dev->fn;
}

struct vdev_e1000e *vdev_e1000e_of(struct vdev_function *fn)
{
	return fn && fn->ops == &e1000e_ops ? dev_of(fn) : NULL;
}

void vdev_e1000e_set_link(struct vdev_e1000e *dev, bool up)
{
	dev->cable = up;
	vdev_e1000e_phy_follow(dev);
}

static void fill(struct vdev_net_traffic *out, const struct vdev_net_counts *counts)
{
	out->packets = atomic_load_explicit(&counts->packets, memory_order_relaxed);
	out->bytes = atomic_load_explicit(&counts->bytes, memory_order_relaxed);
	out->drops = atomic_load_explicit(&counts->drops, memory_order_relaxed);
}

void vdev_e1000e_fill_stat(struct vdev_e1000e *dev, struct vdev_net_stat *out)
{
	uint32_t low = e1000e_get(dev, E1000E_RAL), high = e1000e_get(dev, E1000E_RAH);

	*out = (struct vdev_net_stat){
		.name = dev->name,
		.backend = "emulated",
		.mac = {(uint8_t)low, (uint8_t)(low >> 8), (uint8_t)(low >> 16),
			(uint8_t)(low >> 24), (uint8_t)high, (uint8_t)(high >> 8)},
		.pairs = 1,
		.pairs_used = e1000e_get(dev, E1000E_TCTL) & E1000E_TCTL_EN ? 1 : 0,
		.up = atomic_load(&dev->link),
	};
	fill(&out->received, &dev->received);
	fill(&out->sent, &dev->sent);
}
