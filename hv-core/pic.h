/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pic: the pair of 8259A interrupt controllers of a PC, for the time before an operating system
 * turns to the I/O APIC. Private to hv-core; there only for machines that boot by firmware.
 *
 * Sixteen inputs; the second chip hangs on input 2 of the first. The pair has one output wire,
 * which reaches the boot CPU's local APIC as ExtINT; taking the interrupt asks for its vector.
 *
 * Registers: Intel 8259A datasheet; ELCR (ports 0x4d0, 0x4d1): ICH9 datasheet, 13.4.8 and 13.4.9.
 * Everything is called with the device lock held.
 */
#ifndef HV_CORE_PIC_H
#define HV_CORE_PIC_H

#include <stdbool.h>
#include <stdint.h>

#include "hv-core/hv.h"

#define HV_PIC_INPUTS 16u

struct hv_pic_chip {
	uint8_t irr, imr, isr; /* requested, masked, in service */
	uint8_t line;	       /* inputs as they are now */
	uint8_t elcr;	       /* level-triggered inputs */
	uint8_t base;	       /* vector of input 0 */
	uint8_t lowest;	       /* input of lowest priority; 7 after initialization */
	uint8_t icw;	       /* the initialization word that comes next: 2, 3, 4; 0: none */
	bool need_icw4, auto_eoi, rotate_auto, special_mask, fully_nested;
	bool read_isr, poll;
};

struct hv_pic {
	struct hv_pic_chip chip[2];
	bool output;
	/* The output wire changed. */
	void (*wire)(void *opaque, bool level);
	void *opaque;
};

void hv_pic_init(struct hv_pic *pic);
void hv_pic_set(struct hv_pic *pic, unsigned input, bool level);
/* The CPU acknowledges: the vector. Without a request left it is the spurious one (input 7). */
uint8_t hv_pic_ack(struct hv_pic *pic);

void hv_pic_save(const struct hv_pic *pic, struct state *s);
void hv_pic_load(struct hv_pic *pic, struct state *s); /* tells the wire */

/* opaque: struct hv_pic. Two ports per chip; then two bytes of ELCR. */
extern const struct hv_region_ops hv_pic_first_ops, hv_pic_second_ops, hv_pic_elcr_ops;

#endif
