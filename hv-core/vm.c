/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vm: the making, the end and the taking apart of one virtual machine.
 */
#include "hv-core/vm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"

/* Guest physical addresses beyond this need a fifth level in the tables that translate them. */
#define PHYS_BITS_MAX 48u
#define PHYS_BITS_MIN 36u

static int check_cpus(const char *subject, const struct hv_config *config)
{
	unsigned sockets = config->sockets ? config->sockets : 1;
	unsigned threads = config->threads ? config->threads : 1;

	if (config->cpus < 1 || config->cpus > HV_MAX_CPUS)
		return log_fail(-EINVAL, subject, "not created: %u CPUs; it can have 1 to %u",
				config->cpus, HV_MAX_CPUS);
	if (sockets > config->cpus || threads > config->cpus ||
	    config->cpus % (sockets * threads) != 0)
		return log_fail(
			-EINVAL, subject,
			"not created: %u CPUs cannot be %u sockets of cores with %u threads",
			config->cpus, sockets, threads);
	return 0;
}

static int check_config(const char *subject, const struct hv_config *config)
{
	uint64_t page = hv_mem_page_size(config->pages);
	int rc = check_cpus(subject, config);

	if (rc < 0)
		return rc;
	if (config->ram < HV_RAM_MIN)
		return log_fail(-EINVAL, subject,
				"not created: it needs at least 16 MiB of memory");
	if (config->merge && (config->share_ram || page > 4 * KIB))
		return log_fail(-EINVAL, subject,
				"not created: memory that other processes map, or of huge pages, "
				"has no pages that could be merged");
	if (!IS_ALIGNED(config->ram, page))
		return log_fail(-EINVAL, subject,
				"not created: its memory is no multiple of its page size, %llu KiB",
				(unsigned long long)(page / KIB));
	return 0;
}

/* CPUID 0x80000008, EAX: physical address bits in 7:0; in 23:16, unless zero, those of a guest
 * (AMD APM vol. 3, E.4.7). */
static unsigned phys_bits(const struct hv_cpuid_entry *host, size_t count)
{
	unsigned bits = PHYS_BITS_MIN;

	for (size_t i = 0; i < count; i++) {
		if (host[i].leaf != 0x80000008)
			continue;
		unsigned guest = host[i].eax >> 16 & 0xff;

		bits = host[i].eax & 0xff;
		if (guest)
			bits = MIN(bits, guest);
	}
	return MAX(PHYS_BITS_MIN, MIN(bits, PHYS_BITS_MAX));
}

/* Told to the guest only where it differs from what the CPU says. */
static int choose_phys_bits(struct hv_vm *vm, const struct hv_config *config, unsigned host,
			    unsigned *out)
{
	unsigned most = host;

	if (config->iova_count)
		most = MIN(most, 64u - (unsigned)__builtin_clzll(
					       config->iova[config->iova_count - 1].last | 1));
	if (config->phys_bits > most || (config->phys_bits && config->phys_bits < 32))
		return log_fail(-EINVAL, vm->subject,
				"not created: physical addresses cannot have %u bits: at least 32 "
				"are needed, and %s %u",
				config->phys_bits,
				most < host ? "the IOMMU of its devices translates"
					    : "this CPU gives guests",
				most);
	if (config->phys_bits || most < host)
		vm->topology.phys_bits = (uint8_t)(config->phys_bits ? config->phys_bits : most);
	*out = config->phys_bits ? config->phys_bits : most;
	return 0;
}

static int create_engine(struct hv_vm *vm, const struct hv_config *config)
{
	const struct hv_engine_config engine = {
		.ioapic_pins = HV_IOAPIC_PINS,
		.irqchip = config->irqchip,
		.pit = config->irqchip && config->legacy,
	};
	int rc = vm->ops->create(config->engine_fd, &engine, &vm->engine);

	if (rc < 0)
		return rc;
	vm->ops->caps(vm->engine, &vm->caps);
	if (vm->cpus > vm->caps.max_vcpus)
		return log_fail(-EINVAL, vm->subject, "not created: %u CPUs; this host offers %u",
				vm->cpus, vm->caps.max_vcpus);
	vm->topology.tsc_khz = vm->caps.tsc_khz;
	return 0;
}

static int create_interrupts(struct hv_vm *vm, struct loop *legacy)
{
	hv_ioapic_init(&vm->ioapic);
	int rc = hv_routes_init(vm);
	if (rc < 0 || vm->irqchip)
		return rc;
	rc = hv_bus_add(vm, HV_MMIO, "ioapic", HV_IOAPIC_BASE, HV_IOAPIC_SIZE, &hv_ioapic_ops,
			&vm->ioapic, &vm->ioapic_region);
	if (rc == 0 && legacy)
		rc = hv_legacy_create(vm, legacy, &vm->legacy);
	return rc;
}

static int build(struct hv_vm *vm, const struct hv_config *config, const struct sysfs *sys)
{
	struct hv_cpuid_entry *host = NULL;
	size_t host_count = 0;
	unsigned bits = 0;
	int rc = create_engine(vm, config);

	if (rc == 0)
		rc = vm->ops->supported_cpuid(vm->engine, &host, &host_count);
	if (rc == 0)
		rc = choose_phys_bits(vm, config, phys_bits(host, host_count), &bits);
	if (rc == 0)
		rc = hv_numa_plan(vm->subject, config, sys, &vm->numa);
	if (rc == 0)
		rc = hv_mem_create(vm, config, sys, bits);
	if (rc == 0)
		rc = create_interrupts(vm, config->legacy);
	if (rc == 0)
		rc = hv_vcpus_create(vm, config->pin, host, host_count);
	free(host);
	return rc;
}

static struct hv_vm *allocate(const struct hv_config *config, const char *subject)
{
	struct hv_vm *vm = calloc(1, sizeof(*vm));
	unsigned sockets = config->sockets ? config->sockets : 1;
	unsigned threads = config->threads ? config->threads : 1;

	if (!vm)
		return NULL;
	snprintf(vm->name, sizeof(vm->name), "%s", config->name);
	snprintf(vm->subject, sizeof(vm->subject), "%s", subject);
	vm->ops = config->engine;
	vm->cpus = config->cpus;
	vm->irqchip = config->irqchip;
	vm->thread_begin = config->thread_begin;
	vm->topology = (struct hv_cpuid_topology){
		.cpus = config->cpus,
		.sockets = sockets,
		.cores = config->cpus / sockets / threads,
		.threads = threads,
	};
	vm->mem.back.fd = -1;
	pthread_mutex_init(&vm->device_lock, NULL);
	hv_park_init(vm);
	hv_bus_init(&vm->bus);
	hv_timing_init(&vm->timing);
	vm->bus.timing = &vm->timing;
	hv_clock_init(&vm->clock);
	return vm;
}

static int create(const char *subject, const struct hv_config *config, const struct sysfs *sys,
		  struct hv_vm **out)
{
	struct hv_vm *vm = allocate(config, subject);
	int rc = vm ? build(vm, config, sys) : -ENOMEM;

	if (rc < 0) {
		hv_vm_destroy(vm);
		return rc;
	}
	*out = vm;
	return 0;
}

int hv_vm_create(const struct hv_config *config, struct hv_vm **out)
{
	struct sysfs sys = {.root = -1}, proc = {.root = -1};
	char subject[sizeof((*out)->subject)];

	snprintf(subject, sizeof(subject), "vm %s", config->name);
	int rc = check_config(subject, config);
	if (rc == 0)
		rc = sysfs_open(&sys, "/sys");
	if (rc == 0)
		rc = sysfs_open(&proc, "/proc");
	if (rc == 0)
		rc = hv_mem_check(subject, config, &sys, &proc);
	if (rc == 0)
		rc = create(subject, config, &sys, out);
	sysfs_close(&proc);
	sysfs_close(&sys);
	return rc;
}

void hv_vm_destroy(struct hv_vm *vm)
{
	if (!vm)
		return;
	hv_vcpus_stop(vm);
	hv_legacy_destroy(vm->legacy);
	hv_vcpus_destroy(vm);
	if (vm->ioapic_region)
		hv_bus_remove(vm, vm->ioapic_region);
	if (vm->engine)
		vm->ops->destroy(vm->engine);
	hv_bus_finish(&vm->bus);
	hv_timing_finish(&vm->timing);
	hv_routes_finish(vm);
	hv_mem_destroy(vm);
	hv_park_finish(vm);
	pthread_mutex_destroy(&vm->device_lock);
	free(vm);
}

void hv_vm_thread_begin(const struct hv_vm *vm, enum hv_thread kind)
{
	if (vm->thread_begin)
		vm->thread_begin(kind);
}

const char *hv_vm_name(const struct hv_vm *vm)
{
	return vm->name;
}

unsigned hv_vm_cpus(const struct hv_vm *vm)
{
	return vm->cpus;
}

const struct hv_numa *hv_vm_numa(const struct hv_vm *vm)
{
	return &vm->numa;
}

struct hv_engine *hv_vm_engine(struct hv_vm *vm)
{
	return vm->engine;
}

const struct hv_engine_ops *hv_vm_engine_ops(const struct hv_vm *vm)
{
	return vm->ops;
}

void hv_device_lock(struct hv_vm *vm)
{
	pthread_mutex_lock(&vm->device_lock);
}

void hv_device_unlock(struct hv_vm *vm)
{
	pthread_mutex_unlock(&vm->device_lock);
}

/* ---- running and ending ---- */

const char *hv_end_name(enum hv_end end)
{
	static const char *const names[] = {
		[HV_END_NONE] = "running",	    [HV_END_POWEROFF] = "poweroff",
		[HV_END_RESET] = "reset",	    [HV_END_PANIC] = "panic",
		[HV_END_CRASH] = "crash",	    [HV_END_KILLED] = "killed",
		[HV_END_DEVICE] = "device-failure", [HV_END_SAVED] = "saved",
		[HV_END_STATUS] = "status",	    [HV_END_TRIPLE_FAULT] = "triple-fault",
	};

	return (size_t)end < ARRAY_SIZE(names) ? names[end] : "unknown";
}

/* A VM that was loaded stands as if paused. */
int hv_vm_start(struct hv_vm *vm)
{
	int rc = vm->paused ? hv_vm_resume(vm) : 0;

	return rc < 0 ? rc : hv_vcpus_start(vm);
}

void hv_vm_end(struct hv_vm *vm, enum hv_end end)
{
	int running = HV_END_NONE;

	if (end == HV_END_NONE || !atomic_compare_exchange_strong(&vm->end, &running, (int)end))
		return;
	hv_vcpus_kick(vm);
	if (vm->on_end)
		vm->on_end(vm->on_end_opaque, end);
}

void hv_vm_on_end(struct hv_vm *vm, void (*fn)(void *opaque, enum hv_end end), void *opaque)
{
	vm->on_end = fn;
	vm->on_end_opaque = opaque;
}

void hv_vm_event(struct hv_vm *vm, const struct hv_event *event)
{
	if (vm->on_event)
		vm->on_event(vm->on_event_opaque, event);
}

void hv_vm_on_event(struct hv_vm *vm, void (*fn)(void *opaque, const struct hv_event *event),
		    void *opaque)
{
	vm->on_event = fn;
	vm->on_event_opaque = opaque;
}

enum hv_end hv_vm_wait(struct hv_vm *vm)
{
	hv_vcpus_join(vm);
	return (enum hv_end)atomic_load(&vm->end);
}
