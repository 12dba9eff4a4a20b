/* SPDX-License-Identifier: BSD-3-Clause */
/* pause: a VM stands still and goes on; saved, and loaded into another. No hardware. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "hv-core/hv.h"
#include "hv-core/vm.h"
#include "tests/fakes/fake_engine.h"

struct fixture {
	struct hv_engine engine;
	struct hv_config config;
	struct hv_vm *vm;
	unsigned reads;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	fake_engine_init(&f->engine);
	f->config = (struct hv_config){
		.name = "test",
		.engine = &fake_engine_ops,
		.engine_fd = fake_engine_fd(&f->engine),
		.cpus = 3,
		.ram = 16 * MIB,
	};
	assert_int_equal(hv_vm_create(&f->config, &f->vm), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	hv_vm_destroy(f->vm);
	close(f->config.engine_fd);
	fake_engine_finish(&f->engine);
	free(f);
	return 0;
}

static void all_cpus_park(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(hv_vm_start(f->vm), 0);
	assert_int_equal(hv_vm_pause(f->vm), 0);
	assert_true(hv_vm_paused(f->vm));
	assert_int_equal(f->vm->parked, 3);
	assert_int_equal(f->engine.clock_stops, 1);
	assert_int_equal(hv_vm_pause(f->vm), 0); /* twice is once */
	assert_int_equal(f->engine.clock_stops, 1);
	assert_int_equal(hv_vm_resume(f->vm), 0);
	assert_false(hv_vm_paused(f->vm));
	assert_int_equal(f->engine.clock_starts, 1);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(hv_vm_pause(f->vm), 0);
		assert_int_equal(hv_vm_resume(f->vm), 0);
	}
	assert_int_equal(f->engine.clock_stops, 51);
}

static void count_read(void *opaque, uint64_t offset, void *data, unsigned len)
{
	struct fixture *f = opaque;

	(void)offset;
	memset(data, 0, len);
	f->reads++;
}

static void ignore_write(void *opaque, uint64_t offset, const void *data, unsigned len)
{
	(void)opaque, (void)offset, (void)data, (void)len;
}

/* What an exit asked for is done before the CPU parks, however early the pause came. */
static void exits_are_finished(void **state)
{
	static const struct hv_region_ops ops = {.read = count_read, .write = ignore_write};
	struct fixture *f = *state;
	struct hv_region *region;
	uint8_t data[4];

	assert_int_equal(hv_bus_add(f->vm, HV_PIO, "port", 0x10, 4, &ops, f, &region), 0);
	for (unsigned i = 0; i < 8; i++)
		f->engine.script[f->engine.scripted++] =
			(struct hv_exit){.reason = HV_EXIT_IO_READ,
					 .io = {.addr = 0x10, .len = 4, .count = 1, .data = data}};
	assert_int_equal(hv_vm_start(f->vm), 0);
	assert_int_equal(hv_vm_pause(f->vm), 0);
	assert_int_equal(f->reads, 8);
	assert_int_equal(f->vm->parked, 3);
}

static void a_paused_vm_ends(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(hv_vm_start(f->vm), 0);
	assert_int_equal(hv_vm_pause(f->vm), 0);
	hv_vm_end(f->vm, HV_END_KILLED);
	assert_int_equal(hv_vm_wait(f->vm), HV_END_KILLED);
	assert_int_equal(f->vm->live, 0);
}

static void an_ended_vm_is_not_paused(void **state)
{
	struct fixture *f = *state;

	f->engine.run_result = -EFAULT; /* CPU 0 dies at once */
	assert_int_equal(hv_vm_start(f->vm), 0);
	assert_int_equal(hv_vm_wait(f->vm), HV_END_CRASH);
	assert_int_equal(hv_vm_pause(f->vm), -ECANCELED);
	assert_false(hv_vm_paused(f->vm));
}

/* Clocks that do not stop: then the VM goes on. */
static void a_failed_pause_goes_on(void **state)
{
	struct fixture *f = *state;

	f->engine.clock_result = -EIO;
	assert_int_equal(hv_vm_start(f->vm), 0);
	assert_int_equal(hv_vm_pause(f->vm), -EIO);
	assert_false(hv_vm_paused(f->vm));
	f->engine.clock_result = 0;
	assert_int_equal(hv_vm_pause(f->vm), 0);
	assert_int_equal(f->vm->parked, 3);
}

static struct state *saved(struct fixture *f)
{
	struct state *s = state_new();

	if (!f->vm)
		abort();
	f->engine.saved_number = 42;
	f->vm->ioapic.pin[4].entry = 0xa000 | 0x31; /* level, vector 0x31 */
	f->vm->ioapic.pin[4].level = true;
	assert_int_equal(hv_vm_start(f->vm), 0);
	assert_int_equal(hv_vm_pause(f->vm), 0);
	assert_int_equal(hv_vm_save(f->vm, s), 0);
	hv_vm_destroy(f->vm);
	f->vm = NULL;
	f->engine.saved_number = 0;
	return s;
}

static void a_saved_vm_is_loaded(void **state)
{
	struct fixture *f = *state;
	struct state *s = saved(f);
	char *text = state_text(s);
	struct state *parsed;

	assert_int_equal(state_parse("test", text, strlen(text), &parsed), 0);
	if (hv_vm_create(&f->config, &f->vm) || !f->vm)
		abort();
	assert_int_equal(hv_vm_load(f->vm, parsed), 0);
	assert_int_equal(f->engine.saved_number, 42);
	assert_int_equal(f->vm->ioapic.pin[4].entry, 0xa031);
	assert_true(f->vm->ioapic.pin[4].level);
	assert_non_null(fake_route(&f->engine, 4)); /* its end of interrupt will be told */
	assert_true(hv_vm_paused(f->vm));
	unsigned starts = f->engine.clock_starts;
	assert_int_equal(hv_vm_start(f->vm), 0);
	assert_int_equal(f->engine.clock_starts, starts + 1);
	assert_false(hv_vm_paused(f->vm));
	state_free(parsed);
	state_free(s);
	free(text);
}

static void another_shape_is_refused(void **state)
{
	struct fixture *f = *state;
	struct state *s = saved(f);

	f->config.cpus = 2;
	assert_int_equal(hv_vm_create(&f->config, &f->vm), 0);
	assert_int_equal(hv_vm_load(f->vm, s), -EINVAL);
	hv_vm_destroy(f->vm);
	state_free(s);
	f->vm = NULL;
	f->config.cpus = 3;
	assert_int_equal(hv_vm_create(&f->config, &f->vm), 0);
	s = saved(f);
	f->config.ram = 32 * MIB;
	assert_int_equal(hv_vm_create(&f->config, &f->vm), 0);
	assert_int_equal(hv_vm_load(f->vm, s), -ENOTSUP);
	state_free(s);
}

static void heard(void *opaque, const struct hv_event *event)
{
	struct fixture *f = opaque;

	assert_string_equal(event->what, "io-error");
	assert_string_equal(event->device, "disk0");
	f->reads++;
}

static void events_reach_the_listener(void **state)
{
	struct fixture *f = *state;
	const struct hv_event event = {"io-error", "disk0", "No space left on device"};

	hv_vm_event(f->vm, &event); /* nobody listens */
	hv_vm_on_event(f->vm, heard, f);
	hv_vm_event(f->vm, &event);
	assert_int_equal(f->reads, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_cpus_park),
		TEST(exits_are_finished),
		TEST(a_paused_vm_ends),
		TEST(an_ended_vm_is_not_paused),
		TEST(a_failed_pause_goes_on),
		TEST(a_saved_vm_is_loaded),
		TEST(another_shape_is_refused),
		TEST(events_reach_the_listener),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
