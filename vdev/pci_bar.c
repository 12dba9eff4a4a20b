/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pci_bar: base address registers (PCIe 6.0, 7.5.1.2.1) and the moves they cause.
 *
 * A BAR answers at one guest address or nowhere. Whatever changes that (the register itself, the
 * decode bits of the function or its bridge, the bridge's windows) ends in one call with the
 * wanted addresses. All BARs that move leave their old place before any takes its new one, so that
 * two may swap. One that cannot be mapped returns to where it was, and its register says so.
 */
#include <string.h>

#include "base/log.h"
#include "vdev/pci.h"

static unsigned bar_offset(unsigned index)
{
	return PCI_BASE_ADDRESS_0 + 4 * index;
}

void vdev_bar_define(struct vdev_function *fn, unsigned index, uint64_t size, bool is64,
		     bool prefetch)
{
	uint64_t mask = ~(size - 1) & ~UINT64_C(15);
	uint32_t flags = (is64 ? (uint32_t)PCI_BASE_ADDRESS_MEM_TYPE_64 : 0u) |
			 (prefetch ? (uint32_t)PCI_BASE_ADDRESS_MEM_PREFETCH : 0u);

	fn->bar[index] = (struct vdev_bar){.size = size, .is64 = is64, .prefetch = prefetch};
	vdev_config_set(&fn->config, bar_offset(index), 4, flags);
	vdev_config_allow(&fn->config, bar_offset(index), 4, (uint32_t)mask);
	if (!is64)
		return;
	vdev_config_set(&fn->config, bar_offset(index + 1), 4, 0);
	vdev_config_allow(&fn->config, bar_offset(index + 1), 4, (uint32_t)(mask >> 32));
}

uint64_t vdev_bar_address(const struct vdev_function *fn, unsigned index)
{
	uint64_t low = vdev_config_get(&fn->config, bar_offset(index), 4) & ~UINT32_C(15);
	uint64_t high =
		fn->bar[index].is64 ? vdev_config_get(&fn->config, bar_offset(index + 1), 4) : 0;

	return high << 32 | low;
}

void vdev_bar_set_address(struct vdev_function *fn, unsigned index, uint64_t address)
{
	uint32_t flags = vdev_config_get(&fn->config, bar_offset(index), 4) & 15u;

	vdev_config_set(&fn->config, bar_offset(index), 4, (uint32_t)address | flags);
	if (fn->bar[index].is64)
		vdev_config_set(&fn->config, bar_offset(index + 1), 4, (uint32_t)(address >> 32));
}

/* Once per function: the guest decides how often it happens. */
static void complain(struct vdev_function *fn, unsigned index, uint64_t target, int err)
{
	if (!fn->complained)
		log_warn(fn->name,
			 "BAR %u cannot be mapped at 0x%llx, where the guest wants it: %s", index,
			 (unsigned long long)target, strerror(-err));
	fn->complained = true;
}

static void place(struct vdev_function *fn, unsigned index, uint64_t target, uint64_t old)
{
	struct vdev_bar *bar = &fn->bar[index];
	int err = fn->ops->bar_map(fn, index, target);

	if (!err) {
		bar->gpa = target;
		return;
	}
	complain(fn, index, target, err);
	if (old && !fn->ops->bar_map(fn, index, old)) {
		bar->gpa = old;
		vdev_bar_set_address(fn, index, old);
	}
}

void vdev_bars_move(struct vdev_function *fn, const uint64_t target[VDEV_BARS])
{
	uint64_t old[VDEV_BARS];

	for (unsigned i = 0; i < VDEV_BARS; i++) {
		old[i] = fn->bar[i].gpa;
		if (!old[i] || old[i] == target[i])
			continue;
		fn->ops->bar_unmap(fn, i);
		fn->bar[i].gpa = 0;
	}
	for (unsigned i = 0; i < VDEV_BARS; i++)
		if (target[i] && target[i] != fn->bar[i].gpa)
			place(fn, i, target[i], old[i]);
}
