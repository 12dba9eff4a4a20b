/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pci_state: the PCIe fabric standing still, saved and put back.
 *
 * Of a configuration space only what a guest can change is taken from a saved state: the bits of
 * the masks. What is fixed (identity, sizes, capabilities) must be there already, because the same
 * devices were put in. BARs and windows are registers like any other; mapping follows from them.
 */
#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "vdev/pci.h"
#include "vdev/vdev.h"

/* Every function: the host bridge, then each root port and what is behind it. NULL at the end. */
static struct vdev_function *nth(struct vdev_host *host, unsigned n)
{
	if (n == 0)
		return &host->root;
	unsigned slot = (n - 1) / 2 + 1;

	if (slot > host->bridges)
		return NULL;
	struct vdev_bridge *b = host->bridge[slot];

	if (!b)
		return NULL;
	return (n - 1) % 2 ? b->child : &b->fn;
}

static unsigned limit(const struct vdev_host *host)
{
	return 1 + 2 * host->bridges;
}

static void resume_until(struct vdev_host *host, unsigned end)
{
	while (end-- > 0) {
		struct vdev_function *fn = nth(host, end);

		if (fn && fn->ops->resume)
			fn->ops->resume(fn);
	}
}

int vdev_host_quiesce(struct vdev_host *host)
{
	for (unsigned i = 0; i < limit(host); i++) {
		struct vdev_function *fn = nth(host, i);
		int err = fn && fn->ops->quiesce ? fn->ops->quiesce(fn) : 0;

		if (err) {
			resume_until(host, i);
			return err;
		}
	}
	return 0;
}

void vdev_host_resume(struct vdev_host *host)
{
	resume_until(host, limit(host));
}

const struct vdev_function *vdev_host_unsavable(struct vdev_host *host, const char **why)
{
	for (unsigned i = 0; i < limit(host); i++) {
		const struct vdev_function *fn = nth(host, i);

		*why = fn && fn->ops->unsavable ? fn->ops->unsavable(fn) : NULL;
		if (*why)
			return fn;
	}
	return NULL;
}

/* ---- saving ---- */

static uint32_t identity(const struct vdev_function *fn)
{
	return vdev_config_get(&fn->config, PCI_VENDOR_ID, 4);
}

void vdev_config_save(const struct vdev_config *config, struct state *s)
{
	state_put_bytes(s, "config", config->data, sizeof(config->data));
}

void vdev_host_save(struct vdev_host *host, struct state *s)
{
	state_put(s, "ports", host->bridges);
	for (unsigned i = 0; i < limit(host); i++) {
		struct vdev_function *fn = nth(host, i);
		struct state *part = fn ? state_item(s, "function", i) : NULL;

		if (!fn)
			continue;
		state_put(part, "id", identity(fn));
		vdev_config_save(&fn->config, part);
		state_put(part, "intx", fn->intx_asserted);
		if (fn->ops->save)
			fn->ops->save(fn, part);
	}
}

/* ---- loading ---- */

void vdev_config_load(struct vdev_config *config, struct state *s)
{
	uint8_t saved[VDEV_CONFIG_SIZE];

	state_take_bytes(s, "config", saved, sizeof(saved));
	if (state_error(s))
		return;
	for (unsigned i = 0; i < VDEV_CONFIG_SIZE; i++) {
		uint8_t mask = config->write[i] | config->clear[i];

		config->data[i] = (uint8_t)((config->data[i] & ~mask) | (saved[i] & mask));
	}
}

static struct state *open_part(struct vdev_host *host, unsigned i, struct state *s)
{
	const struct vdev_function *fn = nth(host, i);
	struct state *part = state_open_item(s, "function", i);
	uint32_t id = (uint32_t)state_take(part, "id", UINT32_MAX);

	if (!state_error(s) && id != identity(fn))
		state_refuse(part, -EINVAL, "the VM has another device in this place");
	return part;
}

static bool has_part(const struct state *s, unsigned i)
{
	char name[24];

	snprintf(name, sizeof(name), "function%u", i);
	return state_has(s, name);
}

/* Of port n, number 2n-1 is the port and 2n what is behind it: see nth. */
uint32_t vdev_machine_gaps(const struct state *pci, unsigned ports)
{
	uint32_t gaps = 0;

	for (unsigned slot = 1; slot <= ports && slot < VDEV_SLOTS; slot++)
		if (!has_part(pci, 2 * slot))
			gaps |= UINT32_C(1) << slot;
	return gaps;
}

/* A slot is empty in the saved state too. */
static bool lacks(struct state *s, unsigned i)
{
	if (has_part(s, i))
		state_refuse(s, -EINVAL, "a device that the VM had is missing");
	return !state_error(s);
}

/* Registers of all functions first: where a BAR answers depends on its bridge too. */
static void load_registers(struct vdev_host *host, struct state *s)
{
	for (unsigned i = 0; i < limit(host) && !state_error(s); i++) {
		struct vdev_function *fn = nth(host, i);

		if (!fn && !lacks(s, i))
			return;
		if (!fn)
			continue;
		struct state *part = open_part(host, i, s);
		vdev_config_load(&fn->config, part);
		fn->intx_asserted = state_take(part, "intx", 1);
	}
}

int vdev_host_load(struct vdev_host *host, struct state *s)
{
	/* A device that was detached has left an empty port behind. */
	unsigned ports = (unsigned)state_take(s, "ports", VDEV_SLOTS - 1);
	if (!state_error(s) && (ports < host->bridges || vdev_host_add_ports(host, ports)))
		state_refuse(s, -EINVAL, "the VM has another number of devices");
	load_registers(host, s);
	if (state_error(s))
		return state_error(s);
	for (unsigned slot = 1; slot <= host->bridges; slot++) {
		vdev_slot_loaded(host->bridge[slot]);
		vdev_bridge_update(host->bridge[slot]);
	}
	for (unsigned i = 0; i < limit(host); i++) {
		struct vdev_function *fn = nth(host, i);
		struct state *part = fn && fn->ops->load ? state_open_item(s, "function", i) : NULL;
		int err = part ? fn->ops->load(fn, part) : 0;

		if (err)
			return err;
	}
	return state_error(s);
}
