/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cpuid_check: whether a CPU that a guest has seen can be had here.
 *
 * A guest looks at CPUID when it starts, and uses what it found for the rest of its life. So it
 * must find the same again: every feature bit that it was shown has to be on offer. More on offer
 * is no harm, because it is given the table that it was shown.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "hv-core/cpuid.h"

enum { EAX, EBX, ECX, EDX };
static const char *const register_names[] = {"EAX", "EBX", "ECX", "EDX"};

/* Registers made of feature bits. `ignore`: bits that follow the guest's own CR4. */
static const struct feature_word {
	uint32_t leaf, subleaf;
	unsigned reg;
	uint32_t ignore;
} words[] = {
	{0x1, 0, ECX, 1u << 27}, /* OSXSAVE */
	{0x1, 0, EDX, 0},	 {0x6, 0, EAX, 0},
	{0x7, 0, EBX, 0},	 {0x7, 0, ECX, 1u << 4}, /* OSPKE */
	{0x7, 0, EDX, 0},	 {0x7, 1, EAX, 0},
	{0x7, 1, EDX, 0},	 {0xd, 0, EAX, 0}, /* state components: XCR0 */
	{0xd, 1, EAX, 0},	 {0xd, 1, ECX, 0},
	{0x40000001, 0, EAX, 0}, /* KVM's own */
	{0x80000001, 0, ECX, 0}, {0x80000001, 0, EDX, 0},
	{0x80000007, 0, EDX, 0}, /* invariant TSC */
	{0x80000008, 0, EBX, 0}, {0x80000021, 0, EAX, 0},
};

static const struct {
	uint32_t leaf, subleaf;
	unsigned reg, bit;
	const char *name;
} names[] = {
	{1, 0, ECX, 0, "sse3"},
	{1, 0, ECX, 9, "ssse3"},
	{1, 0, ECX, 12, "fma"},
	{1, 0, ECX, 13, "cx16"},
	{1, 0, ECX, 17, "pcid"},
	{1, 0, ECX, 19, "sse4_1"},
	{1, 0, ECX, 20, "sse4_2"},
	{1, 0, ECX, 22, "movbe"},
	{1, 0, ECX, 23, "popcnt"},
	{1, 0, ECX, 24, "tsc_deadline_timer"},
	{1, 0, ECX, 25, "aes"},
	{1, 0, ECX, 26, "xsave"},
	{1, 0, ECX, 28, "avx"},
	{1, 0, ECX, 29, "f16c"},
	{1, 0, ECX, 30, "rdrand"},
	{7, 0, EBX, 0, "fsgsbase"},
	{7, 0, EBX, 3, "bmi1"},
	{7, 0, EBX, 5, "avx2"},
	{7, 0, EBX, 7, "smep"},
	{7, 0, EBX, 8, "bmi2"},
	{7, 0, EBX, 9, "erms"},
	{7, 0, EBX, 10, "invpcid"},
	{7, 0, EBX, 16, "avx512f"},
	{7, 0, EBX, 18, "rdseed"},
	{7, 0, EBX, 19, "adx"},
	{7, 0, EBX, 20, "smap"},
	{7, 0, EBX, 29, "sha_ni"},
	{7, 0, ECX, 2, "umip"},
	{7, 0, ECX, 3, "pku"},
	{7, 0, ECX, 16, "la57"},
	{7, 0, EDX, 26, "spec_ctrl"},
	{7, 0, EDX, 31, "ssbd"},
	{0xd, 0, EAX, 9, "pku state"},
	{0xd, 0, EAX, 17, "amx state"},
	{0xd, 1, EAX, 1, "xsavec"},
	{0xd, 1, EAX, 3, "xsaves"},
	{0x80000001, 0, ECX, 5, "abm"},
	{0x80000001, 0, ECX, 6, "sse4a"},
	{0x80000001, 0, EDX, 20, "nx"},
	{0x80000001, 0, EDX, 26, "pdpe1gb"},
	{0x80000001, 0, EDX, 27, "rdtscp"},
	{0x80000007, 0, EDX, 8, "invariant tsc"},
};

static const struct hv_cpuid_entry *find(const struct hv_cpuid_entry *entry, size_t count,
					 uint32_t leaf, uint32_t subleaf)
{
	for (size_t i = 0; i < count; i++)
		if (entry[i].leaf == leaf && entry[i].subleaf == subleaf)
			return &entry[i];
	return NULL;
}

static uint32_t value(const struct hv_cpuid_entry *e, unsigned reg)
{
	return !e ? 0 : reg == EAX ? e->eax : reg == EBX ? e->ebx : reg == ECX ? e->ecx : e->edx;
}

static const char *name_of(const struct feature_word *w, unsigned bit)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].leaf == w->leaf && names[i].subleaf == w->subleaf &&
		    names[i].reg == w->reg && names[i].bit == bit)
			return names[i].name;
	return NULL;
}

static void tell(const struct feature_word *w, unsigned bit, char *why, size_t size)
{
	const char *name = name_of(w, bit);
	size_t len = strlen(why);

	snprintf(why + len, size - len, "%s%s%sCPUID %x.%u %s bit %u%s", len ? ", " : "",
		 name ? name : "", name ? " (" : "", w->leaf, w->subleaf, register_names[w->reg],
		 bit, name ? ")" : "");
}

static bool same_vendor(const struct hv_cpuid_entry *a, const struct hv_cpuid_entry *b)
{
	return a && b && a->ebx == b->ebx && a->ecx == b->ecx && a->edx == b->edx;
}

int hv_cpuid_check(const struct hv_cpuid_entry *want, size_t want_count,
		   const struct hv_cpuid_entry *have, size_t have_count, char *why, size_t size)
{
	uint32_t width = value(find(want, want_count, 0x80000008, 0), EAX) & 0xff;

	why[0] = '\0';
	if (!same_vendor(find(want, want_count, 0, 0), find(have, have_count, 0, 0))) {
		snprintf(why, size, "a CPU of the same vendor");
		return -ENOTSUP;
	}
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		const struct feature_word *w = &words[i];
		uint32_t missing = value(find(want, want_count, w->leaf, w->subleaf), w->reg) &
				   ~value(find(have, have_count, w->leaf, w->subleaf), w->reg) &
				   ~w->ignore;

		for (unsigned bit = 0; bit < 32; bit++)
			if (missing >> bit & 1)
				tell(w, bit, why, size);
	}
	if (width > (value(find(have, have_count, 0x80000008, 0), EAX) & 0xff)) {
		size_t len = strlen(why);

		snprintf(why + len, size - len, "%s%u physical address bits", len ? ", " : "",
			 width);
	}
	return why[0] ? -ENOTSUP : 0;
}
