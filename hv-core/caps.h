/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * caps: what this processor offers to a hypervisor, and what the lack of each thing costs.
 *
 * Intel tells it in capability MSRs (SDM vol. 3, appendix A): of every control there is whether it
 * may be 1. AMD tells it in CPUID leaf 0x8000000a (APM vol. 3, E.4.9). The decoder is pure: it is
 * given the numbers, wherever they come from. Part of the boundary, through hv.h.
 */
#ifndef HV_CORE_CAPS_H
#define HV_CORE_CAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HV_CAPS_VMX_FIRST 0x480u /* IA32_VMX_BASIC */
#define HV_CAPS_VMX_COUNT 20u	 /* … IA32_VMX_EXIT_CTLS2 */
#define HV_CAPS_MAX	  64u

enum hv_caps_kind { HV_CAPS_NONE, HV_CAPS_VMX, HV_CAPS_SVM };

/* The raw numbers. An MSR that could not be read is 0: it does not exist, or offers nothing. */
struct hv_caps_raw {
	enum hv_caps_kind kind;
	uint64_t vmx[HV_CAPS_VMX_COUNT];
	uint32_t svm_eax, svm_ebx, svm_edx; /* CPUID 0x8000000a */
};

enum hv_cap_state {
	HV_CAP_MISSING, /* the processor has it not */
	HV_CAP_OFF,	/* it has, and a parameter of KVM's module says no */
	HV_CAP_UNUSED,	/* it has, and our engine has no use for it */
	HV_CAP_USED,
};

const char *hv_cap_state_name(enum hv_cap_state state); /* "missing", "off", "unused", "used" */

struct hv_cap {
	const char *name;
	const char *where; /* "secondary controls, bit 1" */
	unsigned bit;
	enum hv_cap_state state;
	const char *parameter; /* of KVM's module, that turns it off; NULL: none */
	const char *cost;      /* of not having it; NULL where nobody would notice */
};

struct hv_caps {
	enum hv_caps_kind kind;
	uint32_t revision;    /* of the VMCS, or of SVM */
	unsigned vmcs_size;   /* bytes; VMX */
	unsigned asids;	      /* SVM */
	int preemption_shift; /* the VMX timer counts TSC >> this; -1: none */
	unsigned ept_levels;  /* 4 or 5; 0: no EPT, or SVM */
	struct hv_cap cap[HV_CAPS_MAX];
	size_t count;
};

/* `parameter` tells a boolean parameter of KVM's module: 1, 0, or -1 when it is not known (then it
 * is taken as on). */
void hv_caps_decode(const struct hv_caps_raw *raw, int (*parameter)(void *opaque, const char *name),
		    void *opaque, struct hv_caps *out);

/* From an open /dev/cpu/N/msr. -EIO when not even IA32_VMX_BASIC can be read. */
int hv_caps_read_msrs(int fd, struct hv_caps_raw *out);
/* From this CPU's CPUID: which kind there is, and all of SVM's. */
void hv_caps_read_cpuid(struct hv_caps_raw *out);
/* From text: lines "MSR VALUE", as rdmsr(1) users keep them, or "svm EAX EBX EDX"; '#' begins a
 * comment. -EINVAL with the number of the bad line in *line. */
int hv_caps_parse(const char *text, struct hv_caps_raw *out, unsigned *line);

#endif
