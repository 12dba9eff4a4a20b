/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cpuid: the rules, leaf by leaf. A leaf that is not named here is not shown to guests: out of
 * range or reserved leaves read as zero.
 *
 * Intel SDM vol. 2A "CPUID"; AMD APM vol. 3, appendix E; Linux
 * Documentation/virt/kvm/x86/cpuid.rst.
 */
#include "hv-core/cpuid.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

#define BIT(n) (UINT32_C(1) << (n))

#define EXTRA_ENTRIES 12 /* at most that many are added to the host's */
#define KVM_BASE      0x40000000u
#define KVM_FREQUENCY 0x40000010u
#define APIC_BUS_KHZ  1000000u /* the engine's local APIC timer counts nanoseconds */
#define EXT_BASE      0x80000000u

enum vendor { INTEL, AMD, OTHER };

struct build {
	const struct hv_cpuid_topology *topology;
	unsigned apic_id;
	unsigned thread_bits, package_bits; /* APIC ID bits below core and below socket */
	enum vendor vendor;
	struct hv_cpuid_entry *entry;
	size_t count;
};

/* ---- topology ---- */

static unsigned bits_for(unsigned count)
{
	unsigned bits = 0;

	while (1u << bits < count)
		bits++;
	return bits;
}

unsigned hv_cpuid_apic_id(const struct hv_cpuid_topology *t, unsigned cpu)
{
	unsigned thread_bits = bits_for(t->threads), core_bits = bits_for(t->cores);
	unsigned thread = cpu % t->threads;
	unsigned core = cpu / t->threads % t->cores;
	unsigned socket = cpu / t->threads / t->cores;

	return thread | core << thread_bits | socket << (thread_bits + core_bits);
}

static unsigned package_threads(const struct build *b)
{
	return b->topology->cores * b->topology->threads;
}

/* How many APIC IDs share a cache of that level: the last level spans the socket. */
static uint32_t cache_sharing(const struct build *b, uint32_t level)
{
	return level >= 3 ? BIT(b->package_bits) : BIT(b->thread_bits);
}

/* ---- rules for leaves that the host has; false: not shown ---- */

static void leaf_1(const struct build *b, struct hv_cpuid_entry *e)
{
	const uint32_t hide_ecx = BIT(2) | BIT(3) | BIT(4) |	      /* DTES64, MONITOR, DS-CPL */
				  BIT(5) | BIT(6) | BIT(7) | BIT(8) | /* VMX, SMX, EIST, TM2 */
				  BIT(11) | BIT(14) | BIT(15) |
				  BIT(18) | /* SDBG, xTPR, PDCM, DCA */
				  BIT(27);  /* OSXSAVE: the engine's, it follows CR4 */
	const uint32_t show_ecx =
		BIT(21) | BIT(24) | BIT(31); /* x2APIC, TSC deadline, hypervisor */
	const uint32_t hide_edx = BIT(18) | BIT(21) | BIT(22) | /* PSN, DS, ACPI thermal */
				  BIT(29) | BIT(30) | BIT(31);	/* TM, IA64, PBE */

	e->ebx = (e->ebx & 0x0000ff00) | BIT(b->package_bits) << 16 | b->apic_id << 24;
	e->ecx = (e->ecx & ~hide_ecx) | show_ecx;
	e->edx &= ~(hide_edx | BIT(28));
	if (package_threads(b) > 1)
		e->edx |= BIT(28); /* HTT: more than one logical processor in the package */
}

/* Deterministic cache parameters: leaf 4 of Intel's, 0x8000001d of AMD's. */
static void leaf_cache(const struct build *b, struct hv_cpuid_entry *e, bool core_count)
{
	uint32_t type = e->eax & 0x1f, level = e->eax >> 5 & 7;

	e->eax &= 0x3fff;
	if (type == 0)
		return;
	e->eax |= (cache_sharing(b, level) - 1) << 14;
	if (core_count)
		e->eax |= (BIT(b->package_bits - b->thread_bits) - 1) << 26;
}

static bool leaf_7(struct hv_cpuid_entry *e)
{
	if (e->subleaf == 0) {
		/* SGX, RDT monitoring and allocation, processor trace */
		e->ebx &= ~(BIT(2) | BIT(12) | BIT(15) | BIT(25));
		/* OSPKE follows CR4; WAITPKG, shadow stacks, TME, key locker, SGX launch control */
		e->ecx &= ~(BIT(4) | BIT(5) | BIT(7) | BIT(13) | BIT(23) | BIT(30));
		/* hybrid, PCONFIG, architectural LBR, indirect branch tracking */
		e->edx &= ~(BIT(15) | BIT(18) | BIT(19) | BIT(20));
	}
	return true;
}

/* State components that belong to hidden features: PT, CET (user, supervisor), HDC, LBR, HWP. */
static bool leaf_xsave(struct hv_cpuid_entry *e)
{
	const uint32_t hide = BIT(8) | BIT(11) | BIT(12) | BIT(13) | BIT(15) | BIT(16);

	if (e->subleaf == 1)
		e->ecx &= ~hide;
	return e->subleaf < 2 || e->subleaf >= 32 || !(hide & BIT(e->subleaf));
}

/*
 * TSC and core crystal clock. SDM: where this leaf is present the APIC timer counts the crystal.
 * The engine's counts nanoseconds, so the crystal is 1 GHz, and the ratio is the TSC's.
 */
static bool leaf_tsc(const struct build *b, struct hv_cpuid_entry *e)
{
	if (b->vendor != INTEL || !b->topology->tsc_khz)
		return false;
	e->eax = APIC_BUS_KHZ;
	e->ebx = b->topology->tsc_khz;
	e->ecx = APIC_BUS_KHZ * 1000;
	e->edx = 0;
	return true;
}

static bool leaf_frequency(const struct build *b, struct hv_cpuid_entry *e)
{
	if (b->vendor != INTEL || !b->topology->tsc_khz)
		return false;
	e->eax = e->ebx = b->topology->tsc_khz / 1000;
	e->ecx = 100;
	e->edx = 0;
	return true;
}

static bool basic_leaf(const struct build *b, struct hv_cpuid_entry *e)
{
	switch (e->leaf) {
	case 0:
	case 2:
	case 0x18: /* TLB parameters */
	case 0x1d: /* tiles */
	case 0x1e:
	case 0x24: /* AVX10 */
		return true;
	case 1:
		leaf_1(b, e);
		return true;
	case 4:
		leaf_cache(b, e, true);
		return true;
	case 6:
		/* Only that the APIC timer never stops: true of an emulated one. */
		*e = (struct hv_cpuid_entry){.leaf = 6, .eax = BIT(2)};
		return true;
	case 7:
		return leaf_7(e);
	case 0xd:
		return leaf_xsave(e);
	case 0x15:
		return leaf_tsc(b, e);
	case 0x16:
		return leaf_frequency(b, e);
	default:
		return false; /* 0xb and 0x1f are added anew */
	}
}

static void leaf_ext_1(const struct build *b, struct hv_cpuid_entry *e)
{
	/* SVM, extended APIC space, IBS, SKINIT, watchdog, LWP, the PMU's bits, MWAITX */
	e->ecx &= ~(BIT(2) | BIT(3) | BIT(10) | BIT(12) | BIT(13) | BIT(15) | BIT(23) | BIT(24) |
		    BIT(26) | BIT(27) | BIT(28) | BIT(29));
	e->ecx &= ~BIT(1); /* CmpLegacy: more than one logical processor, on AMD */
	if (b->vendor != INTEL && package_threads(b) > 1)
		e->ecx |= BIT(1);
}

static void leaf_ext_8(const struct build *b, struct hv_cpuid_entry *e)
{
	if (b->topology->phys_bits) {
		e->eax = (e->eax & ~UINT32_C(0xff)) | b->topology->phys_bits;
		/* a guest-physical limit above that says nothing more */
		if ((e->eax >> 16 & 0xff) >= b->topology->phys_bits)
			e->eax &= ~UINT32_C(0xff0000);
	}
	e->ecx = b->vendor == INTEL ? 0 : (package_threads(b) - 1) | b->package_bits << 12;
	e->edx = 0;
}

static void leaf_ext_1e(const struct build *b, struct hv_cpuid_entry *e)
{
	unsigned core = b->apic_id >> b->thread_bits & (BIT(b->package_bits - b->thread_bits) - 1);

	e->eax = b->apic_id;
	e->ebx = core | (b->topology->threads - 1) << 8;
	e->ecx = b->apic_id >> b->package_bits; /* one node per socket */
	e->edx = 0;
}

static bool extended_leaf(const struct build *b, struct hv_cpuid_entry *e)
{
	switch (e->leaf) {
	case EXT_BASE:
	case EXT_BASE + 2: /* brand string */
	case EXT_BASE + 3:
	case EXT_BASE + 4:
	case EXT_BASE + 5: /* caches and TLBs */
	case EXT_BASE + 6:
	case EXT_BASE + 0x19:
	case EXT_BASE + 0x1a:
	case EXT_BASE + 0x21:
		return true;
	case EXT_BASE + 1:
		leaf_ext_1(b, e);
		return true;
	case EXT_BASE + 7:
		*e = (struct hv_cpuid_entry){.leaf = e->leaf, .edx = e->edx & BIT(8)};
		return true; /* invariant TSC, and no power management */
	case EXT_BASE + 8:
		leaf_ext_8(b, e);
		return true;
	case EXT_BASE + 0x1d:
		leaf_cache(b, e, false);
		return b->vendor != INTEL;
	case EXT_BASE + 0x1e:
		leaf_ext_1e(b, e);
		return b->vendor != INTEL;
	default:
		return false;
	}
}

static bool show(const struct build *b, struct hv_cpuid_entry *e)
{
	if (e->leaf < KVM_BASE)
		return basic_leaf(b, e);
	if (e->leaf < EXT_BASE)
		return e->leaf == KVM_BASE || e->leaf == KVM_BASE + 1;
	return extended_leaf(b, e);
}

/* ---- joining ---- */

static struct hv_cpuid_entry *find(const struct build *b, uint32_t leaf)
{
	for (size_t i = 0; i < b->count; i++) {
		if (b->entry[i].leaf == leaf)
			return &b->entry[i];
	}
	return NULL;
}

static void add(struct build *b, const struct hv_cpuid_entry *e)
{
	b->entry[b->count++] = *e;
}

/* Extended topology: SMT, core, end (SDM vol. 3, 9.9.1). */
static void add_topology(struct build *b, uint32_t leaf)
{
	const struct hv_cpuid_entry level[] = {
		{leaf, 0, true, b->thread_bits, b->topology->threads, 1 << 8 | 0, b->apic_id},
		{leaf, 1, true, b->package_bits, package_threads(b), 2 << 8 | 1, b->apic_id},
		{leaf, 2, true, 0, 0, 2, b->apic_id},
	};

	for (size_t i = 0; i < ARRAY_SIZE(level); i++)
		add(b, &level[i]);
}

static void add_frequencies(struct build *b)
{
	const struct hv_cpuid_entry e = {
		.leaf = KVM_FREQUENCY,
		.eax = b->topology->tsc_khz,
		.ebx = APIC_BUS_KHZ,
	};

	if (find(b, KVM_BASE) && b->topology->tsc_khz)
		add(b, &e);
}

/* The first leaf of each range names the last. */
static void fix_limit(struct build *b, uint32_t base, uint32_t end)
{
	struct hv_cpuid_entry *first = find(b, base);
	uint32_t last = base;

	for (size_t i = 0; i < b->count; i++) {
		if (b->entry[i].leaf >= base && b->entry[i].leaf < end)
			last = MAX(last, b->entry[i].leaf);
	}
	if (first)
		first->eax = last;
}

/* Without the leaf that holds the numbers, its feature bit would mislead. */
static void fix_topology_extensions(struct build *b)
{
	struct hv_cpuid_entry *e = find(b, EXT_BASE + 1);

	if (!e || b->vendor == INTEL)
		return;
	e->ecx &= ~BIT(22);
	if (find(b, EXT_BASE + 0x1e))
		e->ecx |= BIT(22);
}

static enum vendor find_vendor(const struct hv_cpuid_entry *host, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (host[i].leaf != 0)
			continue;
		if (host[i].ebx == 0x756e6547) /* "Genu" of GenuineIntel */
			return INTEL;
		if (host[i].ebx == 0x68747541 || host[i].ebx == 0x6f677948) /* "Auth", "Hygo" */
			return AMD;
	}
	return OTHER;
}

static bool topology_fits(const struct hv_cpuid_topology *t)
{
	return t->cpus > 0 && t->sockets > 0 && t->cores > 0 && t->threads > 0 &&
	       (uint64_t)t->sockets * t->cores * t->threads == t->cpus;
}

int hv_cpuid_build(const struct hv_cpuid_entry *host, size_t host_count,
		   const struct hv_cpuid_topology *topology, unsigned apic_id,
		   struct hv_cpuid_entry **out, size_t *count)
{
	struct build b = {
		.topology = topology,
		.apic_id = apic_id,
		.vendor = find_vendor(host, host_count),
	};

	if (!topology_fits(topology))
		return -EINVAL;
	b.thread_bits = bits_for(topology->threads);
	b.package_bits = b.thread_bits + bits_for(topology->cores);
	b.entry = calloc(host_count + EXTRA_ENTRIES, sizeof(*b.entry));
	if (!b.entry)
		return -ENOMEM;
	for (size_t i = 0; i < host_count; i++) {
		struct hv_cpuid_entry e = host[i];

		if (show(&b, &e))
			add(&b, &e);
	}
	add_topology(&b, 0xb);
	if (b.vendor == INTEL)
		add_topology(&b, 0x1f);
	add_frequencies(&b);
	fix_topology_extensions(&b);
	fix_limit(&b, 0, KVM_BASE);
	fix_limit(&b, KVM_BASE, EXT_BASE);
	fix_limit(&b, EXT_BASE, UINT32_MAX);
	*out = b.entry;
	*count = b.count;
	return 0;
}
