/* SPDX-License-Identifier: BSD-3-Clause */
/* watchdog_test: the registers as Linux's i6300esb driver uses them, and what a dead guest gets. */
#include <linux/pci_regs.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/fakes/fake_hv.h"
#include "vdev/watchdog.h"

#define ECAM (UINT64_C(0xe0000000) + (UINT64_C(1) << 20)) /* bus 1 */

struct kennel {
	struct hv_vm *vm;
	struct loop *loop;
	struct vdev_host *host;
	uint64_t bar;
};

static uint32_t config(struct kennel *k, unsigned offset, unsigned len)
{
	return (uint32_t)fake_hv_read(k->vm, HV_MMIO, ECAM + offset, len);
}

static void set_config(struct kennel *k, unsigned offset, unsigned len, uint32_t value)
{
	fake_hv_write(k->vm, HV_MMIO, ECAM + offset, value, len);
}

static uint32_t get(struct kennel *k, unsigned offset)
{
	return (uint32_t)fake_hv_read(k->vm, HV_MMIO, k->bar + offset, 4);
}

static void set(struct kennel *k, unsigned offset, uint32_t value)
{
	fake_hv_write(k->vm, HV_MMIO, k->bar + offset, value, 4);
}

static void unlocked(struct kennel *k, unsigned offset, uint32_t value)
{
	fake_hv_write(k->vm, HV_MMIO, k->bar + 0x0c, 0x80, 2);
	fake_hv_write(k->vm, HV_MMIO, k->bar + 0x0c, 0x86, 2);
	set(k, offset, value);
}

static struct kennel *make(enum vdev_watchdog_action action)
{
	struct kennel *k = calloc(1, sizeof(*k));
	struct vdev_watchdog *dog;

	assert_non_null(k);
	k->vm = fake_hv_create();
	assert_int_equal(loop_create(&k->loop), 0);
	assert_int_equal(vdev_host_create(k->vm, &k->host), 0);
	assert_int_equal(vdev_watchdog_create(k->vm, k->loop, action, &dog), 0);
	assert_int_equal(vdev_host_add(k->host, vdev_watchdog_function(dog)), 0);
	assert_int_equal(vdev_host_assign(k->host), 0);
	set_config(k, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	k->bar = config(k, PCI_BASE_ADDRESS_0, 4) & ~15u;
	return k;
}

static void take_apart(struct kennel *k)
{
	vdev_host_destroy(k->host);
	loop_destroy(k->loop);
	fake_hv_destroy(k->vm);
	free(k);
}

static void halt(void *opaque, uint32_t events)
{
	(void)events;
	loop_stop(opaque, 0);
}

/* Lets time pass. */
static void pass(struct kennel *k, unsigned ms)
{
	assert_int_equal(loop_timer(k->loop, ms, halt, k->loop, NULL), 0);
	assert_int_equal(loop_run(k->loop), 0);
}

/* Both stages `ms` long, or a little less: ticks of 0.98 ms. */
static void start(struct kennel *k, unsigned ms)
{
	set_config(k, 0x60, 2, 0x0003);
	unlocked(k, 0x00, ms - 1);
	unlocked(k, 0x04, ms - 1);
	unlocked(k, 0x0c, 0x100);
	set_config(k, 0x68, 1, 0x02);
}

static void test_identity(void **state)
{
	struct kennel *k = make(VDEV_WATCHDOG_RESET);

	(void)state;
	assert_int_equal(config(k, 0, 4), 0x25ab8086);
	assert_int_equal(config(k, PCI_CLASS_DEVICE, 2), 0x0880);
	set_config(k, PCI_BASE_ADDRESS_0, 4, 0xffffffff);
	assert_int_equal(config(k, PCI_BASE_ADDRESS_0, 4), 0xfffffff0);
	set_config(k, 0x60, 4, 0xffffffff);
	assert_int_equal(config(k, 0x60, 4), 0x27);
	take_apart(k);
}

static void test_fed(void **state)
{
	struct kennel *k = make(VDEV_WATCHDOG_RESET);

	(void)state;
	start(k, 400); /* so long that a slow machine does not look like a dead guest */
	for (unsigned i = 0; i < 9; i++) {
		pass(k, 100);
		unlocked(k, 0x0c, 0x100);
	}
	assert_int_equal(k->vm->end, HV_END_NONE);
	start(k, 10);
	set_config(k, 0x68, 1, 0); /* stopped */
	pass(k, 40);
	assert_int_equal(k->vm->end, HV_END_NONE);
	take_apart(k);
}

static void test_bites(void **state)
{
	static const struct {
		enum vdev_watchdog_action action;
		enum hv_end end;
	} row[] = {{VDEV_WATCHDOG_RESET, HV_END_RESET},
		   {VDEV_WATCHDOG_POWEROFF, HV_END_POWEROFF},
		   {VDEV_WATCHDOG_REPORT, HV_END_NONE}};

	(void)state;
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct kennel *k = make(row[i].action);

		start(k, 10);
		assert_int_equal(get(k, 0x0c), 0);
		pass(k, 60);
		assert_int_equal(k->vm->end, row[i].end);
		assert_int_equal(get(k, 0x08), 1); /* the first stage went by too */
		assert_int_equal(get(k, 0x0c), 0x200);
		set(k, 0x08, 1);
		set(k, 0x0c, 0x200); /* needs the keys */
		assert_int_equal(get(k, 0x08), 0);
		assert_int_equal(get(k, 0x0c), 0x200);
		unlocked(k, 0x0c, 0x200);
		assert_int_equal(get(k, 0x0c), 0);
		take_apart(k);
	}
}

/* Without both keys, in order, for each write, nothing is changed: the timer runs as it did. */
static void test_keys(void **state)
{
	struct kennel *k = make(VDEV_WATCHDOG_RESET);

	(void)state;
	start(k, 10);
	set(k, 0x0c, 0x86);
	set(k, 0x00, 0xfffff);
	set(k, 0x0c, 0x80);
	set(k, 0x0c, 0x100);
	for (unsigned i = 0; i < 4; i++) {
		pass(k, 8);
		set(k, 0x0c, 0x100);
	}
	assert_int_equal(k->vm->end, HV_END_RESET);
	take_apart(k);
}

static void test_lock_and_reset(void **state)
{
	struct kennel *k = make(VDEV_WATCHDOG_RESET);

	(void)state;
	set_config(k, 0x68, 1, 0x03);
	set_config(k, 0x68, 1, 0x00);
	assert_int_equal(config(k, 0x68, 1), 0x03);
	vdev_host_reset(k->host);
	assert_int_equal(config(k, 0x68, 1), 0);
	set_config(k, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	assert_int_equal(get(k, 0x08), 0);
	start(k, 10);
	vdev_host_reset(k->host); /* stops it */
	pass(k, 40);
	assert_int_equal(k->vm->end, HV_END_NONE);
	take_apart(k);
}

/* The shortest times there are, free-running, with the output off: neither an end nor a storm. */
static void test_storm(void **state)
{
	struct kennel *k = make(VDEV_WATCHDOG_RESET);

	(void)state;
	unlocked(k, 0x00, 0);
	unlocked(k, 0x04, 0);
	set_config(k, 0x60, 2, 0x0024);
	set_config(k, 0x68, 1, 0x06);
	pass(k, 20);
	assert_int_equal(k->vm->end, HV_END_NONE);
	assert_int_equal(get(k, 0x0c), 0x200);
	set_config(k, 0x60, 2, 0x0004); /* the output on again */
	pass(k, 20);
	assert_int_equal(k->vm->end, HV_END_RESET);
	take_apart(k);
}

/* A VM that stands still is not dead; what was left of the time is left afterwards. */
static void test_pause(void **state)
{
	struct kennel *k = make(VDEV_WATCHDOG_RESET), *other = make(VDEV_WATCHDOG_RESET);
	struct state *s = state_new();

	(void)state;
	start(k, 10);
	assert_int_equal(vdev_host_quiesce(k->host), 0);
	pass(k, 60);
	assert_int_equal(k->vm->end, HV_END_NONE);
	vdev_host_save(k->host, s);
	assert_int_equal(state_error(s), 0);
	assert_int_equal(vdev_host_load(other->host, s), 0);
	vdev_host_resume(k->host);
	pass(k, 60);
	assert_int_equal(k->vm->end, HV_END_RESET);
	assert_int_equal(other->vm->end, HV_END_NONE);
	vdev_host_resume(other->host);
	pass(other, 60);
	assert_int_equal(other->vm->end, HV_END_RESET);
	state_free(s);
	take_apart(k);
	take_apart(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity), cmocka_unit_test(test_fed),
		cmocka_unit_test(test_bites),	 cmocka_unit_test(test_keys),
		cmocka_unit_test(test_storm),	 cmocka_unit_test(test_lock_and_reset),
		cmocka_unit_test(test_pause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
