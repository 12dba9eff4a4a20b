/* SPDX-License-Identifier: BSD-3-Clause */
/* Unit tests of hv-core/clock.c: a guest's time and its timers stand while the VM is paused, and go
 * on from there, in a restored VM as well; with them the timer of a PC. No hardware. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/loop.h"
#include "base/util.h"
#include "hv-core/hv.h"
#include "hv-core/vm.h"
#include "tests/fakes/fake_engine.h"

#define MS UINT64_C(1000000)

struct fixture {
	struct hv_engine engine;
	struct hv_config config;
	struct loop *loop;
	struct hv_vm *vm;
	struct hv_timer *timer;
	unsigned fired;
};

static void on_timer(void *opaque)
{
	struct fixture *f = opaque;

	f->fired++;
	loop_stop(f->loop, 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	fake_engine_init(&f->engine);
	assert_int_equal(loop_create(&f->loop), 0);
	f->config = (struct hv_config){
		.name = "test",
		.engine = &fake_engine_ops,
		.engine_fd = fake_engine_fd(&f->engine),
		.cpus = 1,
		.ram = 16 * MIB,
		.legacy = f->loop,
	};
	assert_int_equal(hv_vm_create(&f->config, &f->vm), 0);
	assert_int_equal(hv_timer_create(f->vm, f->loop, on_timer, f, &f->timer), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	hv_timer_destroy(f->timer);
	hv_vm_destroy(f->vm);
	loop_destroy(f->loop);
	close(f->config.engine_fd);
	fake_engine_finish(&f->engine);
	free(f);
	return 0;
}

static void set_timer(struct fixture *f, uint64_t at)
{
	hv_device_lock(f->vm);
	hv_timer_set(f->timer, at);
	hv_device_unlock(f->vm);
}

static void pass(uint64_t ns)
{
	const struct timespec time = {.tv_nsec = (long)ns};

	nanosleep(&time, NULL);
}

static void stop(void *opaque, uint32_t events)
{
	(void)events;
	loop_stop(opaque, 0);
}

static void run_for(struct fixture *f, unsigned ms)
{
	struct loop_source *timer;

	assert_int_equal(loop_timer(f->loop, ms, stop, f->loop, &timer), 0);
	assert_int_equal(loop_run(f->loop), 0);
}

static void stands_while_paused(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(hv_vm_start(f->vm), 0);
	assert_int_equal(hv_vm_pause(f->vm), 0);
	uint64_t at = hv_clock_now(f->vm), host = deadline_now();
	pass(20 * MS);
	assert_int_equal(hv_clock_now(f->vm), at);
	assert_int_equal(hv_vm_resume(f->vm), 0);
	uint64_t lived = hv_clock_now(f->vm) - at, passed = deadline_now() - host;
	assert_true(passed >= lived + 20 * MS);
}

static void its_timers_wait(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(hv_vm_start(f->vm), 0);
	set_timer(f, hv_clock_now(f->vm) + 5 * MS);
	assert_int_equal(hv_vm_pause(f->vm), 0);
	run_for(f, 20);
	assert_int_equal(f->fired, 0);

	assert_int_equal(hv_vm_resume(f->vm), 0);
	assert_int_equal(loop_run(f->loop), 0);
	assert_int_equal(f->fired, 1);

	set_timer(f, hv_clock_now(f->vm) + 1);
	set_timer(f, 0); /* taken back */
	run_for(f, 5);
	assert_int_equal(f->fired, 1);
	assert_int_equal(hv_vm_pause(f->vm), 0);
	set_timer(f, hv_clock_now(f->vm)); /* due, but time stands */
	run_for(f, 5);
	assert_int_equal(f->fired, 1);
	assert_int_equal(hv_vm_resume(f->vm), 0);
	assert_int_equal(loop_run(f->loop), 0);
	assert_int_equal(f->fired, 2);
}

static uint8_t in(struct fixture *f, uint16_t port)
{
	uint8_t value = 0;

	hv_device_lock(f->vm);
	hv_bus_read(&f->vm->bus, HV_PIO, port, &value, 1);
	hv_device_unlock(f->vm);
	return value;
}

static void out(struct fixture *f, uint16_t port, uint8_t value)
{
	hv_device_lock(f->vm);
	hv_bus_write(&f->vm->bus, HV_PIO, port, &value, 1);
	hv_device_unlock(f->vm);
}

static unsigned counter_2(struct fixture *f)
{
	out(f, 0x43, 0x80);
	unsigned low = in(f, 0x42);

	return low | (unsigned)in(f, 0x42) << 8;
}

/* The PIT of the restored VM shows what that of the saved one showed, however long it lay there. */
static void a_restored_guest_lives_on(void **state)
{
	struct fixture *f = *state;
	void *other;
	struct state *s = state_new();

	assert_int_equal(hv_vm_start(f->vm), 0);
	out(f, 0x43, 0xb0);
	out(f, 0x42, 0xff);
	out(f, 0x42, 0xff);
	out(f, 0x21, 0x5a); /* the PIC's mask */
	assert_int_equal(hv_vm_pause(f->vm), 0);
	unsigned shown = counter_2(f);
	uint64_t at = hv_clock_now(f->vm);
	assert_int_equal(hv_vm_save(f->vm, s), 0);
	pass(20 * MS);
	assert_int_equal(setup(&other), 0);
	struct fixture *o = other;
	assert_int_equal(hv_vm_load(o->vm, s), 0);
	assert_int_equal(hv_clock_now(o->vm), at);
	assert_int_equal(counter_2(o), shown);
	assert_int_equal(in(o, 0x21), 0x5a);
	assert_int_equal(hv_vm_start(o->vm), 0);
	hv_vm_end(o->vm, HV_END_KILLED);
	hv_vm_wait(o->vm);
	teardown(&other);
	state_free(s);
}

/* What the options say and what was saved must agree. */
static void a_pc_is_loaded_into_a_pc(void **state)
{
	struct fixture *f = *state;
	struct hv_config config = f->config;
	struct state *s = state_new();
	struct hv_vm *plain;

	assert_int_equal(hv_vm_start(f->vm), 0);
	assert_int_equal(hv_vm_pause(f->vm), 0);
	assert_int_equal(hv_vm_save(f->vm, s), 0);
	config.legacy = NULL;
	assert_int_equal(hv_vm_create(&config, &plain), 0);
	assert_int_equal(hv_vm_load(plain, s), -EINVAL);
	hv_vm_destroy(plain);
	state_free(s);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(stands_while_paused),
		T(its_timers_wait),
		T(a_restored_guest_lives_on),
		T(a_pc_is_loaded_into_a_pc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
