/* SPDX-License-Identifier: BSD-3-Clause */
/* fake_engine: see fake_engine.h. */
#include "tests/fakes/fake_engine.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct hv_engine_vcpu {
	struct hv_engine *engine;
	unsigned apic_id;
	bool kicked;
};

static struct fake_entry *append(struct hv_engine *engine, enum fake_call call)
{
	assert_true(engine->logged < FAKE_LOG);
	struct fake_entry *entry = &engine->log[engine->logged++];

	*entry = (struct fake_entry){.call = call};
	return entry;
}

static int fake_map(struct hv_engine *engine, unsigned slot, uint64_t gpa, uint64_t size, void *hva,
		    bool read_only, bool dirty_log)
{
	struct fake_entry *entry = append(engine, FAKE_MAP);

	(void)hva, (void)read_only, (void)dirty_log;
	entry->slot = slot;
	entry->gpa = gpa;
	entry->size = size;
	return engine->map_result;
}

static int fake_unmap(struct hv_engine *engine, unsigned slot)
{
	append(engine, FAKE_UNMAP)->slot = slot;
	return 0;
}

static int fake_msi_signal(struct hv_engine *engine, const struct hv_msi *msi)
{
	append(engine, FAKE_MSI)->msi = *msi;
	return engine->msi_result;
}

static int fake_set_routes(struct hv_engine *engine, const uint32_t *gsi, const struct hv_msi *msi,
			   size_t count)
{
	append(engine, FAKE_ROUTES)->count = count;
	if (engine->routes_result < 0)
		return engine->routes_result;
	assert_true(count <= FAKE_TABLE);
	for (size_t i = 0; i < count; i++) {
		engine->gsi[i] = gsi[i];
		engine->msi[i] = msi[i];
	}
	engine->routes = count;
	return 0;
}

static int fake_irqfd(struct hv_engine *engine, int eventfd, uint32_t gsi, bool attach)
{
	(void)eventfd;
	append(engine, attach ? FAKE_IRQFD_ON : FAKE_IRQFD_OFF)->gsi = gsi;
	return 0;
}

static int fake_irq_line(struct hv_engine *engine, uint32_t gsi, bool level)
{
	append(engine, level ? FAKE_LINE_UP : FAKE_LINE_DOWN)->gsi = gsi;
	return 0;
}

static int fake_irqfd_level(struct hv_engine *engine, int trigger, int ended, uint32_t gsi,
			    bool attach)
{
	(void)trigger, (void)ended;
	append(engine, attach ? FAKE_IRQFD_ON : FAKE_IRQFD_OFF)->gsi = gsi;
	return 0;
}

static int fake_create(int fd, const struct hv_engine_config *config, struct hv_engine **out)
{
	if (pread(fd, out, sizeof(*out), 0) != sizeof(*out))
		return -EBADF;
	(*out)->config = *config;
	return 0;
}

static void fake_destroy(struct hv_engine *engine)
{
	engine->destroyed = true;
}

static void fake_caps(const struct hv_engine *engine, struct hv_engine_caps *out)
{
	*out = engine->caps;
}

static int fake_supported_cpuid(struct hv_engine *engine, struct hv_cpuid_entry **out,
				size_t *count)
{
	const struct hv_cpuid_entry entries[] = {
		{.leaf = 0, .eax = 1},
		{.leaf = 1, .eax = 0x50654, .ebx = 0x800, .edx = 1u << 9},
		{.leaf = 0x80000000, .eax = 0x80000008},
		{.leaf = 0x80000008, .eax = engine->phys_bits},
	};

	*out = malloc(sizeof(entries));
	assert_non_null(*out);
	memcpy(*out, entries, sizeof(entries));
	*count = sizeof(entries) / sizeof(entries[0]);
	return 0;
}

static int fake_vcpu_create(struct hv_engine *engine, unsigned apic_id, struct hv_engine_vcpu **out)
{
	if (engine->vcpus == engine->vcpu_limit)
		return -ENOSPC;
	*out = calloc(1, sizeof(**out));
	assert_non_null(*out);
	**out = (struct hv_engine_vcpu){.engine = engine, .apic_id = apic_id};
	engine->vcpus++;
	return 0;
}

static void fake_vcpu_destroy(struct hv_engine_vcpu *vcpu)
{
	if (!vcpu)
		return;
	vcpu->engine->vcpus--;
	free(vcpu);
}

static int fake_vcpu_set_cpuid(struct hv_engine_vcpu *vcpu, const struct hv_cpuid_entry *entries,
			       size_t count)
{
	(void)vcpu, (void)entries;
	return count ? 0 : -EINVAL;
}

static int fake_vcpu_set_entry(struct hv_engine_vcpu *vcpu, const struct hv_entry_state *entry)
{
	vcpu->engine->entries += entry != NULL;
	return (entry != NULL) == (vcpu->apic_id == 0) ? 0 : -EINVAL;
}

static int fake_vcpu_run(struct hv_engine_vcpu *vcpu, struct hv_exit *exit)
{
	struct hv_engine *engine = vcpu->engine;
	int rc = 0;

	pthread_mutex_lock(&engine->lock);
	if (vcpu->apic_id == 0 && engine->played < engine->scripted) {
		*exit = engine->script[engine->played++];
	} else if (vcpu->apic_id == 0 && engine->run_result) {
		rc = engine->run_result;
	} else {
		while (!vcpu->kicked)
			pthread_cond_wait(&engine->kicked, &engine->lock);
		vcpu->kicked = false;
		exit->reason = HV_EXIT_SIGNAL;
	}
	pthread_mutex_unlock(&engine->lock);
	return rc;
}

static int fake_vcpu_kick(struct hv_engine_vcpu *vcpu)
{
	pthread_mutex_lock(&vcpu->engine->lock);
	vcpu->kicked = true;
	pthread_cond_broadcast(&vcpu->engine->kicked);
	pthread_mutex_unlock(&vcpu->engine->lock);
	return 0;
}

static int fake_vcpu_describe(struct hv_engine_vcpu *vcpu, char *text, size_t size)
{
	(void)vcpu;
	strncpy(text, "rip 0", size);
	return 0;
}

static int fake_clock_stop(struct hv_engine *engine)
{
	engine->clock_stops++;
	return engine->clock_result;
}

static int fake_clock_start(struct hv_engine *engine)
{
	engine->clock_starts++;
	return 0;
}

/* A vCPU is its APIC ID, a VM the number it was given. */
static int fake_save(struct hv_engine *engine, struct hv_engine_vcpu *vcpu, struct state *s)
{
	state_put(s, "fake", vcpu ? vcpu->apic_id : engine->saved_number);
	return 0;
}

static int fake_load(struct hv_engine *engine, struct hv_engine_vcpu *vcpu, struct state *s)
{
	uint64_t number = state_take(s, "fake", UINT32_MAX);

	if (!vcpu)
		engine->saved_number = number;
	else if (!state_error(s) && number != vcpu->apic_id)
		state_refuse(s, -EINVAL, "another CPU's");
	return state_error(s);
}

static int fake_stats(struct hv_engine *engine, struct hv_engine_vcpu *vcpu,
		      struct hv_engine_stat **out, size_t *count)
{
	(void)engine, (void)vcpu, (void)out, (void)count;
	return -EOPNOTSUPP;
}

const struct hv_engine_ops fake_engine_ops = {
	.name = "fake",
	.create = fake_create,
	.destroy = fake_destroy,
	.caps = fake_caps,
	.supported_cpuid = fake_supported_cpuid,
	.map = fake_map,
	.unmap = fake_unmap,
	.vcpu_create = fake_vcpu_create,
	.vcpu_destroy = fake_vcpu_destroy,
	.vcpu_set_cpuid = fake_vcpu_set_cpuid,
	.vcpu_set_entry = fake_vcpu_set_entry,
	.vcpu_run = fake_vcpu_run,
	.vcpu_kick = fake_vcpu_kick,
	.vcpu_describe = fake_vcpu_describe,
	.msi_signal = fake_msi_signal,
	.set_routes = fake_set_routes,
	.irqfd = fake_irqfd,
	.irq_line = fake_irq_line,
	.irqfd_level = fake_irqfd_level,
	.clock_stop = fake_clock_stop,
	.clock_start = fake_clock_start,
	.save = fake_save,
	.load = fake_load,
	.stats = fake_stats,
};

void fake_engine_init(struct hv_engine *engine)
{
	*engine = (struct hv_engine){
		.vcpu_limit = 64,
		.phys_bits = 40,
		.caps = {.max_vcpus = 64, .max_memory_slots = 8, .max_routes = FAKE_TABLE},
	};
	pthread_mutex_init(&engine->lock, NULL);
	pthread_cond_init(&engine->kicked, NULL);
}

void fake_engine_finish(struct hv_engine *engine)
{
	pthread_cond_destroy(&engine->kicked);
	pthread_mutex_destroy(&engine->lock);
}

int fake_engine_fd(struct hv_engine *engine)
{
	int fd = memfd_create("fake-kvm", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, &engine, sizeof(engine), 0), sizeof(engine));
	return fd;
}

size_t fake_count(const struct hv_engine *engine, enum fake_call call)
{
	size_t count = 0;

	for (size_t i = 0; i < engine->logged; i++)
		count += engine->log[i].call == call;
	return count;
}

const struct fake_entry *fake_last(const struct hv_engine *engine, enum fake_call call)
{
	for (size_t i = engine->logged; i-- > 0;)
		if (engine->log[i].call == call)
			return &engine->log[i];
	fail_msg("the engine was never asked that");
	return NULL;
}

const struct hv_msi *fake_route(const struct hv_engine *engine, uint32_t gsi)
{
	for (size_t i = 0; i < engine->routes; i++)
		if (engine->gsi[i] == gsi)
			return &engine->msi[i];
	return NULL;
}
