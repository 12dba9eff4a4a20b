/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rtc: the MC146818 real-time clock (Motorola's datasheet of that name), behind ports 0x70 (index)
 * and 0x71 (data), with 128 bytes of memory.
 *
 * The time of day is the host's, plus what the guest has set it off by. Registers are worked out
 * when they are read. Interrupts (periodic, alarm, update ended) are one deadline: the next moment
 * at which an enabled one is due. The upper memory holds what PC firmware looks for there: how much
 * RAM there is, and which kind of disk to boot.
 */
#include "vdev/rtc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/util.h"

#define NS_PER_S   UINT64_C(1000000000)
#define CMOS_BYTES 128u
#define UPDATE_NS                                                                      \
	UINT64_C(244000) /* how long "update in progress" is told before a second ends \
			  */

enum {
	SECONDS = 0,
	SECONDS_ALARM = 1,
	MINUTES = 2,
	MINUTES_ALARM = 3,
	HOURS = 4,
	HOURS_ALARM = 5,
	WEEKDAY = 6,
	DAY = 7,
	MONTH = 8,
	YEAR = 9,
	REG_A = 10,
	REG_B = 11,
	REG_C = 12,
	REG_D = 13,
	CENTURY = 0x32,
};

#define A_UPDATING  0x80
#define A_RATE	    0x0f
#define B_SET	    0x80
#define B_24_HOURS  0x02
#define B_BINARY    0x04
#define F_PERIODIC  0x40
#define F_ALARM	    0x20
#define F_UPDATE    0x10
#define F_ALL	    (F_PERIODIC | F_ALARM | F_UPDATE)
#define C_INTERRUPT 0x80
#define D_VALID	    0x80
#define HOUR_PM	    0x80
#define ALARM_ANY   0xc0

struct vdev_rtc {
	struct hv_vm *vm;
	struct hv_region *region;
	struct hv_timer *timer;
	void (*on_alarm)(void *opaque);
	void *on_alarm_opaque;
	uint8_t index;
	uint8_t cmos[CMOS_BYTES];
	int64_t offset;	 /* guest's time - host's, in s */
	int64_t frozen;	 /* the time while B_SET holds the clock */
	uint64_t looked; /* guest time up to which flags were worked out */
};

/* ---- time ---- */

static struct timespec host_time(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now;
}

static int64_t guest_seconds(const struct vdev_rtc *r)
{
	return r->cmos[REG_B] & B_SET ? r->frozen : host_time().tv_sec + r->offset;
}

static uint8_t encode(const struct vdev_rtc *r, int value)
{
	unsigned v = (unsigned)(value % 100 + 100) % 100; /* a guest can set a year before 1900 */

	if (r->cmos[REG_B] & B_BINARY)
		return (uint8_t)v;
	return (uint8_t)(v / 10 << 4 | v % 10);
}

static int decode(const struct vdev_rtc *r, uint8_t value)
{
	return r->cmos[REG_B] & B_BINARY ? value : (value >> 4) * 10 + (value & 15);
}

static uint8_t encode_hour(const struct vdev_rtc *r, int hour)
{
	if (r->cmos[REG_B] & B_24_HOURS)
		return encode(r, hour);
	return (uint8_t)(encode(r, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? HOUR_PM : 0));
}

static int decode_hour(const struct vdev_rtc *r, uint8_t value)
{
	if (r->cmos[REG_B] & B_24_HOURS)
		return decode(r, value);
	return decode(r, value & 0x7f) % 12 + (value & HOUR_PM ? 12 : 0);
}

/* The time registers as they are now. */
static void show_time(struct vdev_rtc *r)
{
	time_t seconds = (time_t)guest_seconds(r);
	struct tm tm;

	if (!gmtime_r(&seconds, &tm))
		return;
	r->cmos[SECONDS] = encode(r, tm.tm_sec);
	r->cmos[MINUTES] = encode(r, tm.tm_min);
	r->cmos[HOURS] = encode_hour(r, tm.tm_hour);
	r->cmos[WEEKDAY] = encode(r, tm.tm_wday + 1);
	r->cmos[DAY] = encode(r, tm.tm_mday);
	r->cmos[MONTH] = encode(r, tm.tm_mon + 1);
	r->cmos[YEAR] = encode(r, tm.tm_year % 100);
	r->cmos[CENTURY] = encode(r, 19 + tm.tm_year / 100);
}

/* From the registers, whatever a guest has put there: timegm copes with any number. */
static int64_t read_time(const struct vdev_rtc *r)
{
	struct tm tm = {
		.tm_sec = decode(r, r->cmos[SECONDS]),
		.tm_min = decode(r, r->cmos[MINUTES]),
		.tm_hour = decode_hour(r, r->cmos[HOURS]),
		.tm_mday = decode(r, r->cmos[DAY]),
		.tm_mon = decode(r, r->cmos[MONTH]) - 1,
		.tm_year = decode(r, r->cmos[CENTURY]) * 100 + decode(r, r->cmos[YEAR]) - 1900,
	};

	return timegm(&tm);
}

/* ---- interrupts ---- */

/* Periodic rate: 32768 Hz >> (rate - 1); rates 1 and 2 are those of 8 and 9 (table 5). */
static uint64_t period(const struct vdev_rtc *r)
{
	unsigned rate = r->cmos[REG_A] & A_RATE;

	if (!rate)
		return 0;
	if (rate <= 2)
		rate += 7;
	return (NS_PER_S << (rate - 1)) / 32768;
}

static bool alarm_byte(const struct vdev_rtc *r, unsigned alarm, unsigned now)
{
	return (r->cmos[alarm] & ALARM_ANY) == ALARM_ANY || r->cmos[alarm] == r->cmos[now];
}

static void update_line(struct vdev_rtc *r)
{
	bool due = r->cmos[REG_C] & r->cmos[REG_B] & F_ALL;

	r->cmos[REG_C] = (uint8_t)((r->cmos[REG_C] & F_ALL) | (due ? C_INTERRUPT : 0));
	hv_irq_set(r->vm, VDEV_RTC_GSI, due);
}

static void alarm(struct vdev_rtc *r)
{
	r->cmos[REG_C] |= F_ALARM;
	if ((r->cmos[REG_B] & F_ALARM) && r->on_alarm)
		r->on_alarm(r->on_alarm_opaque);
}

/* Sets the flags of what has happened since the last look. A second counts by the guest's clock, so
 * that a host whose time is being set, or a pause, does not make the guest's interrupts jump. */
static void look(struct vdev_rtc *r)
{
	uint64_t now = hv_clock_now(r->vm), every = period(r);

	if (every && now / every != r->looked / every)
		r->cmos[REG_C] |= F_PERIODIC;
	if (now / NS_PER_S != r->looked / NS_PER_S && !(r->cmos[REG_B] & B_SET)) {
		r->cmos[REG_C] |= F_UPDATE;
		show_time(r);
		if (alarm_byte(r, SECONDS_ALARM, SECONDS) &&
		    alarm_byte(r, MINUTES_ALARM, MINUTES) && alarm_byte(r, HOURS_ALARM, HOURS))
			alarm(r);
	}
	r->looked = now;
	update_line(r);
}

static uint64_t next_multiple(uint64_t now, uint64_t every)
{
	return (now / every + 1) * every;
}

static void schedule(struct vdev_rtc *r)
{
	uint8_t enabled = r->cmos[REG_B];
	uint64_t now = hv_clock_now(r->vm), every = period(r), at = 0;

	if (enabled & (F_ALARM | F_UPDATE))
		at = next_multiple(now, NS_PER_S);
	if ((enabled & F_PERIODIC) && every)
		at = at ? MIN(at, next_multiple(now, every)) : next_multiple(now, every);
	hv_timer_set(r->timer, at);
}

static void on_timer(void *opaque)
{
	struct vdev_rtc *r = opaque;

	hv_device_lock(r->vm);
	look(r);
	schedule(r);
	hv_device_unlock(r->vm);
}

/* ---- registers ---- */

static bool is_time(unsigned index)
{
	return index == SECONDS || index == MINUTES || index == HOURS ||
	       (index >= WEEKDAY && index <= YEAR) || index == CENTURY;
}

static uint8_t read_register(struct vdev_rtc *r)
{
	uint8_t value;

	if (is_time(r->index) && !(r->cmos[REG_B] & B_SET))
		show_time(r);
	if (r->index == REG_A && !(r->cmos[REG_B] & B_SET) &&
	    (uint64_t)host_time().tv_nsec >= NS_PER_S - UPDATE_NS)
		return r->cmos[REG_A] | A_UPDATING;
	if (r->index == REG_C)
		look(r);
	value = r->cmos[r->index];
	if (r->index == REG_C) { /* reading acknowledges */
		r->cmos[REG_C] = 0;
		update_line(r);
	}
	return value;
}

/* Stops or starts the clock, and takes the time over that was set meanwhile. */
static void write_b(struct vdev_rtc *r, uint8_t value)
{
	bool was = r->cmos[REG_B] & B_SET, set = value & B_SET;

	if (set && !was) {
		r->frozen = guest_seconds(r);
		show_time(r);
	}
	if (!set && was)
		r->offset = read_time(r) - host_time().tv_sec;
	look(r);
	r->cmos[REG_B] = value;
	update_line(r);
	schedule(r);
}

static void write_register(struct vdev_rtc *r, uint8_t value)
{
	switch (r->index) {
	case REG_A:
		look(r);
		r->cmos[REG_A] = value & (uint8_t)~A_UPDATING;
		schedule(r);
		return;
	case REG_B:
		write_b(r, value);
		return;
	case REG_C:
	case REG_D:
		return; /* read-only */
	}
	if (is_time(r->index) && !(r->cmos[REG_B] & B_SET)) {
		show_time(r);
		r->cmos[r->index] = value;
		r->offset = read_time(r) - host_time().tv_sec;
		return;
	}
	r->cmos[r->index] = value;
}

static void port_read(void *opaque, uint64_t offset, void *data, unsigned len)
{
	memset(data, 0xff, len); /* the index cannot be read back */
	if (offset == 1)
		((uint8_t *)data)[0] = read_register(opaque);
}

static void port_write(void *opaque, uint64_t offset, const void *data, unsigned len)
{
	struct vdev_rtc *r = opaque;
	uint8_t value = ((const uint8_t *)data)[0];

	if (offset == 1) {
		write_register(r, value);
		return;
	}
	r->index = value & (CMOS_BYTES - 1); /* bit 7 would mask NMI */
	if (len >= 2)
		write_register(r, ((const uint8_t *)data)[1]);
}

static const struct hv_region_ops port_ops = {.read = port_read, .write = port_write};

/* ---- what firmware finds ---- */

static void put16(struct vdev_rtc *r, unsigned index, uint64_t value)
{
	value = MIN(value, UINT64_C(0xffff));
	r->cmos[index] = (uint8_t)value;
	r->cmos[index + 1] = (uint8_t)(value >> 8);
}

static void describe_memory(struct vdev_rtc *r)
{
	struct hv_mem_layout layout;
	uint64_t low, high = 0;

	hv_mem_layout(r->vm, &layout);
	low = range_size(layout.low_ram);
	if (layout.high_ram.start < layout.high_ram.last)
		high = range_size(layout.high_ram) / (64 * KIB);
	put16(r, 0x15, 640);
	put16(r, 0x17, (low - MIN(low, MIB)) / KIB);
	put16(r, 0x30, (low - MIN(low, MIB)) / KIB);
	put16(r, 0x34, (low - MIN(low, 16 * MIB)) / (64 * KIB));
	put16(r, 0x5b, high & 0xffff);
	r->cmos[0x5d] = (uint8_t)(high >> 16);
}

int vdev_rtc_create(struct hv_vm *vm, struct loop *loop, struct vdev_rtc **out)
{
	struct vdev_rtc *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return log_fail(-ENOMEM, hv_vm_name(vm), "no memory for its clock");
	r->vm = vm;
	r->looked = hv_clock_now(r->vm);
	r->cmos[REG_A] = 0x26; /* oscillator on, 1024 Hz */
	r->cmos[REG_B] = B_24_HOURS;
	r->cmos[REG_D] = D_VALID;
	r->cmos[0x38] = 0x01; /* a disk needs no boot signature check of floppies */
	r->cmos[0x3d] = 0x02; /* boot from disk first */
	describe_memory(r);
	err = hv_timer_create(vm, loop, on_timer, r, &r->timer);
	if (err < 0)
		log_fail(err, hv_vm_name(vm), "no timer for its clock: %s", strerror(-err));
	else
		err = hv_bus_add(vm, HV_PIO, "rtc", VDEV_RTC_PORT, 2, &port_ops, r, &r->region);
	if (err < 0) {
		vdev_rtc_destroy(r);
		return err;
	}
	*out = r;
	return 0;
}

void vdev_rtc_destroy(struct vdev_rtc *r)
{
	if (!r)
		return;
	if (r->region)
		hv_bus_remove(r->vm, r->region);
	hv_timer_destroy(r->timer);
	free(r);
}

void vdev_rtc_on_alarm(struct vdev_rtc *r, void (*fn)(void *opaque), void *opaque)
{
	r->on_alarm = fn;
	r->on_alarm_opaque = opaque;
}

/* ---- standing still ---- */

/* A state holds no negative numbers. More than the registers can express, in s. */
#define SECONDS_BIAS (INT64_C(1) << 40)

void vdev_rtc_save(const struct vdev_rtc *r, struct state *s)
{
	state_put(s, "index", r->index);
	state_put_bytes(s, "cmos", r->cmos, sizeof(r->cmos));
	state_put(s, "offset", (uint64_t)(r->offset + SECONDS_BIAS));
	state_put(s, "frozen", (uint64_t)(r->frozen + SECONDS_BIAS));
	state_put(s, "looked", r->looked);
}

void vdev_rtc_load(struct vdev_rtc *r, struct state *s)
{
	r->index = (uint8_t)state_take(s, "index", CMOS_BYTES - 1);
	state_take_bytes(s, "cmos", r->cmos, sizeof(r->cmos));
	r->offset = (int64_t)state_take(s, "offset", 2 * SECONDS_BIAS) - SECONDS_BIAS;
	r->frozen = (int64_t)state_take(s, "frozen", 2 * SECONDS_BIAS) - SECONDS_BIAS;
	r->looked = state_take(s, "looked", INT64_MAX);
	schedule(r);
}
