/* SPDX-License-Identifier: BSD-3-Clause */
/* pic: see pic.h. */
#include "hv-core/pic.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/util.h"

#define CASCADE 2u /* input of the first chip that the second one drives */
#define NONE	8u /* no input */

/* A write to the chip's first port: 8259A, figures 7 and 8 */
#define ICW1	      0x10
#define ICW1_NEED4    0x01
#define ICW4_AUTO_EOI 0x02
#define ICW4_NESTED   0x10
#define OCW3	      0x08
#define OCW3_READ_ISR 0x03
#define OCW3_READ_IRR 0x02
#define OCW3_POLL     0x04
#define OCW3_MASK_ON  0x60
#define OCW3_MASK_OFF 0x40

/* OCW2, bits 7:5 */
enum {
	EOI_ROTATE_AUTO_OFF = 0,
	EOI_PLAIN = 1,
	EOI_SPECIFIC = 3,
	EOI_ROTATE_AUTO_ON = 4,
	EOI_ROTATE = 5,
	SET_PRIORITY = 6,
	EOI_SPECIFIC_ROTATE = 7,
};

/* Inputs that cannot be level-triggered: timer, keyboard, cascade; RTC and coprocessor. */
static const uint8_t elcr_mask[2] = {0xf8, 0xde};

/* The most urgent input among `bits`, NONE when there is none. Priority falls from the input after
 * `lowest` on, round. */
static unsigned most_urgent(const struct hv_pic_chip *c, uint8_t bits)
{
	for (unsigned i = 1; i <= 8; i++) {
		unsigned input = (c->lowest + i) & 7;

		if (bits & 1u << input)
			return input;
	}
	return NONE;
}

static unsigned rank(const struct hv_pic_chip *c, unsigned input)
{
	return input == NONE ? 8 : (input - c->lowest - 1) & 7;
}

/* The input that the chip asks its CPU to serve; NONE when it asks nothing. */
static unsigned pending(const struct hv_pic *pic, unsigned n)
{
	const struct hv_pic_chip *c = &pic->chip[n];
	unsigned want = most_urgent(c, (uint8_t)(c->irr & ~c->imr));
	uint8_t busy = c->isr;

	if (want == NONE)
		return NONE;
	if (c->special_mask)
		busy = (uint8_t)(busy & ~c->imr);
	/* In this mode the second chip may be served again while it is in service. */
	if (n == 0 && c->fully_nested)
		busy = (uint8_t)(busy & ~(1u << CASCADE));
	return rank(c, want) < rank(c, most_urgent(c, busy)) ? want : NONE;
}

static void set_input(struct hv_pic_chip *c, unsigned input, bool level)
{
	uint8_t bit = (uint8_t)(1u << input);

	if (c->elcr & bit)
		c->irr = (uint8_t)(level ? c->irr | bit : c->irr & ~bit);
	else if (level && !(c->line & bit))
		c->irr |= bit;
	c->line = (uint8_t)(level ? c->line | bit : c->line & ~bit);
}

static void update(struct hv_pic *pic)
{
	bool second = pending(pic, 1) != NONE;
	struct hv_pic_chip *first = &pic->chip[0];

	/* The wire between the chips is followed, not latched. */
	first->irr = (uint8_t)(second ? first->irr | 1u << CASCADE : first->irr & ~(1u << CASCADE));
	bool output = pending(pic, 0) != NONE;
	if (output == pic->output)
		return;
	pic->output = output;
	pic->wire(pic->opaque, output);
}

void hv_pic_set(struct hv_pic *pic, unsigned input, bool level)
{
	if (input == CASCADE || input >= HV_PIC_INPUTS)
		return;
	set_input(&pic->chip[input / 8], input & 7, level);
	update(pic);
}

static void in_service(struct hv_pic_chip *c, unsigned input)
{
	uint8_t bit = (uint8_t)(1u << input);

	if (!(c->elcr & bit))
		c->irr = (uint8_t)(c->irr & ~bit);
	if (!c->auto_eoi)
		c->isr |= bit;
	else if (c->rotate_auto)
		c->lowest = (uint8_t)input;
}

/* Returns the input served; 7 when the request has gone (8259A, "default IR7"). */
static unsigned acknowledge(struct hv_pic *pic, unsigned n)
{
	unsigned input = pending(pic, n);

	if (input == NONE)
		return 7;
	in_service(&pic->chip[n], input);
	return input;
}

uint8_t hv_pic_ack(struct hv_pic *pic)
{
	unsigned chip = 0, input = acknowledge(pic, 0);

	if (input == CASCADE) {
		chip = 1;
		input = acknowledge(pic, 1);
	}
	update(pic);
	return (uint8_t)(pic->chip[chip].base + input);
}

/* ---- registers ---- */

static void reset_chip(struct hv_pic_chip *c)
{
	uint8_t elcr = c->elcr, line = c->line;

	*c = (struct hv_pic_chip){.elcr = elcr, .line = line, .lowest = 7};
	c->irr = line & elcr;
}

void hv_pic_init(struct hv_pic *pic)
{
	for (unsigned n = 0; n < 2; n++) {
		pic->chip[n] = (struct hv_pic_chip){.lowest = 7};
		pic->chip[n].imr = 0xff; /* nobody asked for an interrupt yet */
	}
	pic->output = false;
}

static void end_of_interrupt(struct hv_pic_chip *c, unsigned input, bool rotate)
{
	if (input == NONE)
		return;
	c->isr = (uint8_t)(c->isr & ~(1u << input));
	if (rotate)
		c->lowest = (uint8_t)input;
}

static void write_ocw2(struct hv_pic_chip *c, uint8_t value)
{
	unsigned input = value & 7;
	uint8_t ends = c->special_mask ? (uint8_t)(c->isr & ~c->imr) : c->isr;

	switch (value >> 5) {
	case EOI_ROTATE_AUTO_OFF:
	case EOI_ROTATE_AUTO_ON:
		c->rotate_auto = value >> 7;
		break;
	case EOI_PLAIN:
	case EOI_ROTATE:
		end_of_interrupt(c, most_urgent(c, ends), value >> 5 == EOI_ROTATE);
		break;
	case EOI_SPECIFIC:
	case EOI_SPECIFIC_ROTATE:
		end_of_interrupt(c, input, value >> 5 == EOI_SPECIFIC_ROTATE);
		break;
	case SET_PRIORITY:
		c->lowest = (uint8_t)input;
		break;
	}
}

static void write_ocw3(struct hv_pic_chip *c, uint8_t value)
{
	if (value & OCW3_POLL)
		c->poll = true;
	if (value & OCW3_READ_IRR)
		c->read_isr = (value & OCW3_READ_ISR) == OCW3_READ_ISR;
	if ((value & OCW3_MASK_ON) == OCW3_MASK_ON)
		c->special_mask = true;
	else if (value & OCW3_MASK_OFF)
		c->special_mask = false;
}

static void write_command(struct hv_pic_chip *c, uint8_t value)
{
	if (value & ICW1) {
		reset_chip(c);
		c->icw = 2;
		c->need_icw4 = value & ICW1_NEED4;
	} else if (value & OCW3) {
		write_ocw3(c, value);
	} else {
		write_ocw2(c, value);
	}
}

static void write_data(struct hv_pic_chip *c, uint8_t value)
{
	switch (c->icw) {
	case 2:
		c->base = value & 0xf8;
		c->icw = 3;
		break;
	case 3: /* how the two are wired: fixed here */
		c->icw = c->need_icw4 ? 4 : 0;
		break;
	case 4:
		c->auto_eoi = value & ICW4_AUTO_EOI;
		c->fully_nested = value & ICW4_NESTED;
		c->icw = 0;
		break;
	default:
		c->imr = value;
	}
}

/* A poll is an acknowledge by reading: 8259A, "poll command". */
static uint8_t read_poll(struct hv_pic *pic, unsigned n)
{
	unsigned input = pending(pic, n);

	pic->chip[n].poll = false;
	if (input == NONE)
		return 0;
	in_service(&pic->chip[n], input);
	update(pic);
	return (uint8_t)(0x80 | input);
}

static void chip_read(struct hv_pic *pic, unsigned n, uint64_t offset, void *data, unsigned len)
{
	struct hv_pic_chip *c = &pic->chip[n];
	uint8_t value = c->imr;

	if (c->poll)
		value = read_poll(pic, n);
	else if (offset == 0)
		value = c->read_isr ? c->isr : c->irr;
	memset(data, 0xff, len);
	memcpy(data, &value, 1);
}

static void chip_write(struct hv_pic *pic, unsigned n, uint64_t offset, const void *data)
{
	uint8_t value;

	memcpy(&value, data, 1);
	if (offset == 0)
		write_command(&pic->chip[n], value);
	else
		write_data(&pic->chip[n], value);
	update(pic);
}

static void first_read(void *opaque, uint64_t offset, void *data, unsigned len)
{
	chip_read(opaque, 0, offset, data, len);
}

static void first_write(void *opaque, uint64_t offset, const void *data, unsigned len)
{
	(void)len; /* the registers are bytes */
	chip_write(opaque, 0, offset, data);
}

static void second_read(void *opaque, uint64_t offset, void *data, unsigned len)
{
	chip_read(opaque, 1, offset, data, len);
}

static void second_write(void *opaque, uint64_t offset, const void *data, unsigned len)
{
	(void)len;
	chip_write(opaque, 1, offset, data);
}

static void elcr_read(void *opaque, uint64_t offset, void *data, unsigned len)
{
	const struct hv_pic *pic = opaque;

	for (unsigned i = 0; i < len; i++)
		((uint8_t *)data)[i] = offset + i < 2 ? pic->chip[offset + i].elcr : 0xff;
}

static void elcr_write(void *opaque, uint64_t offset, const void *data, unsigned len)
{
	struct hv_pic *pic = opaque;

	for (unsigned i = 0; i < len && offset + i < 2; i++) {
		struct hv_pic_chip *c = &pic->chip[offset + i];

		c->elcr = ((const uint8_t *)data)[i] & elcr_mask[offset + i];
		/* What has become level-triggered requests as long as its line is up. */
		c->irr = (uint8_t)((c->irr & ~c->elcr) | (c->line & c->elcr));
	}
	update(pic);
}

const struct hv_region_ops hv_pic_first_ops = {.read = first_read, .write = first_write};
const struct hv_region_ops hv_pic_second_ops = {.read = second_read, .write = second_write};
const struct hv_region_ops hv_pic_elcr_ops = {.read = elcr_read, .write = elcr_write};

/* ---- standing still ---- */

/* What a chip's bytes and flags are called in a saved state. */
static const struct {
	const char *name;
	size_t at;
	uint8_t max;
} fields[] = {
#define FIELD(name, max)                                       \
	{                                                      \
#name, offsetof(struct hv_pic_chip, name), max \
	}
	FIELD(irr, 0xff),	FIELD(imr, 0xff),   FIELD(isr, 0xff),	   FIELD(line, 0xff),
	FIELD(elcr, 0xff),	FIELD(base, 0xff),  FIELD(lowest, 7),	   FIELD(icw, 4),
	FIELD(need_icw4, 1),	FIELD(auto_eoi, 1), FIELD(rotate_auto, 1), FIELD(special_mask, 1),
	FIELD(fully_nested, 1), FIELD(read_isr, 1), FIELD(poll, 1),
#undef FIELD
};

_Static_assert(sizeof(bool) == 1, "flags are kept as bytes");

void hv_pic_save(const struct hv_pic *pic, struct state *s)
{
	for (unsigned n = 0; n < 2; n++) {
		struct state *chip = state_item(s, "chip", n);

		for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
			state_put(chip, fields[i].name,
				  ((const uint8_t *)&pic->chip[n])[fields[i].at]);
	}
}

void hv_pic_load(struct hv_pic *pic, struct state *s)
{
	for (unsigned n = 0; n < 2; n++) {
		struct state *chip = state_open_item(s, "chip", n);
		struct hv_pic_chip *c = &pic->chip[n];

		for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
			((uint8_t *)c)[fields[i].at] =
				(uint8_t)state_take(chip, fields[i].name, fields[i].max);
		c->elcr &= elcr_mask[n];
		c->base &= 0xf8;
		if (c->icw == 1)
			state_refuse(chip, -EINVAL, "there is no such initialization word");
	}
	update(pic);
}
