/* SPDX-License-Identifier: BSD-3-Clause */
/* irq: the table of routes: numbers, batches, and the pins' mirror in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "hv-core/vm.h"
#include "tests/fakes/fake_engine.h"

static const struct hv_msi first = {.addr = 0xfee00000, .data = 0x30};
static const struct hv_msi second = {.addr = 0xfee01000, .data = 0x31};

static int setup_with(void **state, unsigned max_routes)
{
	struct hv_vm *vm = calloc(1, sizeof(*vm));

	vm->ops = &fake_engine_ops;
	vm->engine = calloc(1, sizeof(*vm->engine));
	vm->caps.max_routes = max_routes;
	pthread_mutex_init(&vm->device_lock, NULL);
	hv_bus_init(&vm->bus);
	hv_ioapic_init(&vm->ioapic);
	*state = vm;
	return hv_routes_init(vm);
}

static int setup(void **state)
{
	return setup_with(state, FAKE_TABLE);
}

static int teardown(void **state)
{
	struct hv_vm *vm = *state;

	hv_routes_finish(vm);
	hv_bus_finish(&vm->bus);
	pthread_mutex_destroy(&vm->device_lock);
	free(vm->engine);
	free(vm);
	return 0;
}

static void test_batch(void **state)
{
	struct hv_vm *vm = *state;
	int a = hv_route_alloc(vm), b = hv_route_alloc(vm);

	assert_int_equal(a, HV_IOAPIC_PINS);
	assert_int_equal(b, HV_IOAPIC_PINS + 1);
	hv_route_set(vm, a, &first);
	hv_route_set(vm, b, &second);
	assert_int_equal(fake_count(vm->engine, FAKE_ROUTES), 0);
	assert_int_equal(hv_route_commit(vm), 0);
	assert_int_equal(fake_count(vm->engine, FAKE_ROUTES), 1);
	assert_int_equal(vm->engine->routes, 2);
	assert_int_equal(fake_route(vm->engine, (uint32_t)b)->addr, second.addr);
}

static void test_nothing_changed(void **state)
{
	struct hv_vm *vm = *state;
	int a = hv_route_alloc(vm);

	assert_int_equal(hv_route_commit(vm), 0);
	assert_int_equal(fake_count(vm->engine, FAKE_ROUTES), 0);
	hv_route_set(vm, a, &first);
	hv_route_commit(vm);
	hv_route_set(vm, a, &first); /* the same again */
	hv_route_commit(vm);
	assert_int_equal(fake_count(vm->engine, FAKE_ROUTES), 1);
	hv_route_set(vm, a, &second);
	hv_route_commit(vm);
	assert_int_equal(fake_count(vm->engine, FAKE_ROUTES), 2);
	assert_int_equal(fake_route(vm->engine, (uint32_t)a)->data, second.data);
}

static void test_free_and_again(void **state)
{
	struct hv_vm *vm = *state;
	int a = hv_route_alloc(vm);

	hv_route_set(vm, a, &first);
	hv_route_commit(vm);
	hv_route_free(vm, a);
	assert_non_null(fake_route(vm->engine, (uint32_t)a)); /* until the commit */
	hv_route_commit(vm);
	assert_null(fake_route(vm->engine, (uint32_t)a));
	assert_int_equal(hv_route_alloc(vm), a);
	hv_route_commit(vm);
	assert_null(fake_route(vm->engine, (uint32_t)a)); /* and without the old message */
}

/* A failed commit is tried again by the next one. */
static void test_commit_fails(void **state)
{
	struct hv_vm *vm = *state;
	int a = hv_route_alloc(vm);

	hv_route_set(vm, a, &first);
	vm->engine->routes_result = -ENOMEM;
	assert_int_equal(hv_route_commit(vm), -ENOMEM);
	vm->engine->routes_result = 0;
	assert_int_equal(hv_route_commit(vm), 0);
	assert_non_null(fake_route(vm->engine, (uint32_t)a));
}

static void test_all_used(void **state)
{
	struct hv_vm *vm = *state;

	for (unsigned i = HV_IOAPIC_PINS; i < FAKE_TABLE; i++)
		assert_int_equal(hv_route_alloc(vm), i);
	assert_int_equal(hv_route_alloc(vm), -ENOSPC);
	hv_route_free(vm, 40);
	assert_int_equal(hv_route_alloc(vm), 40);
	hv_route_free(vm, 3); /* a pin's number is not to be freed */
	hv_route_free(vm, -1);
	hv_route_free(vm, FAKE_TABLE + 1000);
	hv_route_set(vm, FAKE_TABLE + 1000, &first);
	assert_int_equal(hv_route_alloc(vm), -ENOSPC);
}

static void test_too_few(void **state)
{
	assert_int_equal(setup_with(state, HV_IOAPIC_PINS), -ENOTSUP);
}

static void ioapic_write(struct hv_vm *vm, uint64_t offset, uint32_t value)
{
	hv_ioapic_ops.write(&vm->ioapic, offset, &value, 4);
}

/* A level-triggered pin stands in the table, so that its end is told; an edge-triggered does not.
 */
static void test_pins_are_mirrored(void **state)
{
	struct hv_vm *vm = *state;

	ioapic_write(vm, 0x00, 0x10 + 2 * 9);
	ioapic_write(vm, 0x10, 0x44 | 1 << 15);
	assert_int_equal(fake_count(vm->engine, FAKE_ROUTES), 1);
	assert_int_equal(vm->engine->routes, 1);
	assert_int_equal(fake_route(vm->engine, 9)->data, 0x44 | 1 << 15 | 1 << 14);
	ioapic_write(vm, 0x00, 0x10 + 2 * 4);
	ioapic_write(vm, 0x10, 0x45);
	assert_int_equal(fake_count(vm->engine, FAKE_ROUTES), 1);
	ioapic_write(vm, 0x00, 0x10 + 2 * 9);
	ioapic_write(vm, 0x10, 0x44);
	assert_int_equal(vm->engine->routes, 0);
}

static void test_pin_signals(void **state)
{
	struct hv_vm *vm = *state;

	assert_int_equal(hv_irq_set(vm, HV_IOAPIC_PINS, true), -EINVAL);
	ioapic_write(vm, 0x00, 0x10 + 2 * 4);
	ioapic_write(vm, 0x10, 0x45);
	assert_int_equal(hv_irq_set(vm, 4, true), 0);
	assert_int_equal(fake_last(vm->engine, FAKE_MSI)->msi.data, 0x45);
}

static void nothing(void *opaque)
{
	(void)opaque;
}

static void test_one_callback_per_pin(void **state)
{
	struct hv_vm *vm = *state;

	assert_int_equal(hv_irq_on_eoi(vm, HV_IOAPIC_PINS, nothing, NULL), -EINVAL);
	assert_int_equal(hv_irq_on_eoi(vm, 16, nothing, NULL), 0);
	assert_int_equal(hv_irq_on_eoi(vm, 16, nothing, NULL), -EBUSY);
	assert_int_equal(hv_irq_on_eoi(vm, 16, NULL, NULL), 0);
	assert_int_equal(hv_irq_on_eoi(vm, 16, nothing, NULL), 0);
}

static void test_pins_rotate(void **state)
{
	struct hv_vm *vm = *state;

	for (unsigned round = 0; round < 2; round++)
		for (unsigned pin = 16; pin < 24; pin++)
			assert_int_equal(hv_irq_alloc_pin(vm), pin);
}

static void test_irqfd(void **state)
{
	struct hv_vm *vm = *state;
	int a = hv_route_alloc(vm);

	assert_int_equal(hv_irqfd_attach(vm, a, 1), 0);
	assert_int_equal(fake_last(vm->engine, FAKE_IRQFD_ON)->gsi, a);
	hv_irqfd_detach(vm, a, 1);
	assert_int_equal(fake_last(vm->engine, FAKE_IRQFD_OFF)->gsi, a);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* All controllers are the engine's: it hears of changes, and of routes as before. */
static void test_the_engines_own(void **state)
{
	struct hv_vm *vm = *state;
	struct state *s = state_new();

	assert_int_equal(hv_irq_attach(vm, 16, 3, 4), -ENOTSUP); /* ours */
	vm->irqchip = true;
	assert_int_equal(hv_irq_set(vm, 17, true), 0);
	assert_int_equal(hv_irq_set(vm, 17, true), 0);
	assert_int_equal(fake_count(vm->engine, FAKE_LINE_UP), 1);
	hv_irq_set_pic(vm, 10, true);
	hv_irq_set_pic(vm, 10, false);
	assert_int_equal(fake_count(vm->engine, FAKE_LINE_UP), 2);
	assert_int_equal(fake_count(vm->engine, FAKE_LINE_DOWN), 1);
	assert_int_equal(hv_irq_set(vm, HV_IOAPIC_PINS, true), -EINVAL);
	assert_int_equal(hv_irq_attach(vm, 16, 3, 4), 0);
	assert_int_equal(fake_count(vm->engine, FAKE_IRQFD_ON), 1);
	hv_irq_detach(vm, 16, 3, 4);
	assert_int_equal(fake_count(vm->engine, FAKE_IRQFD_OFF), 1);

	/* A new VM raises what was up. */
	hv_lines_save(vm, s);
	hv_irq_set(vm, 17, false);
	hv_lines_load(vm, s);
	assert_int_equal(state_error(s), 0);
	assert_true(vm->ioapic.pin[17].level);
	assert_int_equal(fake_count(vm->engine, FAKE_LINE_UP), 3);
	assert_int_equal(fake_count(vm->engine, FAKE_MSI), 0);
	state_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_batch),
		TEST(test_nothing_changed),
		TEST(test_free_and_again),
		TEST(test_commit_fails),
		TEST(test_all_used),
		TEST(test_pins_are_mirrored),
		TEST(test_pin_signals),
		TEST(test_one_callback_per_pin),
		TEST(test_pins_rotate),
		TEST(test_irqfd),
		cmocka_unit_test_teardown(test_too_few, teardown),
		TEST(test_the_engines_own),
	};

	return cmocka_run_group_tests_name("hv-core/irq", tests, NULL, NULL);
}
