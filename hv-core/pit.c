/* SPDX-License-Identifier: BSD-3-Clause */
/* pit: see pit.h. */
#include "hv-core/pit.h"

#include <string.h>

#define NS_PER_S UINT64_C(1000000000)

/* Control word (8254, figure 7) and read-back command (figure 14) */
#define CONTROL	      3u /* its port */
#define READ_BACK     3u /* where a counter's number stands */
#define NO_COUNT      0x20
#define NO_STATUS     0x10
#define STATUS_OUTPUT 0x80
#define STATUS_NULL   0x40 /* no count loaded yet */

/* Port 0x61 */
#define GATE_SPEAKER 0x02
#define GATE_ENABLE  0x01
#define GATE_REFRESH 0x10 /* toggles */
#define GATE_OUTPUT  0x20

/* Time is cut into whole seconds first: neither product can overflow. */
static uint64_t to_ticks(uint64_t ns)
{
	return ns / NS_PER_S * HV_PIT_HZ + ns % NS_PER_S * HV_PIT_HZ / NS_PER_S;
}

/* The first ns at which `ticks` have passed. */
static uint64_t to_ns(uint64_t ticks)
{
	return ticks / HV_PIT_HZ * NS_PER_S +
	       (ticks % HV_PIT_HZ * NS_PER_S + HV_PIT_HZ - 1) / HV_PIT_HZ;
}

static uint64_t elapsed(const struct hv_pit *pit, const struct hv_pit_counter *c)
{
	uint64_t now = pit->now(pit->opaque);

	return now > c->start ? to_ticks(now - c->start) : 0;
}

static bool repeats(const struct hv_pit_counter *c)
{
	return c->mode == 2 || c->mode == 3;
}

static uint16_t to_bcd(uint32_t n)
{
	return (uint16_t)(n / 1000 % 10 << 12 | n / 100 % 10 << 8 | n / 10 % 10 << 4 | n % 10);
}

static uint32_t from_bcd(uint32_t n)
{
	return (n >> 12 & 15) * 1000 + (n >> 8 & 15) * 100 + (n >> 4 & 15) * 10 + (n & 15);
}

/* The counting element as a read shows it. */
static uint16_t count(const struct hv_pit *pit, const struct hv_pit_counter *c)
{
	uint32_t wrap = c->bcd ? 10000 : 65536, value;

	if (!c->reload)
		return 0;
	uint64_t ticks = elapsed(pit, c);
	if (c->mode == 2)
		value = c->reload - (uint32_t)(ticks % c->reload);
	else if (c->mode == 3) /* by two, twice per period */
		value = c->reload - (uint32_t)(ticks * 2 % c->reload);
	else
		value = (uint32_t)((c->reload + wrap - ticks % wrap) % wrap);
	return c->bcd ? to_bcd(value) : (uint16_t)value;
}

static bool output(const struct hv_pit *pit, const struct hv_pit_counter *c)
{
	if (!c->reload)
		return c->mode != 0;
	uint64_t ticks = elapsed(pit, c);
	switch (c->mode) {
	case 0:
		return ticks >= c->reload;
	case 1:
		return ticks >= c->reload;
	case 2:
		return ticks % c->reload != c->reload - 1;
	case 3:
		return ticks % c->reload < (c->reload + 1) / 2;
	default: /* low for one tick at the end */
		return ticks != c->reload;
	}
}

/* ---- counter 0 ---- */

/* Where the next edge is; 0 when there is none to come. */
static uint64_t next_edge(const struct hv_pit *pit)
{
	const struct hv_pit_counter *c = &pit->counter[0];

	if (!c->reload || c->mode == 1 || c->mode == 5)
		return 0; /* started by a gate that never moves */
	if (!repeats(c))
		return pit->fired ? 0 : c->start + to_ns(c->reload);
	return c->start + to_ns((elapsed(pit, c) / c->reload + 1) * c->reload);
}

static void schedule(struct hv_pit *pit)
{
	pit->wake(pit->opaque, next_edge(pit));
}

void hv_pit_tick(struct hv_pit *pit)
{
	const struct hv_pit_counter *c = &pit->counter[0];

	/* The count may have been changed since this call was asked for. */
	if (c->reload && elapsed(pit, c) >= c->reload && !pit->fired) {
		pit->interrupt(pit->opaque);
		pit->fired = !repeats(c);
	}
	schedule(pit);
}

/* ---- registers ---- */

static void load(struct hv_pit *pit, unsigned n, uint32_t value)
{
	struct hv_pit_counter *c = &pit->counter[n];

	if (c->bcd)
		value = from_bcd(value);
	c->reload = value ? value : c->bcd ? 10000 : 65536;
	if (repeats(c) && c->reload == 1)
		c->reload = 2; /* 1 is illegal there; the chip then does what it likes */
	c->start = pit->now(pit->opaque);
	if (n != 0)
		return;
	pit->fired = false;
	schedule(pit);
}

static void write_counter(struct hv_pit *pit, unsigned n, uint8_t value)
{
	struct hv_pit_counter *c = &pit->counter[n];

	if (c->access == 1) {
		load(pit, n, value);
	} else if (c->access == 2) {
		load(pit, n, (uint32_t)value << 8);
	} else if (c->write_high) {
		c->write_high = false;
		load(pit, n, (uint32_t)value << 8 | c->low);
	} else {
		c->low = value;
		c->write_high = true;
	}
}

static void latch_count(const struct hv_pit *pit, struct hv_pit_counter *c)
{
	if (c->latched)
		return;
	c->latched = true;
	c->latch = count(pit, c);
}

static void latch_status(const struct hv_pit *pit, struct hv_pit_counter *c)
{
	if (c->status_latched)
		return;
	c->status_latched = true;
	c->status = (uint8_t)((output(pit, c) ? STATUS_OUTPUT : 0) | (c->reload ? 0 : STATUS_NULL) |
			      c->access << 4 | c->mode << 1 | (c->bcd ? 1 : 0));
}

static void read_back(struct hv_pit *pit, uint8_t value)
{
	for (unsigned n = 0; n < 3; n++) {
		if (!(value & 2u << n))
			continue;
		if (!(value & NO_COUNT))
			latch_count(pit, &pit->counter[n]);
		if (!(value & NO_STATUS))
			latch_status(pit, &pit->counter[n]);
	}
}

static void write_control(struct hv_pit *pit, uint8_t value)
{
	unsigned n = value >> 6;

	if (n == READ_BACK) {
		read_back(pit, value);
		return;
	}
	struct hv_pit_counter *c = &pit->counter[n];
	uint8_t access = value >> 4 & 3, mode = value >> 1 & 7;
	if (!access) {
		latch_count(pit, c);
		return;
	}
	*c = (struct hv_pit_counter){
		.access = access,
		.mode = mode > 5 ? mode & 3 : mode, /* 6 and 7 are 2 and 3 */
		.bcd = value & 1,
		.gate = c->gate,
	};
	if (n == 0)
		schedule(pit);
}

static uint8_t read_counter(struct hv_pit *pit, unsigned n)
{
	struct hv_pit_counter *c = &pit->counter[n];

	if (c->status_latched) {
		c->status_latched = false;
		return c->status;
	}
	uint16_t value = c->latched ? c->latch : count(pit, c);
	bool high = c->access == 2 || (c->access == 3 && c->read_high);
	bool last = c->access != 3 || c->read_high;

	c->read_high = c->access == 3 && !c->read_high;
	if (last)
		c->latched = false;
	return (uint8_t)(high ? value >> 8 : value);
}

static void pit_read(void *opaque, uint64_t offset, void *data, unsigned len)
{
	memset(data, 0xff, len);
	if (offset != CONTROL)
		((uint8_t *)data)[0] = read_counter(opaque, (unsigned)offset);
}

static void pit_write(void *opaque, uint64_t offset, const void *data, unsigned len)
{
	uint8_t value;

	(void)len; /* the registers are bytes */
	memcpy(&value, data, 1);
	if (offset == CONTROL)
		write_control(opaque, value);
	else
		write_counter(opaque, (unsigned)offset, value);
}

static void gate_read(void *opaque, uint64_t offset, void *data, unsigned len)
{
	const struct hv_pit *pit = opaque;
	const struct hv_pit_counter *c = &pit->counter[2];
	/* The refresh bit changes every 15 us. */
	bool refresh = pit->now(pit->opaque) / 15000 & 1;

	(void)offset;
	memset(data, 0xff, len);
	((uint8_t *)data)[0] =
		(uint8_t)((c->gate ? GATE_ENABLE : 0) | (pit->speaker ? GATE_SPEAKER : 0) |
			  (refresh ? GATE_REFRESH : 0) | (output(pit, c) ? GATE_OUTPUT : 0));
}

/* A rising gate starts the count anew in all modes but 0 and 4, where it only holds it; firmware
 * raises it before it loads a count, so that holding is not modelled. */
static void gate_write(void *opaque, uint64_t offset, const void *data, unsigned len)
{
	struct hv_pit *pit = opaque;
	struct hv_pit_counter *c = &pit->counter[2];
	uint8_t value;

	(void)offset;
	(void)len;
	memcpy(&value, data, 1);
	bool gate = value & GATE_ENABLE;
	if (gate && !c->gate && c->mode != 0 && c->mode != 4)
		c->start = pit->now(pit->opaque);
	c->gate = gate;
	pit->speaker = value & GATE_SPEAKER;
}

void hv_pit_init(struct hv_pit *pit)
{
	for (unsigned n = 0; n < 3; n++)
		pit->counter[n] = (struct hv_pit_counter){.access = 3, .mode = 3, .gate = n != 2};
	pit->speaker = pit->fired = false;
}

const struct hv_region_ops hv_pit_ops = {.read = pit_read, .write = pit_write};
const struct hv_region_ops hv_pit_gate_ops = {.read = gate_read, .write = gate_write};

/* ---- standing still ---- */

void hv_pit_save(const struct hv_pit *pit, struct state *s)
{
	state_put(s, "speaker", pit->speaker);
	state_put(s, "fired", pit->fired);
	for (unsigned n = 0; n < 3; n++) {
		const struct hv_pit_counter *c = &pit->counter[n];
		struct state *part = state_item(s, "counter", n);

		state_put(part, "start", c->start);
		state_put(part, "reload", c->reload);
		state_put(part, "mode", c->mode);
		state_put(part, "access", c->access);
		state_put(part, "bcd", c->bcd);
		state_put(part, "gate", c->gate);
		state_put(part, "write_high", c->write_high);
		state_put(part, "read_high", c->read_high);
		state_put(part, "low", c->low);
		state_put(part, "latched", c->latched);
		state_put(part, "latch", c->latch);
		state_put(part, "status_latched", c->status_latched);
		state_put(part, "status", c->status);
	}
}

static struct hv_pit_counter load_counter(struct state *s)
{
	struct hv_pit_counter c = {
		.start = state_take(s, "start", INT64_MAX),
		.reload = (uint32_t)state_take(s, "reload", 65536),
		.mode = (uint8_t)state_take(s, "mode", 5),
		.access = (uint8_t)state_take(s, "access", 3),
		.bcd = state_take(s, "bcd", 1),
		.gate = state_take(s, "gate", 1),
		.write_high = state_take(s, "write_high", 1),
		.read_high = state_take(s, "read_high", 1),
		.low = (uint8_t)state_take(s, "low", 0xff),
		.latched = state_take(s, "latched", 1),
		.latch = (uint16_t)state_take(s, "latch", 0xffff),
		.status_latched = state_take(s, "status_latched", 1),
		.status = (uint8_t)state_take(s, "status", 0xff),
	};

	return c;
}

void hv_pit_load(struct hv_pit *pit, struct state *s)
{
	pit->speaker = state_take(s, "speaker", 1);
	pit->fired = state_take(s, "fired", 1);
	for (unsigned n = 0; n < 3; n++)
		pit->counter[n] = load_counter(state_open_item(s, "counter", n));
	schedule(pit);
}
