/* SPDX-License-Identifier: BSD-3-Clause */
/* fake_hv: see fake_hv.h. */
#include "tests/fakes/fake_hv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/util.h"

struct hv_vm *fake_hv_create(void)
{
	struct hv_vm *vm = calloc(1, sizeof(*vm));

	if (!vm)
		abort();
	for (unsigned i = 0; i < FAKE_ROUTES; i++)
		vm->route[i].eventfd = -1;
	vm->block[0] = (struct hv_ram_block){.size = sizeof(vm->ram), .hva = vm->ram, .fd = -1};
	vm->blocks = 1;
	return vm;
}

void fake_hv_add_ram(struct hv_vm *vm)
{
	for (unsigned i = 0; i < 2; i++) {
		void *hva = mmap(NULL, FAKE_RAM / 2, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (hva == MAP_FAILED)
			abort();
		vm->block[vm->blocks++] = (struct hv_ram_block){
			.gpa = FAKE_RAM_GPA + i * (FAKE_RAM / 2),
			.size = FAKE_RAM / 2,
			.hva = hva,
			.fd = -1,
		};
	}
}

void fake_hv_share_ram(struct hv_vm *vm)
{
	for (size_t i = 0; i < vm->blocks; i++) {
		struct hv_ram_block *b = &vm->block[i];

		b->fd = memfd_create("guest-ram", MFD_CLOEXEC);
		b->offset = 4096 * (i + 1);
		if (b->hva == vm->ram)
			b->hva = NULL;
		if (b->fd < 0 || ftruncate(b->fd, (off_t)(b->offset + b->size)) < 0)
			abort();
		b->hva = mmap(b->hva, b->size, PROT_READ | PROT_WRITE,
			      MAP_SHARED | (b->hva ? MAP_FIXED : 0), b->fd, (off_t)b->offset);
		if (b->hva == MAP_FAILED)
			abort();
	}
}

void fake_hv_destroy(struct hv_vm *vm)
{
	for (size_t i = 0; i < vm->blocks; i++) {
		if (vm->block[i].hva != vm->ram)
			munmap(vm->block[i].hva, vm->block[i].size);
		if (vm->block[i].fd >= 0)
			close(vm->block[i].fd);
	}
	free(vm);
}

void hv_vm_thread_begin(const struct hv_vm *vm, enum hv_thread kind)
{
	(void)vm, (void)kind;
}

const char *hv_vm_name(const struct hv_vm *vm)
{
	(void)vm;
	return "test";
}

unsigned hv_vm_cpus(const struct hv_vm *vm)
{
	(void)vm;
	return FAKE_CPUS;
}

/* Tables whose first byte is the number of ECAM's place, by which a test knows them. */
int hv_acpi_blob_build(const struct hv_vm *vm, const struct hv_acpi_config *config, uint64_t ecam,
		       struct hv_acpi_blob *out)
{
	(void)vm;
	(void)config;
	*out = (struct hv_acpi_blob){calloc(1, 36), calloc(1, 64), calloc(1, 128), 36, 64, 128};
	if (!out->rsdp || !out->tables || !out->script)
		abort();
	out->tables[0] = (uint8_t)(ecam >> 28);
	return 0;
}

void hv_acpi_blob_free(struct hv_acpi_blob *blob)
{
	free(blob->rsdp);
	free(blob->tables);
	free(blob->script);
}

void hv_vm_end(struct hv_vm *vm, enum hv_end end)
{
	if (vm->end == HV_END_NONE)
		vm->end = end;
}

void hv_vm_event(struct hv_vm *vm, const struct hv_event *event)
{
	vm->event = event->what;
}

/* ---- guest time: it does not stop here, but a test can move it ---- */

struct hv_timer {
	struct hv_vm *vm;
	struct deadline *deadline;
};

void fake_hv_age(struct hv_vm *vm, uint64_t ns)
{
	vm->age += ns;
}

uint64_t hv_clock_now(const struct hv_vm *vm)
{
	return deadline_now() + vm->age;
}

int hv_timer_create(struct hv_vm *vm, struct loop *loop, void (*fn)(void *opaque), void *opaque,
		    struct hv_timer **out)
{
	struct hv_timer *t = calloc(1, sizeof(*t));

	if (!t)
		abort();
	t->vm = vm;
	*out = t;
	return deadline_create(loop, fn, opaque, &t->deadline);
}

void hv_timer_destroy(struct hv_timer *t)
{
	if (t)
		deadline_destroy(t->deadline);
	free(t);
}

void hv_timer_set(struct hv_timer *t, uint64_t at)
{
	deadline_set(t->deadline, at ? MAX(at - MIN(at, t->vm->age), UINT64_C(1)) : 0);
}

void hv_device_lock(struct hv_vm *vm)
{
	if (vm->locked++)
		abort(); /* it is not recursive */
}

void hv_device_unlock(struct hv_vm *vm)
{
	vm->locked--;
}

void hv_mem_layout(const struct hv_vm *vm, struct hv_mem_layout *out)
{
	(void)vm;
	*out = (struct hv_mem_layout){
		.low_ram = {0, 4095},
		.high_ram = {1, 0},
		.pci32 = {0xc0000000, 0xdfffffff},
		.ecam = {0xe0000000, 0xefffffff},
		.pci64 = {0x1000000000, 0x1fffffffff},
	};
}

size_t hv_mem_blocks(const struct hv_vm *vm, const struct hv_ram_block **out)
{
	*out = vm->block;
	return vm->blocks;
}

void *hv_mem_ptr(const struct hv_vm *vm, uint64_t gpa, uint64_t len)
{
	for (size_t i = 0; i < vm->blocks; i++) {
		const struct hv_ram_block *b = &vm->block[i];

		if (gpa >= b->gpa && len <= b->size && gpa - b->gpa <= b->size - len &&
		    (!b->grows || hv_mem_there(vm, gpa, len)))
			return (uint8_t *)b->hva + (gpa - b->gpa);
	}
	return NULL;
}

/* ---- memory that grows: the last block, once fake_hv_add_growth was called ---- */

void fake_hv_add_growth(struct hv_vm *vm)
{
	void *hva =
		mmap(NULL, FAKE_GROWTH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (hva == MAP_FAILED)
		abort();
	vm->growth = (struct hv_mem_growth){
		.gpa = FAKE_GROWTH_GPA, .size = FAKE_GROWTH, .block = FAKE_BLOCK, .hva = hva};
	vm->block[vm->blocks++] = (struct hv_ram_block){
		.gpa = FAKE_GROWTH_GPA, .size = FAKE_GROWTH, .hva = hva, .fd = -1, .grows = true};
}

bool hv_mem_growth(const struct hv_vm *vm, struct hv_mem_growth *out)
{
	*out = vm->growth;
	return vm->growth.block != 0;
}

/* Whoever asks has checked already: an index beyond the blocks is the caller's mistake. */
static unsigned growth_index(const struct hv_vm *vm, uint64_t gpa, uint64_t len)
{
	uint64_t at = gpa - vm->growth.gpa;

	if (!vm->locked || at > vm->growth.size || len > vm->growth.size - at || !len ||
	    (at | len) % FAKE_BLOCK)
		abort();
	return (unsigned)(at / FAKE_BLOCK);
}

uint64_t hv_mem_grown(const struct hv_vm *vm, uint64_t gpa, uint64_t len)
{
	unsigned first = growth_index(vm, gpa, len);
	uint64_t sum = 0;

	for (unsigned i = first; i < first + len / FAKE_BLOCK; i++)
		sum += vm->grown[i] ? FAKE_BLOCK : 0;
	return sum;
}

bool hv_mem_there(const struct hv_vm *vm, uint64_t gpa, uint64_t len)
{
	for (uint64_t at = gpa - vm->growth.gpa;
	     len && at / FAKE_BLOCK <= (gpa - vm->growth.gpa + len - 1) / FAKE_BLOCK;
	     at += FAKE_BLOCK)
		if (at >= vm->growth.size || !vm->grown[at / FAKE_BLOCK])
			return false;
	return len;
}

int hv_mem_grow(struct hv_vm *vm, uint64_t gpa, uint64_t len)
{
	unsigned first = growth_index(vm, gpa, len);

	if (hv_mem_grown(vm, gpa, len))
		return -EEXIST;
	for (unsigned i = first; i < first + len / FAKE_BLOCK; i++)
		vm->grown[i] = true;
	return 0;
}

int hv_mem_shrink(struct hv_vm *vm, uint64_t gpa, uint64_t len)
{
	unsigned first = growth_index(vm, gpa, len);

	if (hv_mem_grown(vm, gpa, len) != len)
		return -ENOENT;
	for (unsigned i = first; i < first + len / FAKE_BLOCK; i++)
		vm->grown[i] = false;
	return 0;
}

int hv_mem_read(const struct hv_vm *vm, uint64_t gpa, void *buf, uint64_t len)
{
	const void *at = hv_mem_ptr(vm, gpa, len);

	if (!at)
		return -EFAULT;
	memcpy(buf, at, len);
	return 0;
}

int hv_mem_write(struct hv_vm *vm, uint64_t gpa, const void *buf, uint64_t len)
{
	void *at = hv_mem_ptr(vm, gpa, len);

	if (!at)
		return -EFAULT;
	memcpy(at, buf, len);
	return 0;
}

static bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return range_overlaps((struct range){a, a + a_size - 1}, (struct range){b, b + b_size - 1});
}

int hv_mem_map_device(struct hv_vm *vm, uint64_t gpa, uint64_t size, void *hva, bool read_only,
		      unsigned *slot)
{
	if (((gpa | size | (uintptr_t)hva) & 4095) || !size)
		return -EINVAL;
	if (vm->refuse_gpa && gpa == vm->refuse_gpa)
		return -EEXIST;
	for (unsigned i = 0; i < FAKE_SLOTS; i++)
		if (vm->slot[i].used && overlap(vm->slot[i].gpa, vm->slot[i].size, gpa, size))
			return -EEXIST;
	for (unsigned i = 0; i < FAKE_SLOTS; i++) {
		if (vm->slot[i].used)
			continue;
		vm->slot[i].used = true;
		vm->slot[i].gpa = gpa;
		vm->slot[i].read_only = read_only;
		vm->slot[i].size = size;
		vm->slot[i].hva = hva;
		*slot = i;
		fake_log_add(&vm->log, "map %llx", (unsigned long long)gpa);
		return 0;
	}
	return -ENOSPC;
}

void hv_mem_unmap_device(struct hv_vm *vm, unsigned slot)
{
	if (!vm->slot[slot].used)
		abort();
	vm->slot[slot].used = false;
	fake_log_add(&vm->log, "unmap %llx", (unsigned long long)vm->slot[slot].gpa);
}

int hv_bus_add(struct hv_vm *vm, enum hv_space space, const char *name, uint64_t base,
	       uint64_t size, const struct hv_region_ops *ops, void *opaque, struct hv_region **out)
{
	struct hv_region *place = NULL;

	(void)name;
	for (unsigned i = 0; i < FAKE_REGIONS; i++) {
		struct hv_region *r = &vm->region[i];

		if (r->used && r->space == space && overlap(r->base, r->size, base, size))
			return -EEXIST;
		if (!r->used)
			place = r;
	}
	if (!place)
		return -ENOSPC;
	*place = (struct hv_region){true, space, base, size, ops, opaque};
	*out = place;
	return 0;
}

void hv_bus_remove(struct hv_vm *vm, struct hv_region *region)
{
	(void)vm;
	if (!region->used)
		abort();
	region->used = false;
}

int hv_irq_set(struct hv_vm *vm, unsigned gsi, bool level)
{
	if (level && !vm->level[gsi])
		vm->edges[gsi]++;
	vm->level[gsi] = level;
	return 0;
}

int hv_irq_attach(struct hv_vm *vm, unsigned gsi, int trigger, int ended)
{
	if (!vm->irqchip)
		return -ENOTSUP;
	fake_log_add(&vm->log, "line %u %s", gsi, trigger >= 0 && ended >= 0 ? "on" : "bad");
	return 0;
}

void hv_irq_detach(struct hv_vm *vm, unsigned gsi, int trigger, int ended)
{
	fake_log_add(&vm->log, "line %u %s", gsi, trigger >= 0 && ended >= 0 ? "off" : "bad");
}

void hv_irq_set_pic(struct hv_vm *vm, unsigned input, bool level)
{
	vm->pic[input] = level;
}

int hv_irq_on_eoi(struct hv_vm *vm, unsigned gsi, void (*fn)(void *opaque), void *opaque)
{
	vm->eoi[gsi] = fn;
	vm->eoi_opaque[gsi] = opaque;
	return 0;
}

void fake_hv_eoi(struct hv_vm *vm, unsigned gsi)
{
	hv_device_lock(vm);
	vm->eoi[gsi](vm->eoi_opaque[gsi]);
	hv_device_unlock(vm);
}

int hv_numa_guest_node(const struct hv_vm *vm, int host)
{
	(void)vm;
	(void)host;
	return -1;
}

int hv_msi_signal(struct hv_vm *vm, const struct hv_msi *msi)
{
	vm->msi_count++;
	vm->msi = *msi;
	return 0;
}

int hv_route_alloc(struct hv_vm *vm)
{
	for (int i = HV_IOAPIC_PINS; i < FAKE_ROUTES; i++)
		if (!vm->route[i].used) {
			vm->route[i].used = true;
			return i;
		}
	return -ENOSPC;
}

void hv_route_set(struct hv_vm *vm, int route, const struct hv_msi *msi)
{
	if (vm->route[route].eventfd >= 0)
		abort(); /* a route changes under its irqfd */
	vm->route[route].msi = *msi;
	vm->route[route].set = true;
	vm->dirty = true;
	fake_log_add(&vm->log, "route %d %x", route, msi->data);
}

int hv_route_commit(struct hv_vm *vm)
{
	vm->dirty = false;
	fake_log_add(&vm->log, "commit");
	return 0;
}

void hv_route_free(struct hv_vm *vm, int route)
{
	if (!vm->route[route].used || vm->route[route].eventfd >= 0)
		abort();
	vm->route[route].used = vm->route[route].set = false;
	vm->dirty = true;
}

int hv_irqfd_attach(struct hv_vm *vm, int route, int eventfd)
{
	if (!vm->route[route].set || vm->dirty || vm->route[route].eventfd >= 0)
		abort(); /* an irqfd without its route */
	vm->route[route].eventfd = eventfd;
	fake_log_add(&vm->log, "attach %d", route);
	return 0;
}

void hv_irqfd_detach(struct hv_vm *vm, int route, int eventfd)
{
	if (vm->route[route].eventfd != eventfd)
		abort();
	vm->route[route].eventfd = -1;
	fake_log_add(&vm->log, "detach %d", route);
}

int hv_ioeventfd_attach(struct hv_vm *vm, enum hv_space space, uint64_t addr, unsigned len,
			int eventfd)
{
	if (space != HV_MMIO || len)
		abort();
	for (unsigned i = 0; i < FAKE_SLOTS; i++) {
		if (vm->ioeventfd[i].fd && vm->ioeventfd[i].addr == addr)
			return -EEXIST;
		if (vm->ioeventfd[i].fd)
			continue;
		vm->ioeventfd[i].fd = eventfd;
		vm->ioeventfd[i].addr = addr;
		return 0;
	}
	return -ENOSPC;
}

void hv_ioeventfd_detach(struct hv_vm *vm, enum hv_space space, uint64_t addr, unsigned len,
			 int eventfd)
{
	(void)space;
	(void)len;
	for (unsigned i = 0; i < FAKE_SLOTS; i++)
		if (vm->ioeventfd[i].fd == eventfd && vm->ioeventfd[i].addr == addr) {
			vm->ioeventfd[i].fd = 0;
			return;
		}
	abort(); /* it was never attached */
}

/* ---- the IOMMU ---- */

int iommu_map(struct iommu_domain *domain, uint64_t iova, uint64_t size, void *hva, unsigned prot)
{
	(void)hva;
	(void)prot;
	if (domain->refuse || (domain->refuse_iova && domain->refuse_iova == iova))
		return -EFAULT;
	for (unsigned i = 0; i < FAKE_SLOTS; i++) {
		if (domain->map[i].used)
			continue;
		domain->map[i].used = true;
		domain->map[i].iova = iova;
		domain->map[i].size = size;
		return 0;
	}
	return -ENOSPC;
}

int iommu_unmap(struct iommu_domain *domain, uint64_t iova, uint64_t size)
{
	for (unsigned i = 0; i < FAKE_SLOTS; i++)
		if (domain->map[i].used && domain->map[i].iova == iova &&
		    domain->map[i].size == size) {
			domain->map[i].used = false;
			return 0;
		}
	abort(); /* not what was mapped */
}

/* ---- the guest's side ---- */

static uint8_t *direct(const struct hv_vm *vm, uint64_t gpa)
{
	for (unsigned i = 0; i < FAKE_SLOTS; i++)
		if (vm->slot[i].used && gpa - vm->slot[i].gpa < vm->slot[i].size)
			return vm->slot[i].hva + (gpa - vm->slot[i].gpa);
	return NULL;
}

bool fake_hv_is_mapped(const struct hv_vm *vm, uint64_t gpa)
{
	return direct(vm, gpa) != NULL;
}

static struct hv_region *find(struct hv_vm *vm, enum hv_space space, uint64_t addr, unsigned len)
{
	for (unsigned i = 0; i < FAKE_REGIONS; i++) {
		struct hv_region *r = &vm->region[i];

		if (r->used && r->space == space && addr >= r->base &&
		    addr + len <= r->base + r->size)
			return r;
	}
	return NULL;
}

uint64_t fake_hv_read(struct hv_vm *vm, enum hv_space space, uint64_t addr, unsigned len)
{
	uint64_t value = ~UINT64_C(0);
	uint8_t *hva = space == HV_MMIO ? direct(vm, addr) : NULL;
	struct hv_region *r = find(vm, space, addr, len);

	if (hva) {
		memcpy(&value, hva, len);
	} else if (r) {
		hv_device_lock(vm);
		r->ops->read(r->opaque, addr - r->base, &value, len);
		hv_device_unlock(vm);
	}
	return len == 8 ? value : value & ((UINT64_C(1) << (8 * len)) - 1);
}

static int listener(const struct hv_vm *vm, uint64_t addr)
{
	for (unsigned i = 0; i < FAKE_SLOTS; i++)
		if (vm->ioeventfd[i].fd && vm->ioeventfd[i].addr == addr)
			return vm->ioeventfd[i].fd;
	return 0;
}

void fake_hv_write(struct hv_vm *vm, enum hv_space space, uint64_t addr, uint64_t value,
		   unsigned len)
{
	uint8_t *hva = space == HV_MMIO ? direct(vm, addr) : NULL;
	struct hv_region *r = find(vm, space, addr, len);
	int fd = space == HV_MMIO ? listener(vm, addr) : 0;
	uint64_t one = 1;

	if (fd && write(fd, &one, sizeof(one)) != sizeof(one))
		abort();
	if (fd)
		return;
	if (hva) {
		memcpy(hva, &value, len);
	} else if (r) {
		hv_device_lock(vm);
		r->ops->write(r->opaque, addr - r->base, &value, len);
		hv_device_unlock(vm);
	}
}
