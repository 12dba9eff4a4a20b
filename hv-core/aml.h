/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * aml: an encoder of ACPI Machine Language (ACPI 6.5, chapter 20).
 *
 * Terms are appended to a growing buffer in the order in which they are read. What has a length
 * in front (scopes, devices, methods, packages, buffers) is opened and closed; the length is put
 * in when it is known, at closing. Memory running out is remembered and told once, by aml_finish.
 *
 * Names are paths of 4-letter segments, shorter ones padded here: "\\_SB.PCI0", "COM1".
 */
#ifndef HV_CORE_AML_H
#define HV_CORE_AML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct aml {
	uint8_t *data;
	size_t len, room;
	bool failed;
};

/* 0 or -ENOMEM; the bytes are the caller's to free. The encoder is empty again. */
int aml_finish(struct aml *aml, uint8_t **out, size_t *len);

/* ---- terms with a length: each returns a mark for aml_close ---- */

size_t aml_scope(struct aml *aml, const char *path);
size_t aml_device(struct aml *aml, const char *name);
size_t aml_method(struct aml *aml, const char *name, unsigned args, bool serialized);
size_t aml_package(struct aml *aml, uint8_t elements);
size_t aml_if(struct aml *aml); /* the predicate follows */
size_t aml_else(struct aml *aml);
size_t aml_field(struct aml *aml, const char *region, uint8_t flags); /* aml_field_unit follows */
void aml_close(struct aml *aml, size_t mark);

/* ---- plain terms ---- */

void aml_name(struct aml *aml, const char *name); /* Name (name, …): the value follows */
void aml_path(struct aml *aml, const char *path);
void aml_int(struct aml *aml, uint64_t value);
void aml_string(struct aml *aml, const char *text);
void aml_eisa_id(struct aml *aml, const char id[8]); /* "PNP0A08" */
void aml_buffer(struct aml *aml, const uint8_t *bytes, size_t len);
void aml_uuid(struct aml *aml, const char *text); /* a Buffer, as ToUUID makes it (19.6.142) */
void aml_op(struct aml *aml, uint8_t op);	  /* an opcode whose operands follow */
void aml_ext_op(struct aml *aml, uint8_t op);	  /* the same behind 0x5b */
/* OperationRegion (name, SystemIO, port, len) */
void aml_io_region(struct aml *aml, const char *name, uint16_t port, uint8_t len);
void aml_field_unit(struct aml *aml, const char *name, unsigned bits); /* at most 63 bits */

/* Opcodes for aml_op and aml_ext_op (20.3). */
enum {
	AML_ZERO = 0x00,
	AML_ONE = 0x01,
	AML_LOCAL0 = 0x60,
	AML_LOCAL1 = 0x61,
	AML_ARG0 = 0x68,
	AML_ARG1 = 0x69,
	AML_ARG3 = 0x6b,
	AML_STORE = 0x70, /* source, target */
	AML_AND = 0x7b,	  /* a, b, target */
	AML_OR = 0x7d,
	AML_NOTIFY = 0x86,	 /* object, value */
	AML_CREATE_DWORD = 0x8a, /* buffer, byte offset, name */
	AML_LNOT = 0x92,
	AML_LEQUAL = 0x93,
	AML_RETURN = 0xa4,
};

/* ---- resource templates (6.4): what stands between open and close ---- */

size_t aml_resources(struct aml *aml);
void aml_close_resources(struct aml *aml, size_t mark);
void aml_res_io(struct aml *aml, uint16_t port, uint8_t len);
void aml_res_memory32(struct aml *aml, uint32_t base, uint32_t len);
void aml_res_bus(struct aml *aml, uint8_t first, uint8_t last);
/* Windows that a bridge passes on; 32-bit non-prefetchable, 64-bit prefetchable. */
void aml_res_window32(struct aml *aml, uint32_t first, uint32_t last);
void aml_res_window64(struct aml *aml, uint64_t first, uint64_t last);
void aml_res_isa_irq(struct aml *aml, unsigned irq); /* 0..15, edge, active high */
void aml_res_edge_interrupt(struct aml *aml, uint32_t gsi);
void aml_res_level_interrupt(struct aml *aml, uint32_t gsi);

#endif
