/* SPDX-License-Identifier: BSD-3-Clause */
/* fake_engine: see fake_engine.h. */
#include "tests/fakes/fake_engine.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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

const struct hv_engine_ops fake_engine_ops = {
	.name = "fake",
	.map = fake_map,
	.unmap = fake_unmap,
	.msi_signal = fake_msi_signal,
	.set_routes = fake_set_routes,
	.irqfd = fake_irqfd,
};

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
