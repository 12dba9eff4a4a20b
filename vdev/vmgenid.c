/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmgenid: a number of 128 bits that is another one whenever the guest goes on from a saved state
 * ("Virtual Machine Generation ID", Microsoft 2012; Linux, drivers/virt/vmgenid.c): a restored
 * guest and each clone would otherwise make the same random numbers, keys and session cookies.
 *
 * The number stands at the start of a page of its own, outside of RAM, that the guest may read
 * only; so it is no part of what is saved, and a guest's reset leaves it alone. ACPI tells where it
 * is, and an event that it has changed.
 */
#include "vdev/vmgenid.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/log.h"
#include "base/util.h"

#define PAGE (4 * KIB)

struct vdev_vmgenid {
	struct hv_vm *vm;
	void *page;
	unsigned slot;
};

int vdev_vmgenid_create(struct hv_vm *vm, const uint8_t id[VDEV_VMGENID_SIZE],
			struct vdev_vmgenid **out)
{
	struct vdev_vmgenid *g = calloc(1, sizeof(*g));
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int err = g && page != MAP_FAILED ? 0 : -ENOMEM;

	if (err) {
		log_fail(err, hv_vm_name(vm), "no memory for its generation ID");
	} else {
		memcpy(page, id, VDEV_VMGENID_SIZE);
		*g = (struct vdev_vmgenid){.vm = vm, .page = page};
		err = hv_mem_map_device(vm, VDEV_VMGENID_GPA, PAGE, page, true, &g->slot);
	}
	if (!err) {
		*out = g;
		return 0;
	}
	if (page != MAP_FAILED)
		munmap(page, PAGE);
	free(g);
	return err;
}

void vdev_vmgenid_destroy(struct vdev_vmgenid *g)
{
	if (!g)
		return;
	hv_mem_unmap_device(g->vm, g->slot);
	munmap(g->page, PAGE);
	free(g);
}
