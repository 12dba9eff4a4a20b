/* SPDX-License-Identifier: BSD-3-Clause */
/* caps: one table per vendor; a row is a bit, what uses it, and what its absence costs. */
#include "hv-core/caps.h"

#include <string.h>

#include "base/util.h"

/* Which MSR a bit of VMX is in. Controls tell in their upper half what may be 1 (SDM vol. 3,
 * A.3-A.5); where IA32_VMX_BASIC bit 55 is set, the TRUE variants are the better word. */
enum source { BASIC, PIN, PRIMARY, EXIT, ENTRY, MISC, SECONDARY, EPT, VMFUNC, TERTIARY, SVM };

enum {
	MSR_BASIC = 0x480,
	MSR_PIN = 0x481,
	MSR_PRIMARY = 0x482,
	MSR_EXIT = 0x483,
	MSR_ENTRY = 0x484,
	MSR_MISC = 0x485,
	MSR_SECONDARY = 0x48b,
	MSR_EPT = 0x48c,
	MSR_TRUE_PIN = 0x48d,
	MSR_TRUE_PRIMARY = 0x48e,
	MSR_TRUE_EXIT = 0x48f,
	MSR_TRUE_ENTRY = 0x490,
	MSR_VMFUNC = 0x491,
	MSR_TERTIARY = 0x492,
};

static const struct {
	unsigned msr, true_msr;
	bool control; /* allowed-1 settings in bits 63:32 */
	const char *name;
} sources[] = {
	[BASIC] = {MSR_BASIC, 0, false, "basic"},
	[PIN] = {MSR_PIN, MSR_TRUE_PIN, true, "pin controls"},
	[PRIMARY] = {MSR_PRIMARY, MSR_TRUE_PRIMARY, true, "primary controls"},
	[EXIT] = {MSR_EXIT, MSR_TRUE_EXIT, true, "exit controls"},
	[ENTRY] = {MSR_ENTRY, MSR_TRUE_ENTRY, true, "entry controls"},
	[MISC] = {MSR_MISC, 0, false, "misc"},
	[SECONDARY] = {MSR_SECONDARY, 0, true, "secondary controls"},
	[EPT] = {MSR_EPT, 0, false, "EPT and VPID"},
	[VMFUNC] = {MSR_VMFUNC, 0, false, "VM functions"},
	[TERTIARY] = {MSR_TERTIARY, 0, false, "tertiary controls"},
	[SVM] = {0, 0, false, "CPUID 0x8000000a EDX"},
};

struct row {
	const char *name;
	enum source source;
	unsigned bit;
	bool used; /* by KVM, for a guest of ours */
	const char *parameter, *cost;
};

/* clang-format off */
static const struct row vmx_rows[] = {
	{"extended page tables (EPT)", SECONDARY, 1, true, "ept",
	 "without it every change of the guest's page tables exits: memory-heavy guests run at a fraction"},
	{"EPT, pages of 2M", EPT, 16, true, NULL,
	 "without it guest memory is mapped by 4K pages: 512 times the violations, more TLB misses"},
	{"EPT, pages of 1G", EPT, 17, true, NULL,
	 "without it --memory pages=1g is mapped by 2M pages: more TLB misses for large guests"},
	{"EPT, accessed and dirty bits", EPT, 21, true, "eptad",
	 "without it aging and dirty logging write-protect pages: an exit per page and round"},
	{"EPT, five levels", EPT, 7, true, NULL, NULL},
	{"EPT, execute-only pages", EPT, 0, false, NULL, NULL},
	{"EPT, advanced information on violations", EPT, 22, true, NULL, NULL},
	{"INVEPT of one context", EPT, 25, true, NULL,
	 "without it a flush for one VM flushes all of them"},
	{"VPID", SECONDARY, 5, true, "vpid",
	 "without it every entry and exit flushes the TLB"},
	{"INVVPID of one context", EPT, 41, true, NULL, NULL},
	{"unrestricted guest", SECONDARY, 7, true, "unrestricted_guest",
	 "without it real mode is emulated instruction by instruction: firmware and the start of each CPU are slow"},
	{"page-modification log (PML)", SECONDARY, 17, true, "pml",
	 "without it dirty logging costs an exit per page written"},
	{"TSC offsetting", PRIMARY, 3, true, NULL,
	 "without it each reading of the time-stamp counter exits"},
	{"TSC scaling", SECONDARY, 25, true, NULL,
	 "without it a VM restored on a host of another frequency has its counter emulated"},
	{"RDTSCP", SECONDARY, 3, true, NULL, NULL},
	{"preemption timer", PIN, 6, true, "preemption_timer",
	 "without it the guest's TSC deadline needs a host timer: two more exits each time it fires"},
	{"TPR shadow", PRIMARY, 21, true, NULL,
	 "without it each change of the task priority exits"},
	{"virtual APIC accesses", SECONDARY, 0, true, "flexpriority",
	 "without it each APIC access is decoded from the instruction"},
	{"virtual x2APIC mode", SECONDARY, 4, true, "enable_apicv", NULL},
	{"APIC-register virtualization", SECONDARY, 8, true, "enable_apicv",
	 "without it each reading of an APIC register exits"},
	{"virtual-interrupt delivery", SECONDARY, 9, true, "enable_apicv",
	 "without it each interrupt and each end of interrupt of the guest costs an exit"},
	{"posted interrupts", PIN, 7, true, "enable_apicv",
	 "without it an interrupt of a passed-through device exits before it reaches its guest"},
	{"IPI virtualization", TERTIARY, 4, true, "enable_ipiv",
	 "without it an interrupt from one virtual CPU to another exits on the sender"},
	{"virtual NMIs", PIN, 5, true, "vnmi", NULL},
	{"I/O bitmaps", PRIMARY, 25, false, NULL, NULL},
	{"MSR bitmaps", PRIMARY, 28, true, NULL,
	 "without it each access to any MSR exits"},
	{"pause-loop exiting", SECONDARY, 10, true, "ple_gap",
	 "without it a CPU that spins for one which is not running burns its whole slice"},
	{"user-level wait and pause", SECONDARY, 26, true, NULL, NULL},
	{"INVPCID", SECONDARY, 12, true, NULL, NULL},
	{"XSAVES", SECONDARY, 20, true, NULL, NULL},
	{"VMCS shadowing", SECONDARY, 14, true, "enable_shadow_vmcs",
	 "without it a guest that is a hypervisor itself exits for each VMREAD and VMWRITE"},
	{"EPTP switching", VMFUNC, 0, true, NULL, NULL},
	{"EPT-violation #VE", SECONDARY, 18, false, NULL, NULL},
	{"mode-based execute control", SECONDARY, 22, false, NULL, NULL},
	{"bus-lock detection", SECONDARY, 30, true, NULL,
	 "without it a guest's split locks slow the whole host, unseen"},
	{"notification of a CPU that makes no progress", SECONDARY, 31, true, NULL,
	 "without it a guest can hold a CPU inside one instruction"},
	{"acknowledge interrupt on exit", EXIT, 15, true, NULL, NULL},
	{"load IA32_EFER on entry", ENTRY, 15, true, NULL,
	 "without it EFER is switched by the slower MSR lists"},
	{"load IA32_PERF_GLOBAL_CTRL on entry", ENTRY, 13, true, NULL, NULL},
	{"information on string I/O", BASIC, 54, true, NULL, NULL},
	{"wait-for-SIPI activity state", MISC, 8, false, NULL, NULL},
};

static const struct row svm_rows[] = {
	{"nested paging (NPT)", SVM, 0, true, "npt",
	 "without it every change of the guest's page tables exits: memory-heavy guests run at a fraction"},
	{"last-branch virtualization", SVM, 1, true, "lbrv", NULL},
	{"lock of SVM", SVM, 2, false, NULL, NULL},
	{"next RIP saved", SVM, 3, true, "nrips",
	 "without it each intercepted instruction is decoded to find the one after it"},
	{"TSC scaling", SVM, 4, true, "tsc_scaling",
	 "without it a VM restored on a host of another frequency has its counter emulated"},
	{"VMCB clean bits", SVM, 5, true, NULL,
	 "without it each entry loads the whole control block"},
	{"flush by ASID", SVM, 6, true, NULL,
	 "without it a flush for one VM flushes all of them"},
	{"decode assists", SVM, 7, true, NULL,
	 "without it instructions that touch devices are fetched from guest memory by the host"},
	{"pause filter", SVM, 10, true, "pause_filter_count",
	 "without it a CPU that spins for one which is not running burns its whole slice"},
	{"pause filter threshold", SVM, 12, true, "pause_filter_thresh", NULL},
	{"AVIC", SVM, 13, true, "avic",
	 "without it each interrupt of the guest costs an exit, those of passed-through devices included"},
	{"virtual VMSAVE and VMLOAD", SVM, 15, true, "vls",
	 "without it a guest that is a hypervisor itself exits for each VMSAVE and VMLOAD"},
	{"virtual GIF", SVM, 16, true, "vgif",
	 "without it a guest that is a hypervisor itself exits for each STGI and CLGI"},
	{"guest-mode execute trap", SVM, 17, false, NULL, NULL},
	{"x2AVIC", SVM, 18, true, "avic",
	 "without it AVIC is switched off for guests in x2APIC mode"},
	{"supervisor shadow stacks", SVM, 19, false, NULL, NULL},
	{"SPEC_CTRL virtualization", SVM, 20, true, NULL,
	 "without it SPEC_CTRL is switched by hand at each entry and exit"},
	{"host MCE override", SVM, 23, false, NULL, NULL},
	{"virtual NMI", SVM, 25, true, "vnmi",
	 "without it each NMI of the guest needs a single step to learn when it has ended"},
};
/* clang-format on */

_Static_assert(ARRAY_SIZE(vmx_rows) <= HV_CAPS_MAX && ARRAY_SIZE(svm_rows) <= HV_CAPS_MAX,
	       "struct hv_caps");

const char *hv_cap_state_name(enum hv_cap_state state)
{
	static const char *const names[] = {
		[HV_CAP_MISSING] = "missing",
		[HV_CAP_OFF] = "off",
		[HV_CAP_UNUSED] = "unused",
		[HV_CAP_USED] = "used",
	};

	return (size_t)state < ARRAY_SIZE(names) ? names[state] : "unknown";
}

static uint64_t msr(const struct hv_caps_raw *raw, unsigned index)
{
	return raw->vmx[index - HV_CAPS_VMX_FIRST];
}

static bool has(const struct hv_caps_raw *raw, enum source source, unsigned bit)
{
	unsigned index = sources[source].msr;

	if (source == SVM)
		return raw->svm_edx >> bit & 1;
	if (sources[source].true_msr && msr(raw, MSR_BASIC) >> 55 & 1)
		index = sources[source].true_msr;
	return msr(raw, index) >> (bit + (sources[source].control ? 32 : 0)) & 1;
}

static void add_row(const struct hv_caps_raw *raw, const struct row *row,
		    int (*parameter)(void *opaque, const char *name), void *opaque,
		    struct hv_caps *out)
{
	struct hv_cap *cap = &out->cap[out->count++];

	*cap = (struct hv_cap){
		.name = row->name,
		.where = sources[row->source].name,
		.bit = row->bit,
		.parameter = row->parameter,
		.cost = row->cost,
	};
	if (!has(raw, row->source, row->bit))
		cap->state = HV_CAP_MISSING;
	else if (!row->used)
		cap->state = HV_CAP_UNUSED;
	else if (row->parameter && parameter(opaque, row->parameter) == 0)
		cap->state = HV_CAP_OFF;
	else
		cap->state = HV_CAP_USED;
}

/* SDM vol. 3: A.1 (basic), A.6 (misc), A.10 (EPT); 27.5.1 (the timer's rate) */
static void decode_vmx(const struct hv_caps_raw *raw, struct hv_caps *out)
{
	out->revision = (uint32_t)msr(raw, MSR_BASIC) & 0x7fffffff;
	out->vmcs_size = (unsigned)(msr(raw, MSR_BASIC) >> 32 & 0x1fff);
	if (has(raw, PIN, 6))
		out->preemption_shift = (int)(msr(raw, MSR_MISC) & 31);
	if (has(raw, SECONDARY, 1))
		out->ept_levels = has(raw, EPT, 7) ? 5 : 4;
}

void hv_caps_decode(const struct hv_caps_raw *raw, int (*parameter)(void *opaque, const char *name),
		    void *opaque, struct hv_caps *out)
{
	const struct row *rows = raw->kind == HV_CAPS_SVM ? svm_rows : vmx_rows;
	size_t count = raw->kind == HV_CAPS_SVM ? ARRAY_SIZE(svm_rows) : ARRAY_SIZE(vmx_rows);

	*out = (struct hv_caps){.kind = raw->kind, .preemption_shift = -1};
	if (raw->kind == HV_CAPS_NONE)
		return;
	if (raw->kind == HV_CAPS_VMX) {
		decode_vmx(raw, out);
	} else {
		out->revision = raw->svm_eax & 0xff;
		out->asids = raw->svm_ebx;
	}
	for (size_t i = 0; i < count; i++)
		add_row(raw, &rows[i], parameter, opaque, out);
}
