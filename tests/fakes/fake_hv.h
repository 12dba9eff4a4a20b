/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fake_hv: hv_vm without a guest: buses that a test drives, and a record of everything asked.
 *
 * It also stands in for an IOMMU domain, since the two change together. Ranges that overlap are
 * refused as the real ones refuse them.
 */
#ifndef TESTS_FAKES_FAKE_HV_H
#define TESTS_FAKES_FAKE_HV_H

#include <stdbool.h>
#include <stdint.h>

#include "hv-core/hv.h"
#include "iommu/iommu.h"
#include "tests/fakes/fake_log.h"

#define FAKE_REGIONS 64
#define FAKE_CPUS    8
#define FAKE_SLOTS   32
#define FAKE_ROUTES  4096

struct hv_region {
	bool used;
	enum hv_space space;
	uint64_t base, size;
	const struct hv_region_ops *ops;
	void *opaque;
};

struct hv_vm {
	struct fake_log log;
	struct hv_region region[FAKE_REGIONS];
	struct {
		bool used;
		uint64_t gpa, size;
		uint8_t *hva;
		bool read_only;
	} slot[FAKE_SLOTS];
	struct {
		bool used, set;
		int eventfd; /* attached; -1 */
		struct hv_msi msi;
	} route[FAKE_ROUTES];
	bool dirty; /* a route changed and was not committed */
	bool level[HV_IOAPIC_PINS], pic[16];
	unsigned edges[HV_IOAPIC_PINS];
	void (*eoi[HV_IOAPIC_PINS])(void *opaque);
	void *eoi_opaque[HV_IOAPIC_PINS];
	bool irqchip; /* the engine has the I/O APIC: hv_irq_attach works */
	enum hv_end end;
	const char *event; /* the last one */
	int locked;
	unsigned msi_count;  /* sent without a route */
	struct hv_msi msi;   /* the last one */
	uint64_t refuse_gpa; /* hv_mem_map_device fails there */
	uint8_t ram[4096];
	uint64_t age; /* guest time ahead of the monotonic clock */
	struct hv_ram_block block[16];
	struct hv_mem_growth growth;
	bool grown[16];
	size_t blocks;
	struct {
		int fd; /* 0: free */
		uint64_t addr;
	} ioeventfd[FAKE_SLOTS];
};

struct iommu_domain {
	struct fake_log *log;
	struct {
		bool used;
		uint64_t iova, size;
	} map[FAKE_SLOTS];
	bool refuse;
	uint64_t refuse_iova; /* this one alone */
};

struct hv_vm *fake_hv_create(void);
void fake_hv_destroy(struct hv_vm *vm);

/* RAM for rings and buffers: FAKE_RAM bytes from FAKE_RAM_GPA on, in two blocks that are neighbours
 * for the guest and not for the host. */
#define FAKE_RAM_GPA	0x100000u
#define FAKE_RAM	0x200000u
/* And memory that grows, 16 blocks. */
#define FAKE_GROWTH_GPA 0x100000000u
#define FAKE_BLOCK	0x10000u
#define FAKE_GROWTH	(16 * FAKE_BLOCK)
void fake_hv_add_growth(struct hv_vm *vm);
void fake_hv_add_ram(struct hv_vm *vm);
/* Makes all of it such that another process could map it too. */
void fake_hv_share_ram(struct hv_vm *vm);
/* What a guest's access does: all ones where nobody answers. Memory mapped into the guest is read
 * and written without a region's help. */
/* Guest time goes on by so much, in ns; its timers notice when they are set again. */
void fake_hv_age(struct hv_vm *vm, uint64_t ns);
uint64_t fake_hv_read(struct hv_vm *vm, enum hv_space space, uint64_t addr, unsigned len);
void fake_hv_write(struct hv_vm *vm, enum hv_space space, uint64_t addr, uint64_t value,
		   unsigned len);
bool fake_hv_is_mapped(const struct hv_vm *vm, uint64_t gpa); /* without an exit */
void fake_hv_eoi(struct hv_vm *vm, unsigned gsi);

#endif
