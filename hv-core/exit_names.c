/* SPDX-License-Identifier: BSD-3-Clause */
/* exit_names: the two appendices as tables. */
#include "hv-core/exit_names.h"

#include <stdio.h>

#include "base/util.h"

#define VMX_REASON 0xffffu /* basic exit reason; above it are flags (SDM vol. 3, 25.9.1) */

/* clang-format off */
static const char *const vmx[] = {
	[0] = "exception or NMI", [1] = "external interrupt", [2] = "triple fault", [3] = "INIT signal",
	[4] = "start-up IPI", [5] = "I/O SMI", [6] = "other SMI", [7] = "interrupt window",
	[8] = "NMI window", [9] = "task switch", [10] = "CPUID", [11] = "GETSEC", [12] = "HLT",
	[13] = "INVD", [14] = "INVLPG", [15] = "RDPMC", [16] = "RDTSC", [17] = "RSM", [18] = "VMCALL",
	[19] = "VMCLEAR", [20] = "VMLAUNCH", [21] = "VMPTRLD", [22] = "VMPTRST", [23] = "VMREAD",
	[24] = "VMRESUME", [25] = "VMWRITE", [26] = "VMXOFF", [27] = "VMXON",
	[28] = "control-register access", [29] = "MOV DR", [30] = "I/O instruction", [31] = "RDMSR",
	[32] = "WRMSR", [33] = "entry failure: guest state", [34] = "entry failure: MSR loading",
	[36] = "MWAIT", [37] = "monitor trap flag", [39] = "MONITOR", [40] = "PAUSE",
	[41] = "entry failure: machine check", [43] = "TPR below threshold", [44] = "APIC access",
	[45] = "virtualized EOI", [46] = "access to GDTR or IDTR", [47] = "access to LDTR or TR",
	[48] = "EPT violation", [49] = "EPT misconfiguration", [50] = "INVEPT", [51] = "RDTSCP",
	[52] = "preemption timer expired", [53] = "INVVPID", [54] = "WBINVD or WBNOINVD", [55] = "XSETBV",
	[56] = "APIC write", [57] = "RDRAND", [58] = "INVPCID", [59] = "VMFUNC", [60] = "ENCLS",
	[61] = "RDSEED", [62] = "page-modification log full", [63] = "XSAVES", [64] = "XRSTORS",
	[65] = "PCONFIG", [66] = "SPP-related event", [67] = "UMWAIT", [68] = "TPAUSE", [69] = "LOADIWKEY",
	[70] = "ENCLV", [72] = "ENQCMD PASID translation failure", [73] = "ENQCMDS PASID translation failure",
	[74] = "bus lock", [75] = "instruction timeout", [76] = "SEAMCALL", [77] = "TDCALL",
	[78] = "RDMSRLIST", [79] = "WRMSRLIST",
};

/* From VMEXIT_INTR (0x60) on; below are registers and exceptions by number. */
static const char *const svm[] = {
	[0x60] = "INTR", [0x61] = "NMI", [0x62] = "SMI", [0x63] = "INIT", [0x64] = "VINTR",
	[0x65] = "CR0_SEL_WRITE", [0x66] = "IDTR_READ", [0x67] = "GDTR_READ", [0x68] = "LDTR_READ",
	[0x69] = "TR_READ", [0x6a] = "IDTR_WRITE", [0x6b] = "GDTR_WRITE", [0x6c] = "LDTR_WRITE",
	[0x6d] = "TR_WRITE", [0x6e] = "RDTSC", [0x6f] = "RDPMC", [0x70] = "PUSHF", [0x71] = "POPF",
	[0x72] = "CPUID", [0x73] = "RSM", [0x74] = "IRET", [0x75] = "SWINT", [0x76] = "INVD",
	[0x77] = "PAUSE", [0x78] = "HLT", [0x79] = "INVLPG", [0x7a] = "INVLPGA", [0x7b] = "IOIO",
	[0x7c] = "MSR", [0x7d] = "TASK_SWITCH", [0x7e] = "FERR_FREEZE", [0x7f] = "SHUTDOWN",
	[0x80] = "VMRUN", [0x81] = "VMMCALL", [0x82] = "VMLOAD", [0x83] = "VMSAVE", [0x84] = "STGI",
	[0x85] = "CLGI", [0x86] = "SKINIT", [0x87] = "RDTSCP", [0x88] = "ICEBP", [0x89] = "WBINVD",
	[0x8a] = "MONITOR", [0x8b] = "MWAIT", [0x8c] = "MWAIT_CONDITIONAL", [0x8d] = "XSETBV",
	[0x8e] = "RDPRU", [0x8f] = "EFER_WRITE_TRAP", [0xa0] = "INVLPGB", [0xa1] = "INVLPGB_ILLEGAL",
	[0xa2] = "INVPCID", [0xa3] = "MCOMMIT", [0xa4] = "TLBSYNC", [0xa5] = "BUSLOCK",
	[0xa6] = "IDLE_HLT",
};

static const struct {
	uint32_t code;
	const char *name;
} svm_high[] = {
	{0x400, "NPF"}, {0x401, "AVIC_INCOMPLETE_IPI"}, {0x402, "AVIC_NOACCEL"}, {0x403, "VMGEXIT"},
	{0xffffffff, "INVALID"}, {0xfffffffe, "BUSY"},
};

/* SVM, 0x00-0x5f and 0x90-0x9f: a register or an exception, by number. */
static const struct {
	uint32_t first, last;
	const char *before, *after;
} svm_numbered[] = {
	{0x00, 0x0f, "CR", "_READ"}, {0x10, 0x1f, "CR", "_WRITE"}, {0x20, 0x2f, "DR", "_READ"},
	{0x30, 0x3f, "DR", "_WRITE"}, {0x40, 0x5f, "EXCP", ""}, {0x90, 0x9f, "CR", "_WRITE_TRAP"},
};

static const struct hv_exit_number numbers[] = {
	{"halt_exits", 12, 0x78, NULL},
	{"io_exits", 30, 0x7b, "those that came to us"},
	{"mmio_exits", 49, 0x400, "those that came to us"},
	{"pf_taken", 48, 0x400, "those that the engine's page tables had to be changed for"},
	{"irq_exits", 1, 0x60, NULL},
	{"irq_window_exits", 7, 0x64, NULL},
	{"nmi_window_exits", 8, 0x74, NULL},
	{"hypercalls", 18, 0x81, NULL},
	{"invlpg", 14, 0x79, NULL},
};
/* clang-format on */

static const char *svm_word(uint32_t code)
{
	if (code < ARRAY_SIZE(svm) && svm[code])
		return svm[code];
	for (size_t i = 0; i < ARRAY_SIZE(svm_high); i++)
		if (svm_high[i].code == code)
			return svm_high[i].name;
	return NULL;
}

static void svm_name(uint32_t code, char name[HV_EXIT_NAME_MAX])
{
	const char *word = svm_word(code);

	if (word)
		snprintf(name, HV_EXIT_NAME_MAX, "VMEXIT_%s", word);
	else
		snprintf(name, HV_EXIT_NAME_MAX, "code 0x%x", code);
	for (size_t i = 0; i < ARRAY_SIZE(svm_numbered); i++)
		if (code >= svm_numbered[i].first && code <= svm_numbered[i].last)
			snprintf(name, HV_EXIT_NAME_MAX, "VMEXIT_%s%u%s", svm_numbered[i].before,
				 code - svm_numbered[i].first, svm_numbered[i].after);
}

const char *hv_exit_code_name(enum hv_caps_kind kind, uint32_t code, char name[HV_EXIT_NAME_MAX])
{
	uint32_t reason = code & VMX_REASON;

	if (kind == HV_CAPS_SVM)
		svm_name(code, name);
	else if (kind == HV_CAPS_VMX && reason < ARRAY_SIZE(vmx) && vmx[reason])
		snprintf(name, HV_EXIT_NAME_MAX, "%s", vmx[reason]);
	else
		snprintf(name, HV_EXIT_NAME_MAX, "reason %u", reason);
	return name;
}

const struct hv_exit_number *hv_exit_numbers(size_t *count)
{
	*count = ARRAY_SIZE(numbers);
	return numbers;
}
