/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mem: RAM and device memory as the guest has them: engine slots, and the way from a guest physical
 * address to a pointer.
 */
#include "hv-core/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include "base/log.h"
#include "base/util.h"
#include "hv-core/vm.h"

#define SLOTS_MAX	 512u
#define PREFAULT_CHUNK	 (32 * MIB)
#define PREFAULT_THREADS 64u

static int map_slot(struct hv_vm *vm, uint64_t gpa, uint64_t size, void *hva, bool read_only,
		    unsigned *slot)
{
	int n = bitmap_alloc(&vm->mem.slots, 0);
	int rc = n;

	if (n >= 0)
		rc = vm->ops->map(vm->engine, (unsigned)n, gpa, size, hva, read_only, false);
	if (rc < 0) {
		if (n >= 0)
			bitmap_clear(&vm->mem.slots, (unsigned)n);
		return log_fail(rc, vm->subject,
				"no memory at 0x%" PRIx64 "+0x%" PRIx64 " in the guest: %s", gpa,
				size, strerror(-rc));
	}
	*slot = (unsigned)n;
	return 0;
}

/* Low RAM and high RAM are two pieces of the one backing. */
static void cut_blocks(struct hv_mem *mem)
{
	uint64_t low = range_size(mem->layout.low_ram);

	mem->block[0] = (struct hv_ram_block){
		.gpa = 0, .size = low, .hva = mem->back.hva, .fd = mem->back.fd, .offset = 0};
	mem->blocks = 1;
	if (low == mem->back.size)
		return;
	mem->block[1] = (struct hv_ram_block){
		.gpa = mem->layout.high_ram.start,
		.size = mem->back.size - low,
		.hva = (uint8_t *)mem->back.hva + low,
		.fd = mem->back.fd,
		.offset = low,
	};
	mem->blocks = 2;
}

int hv_mem_create(struct hv_vm *vm, const struct hv_config *config, const struct sysfs *sys,
		  unsigned phys_bits)
{
	struct hv_mem *mem = &vm->mem;
	int rc = hv_mem_plan(vm->subject, config, phys_bits, &mem->layout);

	mem->page_size = hv_mem_page_size(config->pages);
	if (rc == 0)
		rc = bitmap_init(&mem->slots, MIN(vm->caps.max_memory_slots, SLOTS_MAX));
	if (rc == 0)
		rc = hv_mem_back(vm->subject, config, sys, &mem->back);
	if (rc < 0)
		return rc;
	cut_blocks(mem);
	for (size_t i = 0; rc == 0 && i < mem->blocks; i++) {
		const struct hv_ram_block *block = &mem->block[i];
		unsigned slot;

		rc = map_slot(vm, block->gpa, block->size, block->hva, false, &slot);
	}
	return rc ? rc : hv_mem_grow_create(vm, config, sys);
}

/* After the engine: its slots point into what is unmapped here. */
void hv_mem_destroy(struct hv_vm *vm)
{
	hv_mem_grow_destroy(vm);
	hv_mem_unback(&vm->mem.back);
	bitmap_finish(&vm->mem.slots);
}

/* ---- hv.h ---- */

void hv_mem_layout(const struct hv_vm *vm, struct hv_mem_layout *out)
{
	*out = vm->mem.layout;
}

size_t hv_mem_blocks(const struct hv_vm *vm, const struct hv_ram_block **out)
{
	*out = vm->mem.block;
	return vm->mem.blocks;
}

const char *hv_mem_describe(const struct hv_vm *vm)
{
	return vm->mem.back.text;
}

void *hv_mem_ptr(const struct hv_vm *vm, uint64_t gpa, uint64_t len)
{
	for (size_t i = 0; i < vm->mem.blocks; i++) {
		const struct hv_ram_block *block = &vm->mem.block[i];

		if (gpa >= block->gpa && len <= block->size &&
		    gpa - block->gpa <= block->size - len &&
		    (!block->grows || hv_mem_there(vm, gpa, len)))
			return (uint8_t *)block->hva + (gpa - block->gpa);
	}
	return NULL;
}

int hv_mem_write(struct hv_vm *vm, uint64_t gpa, const void *buf, uint64_t len)
{
	void *at = hv_mem_ptr(vm, gpa, len);

	if (!at)
		return -EFAULT;
	memcpy(at, buf, len);
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

int hv_mem_map_device(struct hv_vm *vm, uint64_t gpa, uint64_t size, void *hva, bool read_only,
		      unsigned *slot)
{
	if (!size || gpa + (size - 1) < gpa || !IS_ALIGNED(gpa | size | (uintptr_t)hva, 4 * KIB))
		return -EINVAL;
	return map_slot(vm, gpa, size, hva, read_only, slot);
}

void hv_mem_unmap_device(struct hv_vm *vm, unsigned slot)
{
	int rc = vm->ops->unmap(vm->engine, slot);

	if (rc < 0)
		log_fail(rc, vm->subject, "memory slot %u not unmapped: %s", slot, strerror(-rc));
	bitmap_clear(&vm->mem.slots, slot);
}

/* ---- prefault ---- */

struct prefault {
	uint8_t *hva;
	uint64_t size, chunk;
	atomic_uint_fast64_t next;
	atomic_int error;
	struct hv_mem_watch *watch;
};

static void *prefault_worker(void *opaque)
{
	struct prefault *job = opaque;

	while (atomic_load(&job->error) == 0) {
		uint64_t at = atomic_fetch_add(&job->next, job->chunk);

		if (at >= job->size)
			break;
		uint64_t size = MIN(job->chunk, job->size - at);
		int rc;

		do
			rc = madvise(job->hva + at, size, MADV_POPULATE_WRITE);
		while (rc < 0 && (errno == EINTR || errno == EAGAIN));
		if (rc < 0)
			atomic_store(&job->error, errno);
		else
			atomic_fetch_add(&job->watch->done, size);
		if (atomic_load(&job->watch->cancel))
			atomic_store(&job->error, ECANCELED);
	}
	return NULL;
}

static unsigned host_cpus(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;
	return (unsigned)CPU_COUNT(&set);
}

/* The caller is one of the workers, so that it also works where no thread can be had. */
static void run_prefault(struct prefault *job, unsigned threads)
{
	pthread_t thread[PREFAULT_THREADS];
	unsigned started = 0;
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (started + 1 < threads &&
	       pthread_create(&thread[started], NULL, prefault_worker, job) == 0)
		started++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	prefault_worker(job);
	for (unsigned i = 0; i < started; i++)
		pthread_join(thread[i], NULL);
}

int hv_mem_prefault(struct hv_vm *vm, unsigned threads, struct hv_mem_watch *watch)
{
	struct hv_mem_watch nobody = {0};
	struct prefault job = {
		.watch = watch ? watch : &nobody,
		.hva = vm->mem.back.hva,
		.size = vm->mem.back.size,
		.chunk = MAX(PREFAULT_CHUNK, vm->mem.page_size),
	};
	uint64_t chunks = (job.size + job.chunk - 1) / job.chunk;

	if (!threads)
		threads = host_cpus();
	threads = (unsigned)MIN((uint64_t)MIN(threads, PREFAULT_THREADS), chunks);
	run_prefault(&job, threads);
	int error = atomic_load(&job.error);
	if (!error || error == ECANCELED)
		return -error;
	return log_fail(-EFAULT, vm->subject,
			"its memory could not be filled: the host ran out on the way (%s); "
			"give it less or free some",
			strerror(error));
}
