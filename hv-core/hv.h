/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hv: one virtual machine: its memory, CPUs, buses and interrupts, and nothing of its devices.
 *
 * A `struct hv_vm` is made in phases, and taken apart in the reverse order:
 *
 *     hv_vm_create     engine, RAM laid out inside the usable I/O addresses, vCPUs, I/O APIC
 *     hv_bus_add, …    devices put themselves on the buses (vdev does that)
 *     hv_boot          kernel, initrd, command line and ACPI tables are written into RAM
 *     hv_vm_start      one thread per vCPU runs the guest
 *     hv_vm_wait       until the guest, or somebody through hv_vm_end, ends it
 *     hv_vm_destroy
 *
 * Guest physical memory as a guest sees it (hv_mem_layout fills in the sizes):
 *
 *     0            … low RAM …            3 GiB
 *     0xc0000000   32-bit PCI window      0xdfffffff
 *     0xe0000000   PCIe ECAM (1 MiB/bus)  0xefffffff
 *     0xf0000000   32-bit PCI window, platform registers   0xfebfffff
 *     0xfec00000   I/O APIC     0xfee00000 local APIC / MSI (never RAM, never a DMA target)
 *     4 GiB        … high RAM … then the 64-bit PCI window
 *
 * Threads. vCPU threads call region handlers and EOI callbacks with the VM's device lock held;
 * whoever touches devices from another thread (the event loop) takes it too, with
 * hv_device_lock. So a device's own state needs no lock of its own. Statistics are read without.
 *
 * The guest is hostile: handlers get offsets inside their region and lengths 1, 2, 4 or 8, aligned
 * or not, and must take any value.
 */
#ifndef HV_CORE_HV_H
#define HV_CORE_HV_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "base/range.h"
#include "base/state.h"
#include "hv-core/caps.h"
#include "hv-core/engine.h"
#include "hv-core/exit_names.h"

struct hv_vm;

#define HV_MAX_CPUS    64
#define HV_IOAPIC_PINS 24
#define HV_MAX_NODES   8

/* ---- the machine ---- */

enum hv_pages { HV_PAGES_4K, HV_PAGES_THP, HV_PAGES_2M, HV_PAGES_1G };

/* A NUMA node of the guest's: some of its CPUs, and a piece of its RAM; the pieces follow each
 * other in RAM. `host` names the host's node that the piece comes from and that the CPUs run on,
 * where they are not pinned; -1: any. */
struct hv_node {
	uint64_t ram;  /* bytes; a multiple of the page size and of 2 MiB, but for the last */
	uint64_t cpus; /* bit n: CPU n */
	int host;
};

/* Threads that hv makes, and those that vdev makes beside it. */
enum hv_thread {
	HV_THREAD_CPU, /* runs the guest and serves its exits */
	HV_THREAD_IO,  /* moves what devices move */
};

struct hv_config {
	const char *name;		    /* for messages and thread names */
	const struct hv_engine_ops *engine; /* &hv_engine_kvm */
	int engine_fd;			    /* open /dev/kvm; stays the caller's */
	unsigned cpus;			    /* 1..HV_MAX_CPUS */
	unsigned sockets;		    /* 0 or 1: one; must divide cpus */
	unsigned threads;		    /* threads per core; 0 or 1: one */
	const int *pin;			    /* cpus entries: host CPU, or -1; NULL pins none */
	uint64_t ram;	  /* bytes, a multiple of the page size chosen; at least 16 MiB */
	uint64_t ram_max; /* what it may grow to while the guest runs; 0: it does not */
	enum hv_pages pages;
	bool share_ram; /* other processes must be able to map it (vhost-user) */
	bool merge; /* the host's kernel may merge equal pages (KSM): private memory, 4K or THP */
	const struct hv_node *nodes; /* all of RAM and CPUs between them; count 0: no nodes */
	size_t node_count;
	/* Width of guest physical addresses; 0: the host's, or that of `iova` where it is less. */
	unsigned phys_bits;
	const struct range *iova; /* where DMA may go, sorted; count 0: everywhere */
	size_t iova_count;
	/* Set for a machine that boots by firmware: a PIC pair and a PIT are there as in a PC,
	 * driven by this loop, and memory below 4 GiB is laid out as such firmware expects it. */
	struct loop *legacy;
	bool irqchip; /* the engine has every interrupt controller, and the PIT if there is one */
	const struct hv_ram_file *ram_file; /* NULL: RAM starts as zeroes */
	/* The first thing that such a thread does; NULL: nothing. */
	void (*thread_begin)(enum hv_thread kind);
};

/* RAM's first contents: `ram` bytes of a file, all blocks one after the other. Where it can be, the
 * file is mapped copy-on-write and read as the guest touches it (and shared with whoever else maps
 * it); for huge pages and share_ram it is copied. */
struct hv_ram_file {
	int fd;		 /* stays the caller's */
	uint64_t offset; /* aligned to 2 MiB */
};

/* -EINVAL for a bad config, -ENOMEM (says how much is free or how many huge pages are missing),
 * -ENOSPC when RAM does not fit the usable ranges, or the engine's. */
int hv_vm_create(const struct hv_config *config, struct hv_vm **out);
void hv_vm_destroy(struct hv_vm *vm);

const char *hv_vm_name(const struct hv_vm *vm);
/* On a thread that was just made: as the config's thread_begin says. */
void hv_vm_thread_begin(const struct hv_vm *vm, enum hv_thread kind);
unsigned hv_vm_cpus(const struct hv_vm *vm);
struct hv_engine *hv_vm_engine(struct hv_vm *vm);
const struct hv_engine_ops *hv_vm_engine_ops(const struct hv_vm *vm);

/* How a run ends. Order of severity: the first one wins. */
enum hv_end {
	HV_END_NONE,
	HV_END_POWEROFF,     /* the guest turned itself off (ACPI S5) */
	HV_END_RESET,	     /* the guest asked for a reset */
	HV_END_PANIC,	     /* the guest's kernel reported a panic (pvpanic) */
	HV_END_CRASH,	     /* a state that the hardware refused to run, an engine that failed */
	HV_END_KILLED,	     /* ended from outside */
	HV_END_SAVED,	     /* ended from outside, with its state in a file */
	HV_END_DEVICE,	     /* a device failed in a way that the guest must not survive */
	HV_END_STATUS,	     /* a test kernel wrote its exit status */
	HV_END_TRIPLE_FAULT, /* a PC resets then; whether it was meant cannot be told */
};

const char *hv_end_name(enum hv_end end); /* "poweroff", "reset", … */

int hv_vm_start(struct hv_vm *vm);
/* Any thread, signal handler excluded. Makes every vCPU thread leave; the first reason stays. Then
 * calls the function set by hv_vm_on_end, once, on whichever thread came first. */
void hv_vm_end(struct hv_vm *vm, enum hv_end end);
void hv_vm_on_end(struct hv_vm *vm, void (*fn)(void *opaque, enum hv_end end), void *opaque);
/*
 * What an operator should hear of while the VM runs: "guest-panic", "io-error", "watchdog",
 * "plugged", "ejected", "eject-timed-out", "backend-lost", "backend-back". From any thread, signal
 * handlers excluded; texts are copied by the listener.
 */
struct hv_event {
	const char *what;
	const char *device; /* NULL: the VM itself */
	const char *text;   /* one line, or NULL */
};

void hv_vm_event(struct hv_vm *vm, const struct hv_event *event);
/* fn must not block, and may be called on several threads at once. Before hv_vm_start. */
void hv_vm_on_event(struct hv_vm *vm, void (*fn)(void *opaque, const struct hv_event *event),
		    void *opaque);
/* Joins the vCPU threads. Returns how it ended. */
enum hv_end hv_vm_wait(struct hv_vm *vm);

/*
 * Standing still. pause returns when no CPU runs and every access to a device that a CPU had begun
 * is complete; the guest's clocks stop with it, and go on at resume as if no time had passed. Both
 * by one thread, not a vCPU's, without the device lock. -ECANCELED: the VM has ended meanwhile.
 * Twice is once.
 */
int hv_vm_pause(struct hv_vm *vm);
int hv_vm_resume(struct hv_vm *vm);
bool hv_vm_paused(const struct hv_vm *vm);

/* CPUs, clocks and interrupt controllers of a paused VM; RAM is the caller's. */
int hv_vm_save(struct hv_vm *vm, struct state *s);
/* Into a VM made with the same hv_config, in place of hv_boot. -ENOTSUP: this host cannot carry it:
 * the message names what is missing. */
int hv_vm_load(struct hv_vm *vm, struct state *s);

/* ---- guest time ---- */

/* Nanoseconds that the guest has lived, by which its devices' timers count: like the monotonic
 * clock, but it stands while the VM is paused, and goes on in a VM that is restored. */
uint64_t hv_clock_now(const struct hv_vm *vm);

/* A moment of that time at which fn is called, on the loop's thread, without the device lock. It
 * fires once and is then unset. Create and destroy before the start and after the end. */
struct hv_timer;
int hv_timer_create(struct hv_vm *vm, struct loop *loop, void (*fn)(void *opaque), void *opaque,
		    struct hv_timer **out);
void hv_timer_destroy(struct hv_timer *timer); /* accepts NULL */
/* One in the past fires at once; 0 unsets. Device lock held, on any thread. */
void hv_timer_set(struct hv_timer *timer, uint64_t at);

void hv_device_lock(struct hv_vm *vm);
void hv_device_unlock(struct hv_vm *vm);

/* ---- memory ---- */

struct hv_ram_block {
	uint64_t gpa;
	uint64_t size;
	void *hva;
	int fd;		 /* memfd, or -1 where RAM is private */
	uint64_t offset; /* in fd */
	bool grows;	 /* of this one only what hv_mem_grow has put in is there */
};

struct hv_mem_layout {
	struct range low_ram, high_ram; /* high_ram.last < start when there is none */
	struct range grow;		/* where more RAM may come, likewise */
	struct range pci32;		/* 32-bit PCI window */
	struct range ecam;
	struct range pci64; /* 64-bit PCI window, above RAM, inside CPU and I/O width */
};

void hv_mem_layout(const struct hv_vm *vm, struct hv_mem_layout *out);
size_t hv_mem_blocks(const struct hv_vm *vm, const struct hv_ram_block **out);
/* The guest node that stands for the host's node `host`, or -1. */
int hv_numa_guest_node(const struct hv_vm *vm, int host);
/* Text such as "512 MiB in 256 pages of 2M (memfd, THP)"; owned by vm. */
const char *hv_mem_describe(const struct hv_vm *vm);

/* Touches every page of RAM, in parallel with `threads` threads (0: one per host CPU), so that
 * pinning for DMA finds it present. -EFAULT when the host ran out on the way (SIGBUS is not raised:
 * MADV_POPULATE_WRITE). Any thread, also while the guest runs; who watches sees how many bytes are
 * done, and may cancel (-ECANCELED). NULL: nobody. */
struct hv_mem_watch {
	atomic_uint_fast64_t done;
	atomic_bool cancel;
};

int hv_mem_prefault(struct hv_vm *vm, unsigned threads, struct hv_mem_watch *watch);

/* [gpa, gpa+len) as a pointer; NULL unless it lies in one RAM block. */
void *hv_mem_ptr(const struct hv_vm *vm, uint64_t gpa, uint64_t len);
int hv_mem_write(struct hv_vm *vm, uint64_t gpa, const void *buf, uint64_t len); /* -EFAULT */
int hv_mem_read(const struct hv_vm *vm, uint64_t gpa, void *buf, uint64_t len);

/* Gives the whole pages of [hva, hva+len) back to the host: whatever was in them is lost, and they
 * come back when they are touched. Any thread. -EFAULT unless it lies in one RAM block; -EINVAL for
 * huge pages, which go as wholes only. */
int hv_mem_discard(const struct hv_vm *vm, const void *hva, uint64_t len);

/*
 * RAM that comes and goes while the guest runs, in blocks, as hv_config.ram_max allows. The last of
 * hv_mem_blocks is the whole of it; nothing of it is there at first. Device lock held, but for
 * reading. Saved memory is there again once its blocks are put in.
 */
struct hv_mem_growth {
	uint64_t gpa, size, block;
	void *hva;
};

/* How much it is for a VM of so much RAM: what is beyond the last whole block is left out. */
uint64_t hv_mem_growth_size(uint64_t ram, uint64_t ram_max);
/* false: there is no such. */
bool hv_mem_growth(const struct hv_vm *vm, struct hv_mem_growth *out);
/* Whole blocks, all of them or none. -EINVAL: outside; -EEXIST: one is in already; -ENOENT: one is
 * not. What goes out is given back to the host, its contents are lost. */
int hv_mem_grow(struct hv_vm *vm, uint64_t gpa, uint64_t len);
int hv_mem_shrink(struct hv_vm *vm, uint64_t gpa, uint64_t len);
/* Bytes of these whole blocks that are in. */
uint64_t hv_mem_grown(const struct hv_vm *vm, uint64_t gpa, uint64_t len);
/* All of [gpa, gpa+len) of it, any bytes. Any thread. */
bool hv_mem_there(const struct hv_vm *vm, uint64_t gpa, uint64_t len);

/* Device memory (a BAR mapped from VFIO) that the guest reaches without an exit. */
int hv_mem_map_device(struct hv_vm *vm, uint64_t gpa, uint64_t size, void *hva, bool read_only,
		      unsigned *slot);
void hv_mem_unmap_device(struct hv_vm *vm, unsigned slot);

/* ---- buses ---- */

enum hv_space { HV_PIO, HV_MMIO };

struct hv_region;

struct hv_region_ops {
	/* `data` is little-endian, `len` bytes; reads must fill all of it. */
	void (*read)(void *opaque, uint64_t offset, void *data, unsigned len);
	void (*write)(void *opaque, uint64_t offset, const void *data, unsigned len);
};

/* Guest accesses to [base, base+size) of `space` go to `ops`. -EEXIST on overlap with another
 * region, -EINVAL for an empty or wrapping one. `name` must outlive the region. An access that
 * crosses a region's end, or meets none, reads all ones and writes nowhere, and is counted. */
int hv_bus_add(struct hv_vm *vm, enum hv_space space, const char *name, uint64_t base,
	       uint64_t size, const struct hv_region_ops *ops, void *opaque,
	       struct hv_region **out);
void hv_bus_remove(struct hv_vm *vm, struct hv_region *region);

/* ---- interrupts ---- */

/* I/O APIC input `gsi` (0..HV_IOAPIC_PINS-1). Level: stays asserted until level 0. */
int hv_irq_set(struct hv_vm *vm, unsigned gsi, bool level);
/* Input 3..15 of the PIC pair and of nothing else: where a chipset's router leads PCI's lines for
 * those who know no I/O APIC. Without a PIC nothing happens. */
void hv_irq_set_pic(struct hv_vm *vm, unsigned input, bool level);
/* Called, with the device lock held, when the guest ends a level interrupt of `gsi`. One per gsi.
 */
int hv_irq_on_eoi(struct hv_vm *vm, unsigned gsi, void (*fn)(void *opaque), void *opaque);
/* I/O APIC pins for devices without a fixed one: rotates over 16..23. */
unsigned hv_irq_alloc_pin(struct hv_vm *vm);

/* A level input led from eventfd to eventfd without us: `trigger` raises it, at the end of the
 * interrupt it falls and `ended` is signalled. -ENOTSUP where the I/O APIC is ours: watch the
 * trigger, hv_irq_set and hv_irq_on_eoi do the same. */
int hv_irq_attach(struct hv_vm *vm, unsigned gsi, int trigger, int ended);
void hv_irq_detach(struct hv_vm *vm, unsigned gsi, int trigger, int ended);

int hv_msi_signal(struct hv_vm *vm, const struct hv_msi *msi);

/*
 * A route turns an eventfd into an MSI without an exit to us: take a number, set its message,
 * commit (one system call for any number of changes), attach the eventfd. To take it down:
 * detach, free, commit. The order matters: KVM updates a posted IRTE from the route, and must not
 * find an irqfd without one. The numbers are at least HV_IOAPIC_PINS; -ENOSPC when all are used.
 */
int hv_route_alloc(struct hv_vm *vm);
void hv_route_set(struct hv_vm *vm, int route, const struct hv_msi *msi);
int hv_route_commit(struct hv_vm *vm);
void hv_route_free(struct hv_vm *vm, int route); /* takes effect with the next commit */
int hv_irqfd_attach(struct hv_vm *vm, int route, int eventfd);
void hv_irqfd_detach(struct hv_vm *vm, int route, int eventfd);

/* The other way: a guest's write of any value and length (len 0, MMIO only) or of `len` bytes at
 * `addr` counts up the eventfd, without an exit to us. */
int hv_ioeventfd_attach(struct hv_vm *vm, enum hv_space space, uint64_t addr, unsigned len,
			int eventfd);
void hv_ioeventfd_detach(struct hv_vm *vm, enum hv_space space, uint64_t addr, unsigned len,
			 int eventfd);

/* ---- boot ---- */

/* What the ACPI tables tell the guest about devices; gathered by vdev. Hardware-reduced ACPI
 * (ACPI 6.5, 4.1): no PM timer, no SCI; events come through a generic event device (5.6.9). With a
 * pm_port it is the other kind: the fixed hardware of 4.8.3 at pm_port (event block), +4 (control),
 * +8 (timer) and +12 (general-purpose events: a byte of status, a byte of enables; HV_ACPI_GPE is
 * the one), a power button among it, and the devices of a PC; sleep_port is then not used. */
#define HV_ACPI_GPE 2u
struct hv_acpi_config {
	uint16_t pm_port; /* 0: hardware-reduced */
	uint8_t sci_gsi;
	uint8_t last_bus;    /* PCIe buses 0..last_bus are in ECAM */
	uint16_t sleep_port; /* sleep control register; status register follows it */
	uint16_t reset_port;
	uint8_t reset_value;
	uint16_t event_port;  /* 32-bit read: pending events, cleared by reading */
	uint8_t event_gsi;    /* level */
	uint16_t serial_port; /* 16550; 0: none */
	uint8_t serial_gsi;
	uint16_t cpu_port;		 /* vdev/cpus.c: CPUs that come and go; 0: none do */
	unsigned cpus_present;		 /* with cpu_port: at the start; the others may come */
	uint16_t panic_port;		 /* pvpanic (QEMU0001); 0: none */
	uint16_t slot_port;		 /* vdev/acpi_slots.c; 0: hot plug is native */
	uint64_t generation;		 /* where the VM's generation ID stands; 0: nowhere */
	uint32_t slots;			 /* with slot_port: bit n, something may come to slot n */
	const struct hv_acpi_intx *intx; /* _PRT of bus 0 and of each root port */
	size_t intx_count;
};

#define HV_ACPI_EVENT_POWER_BUTTON 1u
#define HV_ACPI_EVENT_CPU	   2u
#define HV_ACPI_EVENT_SLOT	   4u
#define HV_ACPI_EVENT_GENERATION   8u

/* Device `dev` of root bus (bridge < 0), or device 0 behind the root port in slot `bridge` of the
 * root bus: pin 0..3 (INTA..INTD) is wired to I/O APIC input gsi[pin]. */
struct hv_acpi_intx {
	int bridge;
	uint8_t dev;
	uint8_t gsi[4];
	bool placed;  /* what is behind that port is near a guest node … */
	uint8_t node; /* … this one */
};

/* The tables for a firmware that places them itself: `rsdp` and `tables` as if at address 0 each,
 * and a script (QEMU's table loader) that says where pointers are and what to sum up, in terms of
 * the files "etc/acpi/rsdp" and "etc/acpi/tables". */
struct hv_acpi_blob {
	uint8_t *rsdp, *tables, *script;
	size_t rsdp_size, tables_size, script_size;
};

/* ecam: where the guest has placed it now. -ENOMEM. */
int hv_acpi_blob_build(const struct hv_vm *vm, const struct hv_acpi_config *config, uint64_t ecam,
		       struct hv_acpi_blob *out);
void hv_acpi_blob_free(struct hv_acpi_blob *blob);
enum hv_kernel_kind { HV_KERNEL_UNKNOWN, HV_KERNEL_LINUX, HV_KERNEL_PVH, HV_KERNEL_MULTIBOOT };

/* By its first bytes alone; enum hv_kernel_kind, or negative when it cannot be read. */
int hv_kernel_kind(int fd);

struct hv_boot_config {
	int kernel_fd; /* bzImage, ELF with a PVH note, or Multiboot 1; read from offset 0 */
	const char *kernel_name; /* for messages */
	int initrd_fd;		 /* -1: none */
	const char *initrd_name;
	const char *cmdline;
	const struct hv_acpi_config *acpi;
	int cache_dir;	    /* directory fd where unpacked kernels may be kept; -1: keep none */
	bool kaslr;	    /* place an unpacked kernel at a random address */
	const int *pagemap; /* open /proc/self/pagemap; NULL: opened when it is needed */
};

/* Loads the library that unpacking this kernel takes, if it is one that we unpack; to be called
 * before the process can no longer open any. */
void hv_boot_prepare(int kernel_fd);

/* The boot CPU starts at the reset vector; whoever put firmware there has done the rest. */
int hv_boot_firmware(struct hv_vm *vm);
/* Loads everything and sets the boot CPU's entry. May be called again before a restart.
 * -ENOEXEC: not a kernel; -EFBIG: does not fit RAM; -E2BIG: the command line is too long. */
int hv_boot(struct hv_vm *vm, const struct hv_boot_config *config);

/* ---- what it costs ---- */

struct hv_vcpu_stat {
	uint64_t exits[HV_EXIT_COUNT];
	uint64_t ns[HV_EXIT_COUNT]; /* in our handlers, while timing was on */
	uint64_t total;
	int thread; /* kernel thread id, 0 before start */
};

struct hv_region_stat {
	const char *name;
	enum hv_space space;
	uint64_t base, size;
	uint64_t reads, writes;
	uint64_t ns; /* in its handlers, while timing was on */
};

const char *hv_exit_name(enum hv_exit_reason reason); /* "io-read", "mmio-write", … */
void hv_stat_vcpu(const struct hv_vm *vm, unsigned cpu, struct hv_vcpu_stat *out);
/* Allocated array; also one row per space named "unclaimed" for accesses that met no region. */
int hv_stat_regions(struct hv_vm *vm, struct hv_region_stat **out, size_t *count);
/* Engine statistics; cpu -1: of the VM. Allocated array. */
int hv_stat_engine(struct hv_vm *vm, int cpu, struct hv_engine_stat **out, size_t *count);

/* Whether time is counted beside exits and accesses; off at first, for it costs two readings of the
 * clock per exit. */
void hv_timing_set(struct hv_vm *vm, bool on);
bool hv_timing_get(const struct hv_vm *vm);

/* One exit, as it was handled. */
struct hv_trace_event {
	uint64_t start, ns; /* CLOCK_MONOTONIC */
	uint64_t addr;	    /* of an access to a port or to memory */
	uint32_t cpu;
	enum hv_exit_reason reason;
};

/* Keeps the last `events` exits until they are read. Any thread. -EALREADY, -EINVAL (too many),
 * -ENOMEM. */
int hv_trace_start(struct hv_vm *vm, size_t events);
/* Takes up to `max` of them, the oldest first. *lost: overwritten since the start. */
size_t hv_trace_read(struct hv_vm *vm, struct hv_trace_event *out, size_t max, uint64_t *lost);
void hv_trace_stop(struct hv_vm *vm);

#endif
