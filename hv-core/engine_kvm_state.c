/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * engine_kvm_state: everything KVM knows of a vCPU, written down and put back.
 *
 * The order of putting back is not free:
 *   CPUID first: KVM checks control registers and MSRs against what the guest was shown.
 *   Special registers before the local APIC: the APIC base in them says whether the APIC is an
 *     x2APIC, and so how the page of its registers is to be read.
 *   MSRs after the special registers (EFER and paging decide what some may hold).
 *   Events after the general registers: setting those drops pending exceptions.
 *   The APIC before the run state, since a waiting INIT or SIPI lies in both.
 *   The TSC and its deadline last, in clock_start: the deadline counts only while the APIC's timer
 *     is in deadline mode, and in TSC ticks, so both must be there.
 *
 * Of the MSRs those are kept that this KVM lists and can read. A value that is in place already is
 * not written: so an MSR that the guest never touched does not tie it to hosts that have it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/log.h"
#include "base/util.h"
#include "hv-core/cpuid.h"
#include "hv-core/engine_kvm.h"

#define CPUID_MAX	 256u
#define MSRS_MAX	 1024u
#define XSAVE_LEGACY	 4096u
#define XSAVE_MAX	 (64u << 10)
#define MSR_TSC		 0x10u
#define MSR_TSC_DEADLINE 0x6e0u
#define MSR_HYPERV_FIRST 0x40000000u /* of another hypervisor's interface, which is not shown */
#define MSR_HYPERV_LAST	 0x400001ffu

/* Pieces that are one ioctl each way and of fixed size, in the order of putting back. */
struct piece {
	const char *name;
	unsigned long get, set;
	size_t size;
};

static const struct piece before_msrs[] = {
	{"sregs", KVM_GET_SREGS2, KVM_SET_SREGS2, sizeof(struct kvm_sregs2)},
	{"regs", KVM_GET_REGS, KVM_SET_REGS, sizeof(struct kvm_regs)},
	{"xcrs", KVM_GET_XCRS, KVM_SET_XCRS, sizeof(struct kvm_xcrs)},
	{"debugregs", KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS, sizeof(struct kvm_debugregs)},
};

static const struct piece after_msrs[] = {
	{"lapic", KVM_GET_LAPIC, KVM_SET_LAPIC, sizeof(struct kvm_lapic_state)},
	{"events", KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS, sizeof(struct kvm_vcpu_events)},
	{"mp_state", KVM_GET_MP_STATE, KVM_SET_MP_STATE, sizeof(struct kvm_mp_state)},
};

union any {
	struct kvm_sregs2 sregs;
	struct kvm_regs regs;
	struct kvm_xcrs xcrs;
	struct kvm_debugregs debugregs;
	struct kvm_lapic_state lapic;
	struct kvm_vcpu_events events;
	struct kvm_mp_state mp_state;
};

struct saved_msr {
	uint32_t index, zero;
	uint64_t value;
};

struct saved_leaf {
	uint32_t leaf, subleaf, flags, eax, ebx, ecx, edx;
};

static int refused(struct state *s, int err, const char *what)
{
	char text[96];

	snprintf(text, sizeof(text), "KVM does not %s: %s", what, strerror(-err));
	state_refuse(s, err, text);
	return err;
}

/* ---- pieces ---- */

static int save_pieces(const struct hv_engine_vcpu *vcpu, const struct piece *piece, size_t count,
		       struct state *s)
{
	for (size_t i = 0; i < count; i++) {
		union any buffer;

		memset(&buffer, 0, sizeof(buffer));
		int rc = hv_kvm_vcpu_ioctl(vcpu, piece[i].get, &buffer);
		if (rc < 0)
			return refused(s, rc, piece[i].name);
		state_put_bytes(s, piece[i].name, &buffer, piece[i].size);
	}
	return 0;
}

static int load_pieces(const struct hv_engine_vcpu *vcpu, const struct piece *piece, size_t count,
		       struct state *s)
{
	for (size_t i = 0; i < count; i++) {
		union any buffer;

		state_take_bytes(s, piece[i].name, &buffer, piece[i].size);
		if (state_error(s))
			return state_error(s);
		int rc = hv_kvm_vcpu_ioctl(vcpu, piece[i].set, &buffer);
		if (rc < 0)
			return refused(s, rc, piece[i].name);
	}
	return 0;
}

/* ---- extended state ---- */

/* Bytes of the XSAVE area: more than a page where large components exist (AMX). */
static size_t xsave_size(const struct hv_engine *engine)
{
	int size = ioctl(engine->vm, KVM_CHECK_EXTENSION, (unsigned long)KVM_CAP_XSAVE2);

	return size > (int)XSAVE_LEGACY ? MIN((size_t)size, (size_t)XSAVE_MAX) : XSAVE_LEGACY;
}

static int save_xsave(const struct hv_engine_vcpu *vcpu, struct state *s)
{
	size_t size = xsave_size(vcpu->engine);
	uint8_t *area = calloc(1, size);

	if (!area)
		return -ENOMEM;
	int rc =
		hv_kvm_vcpu_ioctl(vcpu, size > XSAVE_LEGACY ? KVM_GET_XSAVE2 : KVM_GET_XSAVE, area);
	if (rc < 0)
		refused(s, rc, "give the FPU's state");
	else
		state_put_bytes(s, "xsave", area, size);
	free(area);
	return rc;
}

/* A host may have a larger area, never a smaller one: CPUID was compared. */
static int load_xsave(const struct hv_engine_vcpu *vcpu, struct state *s)
{
	size_t room = xsave_size(vcpu->engine), size = state_bytes(s, "xsave");
	uint8_t *area = calloc(1, room);
	int rc = 0;

	if (!area)
		return -ENOMEM;
	if (size > room || size < XSAVE_LEGACY)
		state_refuse(s, -ENOTSUP, "the FPU's state does not fit this host's CPU");
	else
		state_take_bytes(s, "xsave", area, size);
	rc = state_error(s);
	if (rc == 0)
		rc = hv_kvm_vcpu_ioctl(vcpu, KVM_SET_XSAVE, area);
	if (rc < 0)
		refused(s, rc, "take the FPU's state");
	free(area);
	return rc;
}

/* ---- MSRs ---- */

static bool kept(uint32_t index)
{
	return index != MSR_TSC && index != MSR_TSC_DEADLINE &&
	       (index < MSR_HYPERV_FIRST || index > MSR_HYPERV_LAST);
}

/* Allocated. NULL with errno. */
static struct kvm_msr_list *msr_list(const struct hv_engine *engine)
{
	struct kvm_msr_list *list = calloc(1, sizeof(*list) + MSRS_MAX * sizeof(list->indices[0]));

	if (!list)
		return NULL;
	list->nmsrs = MSRS_MAX;
	if (ioctl(engine->kvm, KVM_GET_MSR_INDEX_LIST, list) == 0)
		return list;
	free(list);
	return NULL;
}

static int save_msrs(const struct hv_engine_vcpu *vcpu, struct state *s)
{
	struct kvm_msr_list *list = msr_list(vcpu->engine);
	struct saved_msr *msrs = calloc(MSRS_MAX, sizeof(*msrs));
	size_t count = 0;

	for (uint32_t i = 0; list && msrs && i < list->nmsrs; i++) {
		struct saved_msr *msr = &msrs[count];

		msr->index = list->indices[i];
		/* It lists some that this CPU or this guest does not have. */
		if (kept(msr->index) && hv_kvm_get_msr(vcpu, msr->index, &msr->value) == 1)
			count++;
	}
	bool ok = list && msrs;
	if (ok)
		state_put_bytes(s, "msrs", msrs, count * sizeof(*msrs));
	free(list);
	free(msrs);
	return ok ? 0 : -ENOMEM;
}

static int load_msr(const struct hv_engine_vcpu *vcpu, const struct saved_msr *msr, struct state *s)
{
	uint64_t now = 0;
	char text[112];
	bool known = hv_kvm_get_msr(vcpu, msr->index, &now) == 1;

	if (!kept(msr->index) || (known ? now == msr->value : msr->value == 0))
		return 0;
	if (known && hv_kvm_set_msr(vcpu, msr->index, msr->value) == 1)
		return 0;
	snprintf(text, sizeof(text), "this host's KVM does not take MSR 0x%x with 0x%llx",
		 msr->index, (unsigned long long)msr->value);
	state_refuse(s, -ENOTSUP, text);
	return -ENOTSUP;
}

static int load_msrs(const struct hv_engine_vcpu *vcpu, struct state *s)
{
	size_t size = state_bytes(s, "msrs");
	size_t count = size / sizeof(struct saved_msr);
	struct saved_msr *msrs = calloc(MSRS_MAX, sizeof(*msrs));
	int rc = 0;

	if (!msrs)
		return -ENOMEM;
	if (count > MSRS_MAX || size != count * sizeof(*msrs))
		state_refuse(s, -ERANGE, "MSRs: not a list of them");
	else
		state_take_bytes(s, "msrs", msrs, size);
	rc = state_error(s);
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = load_msr(vcpu, &msrs[i], s);
	free(msrs);
	return rc;
}

/* ---- CPUID ---- */

/* What the vCPU was given; allocated, NULL with errno. */
static struct kvm_cpuid2 *read_cpuid(const struct hv_engine_vcpu *vcpu)
{
	struct kvm_cpuid2 *cpuid =
		calloc(1, sizeof(*cpuid) + CPUID_MAX * sizeof(cpuid->entries[0]));

	if (!cpuid)
		return NULL;
	cpuid->nent = CPUID_MAX;
	if (ioctl(vcpu->fd, KVM_GET_CPUID2, cpuid) == 0)
		return cpuid;
	free(cpuid);
	return NULL;
}

static int save_cpuid(const struct hv_engine_vcpu *vcpu, struct state *s)
{
	struct kvm_cpuid2 *cpuid = read_cpuid(vcpu);
	struct saved_leaf leaves[CPUID_MAX];

	if (!cpuid)
		return refused(s, -errno, "give CPUID");
	for (uint32_t i = 0; i < cpuid->nent; i++) {
		const struct kvm_cpuid_entry2 *e = &cpuid->entries[i];

		leaves[i] = (struct saved_leaf){e->function, e->index, e->flags, e->eax,
						e->ebx,	     e->ecx,   e->edx};
	}
	state_put_bytes(s, "cpuid", leaves, cpuid->nent * sizeof(leaves[0]));
	free(cpuid);
	return 0;
}

static struct kvm_cpuid2 *take_cpuid(struct state *s)
{
	size_t size = state_bytes(s, "cpuid"), count = size / sizeof(struct saved_leaf);
	struct saved_leaf leaves[CPUID_MAX] = {0};
	struct kvm_cpuid2 *cpuid =
		calloc(1, sizeof(*cpuid) + CPUID_MAX * sizeof(cpuid->entries[0]));

	if (!cpuid)
		return NULL;
	if (!count || count > CPUID_MAX || size != count * sizeof(leaves[0])) {
		state_refuse(s, -ERANGE, "CPUID: not a table of it");
		return cpuid;
	}
	state_take_bytes(s, "cpuid", leaves, size);
	cpuid->nent = (uint32_t)count;
	for (size_t i = 0; i < count; i++)
		cpuid->entries[i] = (struct kvm_cpuid_entry2){
			.function = leaves[i].leaf,
			.index = leaves[i].subleaf,
			.flags = leaves[i].flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
			.eax = leaves[i].eax,
			.ebx = leaves[i].ebx,
			.ecx = leaves[i].ecx,
			.edx = leaves[i].edx,
		};
	return cpuid;
}

static int compare_cpuid(const struct kvm_cpuid2 *want, const struct kvm_cpuid2 *have,
			 struct state *s)
{
	struct hv_cpuid_entry *wanted = hv_kvm_cpuid_entries(want);
	struct hv_cpuid_entry *offered = hv_kvm_cpuid_entries(have);
	char why[256] = "", text[320];
	int rc = -ENOMEM;

	if (wanted && offered)
		rc = hv_cpuid_check(wanted, want->nent, offered, have->nent, why, sizeof(why));
	if (rc < 0) {
		snprintf(text, sizeof(text), "this host cannot carry the guest: it lacks %s", why);
		state_refuse(s, rc, text);
	}
	free(wanted);
	free(offered);
	return rc;
}

static int load_cpuid(const struct hv_engine_vcpu *vcpu, struct state *s)
{
	struct kvm_cpuid2 *want = take_cpuid(s), *have = read_cpuid(vcpu);
	int rc = want && have ? state_error(s) : -ENOMEM;

	if (rc == 0)
		rc = compare_cpuid(want, have, s);
	if (rc == 0) {
		rc = hv_kvm_vcpu_ioctl(vcpu, KVM_SET_CPUID2, want);
		if (rc < 0)
			refused(s, rc, "take CPUID");
	}
	free(want);
	free(have);
	return rc;
}

/* ---- TSC ---- */

/* KVM takes another frequency only where the CPU scales, or where the difference is nothing. */
static int load_tsc(struct hv_engine_vcpu *vcpu, struct state *s)
{
	uint32_t khz = (uint32_t)state_take(s, "tsc_khz", UINT32_MAX);
	int here = ioctl(vcpu->fd, KVM_GET_TSC_KHZ, 0ul);
	char text[160];

	vcpu->tsc = state_take(s, "tsc", UINT64_MAX);
	vcpu->deadline = state_take(s, "tsc_deadline", UINT64_MAX);
	if (!khz || here <= 0 || (uint32_t)here == khz ||
	    ioctl(vcpu->fd, KVM_SET_TSC_KHZ, (unsigned long)khz) == 0)
		return 0;
	snprintf(text, sizeof(text),
		 "the guest's TSC runs at %u kHz, this host's at %d kHz, and its CPU cannot scale",
		 khz, here);
	state_refuse(s, -ENOTSUP, text);
	return -ENOTSUP;
}

static void save_tsc(const struct hv_engine_vcpu *vcpu, struct state *s)
{
	int khz = ioctl(vcpu->fd, KVM_GET_TSC_KHZ, 0ul);

	state_put(s, "tsc_khz", khz > 0 ? (uint64_t)khz : 0);
	state_put(s, "tsc", vcpu->tsc);
	state_put(s, "tsc_deadline", vcpu->deadline);
}

/* ---- the whole ---- */

static int save_vcpu(const struct hv_engine_vcpu *vcpu, struct state *s)
{
	int rc = save_cpuid(vcpu, s);

	if (rc == 0)
		rc = save_pieces(vcpu, before_msrs, ARRAY_SIZE(before_msrs), s);
	if (rc == 0)
		rc = save_xsave(vcpu, s);
	if (rc == 0)
		rc = save_msrs(vcpu, s);
	if (rc == 0)
		rc = save_pieces(vcpu, after_msrs, ARRAY_SIZE(after_msrs), s);
	save_tsc(vcpu, s);
	return rc;
}

static int load_vcpu(struct hv_engine_vcpu *vcpu, struct state *s)
{
	int rc = load_cpuid(vcpu, s);

	if (rc == 0)
		rc = load_tsc(vcpu, s);
	if (rc == 0)
		rc = load_pieces(vcpu, before_msrs, ARRAY_SIZE(before_msrs), s);
	if (rc == 0)
		rc = load_xsave(vcpu, s);
	if (rc == 0)
		rc = load_msrs(vcpu, s);
	if (rc == 0)
		rc = load_pieces(vcpu, after_msrs, ARRAY_SIZE(after_msrs), s);
	return rc < 0 ? rc : state_error(s);
}

int hv_kvm_save(struct hv_engine *engine, struct hv_engine_vcpu *vcpu, struct state *s)
{
	if (vcpu)
		return save_vcpu(vcpu, s);
	state_put_text(s, "name", "kvm");
	state_put(s, "clock", engine->clock);
	return hv_kvm_irqchip_save(engine, s);
}

int hv_kvm_load(struct hv_engine *engine, struct hv_engine_vcpu *vcpu, struct state *s)
{
	if (vcpu)
		return load_vcpu(vcpu, s);
	if (strcmp(state_take_text(s, "name"), "kvm") != 0 && !state_error(s))
		state_refuse(s, -ENOTSUP, "it was saved by another engine than KVM");
	engine->clock = state_take(s, "clock", UINT64_MAX);
	int rc = state_error(s) ? state_error(s) : hv_kvm_irqchip_load(engine, s);
	if (rc < 0)
		return rc;
	engine->stopped = state_error(s) == 0;
	return state_error(s);
}
