/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pci: what makes up a guest's PCI Express fabric.
 *
 * A *function* is a configuration space (with masks that say which bits a guest may change), up to
 * six base address registers, and an operations table for whoever stands behind it. A *bridge* is
 * a root port of bus 0 with a hot-plug *slot* behind it, which holds one function or none. The
 * *host* owns the root bus, decodes ECAM accesses into functions by following the bus numbers that
 * the guest wrote into the bridges, and plays firmware once: it hands out buses, windows and BAR
 * addresses, to empty slots too, so that what comes later finds room.
 *
 * Accesses reach a function cut into naturally aligned pieces of 1, 2 or 4 bytes inside one dword,
 * so no function ever sees an odd one. Everything runs with the VM's device lock held.
 */
#ifndef VDEV_PCI_H
#define VDEV_PCI_H

#include <linux/pci_regs.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/state.h"
#include "hv-core/hv.h"

#define VDEV_CONFIG_SIZE 4096u /* PCIe 6.0, 7.2.2 */
#define VDEV_BARS	 6u
#define VDEV_SLOTS	 32u

/* ---- configuration space (pci_config.c) ---- */

struct vdev_config {
	uint8_t data[VDEV_CONFIG_SIZE];
	uint8_t write[VDEV_CONFIG_SIZE]; /* bits that a guest's write changes */
	uint8_t clear[VDEV_CONFIG_SIZE]; /* bits that a guest clears by writing 1 (RW1C) */
	uint8_t link;			 /* where the next capability's offset will be written */
	uint16_t free;			 /* first byte no capability uses */
};

/* len 1, 2 or 4, offset aligned to it. */
uint32_t vdev_config_get(const struct vdev_config *config, unsigned offset, unsigned len);
void vdev_config_set(struct vdev_config *config, unsigned offset, unsigned len, uint32_t value);
void vdev_config_allow(struct vdev_config *config, unsigned offset, unsigned len, uint32_t mask);
/* What a guest's write does, through the masks. */
void vdev_config_write(struct vdev_config *config, unsigned offset, unsigned len, uint32_t value);
/* Appends a capability of `size` bytes to the list, dword aligned; returns its offset. */
unsigned vdev_config_add_cap(struct vdev_config *config, uint8_t id, unsigned size);
/* Bytes [offset, offset+len) and [first, first+count) have one in common. */
bool vdev_config_hits(unsigned offset, unsigned len, unsigned first, unsigned count);

/* ---- functions ---- */

struct vdev_function;

struct vdev_function_ops {
	uint32_t (*config_read)(struct vdev_function *fn, unsigned offset, unsigned len);
	void (*config_write)(struct vdev_function *fn, unsigned offset, unsigned len,
			     uint32_t value);
	/* Makes the BAR answer at gpa; takes it away from where it answers. */
	int (*bar_map)(struct vdev_function *fn, unsigned index, uint64_t gpa);
	void (*bar_unmap)(struct vdev_function *fn, unsigned index);
	/* The guest ended a level interrupt on the line that this function asserts. */
	void (*intx_eoi)(struct vdev_function *fn);
	/* A reset came down the bus; all registers go back to their values after power-on. */
	void (*reset)(struct vdev_function *fn);
	/* Takes the function out of the guest and frees it, and what stands behind it. */
	void (*destroy)(struct vdev_function *fn);

	/*
	 * The VM stands still from quiesce to resume: no CPU runs. Each of these may be NULL.
	 *
	 * quiesce: what the function does by itself ends: requests under way are finished, its
	 * threads and descriptors fall silent, so that neither guest RAM nor its state changes.
	 * Negative: it cannot, logged; the VM goes on then. Twice is once.
	 */
	int (*quiesce)(struct vdev_function *fn);
	void (*resume)(struct vdev_function *fn);
	/* Why it cannot be saved, in words for the user ("it is a device of the host"); NULL: it
	 * can. */
	const char *(*unsavable)(const struct vdev_function *fn);
	/* Quiesced. pci_state.c has saved the configuration space, BAR addresses and the INTx
	 * level; the rest is the function's. load: these are in place again, BARs mapped. Returns
	 * state_error or its own; resume follows. */
	void (*save)(struct vdev_function *fn, struct state *s);
	int (*load)(struct vdev_function *fn, struct state *s);
};

struct vdev_bar {
	uint64_t size; /* a power of two; 0: not implemented */
	bool is64, prefetch;
	uint64_t firmware; /* where the host placed it before the guest started */
	uint64_t gpa;	   /* where it answers now; 0: nowhere */
};

struct vdev_bridge;

struct vdev_function {
	const char *name;
	const struct vdev_function_ops *ops;
	struct vdev_bridge *bridge; /* NULL on the root bus */
	struct vdev_config config;
	struct vdev_bar bar[VDEV_BARS];
	bool intx_asserted;
	bool complained; /* a guest could make it complain without end */
};

/* ---- base address registers (pci_bar.c) ---- */

/* Implements BAR `index` (and the next one when is64). */
void vdev_bar_define(struct vdev_function *fn, unsigned index, uint64_t size, bool is64,
		     bool prefetch);
uint64_t vdev_bar_address(const struct vdev_function *fn, unsigned index); /* as written there */
void vdev_bar_set_address(struct vdev_function *fn, unsigned index, uint64_t address);
/* Moves every BAR to target[index]; 0 is nowhere. A BAR that cannot go there goes back. */
void vdev_bars_move(struct vdev_function *fn, const uint64_t target[VDEV_BARS]);

/* ---- root ports (pci_bridge.c) ---- */

struct vdev_host;
struct vdev_acpi_slots;

struct vdev_bridge {
	struct vdev_function fn;
	struct vdev_host *host;
	struct vdev_function *child; /* NULL: the slot is empty */
	uint8_t slot;		     /* device number on bus 0, and number of the slot */
	char name[24];
	unsigned express, msi; /* where its capabilities are */
	bool notified;	       /* a reason to interrupt stands, and was told (6.7.3.4) */
	bool wanted;	       /* the host wants the function back */
	bool pressed;	       /* and has pressed the button for it, or told it through ACPI */
	/* what firmware would have written, for the next reset */
	uint8_t bus;
	struct range window32, window64; /* last < start: closed */
};

void vdev_bridge_init(struct vdev_bridge *bridge, struct vdev_host *host, uint8_t slot);
/* Registers as after power-on, with what is behind the port seen and powered. */
void vdev_bridge_power_on(struct vdev_bridge *bridge);
/* Registers as firmware leaves them: bus numbers, windows, the child's BARs, decoding on. */
void vdev_bridge_program(struct vdev_bridge *bridge);
/* Moves the child's BARs to where the registers of both now say. */
void vdev_bridge_update(struct vdev_bridge *bridge);
uint8_t vdev_bridge_secondary(const struct vdev_bridge *bridge);
/* What the link leads to: NULL also while the slot has no power. */
struct vdev_function *vdev_bridge_child(const struct vdev_bridge *bridge);

/* ---- their slots (pci_slot.c) ---- */

/* The registers of the slot as after power-on; the PCI Express capability stands already. */
void vdev_slot_build(struct vdev_bridge *bridge);
/* The guest wrote to slot or MSI registers; `control` is what Slot Control was before. */
void vdev_slot_written(struct vdev_bridge *bridge, uint32_t control);
/* Puts a function into the empty slot of a running guest, and tells it. */
void vdev_slot_insert(struct vdev_bridge *bridge, struct vdev_function *child);
/* Asks the guest to let go: through ACPI; or, of a guest that drives the slot itself, by the
 * attention button, now or as soon as the guest is not busy with the slot. host->slot_open is
 * called when it has. */
void vdev_slot_ask(struct vdev_bridge *bridge);
/* Takes the wish back. */
void vdev_slot_keep(struct vdev_bridge *bridge);
/* The guest says through ACPI that it is done with what is in the slot. */
void vdev_slot_let_go(struct vdev_bridge *bridge);
/* The guest has let go: the function may be taken out. */
bool vdev_slot_is_open(const struct vdev_bridge *bridge);
/* The registers were put back from a saved state. */
void vdev_slot_loaded(struct vdev_bridge *bridge);
/* Empties the slot, and tells the guest; the function is the caller's. */
struct vdev_function *vdev_slot_extract(struct vdev_bridge *bridge);

/* ---- the host bridge (pci_host.c) ---- */

struct vdev_host {
	struct hv_vm *vm;
	struct hv_mem_layout layout;
	struct vdev_function root;
	struct vdev_bridge *bridge[VDEV_SLOTS]; /* by slot; [0] unused */
	unsigned bridges;
	struct hv_region *ecam; /* from assignment on */
	/* Not NULL: firmware will come and assign everything; see q35.h. */
	struct vdev_function *isa;
	bool assigned;	/* what is added from now on is plugged in */
	uint32_t empty; /* before it: ports by slot that are given only to who names them */
	/* A function that was asked for may be taken out; called on a vCPU's thread. */
	void (*slot_open)(void *opaque);
	void *slot_opaque;
	struct vdev_acpi_slots *acpi; /* NULL: hot plug is native only */
	struct vdev_intx_line {
		struct vdev_host *host;
		unsigned gsi;
	} line[8];
};

int vdev_host_create(struct hv_vm *vm, struct vdev_host **out);
/* And every function that was added. */
void vdev_host_destroy(struct vdev_host *host);
/* Puts `child` behind the first root port that is free, and owns it from then on. Before assignment
 * ports are made as needed; afterwards it is hot plug. -ENOSPC when no port is left, or none has
 * room for its BARs. */
int vdev_host_add(struct vdev_host *host, struct vdev_function *child);
/* Behind root port `slot`, unless 0. -EEXIST when something is there. */
int vdev_host_add_at(struct vdev_host *host, struct vdev_function *child, unsigned slot);
/* Makes empty root ports until there are `count`; after assignment only for a guest that was saved
 * with them, whose registers follow. */
int vdev_host_add_ports(struct vdev_host *host, unsigned count);
/* Firmware's work, once all functions are there. While a port is empty, every port gets windows
 * that something else fits too. -ENOSPC when BARs do not fit the windows. */
int vdev_host_assign(struct vdev_host *host);
/* The registers of bridges and BARs as firmware leaves them. */
void vdev_host_program(struct vdev_host *host);
/* Every function as after power-on, and firmware's work on top. */
void vdev_host_reset(struct vdev_host *host);
uint8_t vdev_host_last_bus(const struct vdev_host *host);
/* Moves the window into configuration space of all 256 buses; 0: nowhere. */
void vdev_host_place_ecam(struct vdev_host *host, uint64_t base);
uint64_t vdev_host_ecam(const struct vdev_host *host); /* where it is, or first was */

/* ---- standing still (pci_state.c): every function's, in the order of slots ---- */

/* On failure those that were quiesced are resumed. */
int vdev_host_quiesce(struct vdev_host *host);
void vdev_host_resume(struct vdev_host *host);
/* The first function that cannot be saved, *why in words; NULL: all can. */
const struct vdev_function *vdev_host_unsavable(struct vdev_host *host, const char **why);
void vdev_host_save(struct vdev_host *host, struct state *s);
/* Into a host with the same functions, assigned. -EINVAL where they are others. */
int vdev_host_load(struct vdev_host *host, struct state *s);

/* One access to configuration space, any offset in [0, 256 MiB) and any length up to 8. */
void vdev_host_read(struct vdev_host *host, uint64_t offset, void *data, unsigned len);
void vdev_host_write(struct vdev_host *host, uint64_t offset, const void *data, unsigned len);

#define VDEV_INTX_FIRST 16u /* I/O APIC inputs 16..23 serve INTx */
/* Input for pin 0..3 of device 0 behind the root port in `slot`. */
unsigned vdev_host_intx_gsi(unsigned slot, unsigned pin);
/* Sets the function's line; lines are shared, so the input is the OR of all. */
void vdev_host_intx_set(struct vdev_function *fn, bool asserted);

#endif
