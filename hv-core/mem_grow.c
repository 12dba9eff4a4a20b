/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mem_grow: RAM that comes and goes while the guest runs, in blocks.
 *
 * It has its addresses from the start, in the guest and in this process, and pages of the host only
 * where a block is in. Each block that is in is a memory slot of the engine: what is not in does
 * not exist for the guest's CPUs, whatever the guest was told or pretends. Devices of ours find no
 * pointer to it (hv_mem_ptr); a device of the host finds it in no table. The kernel's vhost alone
 * is told of the whole, once: a guest may thereby spend pages up to the size that it may grow to.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "hv-core/mem.h"
#include "hv-core/vm.h"

static int check(const char *subject, const struct hv_config *config)
{
	if (config->pages == HV_PAGES_2M || config->pages == HV_PAGES_1G)
		return log_fail(
			-ENOTSUP, subject,
			"not created: memory that grows cannot be made of huge pages, which "
			"the host would have to set aside for all of it; use pages=thp");
	if (config->share_ram)
		return log_fail(-ENOTSUP, subject,
				"not created: memory that grows cannot be shared with another "
				"process, such as a vhost-user switch");
	if (!IS_ALIGNED(config->ram, 2 * MIB))
		return log_fail(-EINVAL, subject,
				"not created: memory that grows begins at a multiple of 2 MiB");
	return 0;
}

int hv_mem_grow_create(struct hv_vm *vm, const struct hv_config *config, const struct sysfs *sys)
{
	struct hv_mem_growable *g = &vm->mem.grow;
	struct hv_ram_file file = {.fd = -1};
	struct hv_config part = *config;

	part.ram = hv_mem_growth_size(config->ram, config->ram_max);
	part.node_count = 0; /* the nodes are those of the RAM that is always there */
	if (!part.ram)
		return 0;
	int rc = check(vm->subject, config);
	if (rc < 0)
		return rc;
	if (config->ram_file) { /* behind the rest, and holes where nothing was */
		file = *config->ram_file;
		file.offset += config->ram;
		part.ram_file = &file;
	}
	rc = hv_mem_back(vm->subject, &part, sys, &g->back);
	if (rc < 0)
		return rc;
	g->block = hv_mem_block_size(config->ram_max - config->ram);
	vm->mem.block[vm->mem.blocks++] = (struct hv_ram_block){
		.gpa = vm->mem.layout.grow.start,
		.size = part.ram,
		.hva = g->back.hva,
		.fd = g->back.fd,
		.grows = true,
	};
	return 0;
}

void hv_mem_grow_destroy(struct hv_vm *vm)
{
	if (vm->mem.grow.block)
		hv_mem_unback(&vm->mem.grow.back);
}

/* Its blocks [*first, *end); false unless it is whole blocks of it. */
static bool find(const struct hv_vm *vm, uint64_t gpa, uint64_t len, unsigned *first, unsigned *end)
{
	const struct hv_mem_growable *g = &vm->mem.grow;
	uint64_t start = vm->mem.layout.grow.start;

	if (!g->block || gpa < start || gpa - start >= g->back.size || !len ||
	    len > g->back.size - (gpa - start) || !IS_ALIGNED((gpa - start) | len, g->block))
		return false;
	*first = (unsigned)((gpa - start) / g->block);
	*end = *first + (unsigned)(len / g->block);
	return true;
}

static void take_out(struct hv_vm *vm, unsigned block)
{
	struct hv_mem_growable *g = &vm->mem.grow;
	void *hva = (uint8_t *)g->back.hva + block * g->block;

	atomic_store(&g->in[block], false);
	hv_mem_unmap_device(vm, g->slot[block]);
	int rc = hv_mem_discard(vm, hva, g->block);
	if (rc < 0)
		log_warn(vm->subject, "a block of memory does not go back to the host: %s",
			 strerror(-rc));
}

static int put_in(struct hv_vm *vm, unsigned block)
{
	struct hv_mem_growable *g = &vm->mem.grow;
	void *hva = (uint8_t *)g->back.hva + block * g->block;
	int rc = hv_mem_map_device(vm, vm->mem.layout.grow.start + block * g->block, g->block, hva,
				   false, &g->slot[block]);

	if (rc == 0)
		atomic_store(&g->in[block], true);
	return rc;
}

/* ---- hv.h ---- */

bool hv_mem_growth(const struct hv_vm *vm, struct hv_mem_growth *out)
{
	const struct hv_mem_growable *g = &vm->mem.grow;

	*out = (struct hv_mem_growth){
		.gpa = vm->mem.layout.grow.start,
		.size = g->back.size,
		.block = g->block,
		.hva = g->back.hva,
	};
	return g->block != 0;
}

uint64_t hv_mem_grown(const struct hv_vm *vm, uint64_t gpa, uint64_t len)
{
	unsigned first, end;
	uint64_t sum = 0;

	if (!find(vm, gpa, len, &first, &end))
		return 0;
	for (unsigned i = first; i < end; i++)
		if (atomic_load(&vm->mem.grow.in[i]))
			sum += vm->mem.grow.block;
	return sum;
}

bool hv_mem_there(const struct hv_vm *vm, uint64_t gpa, uint64_t len)
{
	const struct hv_mem_growable *g = &vm->mem.grow;
	uint64_t at = gpa - vm->mem.layout.grow.start;

	if (!len || at >= g->back.size || len > g->back.size - at)
		return false;
	for (uint64_t i = at / g->block; i <= (at + len - 1) / g->block; i++)
		if (!atomic_load(&g->in[i]))
			return false;
	return true;
}

int hv_mem_grow(struct hv_vm *vm, uint64_t gpa, uint64_t len)
{
	unsigned first, end;
	int rc = 0;

	if (!find(vm, gpa, len, &first, &end))
		return -EINVAL;
	if (hv_mem_grown(vm, gpa, len))
		return -EEXIST;
	for (unsigned i = first; i < end && rc == 0; i++) {
		rc = put_in(vm, i);
		while (rc < 0 && i-- > first)
			take_out(vm, i);
	}
	return rc;
}

int hv_mem_shrink(struct hv_vm *vm, uint64_t gpa, uint64_t len)
{
	unsigned first, end;

	if (!find(vm, gpa, len, &first, &end))
		return -EINVAL;
	if (hv_mem_grown(vm, gpa, len) != len)
		return -ENOENT;
	for (unsigned i = first; i < end; i++)
		take_out(vm, i);
	return 0;
}
