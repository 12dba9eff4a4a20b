/* SPDX-License-Identifier: BSD-3-Clause */
/* irq: see irq.h; the I/O APIC's way in and out as well. */
#include "hv-core/irq.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "hv-core/vm.h"

/* More than any VM needs, and small enough to be copied at every commit; KVM offers 4096. */
#define ROUTES_MAX     4096u
#define FIRST_FREE_PIN 16

/* ---- I/O APIC ---- */

static int apic_signal(void *opaque, const struct hv_msi *msi)
{
	struct hv_vm *vm = opaque;

	return vm->ops->msi_signal(vm->engine, msi);
}

/* The engine watches for the end of those interrupts that its routes name as level-triggered. */
static void apic_routes_changed(void *opaque)
{
	struct hv_vm *vm = opaque;
	struct hv_msi msi;

	for (unsigned pin = 0; pin < HV_IOAPIC_PINS; pin++) {
		if (hv_ioapic_level_msi(&vm->ioapic, pin, &msi))
			hv_route_set(vm, (int)pin, &msi);
		else
			hv_route_set(vm, (int)pin, NULL);
	}
	hv_route_commit(vm);
}

/* The engine is only told of changes. */
static int set_line(struct hv_vm *vm, unsigned gsi, bool level)
{
	if (vm->ioapic.pin[gsi].level == level)
		return 0;
	vm->ioapic.pin[gsi].level = level;
	return vm->ops->irq_line(vm->engine, gsi, level);
}

int hv_irq_set(struct hv_vm *vm, unsigned gsi, bool level)
{
	if (gsi >= HV_IOAPIC_PINS)
		return -EINVAL;
	if (vm->irqchip)
		return set_line(vm, gsi, level);
	if (vm->legacy)
		hv_legacy_set(vm->legacy, gsi, level);
	hv_ioapic_set(&vm->ioapic, gsi, level);
	return 0;
}

void hv_irq_set_pic(struct hv_vm *vm, unsigned input, bool level)
{
	if (vm->irqchip)
		set_line(vm, input, level); /* on the I/O APIC as well, where it is masked */
	else if (vm->legacy)
		hv_legacy_set(vm->legacy, input, level);
}

int hv_irq_attach(struct hv_vm *vm, unsigned gsi, int trigger, int ended)
{
	if (!vm->irqchip)
		return -ENOTSUP;
	int rc = vm->ops->irqfd_level(vm->engine, trigger, ended, gsi, true);

	return rc < 0 ? log_fail(rc, vm->subject, "interrupt line %u gets no eventfd: %s", gsi,
				 strerror(-rc))
		      : 0;
}

void hv_irq_detach(struct hv_vm *vm, unsigned gsi, int trigger, int ended)
{
	int rc = vm->ops->irqfd_level(vm->engine, trigger, ended, gsi, false);

	if (rc < 0)
		log_warn(vm->subject, "interrupt line %u keeps its eventfd: %s", gsi,
			 strerror(-rc));
}

int hv_irq_on_eoi(struct hv_vm *vm, unsigned gsi, void (*fn)(void *opaque), void *opaque)
{
	if (gsi >= HV_IOAPIC_PINS)
		return -EINVAL;
	if (fn && vm->ioapic.pin[gsi].on_eoi)
		return -EBUSY;
	vm->ioapic.pin[gsi].on_eoi = fn;
	vm->ioapic.pin[gsi].on_eoi_opaque = opaque;
	return 0;
}

unsigned hv_irq_alloc_pin(struct hv_vm *vm)
{
	unsigned offset = vm->ioapic.next_pin++ % (HV_IOAPIC_PINS - FIRST_FREE_PIN);

	return FIRST_FREE_PIN + offset;
}

int hv_msi_signal(struct hv_vm *vm, const struct hv_msi *msi)
{
	return vm->ops->msi_signal(vm->engine, msi);
}

void hv_lines_save(const struct hv_vm *vm, struct state *s)
{
	uint64_t lines = 0;

	for (unsigned gsi = 0; gsi < HV_IOAPIC_PINS; gsi++)
		lines |= (uint64_t)vm->ioapic.pin[gsi].level << gsi;
	state_put(s, "lines", lines);
}

void hv_lines_load(struct hv_vm *vm, struct state *s)
{
	uint64_t lines = state_take(s, "lines", (UINT64_C(1) << HV_IOAPIC_PINS) - 1);

	for (unsigned gsi = 0; gsi < HV_IOAPIC_PINS; gsi++)
		set_line(vm, gsi, lines >> gsi & 1);
}

/* ---- routes ---- */

int hv_routes_init(struct hv_vm *vm)
{
	struct hv_routes *routes = &vm->routes;

	routes->max = MIN(vm->caps.max_routes, ROUTES_MAX);
	if (routes->max <= HV_IOAPIC_PINS)
		return log_fail(-ENOTSUP, vm->subject, "not created: %s has %u interrupt routes",
				vm->ops->name, vm->caps.max_routes);
	pthread_mutex_init(&routes->lock, NULL);
	routes->msi = calloc(routes->max, sizeof(*routes->msi));
	routes->msi_buf = calloc(routes->max, sizeof(*routes->msi_buf));
	routes->gsi_buf = calloc(routes->max, sizeof(*routes->gsi_buf));
	if (!routes->msi || !routes->msi_buf || !routes->gsi_buf ||
	    bitmap_init(&routes->used, routes->max) < 0 ||
	    bitmap_init(&routes->set, routes->max) < 0)
		return -ENOMEM;
	for (unsigned pin = 0; pin < HV_IOAPIC_PINS; pin++)
		bitmap_set(&routes->used, pin);
	vm->ioapic.signal = apic_signal;
	vm->ioapic.routes_changed = apic_routes_changed;
	vm->ioapic.opaque = vm;
	return 0;
}

void hv_routes_finish(struct hv_vm *vm)
{
	struct hv_routes *routes = &vm->routes;

	if (!routes->max)
		return;
	free(routes->msi);
	free(routes->msi_buf);
	free(routes->gsi_buf);
	bitmap_finish(&routes->used);
	bitmap_finish(&routes->set);
	pthread_mutex_destroy(&routes->lock);
	*routes = (struct hv_routes){0};
}

int hv_route_alloc(struct hv_vm *vm)
{
	pthread_mutex_lock(&vm->routes.lock);
	int route = bitmap_alloc(&vm->routes.used, HV_IOAPIC_PINS);
	pthread_mutex_unlock(&vm->routes.lock);
	return route;
}

void hv_route_set(struct hv_vm *vm, int route, const struct hv_msi *msi)
{
	struct hv_routes *routes = &vm->routes;
	unsigned n = (unsigned)route;

	pthread_mutex_lock(&routes->lock);
	if (bitmap_test(&routes->used, n)) {
		bool was = bitmap_test(&routes->set, n);

		if (!msi) {
			routes->dirty |= was;
			bitmap_clear(&routes->set, n);
		} else if (!was || routes->msi[n].addr != msi->addr ||
			   routes->msi[n].data != msi->data) {
			routes->dirty = true;
			routes->msi[n] = *msi;
			bitmap_set(&routes->set, n);
		}
	}
	pthread_mutex_unlock(&routes->lock);
}

static size_t gather(struct hv_routes *routes)
{
	size_t count = 0;

	for (unsigned i = 0; i < routes->max; i++) {
		if (!routes->set.words[i / 64])
			i |= 63; /* nothing in this word */
		else if (bitmap_test(&routes->set, i)) {
			routes->gsi_buf[count] = i;
			routes->msi_buf[count++] = routes->msi[i];
		}
	}
	return count;
}

int hv_route_commit(struct hv_vm *vm)
{
	struct hv_routes *routes = &vm->routes;
	int rc = 0;

	pthread_mutex_lock(&routes->lock);
	if (routes->dirty) {
		size_t count = gather(routes);

		rc = vm->ops->set_routes(vm->engine, routes->gsi_buf, routes->msi_buf, count);
		routes->dirty = rc < 0;
		if (rc < 0)
			log_fail(rc, vm->subject, "interrupt routes not changed: %s",
				 strerror(-rc));
	}
	pthread_mutex_unlock(&routes->lock);
	return rc;
}

void hv_route_free(struct hv_vm *vm, int route)
{
	unsigned n = (unsigned)route;

	if (route < HV_IOAPIC_PINS)
		return;
	hv_route_set(vm, route, NULL);
	pthread_mutex_lock(&vm->routes.lock);
	bitmap_clear(&vm->routes.used, n);
	pthread_mutex_unlock(&vm->routes.lock);
}

int hv_irqfd_attach(struct hv_vm *vm, int route, int eventfd)
{
	int rc = vm->ops->irqfd(vm->engine, eventfd, (uint32_t)route, true);

	return rc < 0 ? log_fail(rc, vm->subject, "interrupt route %d gets no eventfd: %s", route,
				 strerror(-rc))
		      : 0;
}

void hv_irqfd_detach(struct hv_vm *vm, int route, int eventfd)
{
	int rc = vm->ops->irqfd(vm->engine, eventfd, (uint32_t)route, false);

	if (rc < 0)
		log_fail(rc, vm->subject, "interrupt route %d keeps its eventfd: %s", route,
			 strerror(-rc));
}

int hv_ioeventfd_attach(struct hv_vm *vm, enum hv_space space, uint64_t addr, unsigned len,
			int eventfd)
{
	int rc =
		vm->ops->ioeventfd(vm->engine, eventfd, addr, len, space == HV_PIO, false, 0, true);

	return rc < 0 ? log_fail(rc, vm->subject, "writes at 0x%" PRIx64 " get no eventfd: %s",
				 addr, strerror(-rc))
		      : 0;
}

void hv_ioeventfd_detach(struct hv_vm *vm, enum hv_space space, uint64_t addr, unsigned len,
			 int eventfd)
{
	int rc = vm->ops->ioeventfd(vm->engine, eventfd, addr, len, space == HV_PIO, false, 0,
				    false);

	if (rc < 0)
		log_fail(rc, vm->subject, "writes at 0x%" PRIx64 " keep their eventfd: %s", addr,
			 strerror(-rc));
}
