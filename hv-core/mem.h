/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mem: guest RAM: where it lies, what it is made of. Private to hv-core; the public half is in
 * hv.h.
 *
 * mem_layout.c decides addresses (pure), mem_back.c gets the pages from the host, mem.c joins them
 * into the guest.
 */
#ifndef HV_CORE_MEM_H
#define HV_CORE_MEM_H

#include "base/bitmap.h"
#include "base/sysfs.h"
#include "hv-core/hv.h"

#define HV_RAM_MIN     (UINT64_C(16) << 20)
#define HV_LOW_RAM_MAX UINT64_C(0xc0000000)
#define HV_LEGACY_ECAM UINT64_C(0xb0000000)

/* One stretch of host memory that holds all RAM, low RAM first. */
struct hv_mem_back {
	void *map; /* the reservation, for munmap */
	uint64_t map_size;
	void *hva; /* aligned to what the page size asks for */
	int fd;	   /* memfd, or -1 */
	uint64_t size;
	char text[96]; /* hv_mem_describe */
};

#define HV_GROW_BLOCKS 256u /* each is a slot of the engine */

struct hv_mem_growable {
	struct hv_mem_back back;
	uint64_t block; /* 0: there is none */
	atomic_bool in[HV_GROW_BLOCKS];
	unsigned slot[HV_GROW_BLOCKS];
};

struct hv_mem {
	struct hv_mem_layout layout;
	struct hv_mem_back back;
	uint64_t page_size;
	struct hv_ram_block block[3];
	struct hv_mem_growable grow;
	size_t blocks;
	struct bitmap slots; /* of the engine, in use */
};

/* `subject` is the VM as messages name it; every failure below is logged. */

/* phys_bits: width of a guest physical address. -ENOSPC. */
int hv_mem_plan(const char *subject, const struct hv_config *config, unsigned phys_bits,
		struct hv_mem_layout *out);

uint64_t hv_mem_page_size(enum hv_pages pages);
/* In which blocks `size` bytes of memory come and go. */
uint64_t hv_mem_block_size(uint64_t size);
/* Whether the host has that much: -ENOMEM with the numbers. Made for being asked before anything
 * else. `sys` and `proc` are handles on /sys and /proc. */
int hv_mem_check(const char *subject, const struct hv_config *config, const struct sysfs *sys,
		 const struct sysfs *proc);
int hv_mem_back(const char *subject, const struct hv_config *config, const struct sysfs *sys,
		struct hv_mem_back *out);
void hv_mem_unback(struct hv_mem_back *back);

/* ---- mem_file.c: RAM whose first contents are a file's ---- */

/* Whether it is mapped rather than copied. */
bool hv_mem_file_mapped(const struct hv_config *config);
/* Puts the file's data in place, into memory that is all zeroes. `subject` as above. */
int hv_mem_file_fill(const char *subject, const struct hv_config *config, void *hva);

/* ---- mem_grow.c ---- */

int hv_mem_grow_create(struct hv_vm *vm, const struct hv_config *config, const struct sysfs *sys);
void hv_mem_grow_destroy(struct hv_vm *vm);

int hv_mem_create(struct hv_vm *vm, const struct hv_config *config, const struct sysfs *sys,
		  unsigned phys_bits);
void hv_mem_destroy(struct hv_vm *vm);

#endif
