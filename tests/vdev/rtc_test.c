/* SPDX-License-Identifier: BSD-3-Clause */
/* Unit tests of vdev/rtc.c: the time in every form, setting it, interrupts, memory. */
#include "vdev/rtc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <time.h>

#include "tests/fakes/fake_hv.h"

struct board {
	struct hv_vm *vm;
	struct loop *loop;
	struct vdev_rtc *rtc;
};

static int setup(void **state)
{
	struct board *b = calloc(1, sizeof(*b));

	b->vm = fake_hv_create();
	assert_int_equal(loop_create(&b->loop), 0);
	assert_int_equal(vdev_rtc_create(b->vm, b->loop, &b->rtc), 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct board *b = *state;

	vdev_rtc_destroy(b->rtc);
	loop_destroy(b->loop);
	fake_hv_destroy(b->vm);
	free(b);
	return 0;
}

static uint8_t get(struct board *b, uint8_t index)
{
	fake_hv_write(b->vm, HV_PIO, 0x70, index, 1);
	return (uint8_t)fake_hv_read(b->vm, HV_PIO, 0x71, 1);
}

static void set(struct board *b, uint8_t index, uint8_t value)
{
	fake_hv_write(b->vm, HV_PIO, 0x70, index, 1);
	fake_hv_write(b->vm, HV_PIO, 0x71, value, 1);
}

static unsigned bcd(uint8_t v)
{
	return (v >> 4) * 10u + (v & 15u);
}

static void stop(void *opaque, uint32_t events)
{
	(void)events;
	loop_stop(opaque, 0);
}

static void spin(struct board *b, unsigned ms)
{
	struct loop_source *timer;

	assert_int_equal(loop_timer(b->loop, ms, stop, b->loop, &timer), 0);
	assert_int_equal(loop_run(b->loop), 0);
}

static void tells_the_hosts_time(void **state)
{
	struct board *b = *state;
	time_t before = time(NULL);
	struct tm tm = {
		.tm_sec = (int)bcd(get(b, 0)),
		.tm_min = (int)bcd(get(b, 2)),
		.tm_hour = (int)bcd(get(b, 4)),
		.tm_mday = (int)bcd(get(b, 7)),
		.tm_mon = (int)bcd(get(b, 8)) - 1,
		.tm_year = (int)(bcd(get(b, 0x32)) * 100 + bcd(get(b, 9))) - 1900,
	};

	assert_in_range(timegm(&tm), before - 1, time(NULL) + 60);
	assert_int_equal(get(b, 13), 0x80);
}

static void can_be_set(void **state)
{
	struct board *b = *state;

	set(b, 11, 0x86); /* held, binary, 24 hours */
	set(b, 0x32, 20);
	set(b, 9, 1);
	set(b, 8, 2);
	set(b, 7, 3);
	set(b, 4, 23);
	set(b, 2, 30);
	set(b, 0, 10);
	set(b, 11, 0x06);
	assert_int_equal(get(b, 9), 1);
	assert_int_equal(get(b, 8), 2);
	assert_int_equal(get(b, 7), 3);
	assert_int_equal(get(b, 4), 23);
	assert_int_equal(get(b, 6), 7); /* that was a Saturday */
	set(b, 11, 0x00);		/* BCD, 12 hours */
	assert_int_equal(get(b, 4), 0x80 | 0x11);
}

static void interrupts_periodically(void **state)
{
	struct board *b = *state;

	set(b, 10, 0x29); /* 128 Hz */
	set(b, 11, 0x42);
	spin(b, 50);
	assert_int_equal(b->vm->edges[VDEV_RTC_GSI], 1); /* once, until C is read */
	assert_int_equal(get(b, 12) & 0xc0, 0xc0);
	assert_false(b->vm->level[VDEV_RTC_GSI]);
	spin(b, 50);
	assert_int_equal(b->vm->edges[VDEV_RTC_GSI], 2);
	set(b, 11, 0x02);
	get(b, 12);
	spin(b, 30);
	assert_int_equal(b->vm->edges[VDEV_RTC_GSI], 2);
}

static void interrupts_at_each_second(void **state)
{
	struct board *b = *state;

	set(b, 1, 0xff);
	set(b, 3, 0xff);
	set(b, 5, 0xff); /* an alarm at any time */
	set(b, 11, 0x32);
	spin(b, 1100);
	assert_true(b->vm->level[VDEV_RTC_GSI]);
	assert_int_equal(get(b, 12) & 0xb0, 0xb0);
}

static void memory(void **state)
{
	struct board *b = *state;

	set(b, 0x40, 0xa5);
	assert_int_equal(get(b, 0xc0), 0xa5); /* bit 7 is no part of the index */
	assert_int_equal(get(b, 0x15) | get(b, 0x16) << 8, 640);
	set(b, 13, 0);
	assert_int_equal(get(b, 13), 0x80);
}

/* Anything in any register: no date is impossible enough to fall over. */
static void garbage(void **state)
{
	struct board *b = *state;
	uint32_t seed = 3;

	for (unsigned i = 0; i < 20000; i++) {
		seed = seed * 1664525 + 1013904223;
		set(b, seed >> 24 & 0x3f, (uint8_t)(seed >> 16));
		get(b, seed >> 8 & 0x7f);
	}
	assert_int_equal(get(b, 13), 0x80);
}

static void count(void *opaque)
{
	++*(unsigned *)opaque;
}

/* Any second is one of the alarm's: the ACPI status bit hangs on it. */
static void tells_of_an_alarm(void **state)
{
	struct board *b = *state;
	unsigned alarms = 0;

	vdev_rtc_on_alarm(b->rtc, count, &alarms);
	set(b, 1, 0xc0);
	set(b, 3, 0xc0);
	set(b, 5, 0xc0);
	fake_hv_age(b->vm, 2000000000);
	get(b, 12);
	assert_int_equal(alarms, 0); /* not asked for */
	set(b, 11, 0x22);
	fake_hv_age(b->vm, 2000000000);
	assert_int_equal(get(b, 12) & 0xa0, 0xa0);
	assert_int_equal(alarms, 1);
}

static void is_saved_and_loaded(void **state)
{
	struct board *b = *state;
	struct state *s = state_new();

	set(b, 11, 0x86);
	set(b, 0x32, 20);
	set(b, 9, 1);
	set(b, 8, 2);
	set(b, 7, 3);
	set(b, 11, 0x06);
	set(b, 0x50, 0x77); /* memory */
	fake_hv_write(b->vm, HV_PIO, 0x70, 9, 1);
	vdev_rtc_save(b->rtc, s);
	vdev_rtc_destroy(b->rtc);
	assert_int_equal(vdev_rtc_create(b->vm, b->loop, &b->rtc), 0);
	vdev_rtc_load(b->rtc, s);
	assert_int_equal(state_error(s), 0);
	assert_int_equal(fake_hv_read(b->vm, HV_PIO, 0x71, 1), 1); /* the index that was set */
	assert_int_equal(get(b, 8), 2);
	assert_int_equal(get(b, 0x50), 0x77);
	state_free(s);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(tells_the_hosts_time),
		T(can_be_set),
		T(interrupts_periodically),
		T(interrupts_at_each_second),
		T(memory),
		T(garbage),
		T(tells_of_an_alarm),
		T(is_saved_and_loaded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
