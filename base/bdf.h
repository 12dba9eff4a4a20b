/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bdf: the address of a PCI function: domain, bus, device, function.
 *
 * Text form "0000:01:10.0" (the domain may be left out when reading). PCIe 6.0 section 2.2.6.2
 * calls bus/device/function the Routing or Requester ID.
 */
#ifndef BASE_BDF_H
#define BASE_BDF_H

#include <stdbool.h>
#include <stdint.h>

struct bdf {
	uint16_t domain;
	uint8_t bus;
	uint8_t dev; /* 0..31 */
	uint8_t fn;  /* 0..7 */
};

#define BDF_TEXT 13 /* "0000:01:10.0" and the end */

int bdf_parse(const char *text, struct bdf *out); /* 0 or -EINVAL */
char *bdf_format(struct bdf bdf, char text[BDF_TEXT]);
bool bdf_equal(struct bdf a, struct bdf b);
/* Orders by domain, bus, device, function; for qsort-like use. */
int bdf_compare(struct bdf a, struct bdf b);

/* A device of the kernel's that is no PCI function (a mediated device, a parent that is software)
 * goes by a *stand-in*: an address that its name leads to, in domain ffff, which no host bridge
 * has. Two names may lead to one; whoever makes up names looks first. */
struct bdf bdf_stand_in(const char *name);
bool bdf_is_stand_in(struct bdf bdf);

#endif
